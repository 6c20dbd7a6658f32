"""The chat client: streams answers from an OpenAI-compatible endpoint, vLLM first.

Everything about one endpoint is here: asking, counting, what it serves, whether it lives. What the bytes mean is
`chat_wire.py`, what failures mean `chat_faults.py`. Prompts, routes and citations are not this file's business.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeGuard

import httpx

from phidex.errors import ConfigError, PhidexError, ServiceError
from phidex.generation.chat_connection import Connection, socket_of
from phidex.generation.chat_count import Separator, count_joined, find_separator
from phidex.generation.chat_faults import (
    HTTPX_ERRORS,
    BusyError,
    Refusal,
    check_event_stream,
    fault_of_refusal,
    fault_of_stream,
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
_HAS_NO_LOGPROBS = (400, 403, 422, 501)


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


class FormedChat(ChatModel, Protocol):
    """A chat model that passes further fields of a request on to its server."""

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
        """As `ChatModel.stream`."""
        ...


def takes_extra(chat: ChatModel) -> TypeGuard[FormedChat]:
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
        self._tells_logprobs = True

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
        generator then ends without a `Done`.

        Args:
            messages: the conversation; control tokens in it are the caller's to break (`control.py`).
            model: a served name.
            max_tokens: upper bound of the answer; default: the settings'.
            temperature: default: the settings'.
            cancelled: an event that another thread may set.
            extra: further fields of the request, for this server; a server that refuses `logprobs` is asked without them
                from then on.

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
            extra={key: value for key, value in (extra or {}).items() if key != "logprobs" or self._tells_logprobs},
        )
        limit_s = self._settings.first_token_timeout_s
        deadline = time.monotonic() + limit_s
        attempt = 0
        while (response := self._opened(body, model, limit_s, cancelled)) is not None:
            try:
                with contextlib.closing(response):
                    yield from self._answer(response, deadline, cancelled)
                return
            except BusyError:  # said inside the stream, before any text
                if attempt == self._settings.retries or time.monotonic() > deadline:
                    raise
            if self._connection.pause(attempt, cancelled):
                return
            attempt += 1

    def _opened(
        self, body: dict[str, Any], model: str, limit_s: float, cancelled: threading.Event | None
    ) -> httpx.Response | None:
        """The open response to a request; None where it was cancelled."""
        url = f"{self._url}/chat/completions"
        try:
            response = self._connection.send("POST", url, body, timeout_s=limit_s, cancelled=cancelled)
            if isinstance(response, Refusal) and "logprobs" in body and response.status in _HAS_NO_LOGPROBS:
                del body["logprobs"]
                response = self._connection.send("POST", url, body, timeout_s=limit_s, cancelled=cancelled)
                self._tells_logprobs = isinstance(response, Refusal)  # or something else was refused
            if isinstance(response, Refusal):
                raise self._refused(response, model, cancelled)
        except ServiceError:
            if cancelled and cancelled.is_set():
                return None
            raise
        return response

    def _answer(
        self, response: httpx.Response, deadline: float, cancelled: threading.Event | None
    ) -> Generator[Delta | Done, None, None]:
        reader = AnswerReader()
        cause: Exception | None = None
        with Watch(socket_of(response), cancelled) as watch:
            watch.arm(deadline - time.monotonic())
            try:
                check_event_stream(response, self._url)
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
            raise fault_of_stream(cause, reader.partial, self._settings, late=watch.verdict == "late") from cause
        if watch.verdict == "late" and not reader.finished:
            raise fault_of_stream(None, reader.partial, self._settings, late=True)
        yield reader.done()

    def count_tokens(
        self, text: Sequence[Message] | str, *, model: str, cancelled: threading.Event | None = None
    ) -> int | None:
        """Returns what `text` costs in the served model's own tokens; None where the endpoint cannot count (only vLLM can).

        Of messages: the whole prompt, with the chat markup and the opening of the answer, as `Usage.prompt_tokens` will
        say, remembered. Of a string: its own tokens, with no special ones. 3 ms for 1K tokens, 160 ms for 128K.

        Raises:
            ConfigError: the model is not served.
            StoppedError: `cancelled` was set.
            ServiceError: the server cannot be reached or failed.
        """
        if self._endpoint and not self._endpoint.can_count:
            return None
        if isinstance(text, str):
            return self._ask_count({"prompt": sendable(text), "add_special_tokens": False}, model, cancelled)
        body = {"messages": turns(list(text)), "add_generation_prompt": True}

        def asked(_: Sequence[str]) -> list[int]:
            count = self._ask_count(body, model, cancelled)
            if count is None:
                raise _CannotCountError
            return [count]

        try:
            return self._counts.each([json.dumps(body["messages"])], asked, scope=f"{model} prompt")[0]
        except _CannotCountError:
            return None

    def _ask_count(self, body: dict[str, Any], model: str, cancelled: threading.Event | None) -> int | None:
        reply = self._tokenize(body, model, cancelled)
        return None if reply is None else as_count(reply.get("count"))

    def count_each(self, texts: Sequence[str], *, model: str, cancelled: threading.Event | None = None) -> list[int] | None:
        """Returns what `count_tokens` says of each text, in few requests; what was counted before is remembered.

        Raises:
            ConfigError, StoppedError, ServiceError: see `count_tokens`.
        """
        if self._endpoint and not self._endpoint.can_count:
            return None
        try:
            return self._counts.each(texts, lambda unknown: self._count_texts(unknown, model, cancelled), scope=model)
        except _CannotCountError:
            return None

    def _count_texts(self, texts: Sequence[str], model: str, cancelled: threading.Event | None) -> list[int]:
        def tokens(text: str) -> list[int]:
            reply = self._tokenize({"prompt": sendable(text), "add_special_tokens": False}, model, cancelled)
            if reply is None:
                raise _CannotCountError
            return as_list(reply.get("tokens"))

        if model not in self._separators:
            self._separators[model] = find_separator(tokens)
        return count_joined(texts, self._separators[model], tokens)

    def _tokenize(self, body: dict[str, Any], model: str, cancelled: threading.Event | None) -> dict[str, Any] | None:
        url = f"{self._connection.root}/tokenize"
        reply = self._connection.ask("POST", url, {"model": model, **body}, cancelled=cancelled)
        if not isinstance(reply, Refusal):
            return reply
        if reply.status == 404 and "model" in reply.text.lower():
            raise self._refused(reply, model, cancelled)
        if reply.status in _HAS_NO_COUNTER or reply.status in (401, 403):  # behind a gate that lets only /v1 through
            return None
        raise fault_of_refusal(reply, self._url).error

    def probe(self, *, refresh: bool = False, cancelled: threading.Event | None = None) -> Endpoint:
        """Returns what the endpoint serves; asked once and remembered, unless `refresh`.

        Raises:
            ConfigError: wrong key or URL.
            StoppedError: `cancelled` was set.
            ServiceError: the server cannot be reached or failed.
        """
        if self._endpoint is None or refresh:
            models = self._models(cancelled)
            # An endpoint without a list may still count, but no name is known to ask it with.
            can_count = bool(models) and self._counts_at(models[0].name, cancelled)
            self._endpoint = Endpoint(models, can_count)
            logger.info("chat.probed models=%d can_count=%s", len(models), can_count)
        return self._endpoint

    def _counts_at(self, model: str, cancelled: threading.Event | None) -> bool:
        try:
            return self._ask_count({"prompt": "a", "add_special_tokens": False}, model, cancelled) is not None
        except ConfigError:  # it lists a name that it does not answer to
            return False

    def window_tokens(self, model: str, *, cancelled: threading.Event | None = None) -> int | None:
        """Returns the window a model is served with, None where the endpoint does not tell; asked once."""
        models = self.probe(cancelled=cancelled).models
        return next((served.window_tokens for served in models if served.name == model), None)

    def _models(self, cancelled: threading.Event | None) -> tuple[ServedModel, ...]:
        reply = self._connection.ask("GET", f"{self._url}/models", cancelled=cancelled)
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

    def metrics(self, cancelled: threading.Event | None = None) -> str:
        """The server's own figures in Prometheus' text form; empty where it has none or does not answer now."""
        return self._connection.read_text("/metrics", cancelled)

    def _refused(self, refusal: Refusal, model: str, cancelled: threading.Event | None) -> PhidexError:
        """The error of a refused request; an unknown model is told what there is."""
        if refusal.status == 404:
            with contextlib.suppress(PhidexError):
                names = [
                    served.name for served in self._models(cancelled)
                ]  # not by `probe`, which counts, and may be refused again
                if names and model not in names:
                    message = f"{shown_url(self._url)} does not serve {model!r}; it serves {', '.join(names)}"
                    return ConfigError(message, hint="set PHIDEX_CHAT__MINI or PHIDEX_CHAT__MOE to one of these")
        return fault_of_refusal(refusal, self._url).error
