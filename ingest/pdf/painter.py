"""Pages drawn in a process of their own: PyMuPDF knows no threads, and a page that crashes or hangs costs a picture only."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.pdf.render import render_page
from phidex.ingest.records import Box

_LIMIT_S = 30.0
_START_S = 60.0  # the process imports PyMuPDF first


@dataclass(frozen=True, slots=True)
class PageView:
    """What a picture shows; see `render_page`."""

    path: Path
    page_number: int
    boxes: tuple[Box, ...] = ()
    quote: str = ""
    crop: bool = False
    sha256: str = ""
    zoom: float = 2.0
    passwords: tuple[str, ...] = field(default=(), repr=False)


class Painter:
    """A drawing process, started when first needed and again after a crash. Thread-safe; one picture at a time.

    Args:
        limit_s: what a page may take, the pages before it and the start of the process not counted.
    """

    def __init__(self, limit_s: float = _LIMIT_S) -> None:
        self._limit_s = limit_s
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()  # of the pool
        self._turn = threading.Lock()  # of the page that is drawn

    def warm_up(self) -> None:
        """Start the process ahead of the first picture."""
        self._submit(int)

    def page(self, view: PageView) -> bytes:
        """The PNG.

        Raises:
            InputError: see `render_page`; or the page crashes the drawing or takes half a minute.
        """
        with self._turn:
            pool, started = self._submit(_start)
            try:
                started.result(_START_S)
                return pool.submit(_draw, view).result(self._limit_s)
            except (RuntimeError, CancelledError, TimeoutError) as exc:  # crashed (BrokenProcessPool), closed, too slow
                self._discard(pool)
                raise InputError(
                    f"page {view.page_number} of {view.path.name} cannot be drawn", hint="the PDF is damaged or too heavy there"
                ) from exc

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._discard(self._pool)

    def _submit(self, function: Callable[[], object]) -> tuple[ProcessPoolExecutor, Future[object]]:
        """A new process takes the place of one that ended since the last page, or was closed this moment."""
        pool = self._opened()
        try:
            return pool, pool.submit(function)
        except RuntimeError:
            self._discard(pool)
        pool = self._opened()
        return pool, pool.submit(function)

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


def _start() -> None:
    """Done when the process has imported this module."""


def _draw(view: PageView) -> bytes:
    return render_page(
        view.path,
        view.page_number,
        view.boxes,
        view.quote,
        zoom=view.zoom,
        crop=view.crop,
        sha256=view.sha256,
        passwords=view.passwords,
    )
