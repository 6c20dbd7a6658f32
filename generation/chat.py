"""The chat client: streams answers from an OpenAI-compatible endpoint, vLLM first.

Everything about one endpoint is here: asking, counting, what it serves, whether it lives. What the bytes mean is
`chat_wire.py`, what failures mean `chat_faults.py`. Prompts, routes and citations are not this file's business.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import socket
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import httpx

from phidex.errors import ConfigError, IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.chat_connection import Connection
from phidex.generation.chat_count import Separator, count_joined, find_separator
from phidex.generation.chat_faults import (
    HTTPX_ERRORS,
    URL_HINT,
    Refusal,
    fault_of_exception,
    fault_of_refusal,
    read_refusal,
    shown_url,
)
from phidex.generation.chat_wire import (
    AnswerReader,
    Delta,
    Done,
    Message,
    Usage,
    as_count,
    as_list,
    as_object,
    chat_body,
    sendable,
    turns,
)
from phidex.generation.watch import Watch
from phidex.retrieval.count import CountCache
from phidex.settings import ChatSettings

__all__ = ["ChatModel", "Delta", "Done", "Endpoint", "Message", "OpenAIChat", "ServedModel", "Usage", "takes_extra"]

logger = logging.getLogger(__name__)

_WINDOW_KEYS = ("max_model_len", "context_length", "context_window")  # vLLM, several routers, Groq
_HAS_NO_COUNTER = (400, 404, 405, 422, 501)


class _CannotCountError(Exception):
    """The endpoint has no /tokenize."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A name that the endpoint answers to, and its window in tokens where the endpoint tells."""

    name: str
    window_tokens: int | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an endpoint serves (empty where it lists nothing), and whether it counts tokens with its own tokenizer."""

    models: tuple[ServedModel, ...]
    can_count: bool


class ChatModel(Protocol):
    """Answers conversations."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int | None = None,
        temperature: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generator[Delta | Done, None, None]:
        """Yields the answer's pieces and one `Done`; closing the generator, or setting `cancelled`, stops the server's work."""
        ...

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        """Returns the exact number of tokens, None where the endpoint cannot count."""
        ...

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        """Returns the exact number of tokens of each text, None where the endpoint cannot count."""
        ...

    def window_tokens(self, model: str) -> int | None:
        """Returns the window a model is served with, None where the endpoint does not tell."""
        ...


def takes_extra(chat: ChatModel) -> bool:
    """Whether its `stream` passes further fields of a request (`extra`) on to the server."""
    return "extra" in inspect.signature(chat.stream).parameters


