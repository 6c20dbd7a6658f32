from __future__ import annotations

import contextlib
import threading
import time

import httpx
import pytest
from tests.generation.faulty import (
    MODELS,
    QUESTION,
    Peer,
    Script,
    answer,
    ask,
    chat_settings,
    close_mid_stream,
    reply,
    served,
    then,
)

from phidex.errors import ConfigError, IncompleteAnswerError, ServiceError
from phidex.generation import chat_connection
from phidex.generation.chat import Delta, Done, Endpoint, OpenAIChat, ServedModel, Usage

PATIENCE_S = 10  # well under the 30 s for which the server stays silent, well over the pauses of a busy machine


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_connection, "_BACKOFF_S", 0.01)


stall_mid_stream = then(close_mid_stream, Peer.freeze)


def silent_stream(peer: Peer) -> None:
    peer.start_stream()
    peer.freeze()


def only_pings(peer: Peer) -> None:
    peer.start_stream()
    for _ in range(600):
        peer.chunk(": ping\n\n")
        peer.wait(0.05)


def test_answer_streams_and_ends_with_its_usage() -> None:
    with served(answer("12", " m")) as (chat, server):
        events = list(chat.stream(QUESTION, model="phi-3.5-mini", max_tokens=33, extra={"stop": ["x"]}))
    assert events == [Delta("12"), Delta(" m"), Done("stop", Usage(7, 2, 3), "m")]
    body = server.requests[0].json
    assert server.requests[0].line == "POST /v1/chat/completions HTTP/1.1"
    assert body["messages"][1] == {"role": "user", "content": "How deep is the harbour?"}
    assert (body["max_tokens"], body["temperature"], body["stream"], body["stop"]) == (33, 0.0, True, ["x"])


def test_answer_cut_at_its_bound_says_so() -> None:
    with served(answer("12", finish_reason="length")) as (chat, _):
        assert ask(chat)[1] == Done("length", Usage(7, 2, 3), "m")


def test_text_is_whole_when_only_the_usage_is_lost() -> None:
    def script(peer: Peer) -> None:
        peer.start_stream()
        peer.text("12 m", "stop")

    with served(script) as (chat, _):
        assert ask(chat) == ("12 m", Done("stop", None, "m"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (close_mid_stream, "broke"),
        (answer("so ", "far", finish_reason=None), "before the answer"),
        (answer("so ", "far", finish_reason="abort"), "aborted"),
        (then(close_mid_stream, lambda peer: peer.chunk("data: {{{\n\n")), "not JSON"),
        (then(close_mid_stream, lambda peer: peer.chunk('data: {"error": "died"}\n\n')), "died"),
        (then(close_mid_stream, lambda peer: peer.send("garbage, no chunk\r\n")), "broke"),
    ],
)
def test_broken_answer_keeps_what_came_and_is_not_asked_again(script: Script, message: str) -> None:
    with served(script) as (chat, server):
        with pytest.raises(IncompleteAnswerError, match=message) as caught:
            ask(chat)
        assert caught.value.partial == "so far"
        assert caught.value.retryable
        assert len(server.requests) == 1


def test_stalled_answer_is_given_up() -> None:
    with served(stall_mid_stream, stall_timeout_s=0.5) as (chat, server):
        with pytest.raises(IncompleteAnswerError, match=r"stopped in the middle of the answer for 0\.5 s") as caught:
            ask(chat)
        assert caught.value.partial == "so far"
        assert len(server.requests) == 1


@pytest.mark.parametrize("script", [silent_stream, only_pings, Peer.freeze])
def test_first_token_that_does_not_come_ends_the_wait(script: Script) -> None:
    start = time.monotonic()
    with served(script, first_token_timeout_s=0.4, stall_timeout_s=0.1) as (chat, server):
        with pytest.raises(ServiceError) as caught:
            ask(chat)
        assert caught.value.retryable
        assert "FIRST_TOKEN_TIMEOUT" in caught.value.hint
        assert len(server.requests) == 1, "a server at work must not get the work twice"
    assert 0.3 < time.monotonic() - start < PATIENCE_S


