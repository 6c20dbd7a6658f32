"""A server that failed several times in a row is left alone for a while, then tried by one request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from phidex.errors import ServiceError

_FAILURES = 3
_REST_S = 10.0
_LONGEST_REST_S = 120.0


class LeftAloneError(ServiceError):
    """A server failed so often that nothing is sent to it for a while."""


class Breaker:
    """Counts failures in a row. Thread-safe.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._trying = False
        self._lock = threading.Lock()

    @property
    def rest_s(self) -> float:
        """Seconds until it may be asked again; 0 where it may be now."""
        with self._lock:
            return max(0.0, self._until - self._clock()) if self._failures >= _FAILURES else 0.0

    @property
    def state(self) -> Literal["closed", "open", "trying"]:
        """closed: requests pass; open: none does, or the one that may has not come; trying: one is on its way."""
        with self._lock:
            if self._failures < _FAILURES:
                return "closed"
            return "trying" if self._trying else "open"

    def admits(self) -> bool:
        """Whether a request may be sent now: of a server that has rested, one at a time."""
        with self._lock:
            if self._failures < _FAILURES:
                return True
            if self._trying or self._clock() < self._until:
                return False
            self._trying = True
            return True

    def succeeded(self) -> None:
        """The server answered."""
        with self._lock:
            self._failures, self._until, self._trying = 0, 0.0, False

    def failed(self) -> None:
        """The server did not answer, or broke off."""
        with self._lock:
            self._trying = False
            if self._clock() < self._until:
                return  # of a request that was under way when it was given up: no news
            self._failures += 1
            if self._failures >= _FAILURES:
                self._until = self._clock() + min(_LONGEST_REST_S, _REST_S * 2 ** min(self._failures - _FAILURES, 10))

    def given_back(self) -> None:
        """A request that was admitted ended without telling anything."""
        with self._lock:
            self._trying = False
