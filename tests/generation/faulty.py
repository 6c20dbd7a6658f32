"""A tiny HTTP server on loopback that misbehaves as told, one script a request, and a chat client that asks it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from phidex.generation.chat import ChatModel, Delta, Done, Message, OpenAIChat
from phidex.settings import ChatSettings

QUESTION = [Message("system", "Be brief."), Message("user", "How deep is the harbour?")]
MODELS = {"data": [{"id": "phi-3.5-mini", "max_model_len": 4096}, {"id": "phi-3.5-moe"}]}
Script = Callable[["Peer"], None]


@dataclass(frozen=True, slots=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """The server's end of one connection, with the ways to behave and to misbehave on it."""

    def __init__(self, sock: socket.socket, request: Request, over: threading.Event) -> None:
        self._sock, self.request, self._over = sock, request, over
        self.client_left = threading.Event()
        self.is_frozen = False

    def send(self, text: str | bytes) -> None:
        self._sock.sendall(text if isinstance(text, bytes) else text.encode())

    def start_stream(self, kind: str = "text/event-stream; charset=utf-8") -> None:
        self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")

    def chunk(self, data: str | bytes) -> None:
        content = data if isinstance(data, bytes) else data.encode()
        self.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def text(self, text: str, finish_reason: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
        self.chunk("data: " + json.dumps({"model": "m", "choices": [choice]}, ensure_ascii=False) + "\n\n")

    def end_stream(self, finish_reason: str | None = "stop") -> None:
        self.text("", finish_reason)
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
        self.chunk("data: " + json.dumps({"model": "m", "choices": [], "usage": usage}) + "\n\ndata: [DONE]\n\n")
        self.send("0\r\n\r\n")

    def freeze(self, seconds: float = 30.0) -> None:
        """Keeps the connection open and silent until the client leaves, the test ends, or the time is over."""
        self.is_frozen = True
        self._sock.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            try:
                while self._sock.recv(1024):
                    pass
            except ConnectionError:  # it left with text unread
                pass
            if not self._over.is_set():
                self.client_left.set()

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)


class FaultyServer:
    """Plays `scripts` in the order of the requests; the last one repeats. One request a connection."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self._scripts = list(scripts)
        self.requests: list[Request] = []
        self.peers: list[Peer] = []
        self.connections = 0
        self._over = threading.Event()
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._socks.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def open_connections(self) -> int:
        """Connections that the client has not closed, nor the server."""
        return sum(map(_is_open, self._socks))

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, ValueError):
            if (request := _read_request(sock)) is None:
                return
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(request)
            peer = Peer(sock, request, self._over)
            self.peers.append(peer)
            script(peer)

    def close(self) -> None:
        self._over.set()
        # Closing alone leaves the port open for as long as the other thread waits in `accept`.
        for sock in (self._listener, *self._socks):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _is_open(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return False
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _read_request(sock: socket.socket) -> Request | None:
    with sock.makefile("rb") as stream:
        line = stream.readline().decode().strip()
        if not line:
            return None
        headers: dict[str, str] = {}
        while field := stream.readline().decode().strip():
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        return Request(line, headers, stream.read(int(headers.get("content-length", "0"))))


@contextlib.contextmanager
def faulty_server(*scripts: Script) -> Generator[FaultyServer]:
    server = FaultyServer(scripts)
    try:
        yield server
    finally:
        server.close()


def reply(status: int, body: object = "", **headers: str) -> Script:
    """A script that answers with a status and a body: text as it is, anything else as JSON."""

    def script(peer: Peer) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        fields = {"Content-Type": kind, "Content-Length": str(len(content)), "Connection": "close"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        peer.send(f"HTTP/1.1 {status} Reason\r\n{lines}\r\n".encode() + content)

    return script


def answer(*texts: str, finish_reason: str | None = "stop") -> Script:
    """A script that streams an answer as it should be."""

    def script(peer: Peer) -> None:
        peer.start_stream()
        for text in texts:
            peer.text(text)
        peer.end_stream(finish_reason)

    return script


def close_mid_stream(peer: Peer) -> None:
    peer.start_stream()
    peer.text("so ")
    peer.text("far")


def then(first: Script, second: Script) -> Script:
    """A script that plays two on one connection."""

    def script(peer: Peer) -> None:
        first(peer)
        second(peer)

    return script


def chat_settings(url: str, **options: Any) -> ChatSettings:
    return ChatSettings(url=url, **options)


@contextlib.contextmanager
def served(*scripts: Script, **settings: Any) -> Generator[tuple[OpenAIChat, FaultyServer]]:
    """A chat client and the server that it asks."""
    with faulty_server(*scripts) as server:
        options: dict[str, Any] = {"first_token_timeout_s": 10, "stall_timeout_s": 10, **settings}
        with OpenAIChat(chat_settings(server.url, **options)) as chat:
            yield chat, server


def ask(chat: ChatModel) -> tuple[str, Done | None]:
    """The text of an answer, and its end."""
    events = list(chat.stream(QUESTION, model="phi-3.5-mini"))
    done = events[-1] if events and isinstance(events[-1], Done) else None
    return "".join(event.text for event in events if isinstance(event, Delta)), done
