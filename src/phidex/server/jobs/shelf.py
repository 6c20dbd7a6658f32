"""The files that jobs are kept in.

    active/<id>.json      waits or runs          active/<id>.lock     held by who runs it
    active/<id>.cancel    is to end              ended/<id>.json      has ended
    files/<id>/           what was sent for it   incoming/<name>/     what is being sent

Every change of a record is one step; a job that ends is written among the ended before it leaves the active ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import shutil
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

from phidex.server.files import write_whole
from phidex.server.jobs.record import Job

log = logging.getLogger(__name__)

_DAY_S = 86_400.0


class Shelf:
    """The jobs of a data folder. Thread-safe; several processes may use it."""

    def __init__(self, data: Path) -> None:
        self._root = data / "server" / "jobs"
        self._active, self._ended = self._root / "active", self._root / "ended"
        self._files, self._incoming = self._root / "files", self._root / "incoming"

    def open(self) -> None:
        """Make the folders; they are for the owner's eyes only."""
        for folder in (self._active, self._ended, self._files, self._incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def incoming(self) -> Path:
        """A fresh folder for files that are being sent."""
        folder = self._incoming / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        return folder

    def files_of(self, job_id: str) -> Path:
        """Where the files lie that were sent for a job."""
        return self._files / job_id

    def add(self, job: Job, files: Path | None = None) -> bool:
        """Queue the job; False where there is one of its id already, which stays as it is.

        Args:
            files: the folder of `incoming` that they were received in; it becomes the job's, or is removed.
        """
        with self._adding():
            known = self.get(job.id) is not None
            if not known:
                if files is not None:
                    files.rename(self.files_of(job.id))
                write_whole(self._active / f"{job.id}.json", json.dumps(job.to_record()))
        if known and files is not None:
            shutil.rmtree(files, ignore_errors=True)
        return not known

    def save(self, job: Job) -> None:
        """Write how far it is."""
        write_whole(self._active / f"{job.id}.json", json.dumps(job.to_record()), sync=False)

    def end(self, job: Job) -> None:
        """Lay it among those that have ended, and remove what was sent for it and is still there."""
        job.ended_at = time.time()
        write_whole(self._ended / f"{job.id}.json", json.dumps(job.to_record()))
        for suffix in (".json", ".cancel"):
            (self._active / f"{job.id}{suffix}").unlink(missing_ok=True)
        shutil.rmtree(self.files_of(job.id), ignore_errors=True)

    def get(self, job_id: str) -> Job | None:
        """The job of this id; None where there is none."""
        job = self._read(self._ended / f"{job_id}.json")
        if job is None and (job := self._read(self._active / f"{job_id}.json")) is not None:
            job.cancelling = self.is_cancelled(job_id)
        return job or self._read(self._ended / f"{job_id}.json")  # it ended between the two looks

    def all(self) -> list[Job]:
        """Every job, newest first."""
        names = {path.stem for folder in (self._active, self._ended) for path in folder.glob("*.json")}
        found = [job for name in names if (job := self.get(name)) is not None]
        return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)

    def all_waiting(self) -> list[Job]:
        """Those that have not ended."""
        return [job for path in self._active.glob("*.json") if (job := self._read(path)) is not None]

    def waiting(self) -> list[str]:
        """Ids of those that have not ended, oldest first; the ones that are being run among them."""
        dated: list[tuple[float, str]] = []
        for path in self._active.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                job = self._read(path)
                dated.append((job.created_at if job else path.stat().st_mtime, path.stem))
        return [name for _, name in sorted(dated)]

    @contextlib.contextmanager
    def claimed(self, job_id: str) -> Generator[Job | None]:
        """The job, which nobody else runs while the block lasts; None where somebody does, or it has ended."""
        path = self._active / f"{job_id}.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            job = self.get(job_id)
            try:
                yield None if job is None or job.has_ended else job
            finally:
                if (self._ended / f"{job_id}.json").exists():  # nobody takes it up again
                    for left in (path, self._active / f"{job_id}.json"):
                        left.unlink(missing_ok=True)

    def cancel(self, job_id: str) -> None:
        """Have the job end, whoever runs it."""
        (self._active / f"{job_id}.cancel").touch()

    def is_cancelled(self, job_id: str) -> bool:
        """Whether it is to end."""
        return (self._active / f"{job_id}.cancel").exists()

    def prune(self, days: int) -> None:
        """Forget jobs that ended so long ago, and what senders left behind that went away in the middle."""
        now = time.time()
        for path in self._old(self._ended, now - days * _DAY_S):
            path.unlink(missing_ok=True)
        for path in self._old(self._incoming, now - _DAY_S):
            shutil.rmtree(path, ignore_errors=True)
        for path in self._old(self._files, now - _DAY_S):
            if self.get(path.name) is None:
                shutil.rmtree(path, ignore_errors=True)

    def drop(self, collection: str) -> None:
        """Cancel what waits for a collection that is removed."""
        for job_id in self.waiting():
            job = self.get(job_id)
            if job is not None and job.collection == collection:
                self.cancel(job_id)

    @staticmethod
    def _old(folder: Path, before: float) -> Iterator[Path]:
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path

    @staticmethod
    def _read(path: Path) -> Job | None:
        try:
            return Job.from_record(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            log.error("job cannot be read path=%s", path)
            return None

    @contextlib.contextmanager
    def _adding(self) -> Generator[None]:
        with (self._root / "adding.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
