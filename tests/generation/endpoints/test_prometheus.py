"""What Prometheus is told of model calls, who is told nothing, and that nobody pays for what was not asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

import pytest
from tests.generation.faulty import QUESTION, Peer, answer, ask, chat_settings, close_mid_stream, faulty_server, reply

from phidex.errors import ConfigError, PhidexError
from phidex.generation.endpoints import prometheus, telemetry
from phidex.generation.endpoints.pool import Pool
from phidex.generation.endpoints.prometheus import metrics_text, serve_metrics

BUSY = reply(503, {"error": {"message": "busy"}})


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that start at nothing, and no pool of another test among the gauges."""
    monkeypatch.setattr(prometheus, "_metrics", None)
    monkeypatch.setattr(prometheus, "_served", set[tuple[str, int]]())
    prometheus._LIVING.clear()  # pyright: ignore[reportPrivateUsage]
    metrics_text()


def value(line: str) -> float:
    """The value of one series, by its name and labels."""
    found = [float(text.rsplit(" ", 1)[1]) for text in metrics_text().splitlines() if text.startswith(f"{line} ")]
    return found[0] if found else 0.0


def requests(outcome: str, role: str = "mini") -> float:
    return value(f'phidex_model_requests_total{{outcome="{outcome}",role="{role}"}}')


@pytest.mark.usefixtures("fresh")
def test_a_call_is_counted_with_its_tokens_and_times() -> None:
    with faulty_server(answer("The harbour is ", "ten metres deep.")) as server, Pool(chat_settings(server.url)) as pool:
        ask(pool)
        assert value('phidex_model_in_flight{role="mini"}') == 0
    assert requests("ok") == 1
    assert value('phidex_model_tokens_total{direction="input",role="mini"}') == 7
    assert value('phidex_model_tokens_total{direction="output",role="mini"}') == 2
    assert value('phidex_model_first_text_seconds_count{role="mini"}') == 1
    assert value('phidex_model_answer_seconds_count{role="mini"}') == 1
    assert 0 < value('phidex_model_answer_seconds_sum{role="mini"}') < 10
    assert "harbour" not in metrics_text()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (close_mid_stream, "incomplete"),
        (BUSY, "busy"),
        (reply(500), "down"),
        (reply(401, {"error": "Unauthorized"}), "refused"),
    ],
)
def test_a_call_that_fails_is_counted_by_how(script: Any, outcome: str) -> None:
    with faulty_server(script) as server, Pool(chat_settings(server.url, retries=0)) as pool, pytest.raises(PhidexError):
        ask(pool)
    assert requests(outcome) == 1
    assert requests("ok") == 0
    assert value('phidex_model_answer_seconds_count{role="mini"}') == 0


@pytest.mark.usefixtures("fresh")
def test_a_call_that_is_left_was_stopped_and_no_failure() -> None:
    with faulty_server(answer(*["word "] * 50)) as server, Pool(chat_settings(server.url)) as pool:
        events = pool.stream(QUESTION, model="phi-3.5-mini")
        next(events)
        assert value('phidex_model_in_flight{role="mini"}') == 1
        events.close()
        cancelled = threading.Event()
        cancelled.set()
        assert list(pool.until(cancelled).stream(QUESTION, model="phi-3.5-mini")) == []
    assert requests("stopped") == 2


def fails(pool: Pool) -> None:
    with pytest.raises(PhidexError):
        ask(pool)


@pytest.mark.usefixtures("fresh")
def test_what_is_not_sent_is_counted_and_the_breaker_is_seen() -> None:
    let_go = threading.Event()

    def slow(peer: Peer) -> None:
        let_go.wait(10)
        reply(500)(peer)

    with faulty_server(slow) as server, Pool(chat_settings(server.url, retries=0, concurrency=1, queue=0)) as pool:
        first = threading.Thread(target=fails, args=(pool,))
        first.start()
        while pool.states()["mini"].running < 1:
            time.sleep(0.005)
        fails(pool)
        assert requests("queue_full") == 1
        assert value('phidex_model_breaker{role="mini",state="closed"}') == 1
        let_go.set()
        first.join(10)
        for _ in range(3):
            fails(pool)
        assert (requests("down"), requests("left_alone")) == (3, 1)
        assert value('phidex_model_breaker{role="mini",state="open"}') == 1
        assert value('phidex_model_breaker{role="mini",state="closed"}') == 0
    assert value('phidex_model_queue_length{role="mini"}') == 0


@pytest.mark.usefixtures("fresh")
def test_second_opinions_and_substitutes() -> None:
    with Pool(chat_settings("http://127.0.0.1:9/v1")) as pool:
        assert pool.may_escalate()
    telemetry.fell_back("moe", "extractive")
    assert value("phidex_escalations_total") == 1
    assert value('phidex_fallbacks_total{answered="extractive",asked="moe"}') == 1


@pytest.mark.usefixtures("fresh")
def test_a_port_shows_them_and_one_that_is_taken_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with faulty_server() as taken:
        serve_metrics(taken.port)
        serve_metrics(taken.port)
    assert caplog.text.count("metrics.not_served") == 2  # it is tried again
    with faulty_server() as free:
        port = free.port
    with (
        Pool(chat_settings("http://127.0.0.1:9/v1", metrics_port=port)),
        Pool(chat_settings("http://127.0.0.1:9/v1", metrics_port=port)),
    ):
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as shown:
            text = shown.read().decode()
    assert shown.headers["Content-Type"].startswith("text/plain")
    assert 'phidex_model_breaker{role="mini",state="closed"} 1.0' in text


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from phidex.generation.endpoints.pool import Pool\n"
        "from phidex.settings import ChatSettings\n"
        "Pool(ChatSettings(url='http://127.0.0.1:9/v1')).close()\n"
        "assert not [name for name in sys.modules if name.startswith('prometheus_client')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.usefixtures("fresh")
def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_metrics", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError) as caught:
        metrics_text()
    assert "phidex[telemetry]" in caught.value.hint
