"""Pages drawn in a process of their own: PyMuPDF knows no threads, and a page that crashes or hangs costs a picture only."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.records import Box
from phidex.ingest.render import render_page

_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class PageView:
    """What a picture shows; see `render_page`."""

    path: Path
    page_number: int
    boxes: tuple[Box, ...] = ()
    quote: str = ""
    crop: bool = False
    sha256: str = ""


class Painter:
    """A drawing process, started when first needed and again after a crash. Thread-safe; one picture at a time."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the process ahead of the first picture."""
        self._opened().submit(int)

    def page(self, view: PageView) -> bytes:
        """The PNG.

        Raises:
            InputError: see `render_page`; or the page crashes the drawing or takes half a minute.
        """
        pool = self._opened()
        try:
            return pool.submit(_draw, view).result(_LIMIT_S)
        except (BrokenProcessPool, TimeoutError) as exc:
            self._discard(pool)
            raise InputError(
                f"page {view.page_number} of {view.path.name} cannot be drawn", hint="the PDF is damaged or too heavy there"
            ) from exc

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._discard(self._pool)

    def _opened(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
            return self._pool

    def _discard(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        for process in multiprocessing.active_children():
            if process.pid in _pids(pool):
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _pids(pool: ProcessPoolExecutor) -> frozenset[int]:
    """Of its processes; `kill_workers` comes with Python 3.14."""
    return frozenset(getattr(pool, "_processes", None) or ())


def _draw(view: PageView) -> bytes:
    return render_page(view.path, view.page_number, view.boxes, view.quote, crop=view.crop, sha256=view.sha256)
