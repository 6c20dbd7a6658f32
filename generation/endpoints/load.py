"""How busy a vLLM is, by its own figures: read in the background, so that nobody waits for them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_FRESH_S = 2.0
_OLD_S = 10.0  # what was heard longer ago says nothing of now
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
    """The load as last heard, asked for again when that is over two seconds ago, and forgotten after ten.

    Args:
        ask: returns the server's metrics, nothing where it has none, is down, or the event is set; raises nothing.
        clock: seconds, monotonic.
    """

    def __init__(self, ask: Callable[[threading.Event], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._heard = Load()
        self._over = threading.Event()
        self._at: float | None = None
        self._lock = threading.Lock()
        self._asking = False
        self._thread: threading.Thread | None = None

    def latest(self) -> Load:
        """What was last heard, nothing where that is long ago; never waits."""
        with self._lock:
            age_s = float("inf") if self._at is None else self._clock() - self._at
            if not self._asking and not self._over.is_set() and age_s > _FRESH_S:
                self._asking = True
                self._thread = threading.Thread(target=self._look, name="phidex-load", daemon=True)
                self._thread.start()
            return self._heard if age_s <= _OLD_S else Load()

    def close(self, timeout_s: float) -> None:
        """End what is being asked; afterwards nothing is asked any more."""
        self._over.set()
        with self._lock:
            asking = self._thread
        if asking is not None:
            asking.join(timeout_s)

    def _look(self) -> None:
        heard = read_load(self._ask(self._over))
        with self._lock:
            self._heard, self._at, self._asking = heard, self._clock(), False
