"""A watch over one open stream: ends it from outside when a deadline passes or the caller has cancelled.

httpx gives a response one read timeout for its whole body, while a chat stream needs two (to the first token, then between
tokens), and a blocked read cannot be left. The watch is a thread that shuts the socket down; the blocked read then ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Literal, Self

_POLL_S = 0.05
Verdict = Literal["", "late", "cancelled"]


class EitherEvent(threading.Event):
    """Set where one of two others is: of whoever ends what they began, each with an event that is theirs alone to set."""

    def __init__(self, one: threading.Event, other: threading.Event) -> None:
        super().__init__()
        self._both = (one, other)

    def is_set(self) -> bool:
        """Whether one of them is."""
        return any(event.is_set() for event in self._both)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until one of them is, or `timeout` seconds; returns whether one is."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (until is None or time.monotonic() < until):
            self._both[0].wait(_POLL_S if until is None else max(0.0, min(_POLL_S, until - time.monotonic())))
        return self.is_set()


class Watch:
    """Watches `sock` from `__enter__` on; `verdict` says why it was shut down, and is empty while it was not.

    Args:
        sock: None where the transport has no socket (a fake): then nothing is watched.
        cancelled: set by another thread to end the stream.
    """

    def __init__(self, sock: socket.socket | None, cancelled: threading.Event | None) -> None:
        self.verdict: Verdict = ""
        self._sock = sock
        self._cancelled = cancelled or threading.Event()
        self._deadline: float | None = None
        self._lock = threading.Lock()  # a socket that was given back must not be shut down
        self._released = threading.Event()

    def __enter__(self) -> Self:
        if self._sock is not None:
            threading.Thread(target=self._run, name="phidex-chat-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._released.set()

    def arm(self, seconds: float) -> None:
        """Sets the deadline, from now."""
        self._deadline = time.monotonic() + seconds

    def disarm(self) -> None:
        """Takes the deadline away, while it is the caller who takes time and not the server."""
        self._deadline = None

    def _run(self) -> None:
        while not self._released.wait(_POLL_S):
            deadline = self._deadline
            if self._cancelled.is_set():
                self._shut("cancelled")
                return
            if deadline is not None and time.monotonic() >= deadline:
                self._shut("late")
                return

    def _shut(self, verdict: Verdict) -> None:
        with self._lock:
            if self._released.is_set() or self._sock is None:
                return
            self.verdict = verdict
            with contextlib.suppress(OSError):  # the server was faster
                # Not the method of SSLSocket, which unwraps TLS under the feet of the thread that reads.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
