"""Parsing in one worker process and in two, and what an ingest holds in memory while it runs.

The pool alone first, no store behind it: documents in, chunks and their lexical vectors out. Then, with `--full`, 20,000
pages into a collection, with the memory of every process that takes part looked at all the time.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.eval.bench.corpus import fetch_manuals
from phidex.eval.bench.options import Options
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Check, Outcome, Table
from phidex.ingest.run.machine import core_count
from phidex.ingest.run.prepare import Failed, Prepared, Recipe, Task
from phidex.ingest.run.workers import WorkerPool
from phidex.retrieval import runtime
from phidex.retrieval.payload import analyse
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

pymupdf: Any = _pymupdf  # its own types are incomplete

DOCUMENTS = (  # 1,700 pages, none of which is much longer than the others: the last one must not decide
    "debmake-doc.en.pdf",
    "R-exts.pdf",
    "R-intro.pdf",
    "R-admin.pdf",
    "R-lang.pdf",
    "R-ints.pdf",
    "debian-reference.en.pdf",
    "debian-reference.de.pdf",
    "debian-reference.fr.pdf",
    "gnuplot.pdf",
    "asymptote.pdf",
    "pari-tutorial.pdf",
)
ROUNDS = 3
MANY_PAGES = 20_000
RATIO_BAR = 1.7
MEMORY_BAR_MB = 1536.0
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Parsed:
    """One run of the pool: seconds on the clock, of the workers' CPU, and of this process's."""

    pages: int
    chunks: int
    seconds: float
    workers_cpu: float
    own_cpu: float

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds


def parse(paths: Sequence[Path], workers: int) -> Parsed:
    """Prepare the documents; the workers' start is part of the time."""
    recipe = Recipe(analyse=analyse)

    def tasks() -> Iterator[Task]:
        for number, path in enumerate(sorted(paths, key=lambda path: -path.stat().st_size)):
            identity = str(uuid.uuid5(uuid.NAMESPACE_URL, path.as_uri()))
            yield Task(number, path, path.as_uri(), identity, recipe, size_bytes=path.stat().st_size)

    started, own, others = time.monotonic(), time.process_time(), children_cpu()
    pages = chunks = 0
    with WorkerPool(workers=workers) as pool:
        for event in pool.run(tasks()):
            if isinstance(event, Prepared):
                pages += event.source.page_count
                chunks += sum(1 for _ in event.pieces)
            elif isinstance(event, Failed):
                raise RuntimeError(f"a manual could not be read: {event.reason}")
        seconds = time.monotonic() - started
    return Parsed(pages, chunks, seconds, children_cpu() - others, time.process_time() - own)


def children_cpu() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class MemoryWatch:
    """The largest sums of memory seen, in MB: of this process, its workers, the engine, and all together."""

    def __init__(self, data: Path) -> None:
        self.peaks = {"this process": 0.0, "workers": 0.0, "engine": 0.0, "all together": 0.0}
        self._data = data
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Generator[None]:
        """Looks four times a second."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            engine = int(runtime.read_note(self._data / runtime.NOTE).get("pid", 0))
            workers = [pid for pid in children() if pid != engine]
            now = {
                "this process": proportional_mb("self"),
                "workers": sum(map(proportional_mb, workers)),
                "engine": proportional_mb(engine) if engine else 0.0,
            }
            now["all together"] = sum(now.values())
            self.peaks = {name: max(peak, now[name]) for name, peak in self.peaks.items()}


def children() -> list[int]:
    """Processes that any thread of this one has started."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def proportional_mb(pid: int | str) -> float:
    """Memory of a process, what it shares with others counted in its part (PSS); 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def make_library(manuals: Sequence[Path], folder: Path, pages: int) -> int:
    """Copies of manuals, each with bytes of its own, until there are so many pages; returns how many."""
    folder.mkdir()
    count, edition = 0, 0
    while count < pages:
        edition += 1
        for path in manuals:
            if count >= pages:
                break
            with pymupdf.open(path) as document:
                document.set_metadata({**document.metadata, "subject": f"edition {edition}"})
                document.save(folder / f"{edition}-{path.name}")
                count += document.page_count
    return count


def ingest_many(options: Options) -> tuple[Table, list[Check], list[str]]:
    """20,000 pages, searchable: the memory of all that takes part."""
    with scratch_folder() as scratch:
        pages = make_library(fetch_manuals(options.manuals), scratch / "library", MANY_PAGES)
        options.say(f"ingesting {pages:,} pages")
        settings = Settings(data=scratch / "data", embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]
        watch = MemoryWatch(settings.data)
        with Phidex(settings=settings) as phidex, watch.watching():
            report = phidex.ingest(scratch / "library", dense="later")
        if report.failed or report.page_count < pages * 0.99:
            options.say(f"{len(report.failed)} files failed, {report.page_count:,} pages read")
    table = Table(f"Peak memory (PSS) of {pages:,} pages to searchable", ("of", "MB"), list(watch.peaks.items()))
    note = f"{pages:,} pages were searchable after {report.seconds_to_searchable:.0f} s: {report.pages_per_second:.0f} pages/s."
    return table, [Check("memory, all together", watch.peaks["all together"], "<", MEMORY_BAR_MB, " MB")], [note]


def run(options: Options) -> Outcome:
    """One and two workers in turns; the best of each."""
    paths = options.documents(DOCUMENTS)
    runs: dict[int, list[Parsed]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, found in runs.items():
            found.append(parse(paths, workers))
            options.say(f"{workers} workers: {found[-1].rate:.0f} pages/s")
    one, two = (max(found, key=lambda parsed: parsed.rate) for found in runs.values())
    rows = [
        (f"{workers}", best.pages, best.chunks, best.seconds, best.rate, best.workers_cpu, best.own_cpu)
        for workers, best in ((1, one), (2, two))
    ]
    columns = ("workers", "pages", "chunks", "s", "pages/s", "CPU s of workers", "CPU s of their parent")
    tables = [Table("", columns, rows)]
    checks = [Check("two workers beside one", two.rate / one.rate, ">=", RATIO_BAR, "x")]
    notes = [
        f"In turns, the best of {ROUNDS}; the start of the workers is part of the time; {core_count()} cores.",
        f"By CPU time, on two cores that nobody else uses: {one.workers_cpu / ((two.workers_cpu + two.own_cpu) / 2):.2f}x.",
        "Parsing, chunks and lexical vectors in the workers, the results taken over whole; nothing is stored.",
    ]
    if options.full:
        table, more, told = ingest_many(options)
        tables, checks, notes = [*tables, table], [*checks, *more], [*notes, *told]
    return Outcome("workers", "worker processes", tables, checks, notes)
