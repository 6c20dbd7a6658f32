"""One Ctrl-C ends a command that waits for a model server, whatever the server does; what was read is kept."""

from __future__ import annotations

import csv
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import CommandLine
from tests.generation.faulty import FaultyServer, Peer, faulty_server, reply
from tests.retrieval.engines import end_engine

WITHIN_S = 2.0  # measured: 0.2 to 0.6 s, of which Python's own end is a part; the machine may be busy
MODELS = reply(200, {"data": [{"id": "phi-3.5-mini", "max_model_len": 32768}]})
COMMANDS = {
    "ask": ("ask", "How deep is the harbour?"),
    "summarize": ("summarize",),
    "extract": ("extract", "schema.json"),
    "classify": ("classify", "--label", "harbour", "--label", "lease"),
}


def silent(peer: Peer) -> None:
    """Accepts, and never answers."""
    peer.freeze(60)


def silent_at_answers(peer: Peer) -> None:
    """Lists its models, cannot count, and never answers a question."""
    if "chat/completions" in peer.request.line:
        peer.freeze(60)
    (MODELS if "/models" in peer.request.line else reply(404, {"detail": "Not Found"}))(peer)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line on three documents."""
    line = CommandLine(tmp_path_factory.mktemp("interrupt"))
    for number in range(3):
        text = (
            f"# Harbour {number}\n\nThe harbour of town {number} is {number + 10} metres deep. It was rebuilt in 190{number}."
        )
        (line.home / f"harbour-{number}.md").write_text(text)
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}
    (line.home / "schema.json").write_text(json.dumps(schema))
    with line.sdk() as phidex:
        phidex.ingest(*sorted(line.home.glob("*.md")))
    yield line
    end_engine(line.data)


def interrupted(line: CommandLine, server: FaultyServer, command: str, until: str) -> tuple[int, float, str]:
    """Exit code, seconds from Ctrl-C to the end, and standard error; Ctrl-C once a request to `until` is under way."""
    process = line.start(*COMMANDS[command], env={"PHIDEX_CHAT__URL": server.url})
    deadline = time.monotonic() + 60
    while not any(until in request.line for request in list(server.requests)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, time.monotonic() - started, errors


@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize(("script", "until"), [(silent, "HTTP"), (silent_at_answers, "chat/completions")])
def test_one_interrupt_ends_it(line: CommandLine, command: str, script: object, until: str) -> None:
    with faulty_server(script) as server:  # type: ignore[arg-type]
        code, seconds, errors = interrupted(line, server, command, until)
        assert seconds < WITHIN_S
        assert code == 130
        assert "Traceback" not in errors
        assert all(peer.client_left.wait(5) for peer in server.peers if peer.is_frozen)


def test_what_was_read_before_is_kept(line: CommandLine, tmp_path: Path) -> None:
    """The server answers for one document and is silent for the others."""
    answered: list[str] = []

    def script(peer: Peer) -> None:
        if "chat/completions" not in peer.request.line:
            silent_at_answers(peer)
        elif answered or "town 0" not in peer.request.body.decode():
            peer.freeze(60)
        else:
            answered.append("harbour-0")
            peer.start_stream()
            peer.text('{"depth": 10}')
            peer.end_stream()

    kept = tmp_path / "kept.csv"
    with faulty_server(script) as server:
        process = line.start("extract", "schema.json", "--csv", kept, env={"PHIDEX_CHAT__URL": server.url})
        deadline = time.monotonic() + 20
        while process.poll() is None and (not answered or sum(peer.is_frozen for peer in server.peers) < 2):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)  # the answer is read
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 130, (output, errors)
    assert "interrupted" in errors
    rows = list(csv.DictReader(kept.read_text("utf-8-sig").splitlines()))
    assert [row["depth"] for row in rows] == ["10", "", ""]
    assert all("stopped" in row["error"] for row in rows[1:])
