"""Who did what to which collection, a JSON line each, in `server/audit.jsonl`; never what was asked or said.

Lines are written by a thread, each in one write at the end of the file, so that several servers may share it. The file may be
rotated by any program: it is opened anew where it is gone.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import time
from pathlib import Path


class Audit:
    """The log of a data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / "server" / "audit.jsonl"
        self._queue: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._listener: logging.handlers.QueueListener | None = None

    def open(self) -> None:
        """Begin to write."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600)
        handler = logging.handlers.WatchedFileHandler(self._path, encoding="utf-8", errors="replace")
        self._listener = logging.handlers.QueueListener(self._queue, handler)
        self._listener.start()

    def note(self, **facts: str | int | float) -> None:
        """One line; returns at once."""
        line = json.dumps({"time": round(time.time(), 3), **facts}, ensure_ascii=False)
        self._queue.put(logging.LogRecord("audit", logging.INFO, "", 0, "%s", (line,), None))

    def close(self) -> None:
        """Write what is left."""
        if self._listener is not None:
            self._listener.stop()
            for handler in self._listener.handlers:
                handler.close()
            self._listener = None
