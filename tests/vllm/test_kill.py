"""A real vLLM that is killed while it answers, and started again on its port: what people see meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.builders import settings_for
from tests.retrieval.engines import end_engine
from tests.vllm import server, tiny_models

from phidex import Phidex
from phidex.errors import ConfigError, IncompleteAnswerError, ServiceError
from phidex.generation.answer import Answer
from phidex.generation.chat import Delta, Message, OpenAIChat
from phidex.generation.chat_faults import BusyError
from phidex.generation.endpoints import breaker
from phidex.settings import ChatSettings

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

QUESTION = "How deep is the harbour?"
KEY = "sk-of-the-tests"
NARROW = ("--api-key", KEY, "--max-num-seqs", "1", "--max-num-queued-reqs", "1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.write_phi3(tmp_path_factory.mktemp("killed") / "phi3")


@pytest.fixture
def phidex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Phidex, int]]:
    """The SDK on one document, and the port that its model server will have."""
    monkeypatch.setattr(breaker, "_REST_S", 0.5)
    port = server.free_port()
    chat = ChatSettings(url=f"http://127.0.0.1:{port}/v1", api_key=KEY, retries=0, max_answer_tokens=16_384, escalate=False)  # type: ignore[arg-type]
    note = tmp_path / "harbour.md"
    note.write_text("# Harbour\n\nThe harbour is ten metres deep.")
    with Phidex(settings=settings_for(tmp_path / "data", chat=chat)) as opened:
        opened.ingest(note)
        yield opened, port
    end_engine(tmp_path / "data")


def test_kill_in_mid_answer_then_restart(phidex: tuple[Phidex, int], model: Path, tmp_path: Path) -> None:
    opened, port = phidex
    with ExitStack() as first:
        process = first.enter_context(server.serve_process(model, tmp_path / "first.log", port=port))
        said = ""

        def ask_and_kill() -> None:
            nonlocal said
            for event in opened.ask(QUESTION, stream=True):
                said += event.text if isinstance(event, Delta) else ""
                if process.poll() is None and len(said) > 20:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)

        with pytest.raises(IncompleteAnswerError) as caught:
            ask_and_kill()
        assert len(said) > 20
        assert caught.value.partial.startswith(said), "what came is kept"
        assert caught.value.retryable
        assert f"127.0.0.1:{port}" in caught.value.message

    for _ in range(3):  # quotations stand in its place, and say why; after the third failure nothing is sent for a while
        answer = opened.ask(QUESTION)
        assert answer.route.role == "extractive"
        assert answer.route.signals["in_place_of"] == "mini"
        assert "ten metres deep" in answer.text
        assert any("could not be asked" in warning for warning in answer.warnings)
    started = time.monotonic()
    quick = opened.ask(QUESTION)
    assert any("failed several times" in warning for warning in quick.warnings), quick.warnings
    assert time.monotonic() - started < 5

    # The second server has a key and a narrow door too, so that one start serves three tests.
    with server.serve_process(model, tmp_path / "second.log", port=port, flags=(*server.CHAT_FLAGS, *NARROW)):
        deadline = time.monotonic() + 60
        recovered: Answer | None = None
        while recovered is None or recovered.route.role != "mini":
            assert time.monotonic() < deadline, recovered
            recovered = first_of(opened)
        assert recovered.route.model == "phi-3.5-mini"
        a_wrong_key_is_refused(opened.settings.chat)
        a_full_queue_is_said(opened.settings.chat)


def a_wrong_key_is_refused(settings: ChatSettings) -> None:
    for key in (None, "another"):
        with OpenAIChat(settings.model_copy(update={"api_key": key and SecretStr(key)})) as chat:
            with pytest.raises(ConfigError, match=r"refused the key \(401: Unauthorized\)") as caught:
                next(chat.stream([Message("user", QUESTION)], model="phi-3.5-mini"))
            assert "PHIDEX_CHAT__API_KEY" in caught.value.hint
            assert chat.health(), "it lives"


def a_full_queue_is_said(settings: ChatSettings) -> None:
    """Of sixteen at once some are told to come again, none is lost, and all of those that were taken are answered."""
    found: list[str] = []

    def ask(chat: OpenAIChat) -> None:
        try:
            list(chat.stream([Message("user", QUESTION)], model="phi-3.5-mini", max_tokens=100, extra={"ignore_eos": True}))
            found.append("answered")
        except BusyError as exc:
            found.append("busy" if exc.retryable else "not retryable")
        except ServiceError as exc:
            found.append(exc.message)

    with OpenAIChat(settings) as chat:
        threads = [threading.Thread(target=ask, args=(chat,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(found) == 16
    assert set(found) == {"answered", "busy"}


def first_of(phidex: Phidex) -> Answer:
    """An answer that is short: the tiny model would write its noise to the limit."""
    shorter = phidex.settings.chat.model_copy(update={"max_answer_tokens": 16})
    phidex.settings = phidex.settings.model_copy(update={"chat": shorter})
    return phidex.ask(QUESTION)
