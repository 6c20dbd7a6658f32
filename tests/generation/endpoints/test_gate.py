"""The way to one server: so many at a time, first come first served, too many refused."""

from __future__ import annotations

import threading
import time

import pytest

from phidex.errors import ServiceError
from phidex.generation.endpoints.gate import Gate


def wait_until(condition: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_never_more_than_may_and_in_their_order() -> None:
    gate = Gate("mini", 2, 100)
    order: list[int] = []
    most = 0
    lock = threading.Lock()

    def one(number: int) -> None:
        nonlocal most
        with gate.passed() as entered:
            assert entered
            with lock:
                order.append(number)
                most = max(most, gate.running)
            time.sleep(0.01)

    threads: list[threading.Thread] = []
    with gate.passed(), gate.passed():
        for number in range(12):
            threads.append(threading.Thread(target=one, args=(number,)))
            threads[-1].start()
            wait_until(lambda number=number: gate.waiting == number + 1)
        assert gate.running == 2
    for thread in threads:
        thread.join(5)
    assert most == 2
    assert [abs(at - number) <= 1 for at, number in enumerate(order)] == [True] * 12  # two enter at a time
    assert (gate.running, gate.waiting) == (0, 0)


def test_too_many_are_refused_at_once() -> None:
    gate = Gate("phi-3.5-mini", 1, 0)
    with gate.passed(), pytest.raises(ServiceError, match=r"phi-3\.5-mini is busy") as caught, gate.passed():
        raise AssertionError("two at a time")
    assert caught.value.retryable
    with gate.passed() as entered:
        assert entered


def test_one_that_is_cancelled_while_it_waits_leaves_its_place() -> None:
    gate = Gate("mini", 1, 5)
    cancelled = threading.Event()
    found: list[bool] = []

    def wait() -> None:
        with gate.passed(cancelled) as entered:
            found.append(entered)

    with gate.passed():
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: gate.waiting == 1)
        cancelled.set()
        thread.join(5)
        assert found == [False]
        assert gate.waiting == 0
    with gate.passed() as entered:
        assert entered


def test_a_place_is_given_back_when_the_work_fails() -> None:
    gate = Gate("mini", 1, 0)
    with pytest.raises(ValueError, match="x"), gate.passed():
        raise ValueError("x")
    assert gate.running == 0
