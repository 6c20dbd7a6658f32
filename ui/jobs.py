"""Ingesting in the background, one job after the other, with progress that any session can look at. No Streamlit in here."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from phidex.errors import InputError, PhidexError
from phidex.ingest.run.report import FileReport, IngestReport
from phidex.retrieval.checks import check_name

if TYPE_CHECKING:
    from phidex.sdk import Phidex

log = logging.getLogger(__name__)

JobState = Literal["waiting", "reading", "embedding", "done"]


@dataclass(slots=True)
class Job:
    """One run of the ingest: of `targets`, or without any of the dense vectors that are still missing.

    Args:
        number: counts the jobs of this process.
        targets: files and folders, repositories, addresses.
        sync: also remove what is gone from there.
        dry_run: only say what would change.
        done, total: files while reading, passages while embedding.
        files: what became of each file so far.
        error: what ended the job early.
    """

    number: int
    collection: str
    targets: tuple[str | Path, ...]
    sync: bool = False
    dry_run: bool = False
    state: JobState = "waiting"
    done: int = 0
    total: int = 0
    files: list[FileReport] = field(default_factory=list[FileReport])
    report: IngestReport | None = None
    error: PhidexError | None = None

    @property
    def refused(self) -> list[FileReport]:
        """Files that were not taken, each with its reason."""
        return [file for file in self.files if file.outcome in ("failed", "skipped")]

    def file_done(self, file: FileReport, number: int, total: int) -> None:
        """Called by the ingest after each file."""
        self.files.append(file)
        self.done, self.total = number, total

    def embedded(self, done: int, total: int) -> None:
        """Called by the ingest while dense vectors are written."""
        self.state, self.done, self.total = "embedding", done, total


class Jobs:
    """The jobs of one process. Jobs wait for each other: PDFs must not be parsed in two threads at once."""

    def __init__(self, phidex: Phidex) -> None:
        self._phidex = phidex
        self._jobs: list[Job] = []
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, collection: str, targets: Sequence[str | Path] = (), *, sync: bool = False, dry_run: bool = False) -> Job:
        """Queue an ingest of `targets`, or the completion of the collection when there are none."""
        with self._lock:
            job = Job(len(self._jobs) + 1, collection, tuple(targets), sync, dry_run)
            self._jobs.append(job)
            self._queue.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="phidex-jobs", daemon=True)
                self._thread.start()
            return job

    def of(self, collection: str) -> list[Job]:
        """Its jobs, oldest first."""
        return [job for job in self._jobs if job.collection == collection]

    def active(self, collection: str) -> list[Job]:
        """Its jobs that are not done."""
        return [job for job in self.of(collection) if job.state != "done"]

    def close(self) -> None:
        """Let the worker end after what it is doing."""
        self._queue.put(None)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                self._run(job)
            except PhidexError as exc:
                job.error = exc
            except Exception as exc:
                log.exception("job failed")
                job.error = PhidexError(f"the ingest failed: {type(exc).__name__}", hint="the log of the app says more")
            job.state = "done"

    def _run(self, job: Job) -> None:
        job.state = "reading" if job.targets else "embedding"
        if not job.targets:
            self._phidex.complete(job.collection, on_embed=job.embedded)
            return
        job.total = len(job.targets)
        job.report = self._phidex.ingest(
            *job.targets,
            collection=job.collection,
            sync=job.sync,
            dry_run=job.dry_run,
            on_file=job.file_done,
            on_embed=job.embedded,
        )


def save_upload(data: Path, collection: str, name: str, content: bytes) -> Path:
    """Where the file now lies: `uploads/<collection>/<name>` in the data folder, written in one step.

    Raises:
        InputError: the name of the file or collection cannot be used, or the disk does not take it.
    """
    folder = data / "uploads" / check_name(collection)
    bare = "".join(c for c in PurePosixPath(name.replace("\\", "/")).name if c.isprintable()).lstrip(".")
    if not bare:
        raise InputError(f"{name!r} is no name for a file", hint="rename it")
    target, part = folder / bare, folder / f".{bare}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(target)
    except OSError as exc:
        with contextlib.suppress(OSError):
            part.unlink()
        raise InputError(f"{bare} cannot be saved: {exc.strerror}", hint=f"make room in {data}") from exc
    return target
