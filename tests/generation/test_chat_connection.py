from __future__ import annotations

import contextlib
import logging
import threading
import time

import pytest
from pydantic import SecretStr
from tests.generation.faulty import MODELS, QUESTION, Peer, Script, answer, ask, chat_settings, faulty_server, reply, served

from phidex.errors import BudgetError, ConfigError, InputError, PhidexError, ServiceError
from phidex.generation import chat_connection
from phidex.generation.chat import OpenAIChat
from phidex.generation.chat_connection import Connection
from phidex.generation.chat_faults import StoppedError


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_connection, "_BACKOFF_S", 0.01)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_server_is_asked_again(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), served(reply(status), lambda peer: None, answer("12 m")) as (chat, server):
        assert ask(chat)[0] == "12 m"
        assert len(server.requests) == 3
    assert [record.message.split(" wait_s")[0] for record in caplog.records if record.name.startswith("phidex")] == [
        "chat.retry attempt=1 reason=busy",
        "chat.retry attempt=2 reason=RemoteProtocolError",
    ]
    assert "harbour" not in caplog.text


def test_server_that_stays_busy_is_given_up() -> None:
    busy = {"error": {"message": "The engine is currently busy", "code": 503}}
    with served(reply(503, busy), retries=2) as (chat, server):
        with pytest.raises(ServiceError, match="currently busy") as caught:
            ask(chat)
        assert caught.value.retryable
        assert len(server.requests) == 3


def test_cancelling_between_two_attempts_is_no_failure() -> None:
    stop = threading.Event()
    with faulty_server(reply(429, Retry_After="5"), reply(200, MODELS)) as server:
        connection = Connection(chat_settings(server.url))
        threading.Timer(0.2, stop.set).start()
        with contextlib.closing(connection), pytest.raises(StoppedError):
            connection.ask("GET", f"{server.url}/models", cancelled=stop)
        assert len(server.requests) == 1


def test_retry_after_is_honoured_up_to_a_bound() -> None:
    with served(reply(429, Retry_After="1"), answer("12 m")) as (chat, _):
        start = time.monotonic()
        assert ask(chat)[0] == "12 m"
        assert time.monotonic() - start >= 1
    with served(reply(429, Retry_After="3600")) as (chat, server):
        with pytest.raises(ServiceError, match="try again in 3600 s"):
            ask(chat)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "error", "message", "hint"),
    [
        (reply(401, {"error": "Unauthorized"}), ConfigError, "Unauthorized", "PHIDEX_CHAT__API_KEY"),
        (reply(302, Location="http://me:pw@new/v1"), ConfigError, "redirect", "PHIDEX_CHAT__URL to http://new/v1"),
        (reply(400, {"error": {"message": "x", "param": "input_tokens"}}), BudgetError, "does not fit", "BUDGET"),
        (reply(400, {"error": {"message": "bad temperature"}}), InputError, "bad temperature", ""),
        (reply(418, "<html><title>Tea\npot</title>"), ConfigError, "titled “Tea pot”", "PHIDEX_CHAT__URL"),
        (reply(501, "<html>no</html>"), ServiceError, "501: a page of HTML", ""),
        (reply(404, {"detail": "Not Found"}), ConfigError, "no OpenAI-compatible endpoint", "/v1"),
        (reply(200, "<html><title>Log in</title>"), ConfigError, "Log in", "PHIDEX_CHAT__URL"),
        (reply(200, {"error": "odd"}), ConfigError, "odd", "PHIDEX_CHAT__URL"),
        (reply(400), InputError, "Reason", ""),
    ],
)
def test_refusals_say_what_to_do(script: Script, error: type[PhidexError], message: str, hint: str) -> None:
    with served(script) as (chat, _):
        with pytest.raises(error, match=message) as caught:
            ask(chat)
        assert type(caught.value) is error
        assert hint in caught.value.hint


def test_unknown_model_is_told_what_is_served() -> None:
    unknown = reply(404, {"error": {"message": "The model `x` does not exist.", "code": 404}})
    expected = pytest.raises(ConfigError, match=r"does not serve 'x'; it serves phi-3\.5-mini, phi-3\.5-moe")
    with served(unknown, reply(200, MODELS), reply(404)) as (chat, _), expected:
        next(chat.stream(QUESTION, model="x"))


def test_refused_connection_names_the_url_and_the_cure() -> None:
    with faulty_server() as server:
        url = server.url
    with OpenAIChat(chat_settings(url, retries=1)) as chat:
        with pytest.raises(ServiceError, match=url) as caught:
            ask(chat)
        assert "vllm serve" in caught.value.hint
        assert caught.value.retryable
        assert not chat.health()


def test_health() -> None:
    for scripts, healthy in [([reply(200)], True), ([reply(500)], False), ([reply(404), reply(200, MODELS)], True)]:
        with served(*scripts) as (chat, _):
            assert chat.health() is healthy


def test_secrets_do_not_show(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="phidex"), faulty_server(reply(401)) as server:
        url = server.url.replace("//", "//me:s3cret@")
        chat = OpenAIChat(chat_settings(url, api_key=SecretStr("s3cret\n")))
        with chat, pytest.raises(ConfigError) as caught:
            ask(chat)
        assert server.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(chat) + str(caught.value) + caplog.text


@pytest.mark.parametrize("key", ["schlüssel", "a\nb"])
def test_key_that_http_cannot_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError, match="characters") as caught:
        OpenAIChat(chat_settings("http://localhost/v1", api_key=SecretStr(key)))
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "http://host:port/v1", "http://a b\n/v1"])
def test_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="PHIDEX_CHAT__URL"):
        OpenAIChat(chat_settings(url))


def test_url_without_scheme_is_refused_when_asked() -> None:
    with OpenAIChat(chat_settings("localhost:8000/v1")) as chat, pytest.raises(ConfigError, match="PHIDEX_CHAT__URL"):
        ask(chat)


def test_connection_that_died_between_two_requests_is_replaced() -> None:
    def once(peer: Peer) -> None:
        peer.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"count": 3}')
        peer.wait(0.1)  # then closes, while the client thinks that the connection lives

    with served(once) as (chat, server):
        assert chat.count_tokens("text", model="m") == 3
        time.sleep(0.3)
        assert chat.count_tokens("text", model="m") == 3
        assert server.connections == 2


def test_idle_connections_are_given_up_before_vllm_closes_them() -> None:
    assert chat_connection._KEEPALIVE_S < 5  # pyright: ignore[reportPrivateUsage]  # the bound is the point
