"""A transcription endpoint for tests: it checks each form strictly, as vLLM's does, and says what it is told to.

Real vLLM serves the same form in `test_endpoint_vllm.py`; here faults and limits are forced.
"""

from __future__ import annotations

import io
import json
import threading
import wave
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ALLOWED = frozenset(("file", "model", "response_format", "language", "temperature", "timestamp_granularities[]"))
MOST_S, MOST_BYTES = 600.0, 25 << 20

Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class Request:
    """A form that was sent: its fields, and the length of the audio."""

    fields: dict[str, str]
    seconds: float
    key: str


@dataclass(slots=True)
class Transcriber:
    """What was asked, and how it is answered: a reply for each request, or None for words at the piece's beginning."""

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    answer: Callable[[Request, int], Answer | None] = lambda _request, _number: None


@contextmanager
def serve() -> Generator[Transcriber]:
    """The endpoint, on a port of this machine."""
    state = Transcriber()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            found = {"data": [{"id": "whisper", "object": "model"}]}
            self._reply(200 if self.path == "/v1/models" else 404, found)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                asked = _read(self.headers["content-type"], body, self.headers.get("authorization", ""))
            except ValueError as exc:
                self._reply(400, {"error": {"message": str(exc), "type": "BadRequestError", "code": 400}})
                return
            state.requests.append(asked)
            self._reply(*(state.answer(asked, len(state.requests)) or spoken(asked, len(state.requests))))

        def _reply(self, status: int, found: dict[str, Any]) -> None:
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def spoken(asked: Request, number: int) -> Answer:
    """Two segments: at the beginning and at the end of the audio."""
    words = (f"piece {number} begins here", f"piece {number} ends here")
    if asked.fields["response_format"] == "json":
        return 200, {"text": " ".join(words), "usage": {"type": "duration", "seconds": 1}}
    places = ((0.0, 1.0), (asked.seconds - 1.0, asked.seconds))
    segments = [
        {"id": n, "start": a, "end": b, "text": f" {text}"} for n, ((a, b), text) in enumerate(zip(places, words, strict=True))
    ]
    return 200, {"text": " ".join(words), "language": "english", "duration": str(asked.seconds), "segments": segments}


def _read(kind: str, body: bytes, authorization: str) -> Request:
    """The form; raises ValueError for what vLLM would refuse."""
    if not kind.startswith("multipart/form-data; boundary="):
        raise ValueError(f"not a form: {kind}")
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, str] = {}
    seconds = 0.0
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if name not in ALLOWED:
            raise ValueError(f"Extra inputs are not permitted: {name}")
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if name == "file":
            seconds = _check_audio(part.get_filename(), data)
        else:
            fields[str(name)] = data.decode()
    if not seconds:
        raise ValueError("file: Field required")
    if fields.get("model") != "whisper":
        raise ValueError(f"The model `{fields.get('model')}` does not exist.")
    if fields.get("response_format") not in ("json", "verbose_json", "diarized_json"):
        raise ValueError("response_format is not supported")
    return Request(fields, seconds, authorization)


def _check_audio(name: str | None, data: bytes) -> float:
    if not name:
        raise ValueError("file has no name")
    if len(data) > MOST_BYTES:
        raise ValueError("Maximum file size exceeded.")
    with wave.open(io.BytesIO(data)) as audio:
        if (audio.getnchannels(), audio.getsampwidth(), audio.getframerate()) != (1, 2, 16_000):
            raise ValueError("not mono audio of 16 kHz")
        seconds = audio.getnframes() / audio.getframerate()
    if seconds > MOST_S:
        raise ValueError("Audio exceeds the maximum decode duration of 600 s")
    return seconds
