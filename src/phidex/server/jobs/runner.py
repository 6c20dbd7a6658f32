"""The thread that runs jobs, one after the other: PDFs must not be parsed in two threads of a process at once.

Told to stop, it leaves the job that it is at for the next server. A job during which its server was killed too often is given
up: whatever kills the server must not do so for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from phidex.errors import PhidexError, ServiceError
from phidex.ingest.run.report import FileReport
from phidex.server.faults import refusal_of
from phidex.server.jobs.record import Job
from phidex.server.jobs.shelf import Shelf
from phidex.server.uploads import place_files

if TYPE_CHECKING:
    from phidex.ingest.run.report import IngestReport
    from phidex.sdk import Phidex

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # at what other processes left
_SAVE_S = 0.25  # between two notes of how far a job is
_PRUNE_S = 3_600.0
_MOST_ATTEMPTS = 5
_AGAIN_S = (1.0, 4.0, 16.0)  # after a service was down for the moment


class _StoppedError(Exception):
    """The server ends, or the job is cancelled."""


class Runner:
    """Runs the jobs of a data folder, until it is closed."""

    def __init__(self, phidex: Phidex, shelf: Shelf, keep_days: int) -> None:
        self._phidex = phidex
        self._shelf = shelf
        self._keep_days = keep_days
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="phidex-jobs", daemon=True)
        self._prune_at = 0.0
        self._job: Job | None = None
        self._teller: _Teller | None = None

    @property
    def is_alive(self) -> bool:
        """Whether jobs are being looked after."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._shelf.open()
        self._thread.start()

    def wake(self) -> None:
        """There is something new to do."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing more, and leave what is being done as soon as that can be; returns at once."""
        self._stop.set()
        self._wake.set()

    def close(self, timeout_s: float) -> bool:
        """Hand over what is being done; False where it could not be left within the time. Nothing committed is lost then."""
        self.stop()
        if not self._thread.is_alive():
            return True
        self._thread.join(timeout_s)
        job = self._job
        if self._teller is not None:
            self._teller.close()
        if self._thread.is_alive() and job is not None:  # it waits for somebody: an orderly end is no failure of the job
            self._shelf.save(replace(job, state="queued", step="", attempts=job.attempts - 1))
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if time.monotonic() > self._prune_at:
                    self._prune_at = time.monotonic() + _PRUNE_S
                    self._shelf.prune(self._keep_days)
                while any(self._take(job_id) for job_id in self._shelf.waiting()):
                    pass
            except Exception:
                log.exception("jobs cannot be looked at")  # a full disk, say: tried again
            self._wake.wait(_LOOK_S)

    def _take(self, job_id: str) -> bool:
        """Run the job unless another process does; whether it was run."""
        if self._stop.is_set():
            return False
        with self._shelf.claimed(job_id) as job:
            if job is None:
                return False
            self._job = job
            try:
                self._run(job)
            finally:
                self._job = None
        return True

    def _run(self, job: Job) -> None:
        started, attempts = job.started_at or time.time(), job.attempts
        job.started_at, job.attempts = started, attempts + 1
        if job.attempts > _MOST_ATTEMPTS:
            job.error = {"code": "given_up", "message": f"the server was killed {attempts} times while it ran", "hint": ""}
            job.state = "failed"
        elif self._shelf.is_cancelled(job.id):
            job.state = "cancelled"
        else:
            job.begin()
            self._shelf.save(job)
            self._attempt(job)
        if not job.has_ended:  # left to the next server, which is no failure
            job.state, job.step, job.attempts = "queued", "", attempts
            self._shelf.save(job)
            return
        job.step, job.name, job.cancelling = "", "", False
        self._shelf.end(job)
        log.info("job ended id=%s state=%s", job.id, job.state)

    def _attempt(self, job: Job) -> None:
        for wait_s in (*_AGAIN_S, None):
            try:
                job.notes = self._ingest(job).notes
                job.state = "done"
            except _StoppedError:
                job.state = "cancelled" if self._shelf.is_cancelled(job.id) else "queued"
            except ServiceError as exc:
                if exc.retryable and wait_s is not None and not self._stop.wait(wait_s):
                    job.begin()
                    continue
                self._fail(job, exc)
            except Exception as exc:  # noqa: BLE001  logged, and told in the record
                self._fail(job, exc)
            return

    def _ingest(self, job: Job) -> IngestReport:
        targets: list[Path | str] = list(job.targets)
        options: dict[str, Any] = {}
        if job.kind == "upload":
            targets = [*place_files(self._shelf.files_of(job.id), job.targets, self._phidex.settings.data, job.collection)]
        else:
            options = {"ref": job.ref, "only": job.only, "sync": job.sync}
        with _Teller(job, self._shelf, self._stop) as told:
            self._teller = told
            return self._phidex.ingest(
                *targets,
                collection=job.collection,
                tags=job.tags,
                on_file=told.file,
                on_page=told.page,
                on_fetch=told.fetch,
                on_embed=told.embed,
                **options,
            )

    def _fail(self, job: Job, exc: Exception) -> None:
        if self._stop.is_set():  # what it needs may have been closed under it: the next server finds out
            log.info("job left id=%s reason=%s", job.id, type(exc).__name__)
            job.state, job.error = "queued", None
            return
        if not isinstance(exc, PhidexError):
            log.error("job failed id=%s", job.id, exc_info=exc)
        refusal = refusal_of(exc)
        job.state = "failed"
        job.error = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}


class _Teller:
    """Notes how far a job is, a few times a second, in a thread: whoever ingests may have to wait for long.

    It ends the ingest from inside where that is to end.
    """

    def __init__(self, job: Job, shelf: Shelf, stop: threading.Event) -> None:
        self._job, self._shelf, self._stop = job, shelf, stop
        self._changed, self._cancelled, self._closed = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._work, name="phidex-job-notes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Note nothing more."""
        self._closed.set()
        self._thread.join()

    def file(self, report: FileReport, number: int, total: int) -> None:
        """A file is done."""
        self._job.add(report, number, total)
        self._go_on()

    def page(self, name: str, done: int, total: int) -> None:
        """Pages of a long document are read."""
        self._job.name = f"{name} ({done}/{total} pages)"
        self._go_on()

    def fetch(self, name: str, done: int, total: int) -> None:
        """Something is downloaded; told from another thread, whose end becomes that of the ingest."""
        self._job.step, self._job.name, self._job.done, self._job.total = "fetching", name, done, total
        self._go_on()

    def embed(self, done: int, total: int) -> None:
        """Dense vectors are written."""
        self._job.step, self._job.name, self._job.done, self._job.total = "embedding", "", done, total
        self._go_on()

    def _go_on(self) -> None:
        self._changed.set()
        if self._stop.is_set() or self._cancelled.is_set():
            raise _StoppedError

    def _work(self) -> None:
        while not self._closed.wait(_SAVE_S):
            if self._shelf.is_cancelled(self._job.id):
                self._cancelled.set()
            if self._changed.is_set():
                self._changed.clear()
                try:
                    self._shelf.save(self._job)
                except (OSError, RuntimeError) as exc:  # a full disk; a dictionary that grows meanwhile: the next one is better
                    log.warning("job not noted id=%s reason=%s", self._job.id, exc)