def test_slow_first_token_and_slow_reader_are_no_stall() -> None:
    def script(peer: Peer) -> None:
        peer.start_stream()
        peer.wait(1.3)
        peer.text("a")
        peer.wait(0.2)
        peer.text("b")
        peer.end_stream()

    with served(script, stall_timeout_s=1) as (chat, _):
        text = ""
        for event in chat.stream(QUESTION, model="m"):
            if isinstance(event, Delta):
                text += event.text
                time.sleep(1.3)  # the reader's time, not the server's
    assert text == "ab"


def test_closing_the_generator_closes_the_connection() -> None:
    with served(stall_mid_stream) as (chat, server):
        with contextlib.closing(chat.stream(QUESTION, model="m")) as events:
            assert next(events) == Delta("so ")
        assert server.peers[0].client_left.wait(PATIENCE_S)


@pytest.mark.parametrize("script", [silent_stream, stall_mid_stream])
def test_another_thread_cancels_a_silent_stream(script: Script) -> None:
    cancelled = threading.Event()
    with served(script) as (chat, server):
        threading.Timer(0.3, cancelled.set).start()
        start = time.monotonic()
        events = list(chat.stream(QUESTION, model="m", cancelled=cancelled))
        assert time.monotonic() - start < PATIENCE_S
        assert all(isinstance(event, Delta) for event in events)
        assert server.peers[0].client_left.wait(PATIENCE_S)


def test_cancelling_drops_what_has_already_arrived() -> None:
    def flood(peer: Peer) -> None:
        peer.start_stream()
        for _ in range(100_000):
            peer.text("word ")

    cancelled = threading.Event()
    with served(flood) as (chat, _):
        events = chat.stream(QUESTION, model="m", cancelled=cancelled)
        assert next(events) == Delta("word ")
        time.sleep(0.3)  # megabytes arrive meanwhile
        cancelled.set()
        time.sleep(0.2)
        assert len(list(events)) < 3_000


def test_cancelling_ends_the_pauses_between_attempts() -> None:
    cancelled = threading.Event()

    def busy(peer: Peer) -> None:
        threading.Timer(0.2, cancelled.set).start()
        reply(503, Retry_After="20")(peer)

    with served(busy, first_token_timeout_s=60) as (chat, server):
        started = time.monotonic()
        assert list(chat.stream(QUESTION, model="m", cancelled=cancelled)) == []
        assert time.monotonic() - started < PATIENCE_S
        assert len(server.requests) == 1


def test_nothing_is_sent_once_it_is_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with served(answer("x")) as (chat, server):
        assert list(chat.stream(QUESTION, model="m", cancelled=cancelled)) == []
        assert not server.requests


def test_probe_lists_models_with_windows_and_is_remembered() -> None:
    with served(reply(200, MODELS), reply(200, {"count": 1})) as (chat, server):
        models = (ServedModel("phi-3.5-mini", 4096), ServedModel("phi-3.5-moe", None))
        assert chat.probe() == chat.probe() == Endpoint(models, can_count=True)
        assert [request.line.split()[1] for request in server.requests] == ["/v1/models", "/tokenize"]


def test_probe_of_an_endpoint_that_lists_nothing() -> None:
    with served(reply(404, {"error": "no route"})) as (chat, _):
        assert chat.probe() == Endpoint((), can_count=False)


@pytest.mark.parametrize(
    "script", [reply(404, {"detail": "Not Found"}), reply(405), reply(403), reply(501), reply(200, {"tokens": []})]
)
def test_endpoint_that_cannot_count(script: Script) -> None:
    with served(script) as (chat, _):
        assert chat.count_tokens("text", model="phi-3.5-mini") is None


def test_count_failures_are_raised() -> None:
    with served(reply(200, "<html>")) as (chat, _), pytest.raises(ConfigError, match="not JSON"):
        chat.count_tokens("text", model="m")
    with served(reply(503)) as (chat, _), pytest.raises(ServiceError, match="503"):
        chat.count_tokens("text", model="m")


def test_transport_without_sockets() -> None:
    content = 'data: {"model": "m", "choices": [{"delta": {"content": "12 m"}, "finish_reason": "stop"}]}\n\n'
    kind = {"content-type": "text/event-stream"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=content, headers=kind))
    with OpenAIChat(chat_settings("http://host/v1"), transport=transport) as chat:
        assert ask(chat) == ("12 m", Done("stop", None, "m"))
