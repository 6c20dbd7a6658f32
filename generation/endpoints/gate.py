"""So many requests at a time, in the order in which they came; more than may wait are refused at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from phidex.generation.chat_faults import BusyError

_LOOK_S = 0.1  # between two looks at whether a waiting request was cancelled


class QueueFullError(BusyError):
    """As many requests wait for a role as may."""


class Gate:
    """The way to one server. Thread-safe.

    Args:
        name: of the role, for people.
        concurrency: requests that are under way at most.
        queue: requests that wait at most.
    """

    def __init__(self, name: str, concurrency: int, queue: int) -> None:
        self._name, self._concurrency, self._queue = name, concurrency, queue
        self._running = 0
        self._waiting: deque[object] = deque()
        self._moved = threading.Condition()

    @property
    def running(self) -> int:
        """Requests under way."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @contextmanager
    def passed(self, cancelled: threading.Event | None = None) -> Generator[bool]:
        """A place, kept while the block runs; False where `cancelled` was set before there was one.

        Raises:
            QueueFullError: as many wait as may; retryable.
        """
        if not self._enter(cancelled):
            yield False
            return
        try:
            yield True
        finally:
            with self._moved:
                self._running -= 1
                self._moved.notify_all()

    def _enter(self, cancelled: threading.Event | None) -> bool:
        ticket = object()
        with self._moved:
            if self._running < self._concurrency and not self._waiting:
                self._running += 1
                return True
            if len(self._waiting) >= self._queue:
                message = f"{self._name} is busy: {self._running} requests are under way and {len(self._waiting)} wait"
                raise QueueFullError(message, hint="ask again in a moment, or raise PHIDEX_CHAT__QUEUE", retryable=True)
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._running >= self._concurrency:
                    self._moved.wait(_LOOK_S if cancelled is not None else None)
                    if cancelled is not None and cancelled.is_set():
                        return False
                self._running += 1
                return True
            finally:
                self._waiting.remove(ticket)
                self._moved.notify_all()
