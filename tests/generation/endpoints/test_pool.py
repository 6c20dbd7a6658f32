"""Several endpoints as one chat model: a request goes where its model is served, in turn, and not to a dead server."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from tests.generation.faulty import QUESTION, Peer, Script, answer, ask, chat_settings, faulty_server, reply

from phidex.errors import ConfigError, ServiceError
from phidex.generation.chat import Delta
from phidex.generation.endpoints.load import LoadWatch, read_load
from phidex.generation.endpoints.pool import Pool
from phidex.generation.rewrite import Rewriter
from phidex.settings import SearchSettings

BUSY = reply(400, {"error": {"message": "no"}})


def said(pool: Pool, model: str) -> str:
    return "".join(event.text for event in pool.stream(QUESTION, model=model) if isinstance(event, Delta))


def test_each_model_has_its_server_and_its_key() -> None:
    with faulty_server(answer("small")) as small, faulty_server(answer("large")) as large:
        settings = chat_settings(small.url, moe="moe", moe_url=large.url, moe_api_key="secret-of-large")
        with Pool(settings) as pool:
            assert said(pool, "phi-3.5-mini") == "small"
            assert said(pool, "moe") == "large"
        assert "authorization" not in small.requests[0].headers
        assert large.requests[0].headers["authorization"] == "Bearer secret-of-large"


def test_roles_of_one_endpoint_share_its_key() -> None:
    with faulty_server(answer("x")) as server:
        with Pool(chat_settings(server.url, moe="moe", api_key="one")) as pool:
            said(pool, "moe")
        assert server.requests[0].headers["authorization"] == "Bearer one"


def test_settings_that_lead_nowhere() -> None:
    with pytest.raises(ConfigError, match="no model endpoint"):
        Pool(chat_settings(""))
    with pytest.raises(ConfigError, match="PHIDEX_CHAT__MINI and PHIDEX_CHAT__MOE are both 'phi'"):
        Pool(chat_settings("http://127.0.0.1:9/v1", mini="phi", moe="phi", moe_url="http://127.0.0.1:10/v1"))
    with Pool(chat_settings("http://127.0.0.1:9/v1")) as pool, pytest.raises(ConfigError, match="'other'"):
        said(pool, "other")


def test_a_dead_server_is_left_alone_and_the_other_one_is_not() -> None:
    with faulty_server(answer("alive")) as alive:
        settings = chat_settings(alive.url, moe="moe", moe_url="http://127.0.0.1:9/v1", retries=0)
        with Pool(settings) as pool:
            for _ in range(3):
                with pytest.raises(ServiceError):
                    said(pool, "moe")
            started = time.perf_counter()
            with pytest.raises(ServiceError, match="moe failed several times") as caught:
                said(pool, "moe")
            assert time.perf_counter() - started < 0.1
            assert caught.value.retryable
            assert not pool.states()["moe"].is_well
            assert pool.states()["mini"].is_well
            assert said(pool, "phi-3.5-mini") == "alive"


def test_counting_finds_a_dead_server_too() -> None:
    settings = chat_settings("http://127.0.0.1:9/v1", retries=0)
    with Pool(settings) as pool:
        for _ in range(3):
            with pytest.raises(ServiceError):
                pool.count_each(["a"], model="phi-3.5-mini")
        assert not pool.states()["mini"].is_well
        with pytest.raises(ServiceError, match="failed several times"):
            pool.window_tokens("phi-3.5-mini")


def test_what_is_remembered_does_not_make_a_dead_server_live() -> None:
    with faulty_server(reply(200, {"data": [{"id": "phi-3.5-mini", "max_model_len": 4096}]})) as server:
        pool = Pool(chat_settings(server.url, retries=0))
        assert pool.window_tokens("phi-3.5-mini") == 4096
    with pool:  # the server is gone, and what it told is not
        for _ in range(3):
            assert pool.window_tokens("phi-3.5-mini") == 4096
            with pytest.raises(ServiceError):
                said(pool, "phi-3.5-mini")
        assert not pool.states()["mini"].is_well


def test_a_server_that_is_busy_is_not_dead() -> None:
    busy = reply(503, {"error": {"message": "busy"}})
    with faulty_server(busy) as server, Pool(chat_settings(server.url, retries=0)) as pool:
        for _ in range(5):
            with pytest.raises(ServiceError, match="busy"):
                said(pool, "phi-3.5-mini")
        assert pool.states()["mini"].is_well


def test_a_server_that_lists_a_name_and_does_not_know_it() -> None:
    unknown = reply(404, {"error": {"message": "The model does not exist"}})

    def script(peer: Peer) -> None:
        (reply(200, {"data": [{"id": "other"}]}) if "GET" in peer.request.line else unknown)(peer)

    with (
        faulty_server(script) as server,
        Pool(chat_settings(server.url)) as pool,
        pytest.raises(ConfigError, match="serves other"),
    ):
        said(pool, "phi-3.5-mini")


def test_one_model_in_two_roles() -> None:
    with faulty_server(answer("both")) as server, Pool(chat_settings(server.url, vision="phi-3.5-mini")) as pool:
        assert said(pool, "phi-3.5-mini") == "both"


def test_a_key_is_not_sent_to_another_server() -> None:
    with faulty_server(answer("x")) as own, faulty_server(answer("y")) as other:
        with Pool(chat_settings(own.url, api_key="secret", moe="moe", moe_url=other.url)) as pool:
            said(pool, "phi-3.5-mini")
            said(pool, "moe")
        assert own.requests[0].headers["authorization"] == "Bearer secret"
        assert "authorization" not in other.requests[0].headers


def test_a_refusal_is_no_reason_to_leave_a_server_alone() -> None:
    with faulty_server(BUSY) as server, Pool(chat_settings(server.url)) as pool:
        for _ in range(5):
            with pytest.raises(Exception, match="no"):
                said(pool, "phi-3.5-mini")
        assert pool.states()["mini"].is_well


def test_requests_wait_for_their_turn_and_too_many_are_refused() -> None:
    let_go = threading.Event()

    def slow(peer: object) -> None:
        let_go.wait(10)
        answer("late")(peer)  # type: ignore[arg-type]

    script: Script = slow
    with faulty_server(script) as server, Pool(chat_settings(server.url, concurrency=1, queue=1)) as pool:
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(said(pool, "phi-3.5-mini"))) for _ in range(2)]
        threads[0].start()
        while pool.states()["mini"].running < 1:
            time.sleep(0.005)
        threads[1].start()
        while pool.states()["mini"].waiting < 1:
            time.sleep(0.005)
        with pytest.raises(ServiceError, match="busy"):
            said(pool, "phi-3.5-mini")
        assert server.connections <= 2  # the answer, and perhaps a look at the server's own figures
        let_go.set()
        for thread in threads:
            thread.join(10)
        assert found == ["late", "late"]


def test_leaving_an_answer_gives_the_place_back() -> None:
    with faulty_server(answer(*["word "] * 50)) as server, Pool(chat_settings(server.url, concurrency=1, queue=0)) as pool:
        with closing(pool.stream(QUESTION, model="phi-3.5-mini")) as events:
            next(events)
        assert pool.states()["mini"].running == 0
        assert ask(pool)[0].startswith("word")


def test_a_window_that_the_endpoint_does_not_tell_is_the_one_that_was_given() -> None:
    with faulty_server(reply(200, {"data": [{"id": "phi-3.5-mini"}]})) as server:
        with Pool(chat_settings(server.url, window_tokens=16_384)) as pool:
            assert pool.window_tokens("phi-3.5-mini") == 16_384
        with Pool(chat_settings(server.url)) as pool:
            assert pool.window_tokens("phi-3.5-mini") is None


def test_the_rewriter_holds_a_model_behind_the_pool_to_its_form() -> None:
    with faulty_server(answer('{"list": ["one", "two"]}')) as server, Pool(chat_settings(server.url)) as pool:
        rewriter = Rewriter(SearchSettings(decompose=True), pool, model="phi-3.5-mini")  # pyright: ignore[reportCallIssue]
        rewriter.rewrite("What is the lease, and who signed it?")
        assert "response_format" in server.requests[0].json


def test_the_load_of_several_engines() -> None:
    text = (
        "# HELP vllm:num_requests_waiting x\n"
        'vllm:num_requests_waiting{engine="0",model_name="m"} 3.0\n'
        'vllm:num_requests_waiting{engine="1",model_name="m"} 2.0\n'
        'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25\n'
        'vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.97\n'
    )
    load = read_load(text)
    assert (load.waiting, load.cache) == (5, 0.97)
    assert read_load("<html>").waiting == 0


def test_nobody_waits_for_the_load() -> None:
    asked = threading.Event()
    go = threading.Event()

    def ask_slowly(_: threading.Event) -> str:
        asked.set()
        go.wait(5)
        return 'vllm:num_requests_waiting{engine="0"} 7'

    watch = LoadWatch(ask_slowly)
    started = time.perf_counter()
    assert watch.latest().waiting == 0
    assert watch.latest().waiting == 0  # asks once
    assert time.perf_counter() - started < 0.5
    assert asked.wait(5)
    go.set()
    deadline = time.monotonic() + 5
    while watch.latest().waiting != 7:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_load_that_was_heard_long_ago_says_nothing() -> None:
    now = 0.0
    heard = iter(['vllm:num_requests_waiting{engine="0"} 7'])
    watch = LoadWatch(lambda _: next(heard, ""), clock=lambda: now)
    deadline = time.monotonic() + 5
    while watch.latest().waiting != 7:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    now = 9.0  # it is asked again, and what it said last still counts
    assert watch.latest().waiting == 7
    watch.close(5)
    now = 60.0
    assert watch.latest().waiting == 0


def test_closing_does_not_wait_for_a_server_that_is_silent_about_its_load() -> None:
    with faulty_server(Peer.freeze) as server:
        pool = Pool(chat_settings(server.url, connect_timeout_s=20))
        pool.states()
        while not server.requests:
            time.sleep(0.005)
        started = time.monotonic()
        pool.close()
        assert time.monotonic() - started < 2
        assert server.peers[0].client_left.wait(5)


def test_a_view_that_is_cancelled_neither_counts_nor_harms_the_breaker() -> None:
    cancelled = threading.Event()
    with faulty_server(Peer.freeze) as server, Pool(chat_settings(server.url)) as pool:
        view = pool.until(cancelled)
        for _ in range(4):
            threading.Timer(0.1, cancelled.set).start()
            assert view.count_each(["a"], model="phi-3.5-mini") is None
            assert view.window_tokens("phi-3.5-mini") is None
            assert list(view.stream(QUESTION, model="phi-3.5-mini", cancelled=threading.Event())) == []
            cancelled.clear()
        assert pool.states()["mini"].is_well


@pytest.mark.vllm
def test_a_real_server_tells_its_load_and_answers_under_both_names(vllm: str) -> None:
    settings = chat_settings(vllm, moe="phi-3.5-moe", max_answer_tokens=16)
    with Pool(settings) as pool:
        assert said(pool, "phi-3.5-mini")
        assert said(pool, "phi-3.5-moe")
        from phidex.generation.chat import OpenAIChat

        with OpenAIChat(settings) as chat:
            assert "vllm:num_requests_waiting" in chat.metrics()
        assert set(pool.states()) == {"mini", "moe"}
        assert all(state.is_well for state in pool.states().values())
