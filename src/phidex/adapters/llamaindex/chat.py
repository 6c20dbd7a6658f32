"""Any LLM of LlamaIndex as the chat model of Phidex: no server of ours is asked.

What it can do is said as it is: it streams, and its window is what its metadata say; tokens are counted where a tokenizer is
given, and estimated (never too low) where none is. It enforces no JSON schema: a reply is held to one once it has come.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from phidex.adapters.installed import core
from phidex.errors import ConfigError, IncompleteAnswerError, ServiceError
from phidex.generation.chat_wire import Delta, Done, Message, Usage

_HINT = "see what it needs; its own settings decide on addresses, keys and timeouts"


class LanguageModel(Protocol):
    """What is used of LlamaIndex's `LLM`."""

    @property
    def metadata(self) -> Any:
        """`LLMMetadata`."""
        ...

    def stream_chat(self, messages: Sequence[Any], **kwargs: Any) -> Iterable[Any]:
        """`ChatResponse`s, each with the next piece as `delta`."""
        ...


class LlamaIndexChat:
    """`Phidex(chat=LlamaIndexChat(llm))`. Thread-safe where the LLM is.

    The limit of an answer and the temperature are passed on to an LLM that has fields of these names (`max_tokens`,
    `temperature`); others keep to their own. A cancelled answer ends at its next piece.

    Args:
        llm: any `LLM` of LlamaIndex.
        count_tokens: of a text, with the LLM's own tokenizer; None for an estimate.
        window_tokens: default: what the LLM's metadata say.
        name: shown in routes and usage; default: the LLM's model name, else its class.

    Raises:
        ConfigError: llama-index-core is not installed.
    """

    def __init__(
        self,
        llm: LanguageModel,
        *,
        count_tokens: Callable[[str], int] | None = None,
        window_tokens: int | None = None,
        name: str = "",
    ) -> None:
        self._types: Any = core("base.llms.types")
        self._llm = llm
        self._count = count_tokens
        self._window = window_tokens
        named = name or getattr(llm, "model", "") or getattr(llm, "model_name", "") or llm.metadata.model_name
        self._name = type(llm).__name__ if named in ("", "unknown") or not isinstance(named, str) else named

    @property
    def name(self) -> str:
        """Of the model, for people."""
        return self._name

    def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int | None = None,
        temperature: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generator[Delta | Done, None, None]:
        """See `ChatModel.stream`.

        Raises:
            ConfigError: a message shows an image.
            IncompleteAnswerError: the answer began and did not end.
            ServiceError: the LLM failed.
        """
        sent = [self._message(message) for message in messages]
        said, last = "", None
        try:
            with _closing(self._llm.stream_chat(sent, **self._limits(max_tokens, temperature))) as pieces:
                for last in pieces:
                    if cancelled is not None and cancelled.is_set():
                        return
                    text = _new_text(last, said)
                    said += text
                    if text:
                        yield Delta(text)
        except GeneratorExit:
            raise
        except Exception as exc:
            told = f"{self._name} failed: {type(exc).__name__}: {exc}"
            if said:
                raise IncompleteAnswerError(told, partial=said, hint=_HINT) from exc
            raise ServiceError(told, hint=_HINT, retryable=True) from exc
        raw: object = getattr(last, "raw", None)
        yield Done(_finish_reason(raw), _usage(raw, getattr(last, "additional_kwargs", None)), model)

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:  # noqa: ARG002  a seam
        """Tokens of a string, where a tokenizer was given; None for a prompt, whose markup only the LLM knows."""
        return self._count(text) if self._count is not None and isinstance(text, str) else None

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:  # noqa: ARG002  a seam
        """Tokens of each text; None where no tokenizer was given."""
        return None if self._count is None else [self._count(text) for text in texts]

    def window_tokens(self, model: str) -> int | None:  # noqa: ARG002  a seam
        """What the LLM's metadata say, or what was given in its place."""
        if self._window is not None:
            return self._window
        window = getattr(self._llm.metadata, "context_window", None)
        return window if isinstance(window, int) and window > 0 else None

    def _message(self, message: Message) -> Any:
        if message.images:
            hint = "set PHIDEX_CHAT__VISION_URL and PHIDEX_CHAT__VISION to an endpoint that reads images"
            raise ConfigError(f"{self._name} is asked as a model of text, and an image was to be shown to it", hint=hint)
        return self._types.ChatMessage(role=message.role, content=message.content)

    def _limits(self, max_tokens: int | None, temperature: float | None) -> dict[str, Any]:
        known: Mapping[str, Any] = getattr(type(self._llm), "model_fields", {})
        wanted = {"max_tokens": max_tokens, "temperature": temperature}
        return {key: value for key, value in wanted.items() if value is not None and key in known}


@contextlib.contextmanager
def _closing(pieces: Iterable[Any]) -> Generator[Iterable[Any]]:
    """The pieces; a generator is closed behind them, which ends its request."""
    try:
        yield pieces
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def _new_text(piece: Any, said: str) -> str:
    """What a piece adds: its `delta`, or, of an LLM that gives none, what its whole text has more."""
    if isinstance(piece.delta, str):
        return piece.delta
    whole = piece.message.content or ""
    return whole[len(said) :] if whole.startswith(said) else ""


def _look(raw: object, *names: str) -> Any:
    """The first of these that an answer of some SDK has, as an attribute or as a key."""
    for name in names:
        found = cast("Mapping[str, Any]", raw).get(name) if isinstance(raw, Mapping) else getattr(raw, name, None)
        if found is not None:
            return found
    return None


def _finish_reason(raw: object) -> str:
    choices = _look(raw, "choices")
    reason = _look(cast("list[Any]", choices)[0], "finish_reason") if isinstance(choices, list) and choices else None
    reason = reason or _look(raw, "finish_reason", "done_reason", "stop_reason")
    return "length" if reason in ("length", "max_tokens") else "stop"


def _usage(raw: object, extra: object) -> Usage | None:
    """The tokens as the LLM's server counted them, in the names that the usual SDKs give them."""
    for told in (_look(raw, "usage"), raw, extra):
        prompt = _look(told, "prompt_tokens", "input_tokens", "prompt_eval_count")
        answer = _look(told, "completion_tokens", "output_tokens", "eval_count")
        if isinstance(prompt, int) and isinstance(answer, int):
            return Usage(prompt, answer)
    return None
