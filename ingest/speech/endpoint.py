"""Speech to text at an OpenAI-compatible endpoint: `POST /v1/audio/transcriptions`, as vLLM serves Whisper.

Called from the worker process of a file, as pictures are described (`generation/describe.py`): a piece of audio would cost more
to hand to the parent than to send, and a slow endpoint holds up its own file alone. vLLM refuses more than 600 s or 25 MB at a
time, and finds the language out from the first 30 s of each request: pieces are shorter, and the language is told.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
import wave
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from typing import Any, cast

import httpx

from phidex.errors import ConfigError, PhidexError, ServiceError
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.silence import RATE, Piece
from phidex.ingest.speech.tongues import language_code
from phidex.ingest.speech.transcript import Utterance

_CONNECT_S = 10.0
_LOOK_S = 0.5  # between two signs of life while a request is under way
_BACKOFF_S = 0.5
_LONGEST_WAIT_S = 30.0
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
_SHOWN = 200
_TOO_LONG = ("maximum", "too long", "too large", "exceed", "duration", "filesize", "file size")


class TooLongError(ServiceError):
    """The piece is more than the server takes."""


class UntimedError(ServiceError):
    """The server gives text without times: the piece must be as short as its times are to be exact."""


class Endpoint:
    """A transcription endpoint. For one thread.

    Args:
        transport: takes the place of the network, in tests.

    Raises:
        ConfigError: the key cannot be sent, or the URL is none.
    """

    def __init__(self, options: SpeechOptions, transport: httpx.BaseTransport | None = None) -> None:
        self._options = options
        if not (options.api_key.isascii() and options.api_key.isprintable()):  # httpx's own error would show it
            raise ConfigError("the key of the transcription endpoint has characters that HTTP cannot carry", hint=_KEY)
        headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
        timeout = httpx.Timeout(options.timeout_s, connect=_CONNECT_S)
        try:
            self._client = httpx.Client(base_url=options.url.rstrip("/"), headers=headers, timeout=timeout, transport=transport)
        except httpx.InvalidURL as exc:
            raise ConfigError(f"PHIDEX_SPEECH__URL is no URL: {exc}", hint="e.g. http://localhost:8003/v1") from exc
        self._model = options.model
        self._is_timed = True
        self._sender = ThreadPoolExecutor(1, "phidex-transcribe")

    @property
    def name(self) -> str:
        """For people."""
        return self._options.model or "the transcription endpoint"

    def close(self) -> None:
        """Close the connections."""
        self._sender.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def recognise(self, piece: Piece, language: str, beat: Callable[[], None]) -> tuple[list[Utterance], str]:
        """What is said in the piece, times from its start, and the language of it.

        Args:
            language: ISO 639-1; "" has the server find it out.
            beat: called every half second.

        Raises:
            TooLongError: it must be cut; UntimedError: it must be cut for the sake of times.
            ServiceError: the endpoint failed, the last attempt too.
            ConfigError: the key or the model is wrong.
        """
        if not self._model:
            self._model = self._only_model(beat)
        if not self._is_timed and len(piece.samples) / RATE > UNTIMED_S:
            raise UntimedError("the server gives no times")
        form: dict[str, Any] = {"model": self._model, "response_format": self._format(), "temperature": "0"}
        if self._is_timed:
            form["timestamp_granularities[]"] = "segment"
        if language:
            form["language"] = language
        reply = self._send(
            "POST", "/audio/transcriptions", beat, data=form, files={"file": ("piece.wav", _wav(piece), "audio/wav")}
        )
        return _utterances(reply, piece), language or language_code(str(reply.get("language") or ""))

    def _format(self) -> str:
        return ("diarized_json" if self._options.diarize else "verbose_json") if self._is_timed else "json"

    def _only_model(self, beat: Callable[[], None]) -> str:
        reply = self._send("GET", "/models", beat)
        names = [str(one["id"]) for one in reply.get("data") or ()]
        if len(names) != 1:
            served = ", ".join(names[:5]) or "none"
            raise ConfigError(f"the transcription endpoint serves {served}", hint="name one: PHIDEX_SPEECH__MODEL")
        return names[0]

    def _send(self, method: str, path: str, beat: Callable[[], None], **request: Any) -> dict[str, Any]:
        """The JSON object of the reply; what may pass is tried again, with signs of life all the while."""
        for attempt in range(self._options.retries + 1):
            wait_s = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
            future = self._sender.submit(self._client.request, method, path, **request)
            try:
                response = _awaited(future.result, beat)
            except (httpx.HTTPError, httpx.StreamError) as exc:
                error: PhidexError = ServiceError(
                    f"the transcription endpoint cannot be reached: {exc or type(exc).__name__}", hint=_URL, retryable=True
                )
                if attempt == self._options.retries:
                    raise error from exc
            else:
                if response.status_code == 200:
                    return _json(response)
                error = self._refusal(response)
                if response.status_code not in _AGAIN or isinstance(error, TooLongError) or attempt == self._options.retries:
                    raise error
                told = response.headers.get("retry-after", "").strip()
                wait_s = min(float(told), _LONGEST_WAIT_S) if told.isascii() and told.isdigit() else wait_s
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, _LOOK_S))
                beat()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _refusal(self, response: httpx.Response) -> PhidexError:
        """What a status other than 200 means for the piece."""
        status, said = response.status_code, _said(response)
        lowered = said.lower()
        if status in (401, 403, 407):
            return ConfigError(f"the transcription endpoint refuses the key ({status})", hint=_KEY)
        if status == 404:
            return ConfigError(f"the transcription endpoint has no such path or model: {said}", hint=_URL)
        if status == 413 or (status in (400, 422, 500) and any(word in lowered for word in _TOO_LONG)):
            return TooLongError(f"the piece is too long for the endpoint: {said}")
        if status in (400, 422) and self._is_timed and any(word in lowered for word in ("format", "timestamp", "verbose")):
            self._is_timed = False
            return UntimedError(f"the server gives no times: {said}")
        return ServiceError(f"the transcription endpoint answers {status}: {said}", hint=_URL, retryable=status in _AGAIN)


UNTIMED_S = 30.0
"""Length of pieces whose text comes without times."""

_URL = "check PHIDEX_SPEECH__URL and PHIDEX_SPEECH__MODEL, and that it serves a speech model"
_KEY = "check PHIDEX_SPEECH__API_KEY"


def _awaited(result: Callable[..., httpx.Response], beat: Callable[[], None]) -> httpx.Response:
    while True:
        with contextlib.suppress(NotYetError):
            return result(timeout=_LOOK_S)
        beat()


def _wav(piece: Piece) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(piece.samples.astype("<i2").tobytes())
    return file.getvalue()


def _utterances(reply: Mapping[str, Any], piece: Piece) -> list[Utterance]:
    """The segments of a reply; all of its text at once where it has none."""
    length_s = len(piece.samples) / RATE
    found: list[Utterance] = []
    for segment in reply.get("segments") or ():
        text = " ".join(str(segment.get("text") or "").split())
        start = min(max(float(segment.get("start") or 0.0), 0.0), length_s)
        end = min(max(float(segment.get("end") or start), start), length_s)
        if text:
            found.append(Utterance(round(start, 3), round(end, 3), text, str(segment.get("speaker") or "")))
    text = " ".join(str(reply.get("text") or "").split())
    if not found and text:
        begin, end = (piece.speech[0][0], piece.speech[-1][1]) if piece.speech else (0.0, length_s)
        found.append(Utterance(round(begin, 3), round(end, 3), text))
    return found


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body: Any = response.json()
    except ValueError as exc:
        raise ServiceError("the transcription endpoint answers no JSON", hint=_URL) from exc
    if not isinstance(body, dict):
        raise ServiceError("the transcription endpoint answers no JSON object", hint=_URL)
    return cast("dict[str, Any]", body)


def _said(response: httpx.Response) -> str:
    """What the server says of a failure, shortened."""
    text = response.text
    with contextlib.suppress(ServiceError):
        body = _json(response)
        error: Any = body.get("error", body)
        text = str(cast("dict[str, Any]", error).get("message", error) if isinstance(error, dict) else error)
    return " ".join(text.split())[:_SHOWN]
