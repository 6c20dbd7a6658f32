"""Data folders for one measurement, removed behind it together with the engine's process that serves them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from phidex.retrieval import runtime


@contextlib.contextmanager
def scratch_folder() -> Generator[Path]:
    """An empty folder that is gone afterwards; the engine of its subfolder `data` is ended first."""
    folder = Path(tempfile.mkdtemp(prefix="phidex-bench-"))
    try:
        yield folder
    finally:
        end_engine(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


def end_engine(data: Path, timeout_s: float = 30) -> None:
    """End the engine that serves this data folder, if one does, and wait until it has left."""
    deadline = time.monotonic() + timeout_s
    if runtime.is_held(data) and (pid := runtime.read_note(data / runtime.NOTE).get("pid")):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
    while runtime.is_held(data) and time.monotonic() < deadline:
        time.sleep(0.02)
