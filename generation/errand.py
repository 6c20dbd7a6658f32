"""A blocking call that can be left: whoever waits for it goes on when time is up or the work is no longer wanted.

Sockets cannot be waited for together with events, and what blocks in a system call cannot be ended from outside. So the call
runs in a thread of its own, which whoever leaves wakes up (`leave`) or leaves behind; its result is then disposed of.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

_LOOK_S = 0.05  # between two looks at an event that somebody else sets


class LeftError(Exception):
    """The call was left; `why` says for what reason."""

    def __init__(self, why: Literal["late", "cancelled"]) -> None:
        super().__init__(why)
        self.why = why


class _Errand(Generic[T]):
    def __init__(self, work: Callable[[], T], dispose: Callable[[T], None]) -> None:
        self._work, self._dispose = work, dispose
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._left = False
        self._lock = threading.Lock()
        self.done = threading.Event()

    def run(self) -> None:
        found: list[T] = []
        error: BaseException | None = None
        try:
            found.append(self._work())
        except BaseException as exc:  # noqa: BLE001  raised again where it is waited for
            error = exc
        with self._lock:
            left, self._found, self._error = self._left, found, error
            self.done.set()
        if left and found:
            self._dispose(found[0])

    def leave(self) -> None:
        with self._lock:
            self._left = True
            found = self._found
        if found:  # it was done at the last moment
            self._dispose(found[0])

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._found[0]


def run_errand(
    work: Callable[[], T],
    *,
    timeout_s: float,
    cancelled: threading.Event | None,
    leave: Callable[[], None],
    dispose: Callable[[T], None],
) -> T:
    """What `work` returns. Costs a thread, some 0.1 ms.

    Args:
        cancelled: set by another thread where the result is no longer wanted.
        leave: called where it is left, to end what `work` waits for.
        dispose: called with a result that nobody waits for any more.

    Raises:
        LeftError: time is up, or `cancelled` is set.
        Exception: what `work` raises.
    """
    if cancelled is not None and cancelled.is_set():
        raise LeftError("cancelled")
    errand = _Errand(work, dispose)
    threading.Thread(target=errand.run, name="phidex-request", daemon=True).start()
    try:
        _wait(errand.done, timeout_s, cancelled)
    except BaseException:  # an interrupt too
        errand.leave()
        leave()
        raise
    return errand.result()


def _wait(done: threading.Event, timeout_s: float, cancelled: threading.Event | None) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        left_s = deadline - time.monotonic()
        if done.wait(max(0.0, left_s if cancelled is None else min(left_s, _LOOK_S))):
            return
        if cancelled is not None and cancelled.is_set():
            raise LeftError("cancelled")
        if left_s <= 0:
            raise LeftError("late")
