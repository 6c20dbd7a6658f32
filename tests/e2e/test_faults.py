"""A proxy of faults between the SDK, the command line and a model server: what people see, within which time, and what is left.

Every fault ends in one of three ways: the answer (asked again), quotations with the reason (asked in vain), or an error that
keeps what came (broken off). No connection and no thread outlives it.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tests.builders import CommandLine, settings_for
from tests.generation.faulty import (
    FaultyServer,
    Peer,
    Script,
    answer,
    close_mid_stream,
    faulty_server,
    reply,
    then,
)
from tests.retrieval.engines import end_engine

from phidex import Phidex
from phidex.errors import ConfigError, IncompleteAnswerError
from phidex.generation import chat_connection
from phidex.generation.answer import Answer
from phidex.generation.chat import Delta
from phidex.settings import ChatSettings

QUESTION = "How deep is the harbour?"
MODELS = reply(200, {"data": [{"id": "phi-3.5-mini", "max_model_len": 32768}]})
FIRST_S, STALL_S = 1.5, 0.6
WITHIN_S = 6.0  # of a fault that is waited for: the limits above, two pauses between attempts, and a busy machine


class Proxy:
    """Stands before a model server: what counts and lists is well; answers meet one fault after another, the last one again."""

    def __init__(self, *faults: Script) -> None:
        self._faults = faults
        self.asked = 0

    def __call__(self, peer: Peer) -> None:
        line = peer.request.line
        if "/models" in line:
            return MODELS(peer)
        if "/chat/completions" not in line:
            return reply(404, {"detail": "Not Found"})(peer)
        fault = self._faults[min(self.asked, len(self._faults) - 1)]
        self.asked += 1
        return fault(peer)


WELL = answer("The harbour is ten metres deep [1].")


def silent(peer: Peer) -> None:
    peer.freeze()


def slow_first_byte(peer: Peer) -> None:
    peer.wait(0.5)
    WELL(peer)


def headers_without_body(peer: Peer) -> None:
    peer.start_stream()
    peer.freeze()


def dribbling_headers(peer: Peer) -> None:
    peer.send("HTTP/1.1 200 OK\r\n")
    for number in range(100):
        peer.send(f"X-{number}: y\r\n")
        peer.wait(0.1)


def stalling_page(peer: Peer) -> None:
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 500\r\n\r\n<html><title>Sign in</title>")
    peer.freeze()


def invalid_json(peer: Peer) -> None:
    peer.start_stream()
    peer.text("so far")
    peer.chunk('data: {"choices": [{"delta": {"content": "broken\n\n')


def half_a_character(peer: Peer) -> None:
    peer.start_stream()
    peer.text("so far")
    peer.chunk(b'data: {"choices": [{"delta": {"content": "\xe6\xb8"}}]}\n\n')


def done_twice(peer: Peer) -> None:
    peer.start_stream()
    peer.text("The harbour is ten metres deep [1].", "stop")
    peer.chunk("data: [DONE]\n\ndata: [DONE]\n\n")
    peer.send("0\r\n\r\n")


def busy_inside(peer: Peer) -> None:
    """As a real vLLM refuses a streamed request that its queue has no room for."""
    peer.start_stream()
    said = {"message": "The engine is currently busy and cannot accept new requests.", "code": 503}
    peer.chunk(f"data: {json.dumps({'error': said})}\n\ndata: [DONE]\n\n")
    peer.send("0\r\n\r\n")


BAD_GATEWAY = reply(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")


@dataclass(frozen=True)
class Fault:
    """What the proxy does, and how it must end: "answer", "quotations", "broken" or "refused"; and how often it is asked."""

    scripts: tuple[Script, ...]
    ends: str
    asked: int
    says: str = ""


FAULTS = {
    "slow first byte": Fault((slow_first_byte,), "answer", 1),
    "429 then well": Fault((reply(429), WELL), "answer", 2),
    "429 with Retry-After, then well": Fault((reply(429, Retry_After="1"), WELL), "answer", 2),
    "503 then well": Fault((reply(503), WELL), "answer", 2),
    "busy inside the stream, then well": Fault((busy_inside, WELL), "answer", 2),
    "busy inside the stream": Fault((busy_inside,), "quotations", 3, "currently busy"),
    "500 then well": Fault((reply(500), WELL), "answer", 2),
    "closed before the first byte, then well": Fault((lambda peer: None, WELL), "answer", 2),
    "duplicate [DONE]": Fault((done_twice,), "answer", 1),
    "429 with a long Retry-After": Fault((reply(429, Retry_After="600"),), "quotations", 1, "try again in 600 s"),
    "always 500": Fault((reply(500, {"error": {"message": "EngineDeadError"}}),), "quotations", 3, "EngineDeadError"),
    "a reverse proxy's page": Fault((BAD_GATEWAY,), "quotations", 3, "502 Bad Gateway"),
    "never a byte": Fault((silent,), "quotations", 1, "did not answer in time"),
    "headers, no body": Fault((headers_without_body,), "quotations", 1, "sent no token within 1.5 s"),
    "headers without end": Fault((dribbling_headers,), "quotations", 1, "did not answer in time"),
    "stall between chunks": Fault((then(close_mid_stream, Peer.freeze),), "broken", 1, "stopped in the middle"),
    "cut in mid-stream": Fault((close_mid_stream,), "broken", 1, "broke"),
    "invalid JSON": Fault((invalid_json,), "broken", 1, "not JSON"),
    "half a character": Fault((half_a_character,), "broken", 1, "not UTF-8"),
    "no finish reason": Fault((answer("so far", finish_reason=None),), "broken", 1, "before the answer"),
    "another host": Fault((reply(307, Location="http://elsewhere.example/v1"),), "refused", 1, "redirect"),
    "a login page that stalls": Fault((stalling_page,), "refused", 1, "Sign in"),
}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Generator[CommandLine]:
    """The command line on one document."""
    line = CommandLine(tmp_path_factory.mktemp("faults"))
    note = line.home / "harbour.md"
    note.write_text("# Harbour\n\nThe harbour is ten metres deep.")
    with line.sdk() as phidex:
        phidex.ingest(note)
    yield line
    end_engine(line.data)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_connection, "_BACKOFF_S", 0.01)


def chat_of(url: str) -> ChatSettings:
    return ChatSettings(url=url, first_token_timeout_s=FIRST_S, stall_timeout_s=STALL_S, retries=2)


def nothing_is_left(server: FaultyServer, before: set[threading.Thread]) -> None:
    """Every connection is closed, and every thread over, a moment after the client was."""
    gc.collect()
    deadline = time.monotonic() + 5
    ours: Callable[[], list[str]] = lambda: [  # noqa: E731  read twice
        thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("phidex-")
    ]
    while (ours() or server.open_connections()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ours() == []
    assert server.open_connections() == 0


@pytest.mark.parametrize("name", list(FAULTS))
def test_through_the_sdk(name: str, line: CommandLine) -> None:
    fault = FAULTS[name]
    before = set(threading.enumerate())
    proxy = Proxy(*fault.scripts)
    said, last, error = "", None, None
    with faulty_server(proxy) as server:
        with Phidex(settings=settings_for(line.data, chat=chat_of(server.url))) as phidex:
            started = time.monotonic()
            try:
                for last in phidex.ask(QUESTION, stream=True):
                    said += last.text if isinstance(last, Delta) else ""
            except (IncompleteAnswerError, ConfigError) as exc:
                error = exc
            assert time.monotonic() - started < WITHIN_S
        nothing_is_left(server, before)
    assert proxy.asked == fault.asked
    match fault.ends:
        case "answer":
            assert isinstance(last, Answer)
            assert (last.route.role, last.text, len(last.citations)) == ("mini", "The harbour is ten metres deep [1].", 1)
            assert not last.warnings
        case "quotations":
            assert isinstance(last, Answer)
            assert (last.route.role, last.route.signals["in_place_of"]) == ("extractive", "mini")
            assert any(fault.says in warning for warning in last.warnings), last.warnings
        case "broken":
            assert isinstance(error, IncompleteAnswerError)
            assert error.partial == said == "so far"
            assert fault.says in error.message
        case _:
            assert isinstance(error, ConfigError)
            assert fault.says in str(error)


@pytest.mark.parametrize(
    ("name", "code"),
    [("503 then well", 0), ("never a byte", 3), ("stall between chunks", 3), ("invalid JSON", 3), ("another host", 2)],
)
def test_through_the_command_line(name: str, code: int, line: CommandLine) -> None:
    fault = FAULTS[name]
    with faulty_server(Proxy(*fault.scripts)) as server:
        limits = {"PHIDEX_CHAT__FIRST_TOKEN_TIMEOUT_S": str(FIRST_S), "PHIDEX_CHAT__STALL_TIMEOUT_S": str(STALL_S)}
        ran = line("ask", QUESTION, env={"PHIDEX_CHAT__URL": server.url, **limits}, code=code)
    match fault.ends:
        case "answer":
            assert "The harbour is ten metres deep [1]." in ran.stdout
        case "quotations":
            assert "“The harbour is ten metres deep.”" in ran.stdout
            assert "no model answered" in ran.stderr
        case "broken":
            assert "so far" in ran.stdout
            assert fault.says in ran.stderr
        case _:
            assert fault.says in ran.stderr


def test_a_refused_connection(line: CommandLine) -> None:
    with faulty_server() as server:
        url = server.url
    with Phidex(settings=settings_for(line.data, chat=chat_of(url))) as phidex:
        started = time.monotonic()
        found = phidex.ask(QUESTION)
        assert time.monotonic() - started < WITHIN_S
    assert found.route.role == "extractive"
    assert any("cannot be reached" in warning for warning in found.warnings)


def test_a_server_that_is_silent_from_the_first_request(line: CommandLine) -> None:
    """Lists and counts are limited too: it is not the first answer that is waited for."""
    before = set(threading.enumerate())
    with faulty_server(silent) as server, ExitStack() as open_for:
        phidex = open_for.enter_context(Phidex(settings=settings_for(line.data, chat=chat_of(server.url))))
        started = time.monotonic()
        found = phidex.ask(QUESTION)
        assert time.monotonic() - started < WITHIN_S
        assert found.route.role == "extractive"
        open_for.close()
        nothing_is_left(server, before)


def test_a_dozen_questions_at_once_leave_nothing(line: CommandLine) -> None:
    before = set(threading.enumerate())
    proxy = Proxy(then(close_mid_stream, Peer.freeze))
    with faulty_server(proxy) as server:
        with Phidex(settings=settings_for(line.data, chat=chat_of(server.url))) as phidex:

            def ask() -> None:
                with pytest.raises(IncompleteAnswerError):
                    phidex.ask(QUESTION)

            threads = [threading.Thread(target=ask) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WITHIN_S)
                assert not thread.is_alive()
        nothing_is_left(server, before)


def test_a_reply_that_fits_no_schema_is_no_fault_of_the_service(line: CommandLine) -> None:
    schema = line.home / "schema.json"
    schema.write_text('{"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}')
    with faulty_server(Proxy(answer("I would rather not say."))) as server:
        ran = line("extract", schema, env={"PHIDEX_CHAT__URL": server.url}, code=1)
    assert "does not fit the schema" in ran.stderr
    with faulty_server(Proxy(reply(500))) as server:
        line("extract", schema, env={"PHIDEX_CHAT__URL": server.url}, code=3)
