from __future__ import annotations

import threading
import time

import pytest

from phidex.generation.errand import LeftError, run_errand


class Slow:
    """Work that waits until it is told to end, and gives what must be disposed of."""

    def __init__(self) -> None:
        self.ends, self.disposed = threading.Event(), threading.Event()
        self.left = False

    def work(self) -> str:
        self.ends.wait(10)
        return "result"

    def leave(self) -> None:
        self.left = True
        self.ends.set()

    def run(self, timeout_s: float, cancelled: threading.Event | None = None) -> str:
        def dispose(result: str) -> None:
            assert result == "result"
            self.disposed.set()

        return run_errand(self.work, timeout_s=timeout_s, cancelled=cancelled, leave=self.leave, dispose=dispose)


def test_the_result_comes_back_and_is_nobody_elses() -> None:
    slow = Slow()
    slow.ends.set()
    assert slow.run(10, threading.Event()) == "result"
    assert not slow.left
    assert not slow.disposed.is_set()


def test_what_it_raises_is_raised() -> None:
    def fail() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_errand(fail, timeout_s=10, cancelled=None, leave=lambda: None, dispose=lambda _: None)


@pytest.mark.parametrize("why", ["late", "cancelled"])
def test_what_is_left_is_woken_and_its_result_disposed_of(why: str) -> None:
    slow, cancelled = Slow(), threading.Event()
    if why == "cancelled":
        threading.Timer(0.1, cancelled.set).start()
    started = time.monotonic()
    with pytest.raises(LeftError) as caught:
        slow.run(0.1 if why == "late" else 10, cancelled)
    assert time.monotonic() - started < 5
    assert caught.value.why == why
    assert slow.left
    assert slow.disposed.wait(5)
