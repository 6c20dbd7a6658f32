"""Discovery and planning in a thread of their own: hashing and downloads go on while workers parse and the sink writes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from phidex.ingest.run.plan import Planner, Step
from phidex.ingest.sources.discover import Discovery
from phidex.ingest.sources.found import Found, Skipped

_AHEAD = 64  # files found and hashed, and waiting: what is unpacked or downloaded for them takes room on the disk
_PATIENCE_S = 5.0


class Feed(AbstractContextManager["Feed"]):
    """Steps of a plan, as they come. What was put aside for its files is removed when it is left.

    Args:
        discover: opens the discovery; called in the thread.
    """

    def __init__(self, discover: Callable[[], Discovery], planner: Planner) -> None:
        self._discover = discover
        self._planner = planner
        self._steps: queue.Queue[Step | BaseException | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._finished = threading.Event()
        self._discovery: Discovery | None = None
        self._thread = threading.Thread(target=self._run, name="phidex-discover", daemon=True)
        self.found = 0
        self.ended = False

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._finished.set()
        self._thread.join(_PATIENCE_S)  # a download that hangs must not hold up the end: the thread goes with the process

    def next(self, timeout_s: float) -> Step | None:
        """The next step; None when there is none yet, or, where `ended`, no more.

        Raises: what discovery raised.
        """
        try:
            step = self._steps.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(step, BaseException):
            raise step
        self.ended = step is None
        return step

    def release(self, found: Found) -> None:
        """Free the place of a file that is no longer needed."""
        if self._discovery is not None and found.keep:
            self._discovery.release(found)

    @property
    def skipped(self) -> dict[str, Skipped]:
        """What rules left out so far."""
        return self._discovery.skipped if self._discovery is not None else {}

    def _run(self) -> None:
        try:
            with self._discover() as self._discovery:
                for step in self._planner.steps(iter(self._discovery)):
                    self.found += 1
                    if not self._put(step):
                        return
                self._put(None)
                self._finished.wait()
        except BaseException as exc:  # noqa: BLE001  raised again where the steps are taken
            self._put(exc)

    def _put(self, step: Step | BaseException | None) -> bool:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._steps.put(step, timeout=0.1)
                return True
        return False
