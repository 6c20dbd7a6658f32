"""How busy a vLLM is, by its own figures: read in the background, so that nobody waits for them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_FRESH_S = 2.0
_LINE = re.compile(r"^vllm:(num_requests_waiting|kv_cache_usage_perc)\{([^}]*)\} ([0-9.eE+-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in the server's queue, and the share of its key-value cache in use."""

    waiting: int = 0
    cache: float = 0.0


def read_load(metrics: str) -> Load:
    """The load of a server, by its Prometheus text; of several engines, all that wait and the fullest cache.

    >>> read_load('vllm:num_requests_waiting{engine="0",model_name="m"} 3.0')
    Load(waiting=3, cache=0.0)
    """
    waiting, cache = 0.0, 0.0
    for name, _, value in _LINE.findall(metrics):
        if name == "num_requests_waiting":
            waiting += float(value)
        else:
            cache = max(cache, float(value))
    return Load(int(waiting), cache)


class LoadWatch:
    """The load as last heard, asked for again when that is over two seconds ago.

    Args:
        ask: returns the server's metrics, nothing where it has none or is down; raises nothing.
    """

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._heard = Load()
        self._at = -_FRESH_S
        self._lock = threading.Lock()
        self._asking = False
        self._thread: threading.Thread | None = None
        self._closed = False

    def latest(self) -> Load:
        """What was last heard; never waits."""
        with self._lock:
            due = not self._asking and time.monotonic() - self._at > _FRESH_S
            self._asking = self._asking or due
        if due:
            self._thread = threading.Thread(target=self._look, name="phidex-load", daemon=True)
            self._thread.start()
        return self._heard

    def close(self, timeout_s: float) -> None:
        """Wait for what is being asked; afterwards nothing is asked any more."""
        with self._lock:
            due, self._asking, self._closed = self._thread, True, True
        if due is not None:
            due.join(timeout_s)

    def _look(self) -> None:
        heard = read_load(self._ask())
        with self._lock:
            self._heard, self._at, self._asking = heard, time.monotonic(), self._closed