class OpenAIChat:
    """An OpenAI-compatible endpoint. Safe to share between threads; `close` gives its connections back.

    Args:
        settings: where it is, its key, timeouts and retries.
        transport: takes the place of the network, in tests.

    Raises:
        ConfigError: no URL is set, or the URL or key cannot be sent.
    """

    def __init__(self, settings: ChatSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._connection = Connection(settings, transport=transport)
        self._url = self._connection.url
        self._endpoint: Endpoint | None = None
        self._counts = CountCache()
        self._separators: dict[str, Separator] = {}  # by model

    def __repr__(self) -> str:
        return f"OpenAIChat({shown_url(self._url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the endpoint is, without what might be secret in its address."""
        return shown_url(self._url)

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()

    def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int | None = None,
        temperature: float | None = None,
        cancelled: threading.Event | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Generator[Delta | Done, None, None]:
        """Yields the answer's pieces as they come, then one `Done`. The request is sent at the first `next`.

        Closing the generator (`contextlib.closing`, or `break` out of its only loop) closes the response, and vLLM then
        stops within half a second. `cancelled` does the same from another thread, even while the server is silent; the
        generator then ends without a `Done`. Where a server holds its headers back until the first token (vLLM does not),
        `cancelled` acts only once they come.

        Args:
            messages: the conversation; control tokens in it are the caller's to break (`control.py`).
            model: a served name.
            max_tokens: upper bound of the answer; default: the settings'.
            temperature: default: the settings'.
            cancelled: an event that another thread may set.
            extra: further fields of the request, for this server.

        Raises:
            ConfigError: wrong key, URL or model name.
            InputError: the server refused the request as malformed.
            BudgetError: the prompt does not fit the window.
            IncompleteAnswerError: the answer began, or its stream did, and did not end; see `partial`.
            ServiceError: the server cannot be reached, is overloaded, or sent no first token in time.
        """
        body = chat_body(
            list(messages),
            model=model,
            max_tokens=self._settings.max_answer_tokens if max_tokens is None else max_tokens,
            temperature=self._settings.temperature if temperature is None else temperature,
            extra=dict(extra or {}),
        )
        deadline = time.monotonic() + self._settings.first_token_timeout_s
        try:
            response = self._connection.send("POST", f"{self._url}/chat/completions", body, cancelled=cancelled)
        except ServiceError:
            if cancelled and cancelled.is_set():
                return
            raise
        if isinstance(response, Refusal):
            raise self._refused(response, model)
        with contextlib.closing(response):
            _check_event_stream(response, self._url)
            yield from self._answer(response, deadline, cancelled)

    def _answer(
        self, response: httpx.Response, deadline: float, cancelled: threading.Event | None
    ) -> Generator[Delta | Done, None, None]:
        reader = AnswerReader()
        cause: Exception | None = None
        with Watch(_socket_of(response), cancelled) as watch:
            watch.arm(deadline - time.monotonic())
            try:
                for chunk in response.iter_bytes():
                    events = reader.events
                    for delta in reader.feed(chunk):
                        watch.disarm()
                        yield delta
                    if reader.ended or watch.verdict:  # what the kernel still holds for us may be megabytes
                        break
                    if reader.partial and reader.events > events:
                        watch.arm(self._settings.stall_timeout_s)
            except (*HTTPX_ERRORS, ServiceError) as exc:
                cause = exc
        if watch.verdict == "cancelled":
            logger.info("chat.cancelled")
            return
        if cause and not reader.finished:
            raise self._broken(cause, reader, late=watch.verdict == "late") from cause
        if watch.verdict == "late" and not reader.finished:
            raise self._broken(None, reader, late=True)
        yield reader.done()

    def _broken(self, cause: Exception | None, reader: AnswerReader, *, late: bool) -> PhidexError:
        """The error of a stream that did not end as it should."""
        where = shown_url(self._url)
        if late and not reader.partial:
            hint = "the server is overloaded or the prompt long: see PHIDEX_CHAT__FIRST_TOKEN_TIMEOUT_S"
            seconds = self._settings.first_token_timeout_s
            return ServiceError(f"{where} sent no token within {seconds:g} s", hint=hint, retryable=True)
        if late:
            message = f"{where} stopped in the middle of the answer for {self._settings.stall_timeout_s:g} s"
            return IncompleteAnswerError(message, partial=reader.partial, hint="ask again")
        if isinstance(cause, IncompleteAnswerError):
            return cause
        error = cause if isinstance(cause, ServiceError) else fault_of_exception(cause or EOFError(), self._url).error
        return IncompleteAnswerError(error.message, partial=reader.partial, hint=error.hint)

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        """Returns what `text` costs in the served model's own tokens; None where the endpoint cannot count (only vLLM can).

        Of messages: the whole prompt, with the chat markup and the opening of the answer, as `Usage.prompt_tokens` will
        say, remembered. Of a string: its own tokens, with no special ones. 3 ms for 1K tokens, 160 ms for 128K.

        Raises:
            ConfigError: the model is not served.
            ServiceError: the server cannot be reached or failed.
        """
        if self._endpoint and not self._endpoint.can_count:
            return None
        if isinstance(text, str):
            return self._ask_count({"prompt": sendable(text), "add_special_tokens": False}, model)
        body = {"messages": turns(list(text)), "add_generation_prompt": True}

        def asked(_: Sequence[str]) -> list[int]:
            count = self._ask_count(body, model)
            if count is None:
                raise _CannotCountError
            return [count]

        try:
            return self._counts.each([json.dumps(body["messages"])], asked, scope=f"{model} prompt")[0]
        except _CannotCountError:
            return None

    def _ask_count(self, body: dict[str, Any], model: str) -> int | None:
        reply = self._tokenize(body, model)
        return None if reply is None else as_count(reply.get("count"))

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        """Returns what `count_tokens` says of each text, in few requests; what was counted before is remembered.

        Raises:
            ConfigError, ServiceError: see `count_tokens`.
        """
        if self._endpoint and not self._endpoint.can_count:
            return None
        try:
            return self._counts.each(texts, lambda unknown: self._count_texts(unknown, model), scope=model)
        except _CannotCountError:
            return None

    def _count_texts(self, texts: Sequence[str], model: str) -> list[int]:
        def tokens(text: str) -> list[int]:
            reply = self._tokenize({"prompt": sendable(text), "add_special_tokens": False}, model)
            if reply is None:
                raise _CannotCountError
            return as_list(reply.get("tokens"))

        if model not in self._separators:
            self._separators[model] = find_separator(tokens)
        return count_joined(texts, self._separators[model], tokens)

    def _tokenize(self, body: dict[str, Any], model: str) -> dict[str, Any] | None:
        reply = self._connection.ask("POST", f"{self._connection.root}/tokenize", {"model": model, **body})
        if not isinstance(reply, Refusal):
            return reply
        if reply.status == 404 and "model" in reply.text.lower():
            raise self._refused(reply, model)
        if reply.status in _HAS_NO_COUNTER or reply.status in (401, 403):  # behind a gate that lets only /v1 through
            return None
        raise fault_of_refusal(reply, self._url).error

    def probe(self, *, refresh: bool = False) -> Endpoint:
        """Returns what the endpoint serves; asked once and remembered, unless `refresh`.

        Raises:
            ConfigError: wrong key or URL.
            ServiceError: the server cannot be reached or failed.
        """
        if self._endpoint is None or refresh:
            models = self._models()
            # An endpoint without a list may still count, but no name is known to ask it with.
            can_count = bool(models) and self._counts_at(models[0].name)
            self._endpoint = Endpoint(models, can_count)
            logger.info("chat.probed models=%d can_count=%s", len(models), can_count)
        return self._endpoint

    def _counts_at(self, model: str) -> bool:
        try:
            return self._ask_count({"prompt": "a", "add_special_tokens": False}, model) is not None
        except ConfigError:  # it lists a name that it does not answer to
            return False

    def window_tokens(self, model: str) -> int | None:
        """Returns the window a model is served with, None where the endpoint does not tell; asked once."""
        return next((served.window_tokens for served in self.probe().models if served.name == model), None)

    def _models(self) -> tuple[ServedModel, ...]:
        reply = self._connection.ask("GET", f"{self._url}/models")
        if isinstance(reply, Refusal):
            if reply.status in (404, 405):  # Azure's deployments list nothing
                return ()
            raise fault_of_refusal(reply, self._url).error
        cards = [as_object(card) for card in as_list(reply.get("data"))]
        return tuple(
            ServedModel(card["id"], next((n for key in _WINDOW_KEYS if (n := as_count(card.get(key)))), None))
            for card in cards
            if isinstance(card.get("id"), str)
        )

    def health(self) -> bool:
        """Tells whether the server answers now, within the connect timeout and without retries."""
        return self._connection.is_healthy()

    def metrics(self) -> str:
        """The server's own figures in Prometheus' text form; empty where it has none or does not answer now."""
        return self._connection.read_text("/metrics")

    def _refused(self, refusal: Refusal, model: str) -> PhidexError:
        """The error of a refused request; an unknown model is told what there is."""
        if refusal.status == 404:
            with contextlib.suppress(PhidexError):
                names = [served.name for served in self._models()]  # not by `probe`, which counts, and may be refused again
                if names and model not in names:
                    message = f"{shown_url(self._url)} does not serve {model!r}; it serves {', '.join(names)}"
                    return ConfigError(message, hint="set PHIDEX_CHAT__MINI or PHIDEX_CHAT__MOE to one of these")
        return fault_of_refusal(refusal, self._url).error


def _socket_of(response: httpx.Response) -> socket.socket | None:
    """The socket under a response; None where the transport has none."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None


def _check_event_stream(response: httpx.Response, url: str) -> None:
    """Raises ConfigError where 200 came with a page, as a portal or a wrong URL does."""
    kind = response.headers.get("content-type", "")
    if kind and not kind.startswith("text/event-stream"):
        says = read_refusal(response).text
        raise ConfigError(f"{shown_url(url)} answers with {kind} in the place of a stream: {says}", hint=URL_HINT)
