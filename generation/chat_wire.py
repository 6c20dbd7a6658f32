"""The OpenAI chat protocol without any input or output: bytes of a response go in, records come out.

`chat.py` owns the connection and `chat_faults.py` the errors of HTTP; this file knows what the bytes mean, so that another
shell (asynchronous, recorded) shares all of it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from phidex.errors import IncompleteAnswerError, ServiceError
from phidex.ingest.records import Picture

_MAX_LINE_BYTES = 4 * 2**20  # an event of a chat stream is some hundred bytes: more is no such stream
_END = "[DONE]"
_LEAST_LOGPROB = -20.0  # some servers write -9999 where they know none


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture in a message: a `data:` URL, and the text that stands before it."""

    url: str = field(repr=False)
    before: str = ""


def data_url(picture: Picture) -> str:
    """The picture as a URL that holds it."""
    return f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `images` are shown before its text, each behind its own."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[ImagePart, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer's text; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; `cached_tokens` of the prompt came from its prefix cache.

    It is 0 also where the server does not say.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    def to_dict(self) -> dict[str, int]:
        """JSON-ready values."""
        return asdict(self)


def total_usage(usages: Sequence[Usage]) -> Usage | None:
    """The sum; None where no server told."""
    if not usages:
        return None
    names = ("prompt_tokens", "completion_tokens", "cached_tokens")
    return Usage(*(sum(getattr(one, name) for one in usages) for name in names))


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a whole answer.

    `finish_reason` is the server's: `stop`, `length` (cut at `max_tokens`), `content_filter` … `usage` is None where the
    server reports none. `model` is the server's own first name, which need not be the one that was asked for. `confidence` is
    the geometric mean of the probabilities of the tokens that have letters or digits, where they were asked for and told.
    """

    finish_reason: str
    usage: Usage | None
    model: str
    confidence: float | None = None


class ReportedError(IncompleteAnswerError):
    """The server said inside its stream that it failed: vLLM's way to refuse what it has no room for, once it said 200.

    Args:
        status: as HTTP would have said it; 500 where the server names none.
    """

    def __init__(self, said: str, *, partial: str, status: int) -> None:
        super().__init__(f"the model server failed: {said}", partial=partial)
        self.said, self.status = said, status


class EventDecoder:
    """Server-sent events from bytes, cut anywhere.

    Lines end with CR, LF or both and with nothing else: `str.splitlines` (and httpx's `iter_lines`) also cuts at U+2028 or
    U+0085, which JSON may hold unescaped.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yields the data of each event that `chunk` completes; comments and other fields are skipped.

        Raises:
            ServiceError: a line is longer than any event of such a stream, or is not UTF-8.
        """
        self._buffer += chunk
        # A CR at the very end may be the first half of CR LF: it waits for what follows.
        ready = self._buffer.endswith(b"\r")
        text = bytes(self._buffer[:-1] if ready else self._buffer).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._buffer = bytearray(rest + b"\r" if ready else rest)
        if len(self._buffer) > _MAX_LINE_BYTES:
            raise ServiceError("the model endpoint sent a line without an end: this is no event stream")
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield self._take()

    def _take(self) -> str:
        data, self._data = b"\n".join(self._data), []
        try:
            return data.decode()
        except UnicodeDecodeError as exc:
            raise ServiceError("the model endpoint sent an event that is not UTF-8") from exc


class AnswerReader:
    """One streamed answer: feed it the bytes of the response, then ask `done`.

    `events` counts them, so that a shell can tell a stream that works from one that only sends comments.
    `ended` is true once the server said that nothing follows.
    """

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._text: list[str] = []
        self._finish_reason = ""
        self._usage: Usage | None = None
        self._model = ""
        self._logprobs, self._weighed = 0.0, 0
        self.events = 0
        self.ended = False

    @property
    def partial(self) -> str:
        """The text so far."""
        return "".join(self._text)

    def feed(self, chunk: bytes) -> Iterator[Delta]:
        """Yields the text that `chunk` completes.

        Raises:
            ReportedError: the server reported a failure inside the stream.
            ServiceError: this is not a chat stream.
        """
        for data in self._decoder.feed(chunk):
            self.events += 1
            if data.strip() == _END:
                self.ended = True
                return
            if text := self._read(_object(data)):
                self._text.append(text)
                yield Delta(text)

    def done(self) -> Done:
        """Returns the end of the answer, once the stream is over.

        Raises:
            IncompleteAnswerError: the stream gave no reason for its end, or the server gave up.
        """
        if not self._finish_reason:
            raise IncompleteAnswerError("the model server ended the stream before the answer", partial=self.partial)
        if self._finish_reason == "abort":
            raise IncompleteAnswerError("the model server aborted the answer", partial=self.partial)
        sure = math.exp(self._logprobs / self._weighed) if self._weighed else None
        return Done(self._finish_reason, self._usage, self._model, sure)

    @property
    def finished(self) -> bool:
        """Whether a reason for the end has arrived: the text is whole, though usage may still follow."""
        return bool(self._finish_reason)

    def _read(self, event: dict[str, Any]) -> str:
        if "error" in event:
            code = as_count(as_object(event["error"]).get("code"))
            raise ReportedError(error_text(event), partial=self.partial, status=code if code and 400 <= code < 600 else 500)
        self._model = str(event.get("model") or self._model)
        self._usage = read_usage(event.get("usage")) or self._usage
        choices = as_list(event.get("choices"))
        if not choices:
            return ""
        choice = as_object(choices[0])
        self._finish_reason = str(choice.get("finish_reason") or self._finish_reason)
        if choice.get("logprobs"):
            self._weigh(as_list(as_object(choice["logprobs"]).get("content")))
        content = as_object(choice.get("delta")).get("content")
        return content if isinstance(content, str) else ""

    def _weigh(self, tokens: list[Any]) -> None:
        """Adds up what is told of tokens; white space, marks and what ends an answer say nothing of it."""
        for token in map(as_object, tokens):
            logprob, text = token.get("logprob"), token.get("token")
            if isinstance(logprob, (int, float)) and isinstance(text, str) and any(map(str.isalnum, text)) and logprob <= 0:
                self._logprobs += max(float(logprob), _LEAST_LOGPROB)
                self._weighed += 1


def as_object(value: object) -> dict[str, Any]:
    """Returns `value` if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Returns `value` if it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_count(value: object) -> int | None:
    """Returns `value` if it is a count, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _object(data: str) -> dict[str, Any]:
    try:
        value: object = json.loads(data)
    except ValueError as exc:
        raise ServiceError("the model endpoint sent an event that is not JSON") from exc
    if not isinstance(value, dict):
        raise ServiceError("the model endpoint sent an event that is not an object")
    return as_object(cast("object", value))


def read_usage(value: object) -> Usage | None:
    """Returns the usage object of a reply as a record, None where it is not one."""
    usage = as_object(value)
    prompt, completion = as_count(usage.get("prompt_tokens")), as_count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    cached = as_count(as_object(usage.get("prompt_tokens_details")).get("cached_tokens"))
    return Usage(prompt, completion, cached or 0)


def error_text(body: object) -> str:
    """Returns what an error body says, in any of the shapes seen: OpenAI's object, a string, FastAPI's `detail`.

    >>> error_text({"error": {"message": "no such model"}}), error_text({"error": "Unauthorized"}), error_text({})
    ('no such model', 'Unauthorized', '')
    """
    fields = as_object(body)
    error = fields.get("error")
    for value in (as_object(error).get("message"), error, fields.get("message"), fields.get("detail")):
        if value and isinstance(value, str):
            return value
    detail = as_list(fields.get("detail"))
    return str(as_object(detail[0]).get("msg", "")) if detail else ""


def chat_body(
    messages: list[Message], *, model: str, max_tokens: int, temperature: float, extra: dict[str, Any]
) -> dict[str, Any]:
    """Returns the JSON of a streamed chat request; `extra` holds fields of this server, and wins."""
    return {
        "model": model,
        "messages": turns(messages),
        "max_tokens": max_tokens,
        "temperature": temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        **extra,
    }


def turns(messages: list[Message]) -> list[dict[str, Any]]:
    """Returns the messages as JSON."""
    return [{"role": message.role, "content": _content(message)} for message in messages]


def _content(message: Message) -> str | list[dict[str, Any]]:
    text = sendable(message.content)
    if not message.images:
        return text
    parts: list[dict[str, Any]] = []
    for image in message.images:
        if image.before:
            parts.append({"type": "text", "text": sendable(image.before)})
        parts.append({"type": "image_url", "image_url": {"url": image.url}})
    return [*parts, {"type": "text", "text": text}]


def sendable(text: str) -> str:
    """Returns `text` with `?` for lone surrogates, which broken documents hold and UTF-8 cannot carry."""
    return text.encode(errors="replace").decode()
