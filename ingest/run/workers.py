"""The pool of worker processes: tasks in, results out in any order; a file that crashes, hangs or swells costs itself alone.

    tasks -> jobs (a file, or some small ones) -> workers (`worker.py`) -> Prepared | Failed

Bounded on both sides: no task is taken that nobody can begin soon, and a worker waits with its result until it is taken. The
process pools of the standard library are given up whole when one of their processes dies, and have no limit of time or memory.
"""

from __future__ import annotations

import logging
import select
import signal
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, Self

from phidex.errors import ServiceError
from phidex.ingest.options import file_limit_s
from phidex.ingest.run.machine import worker_count
from phidex.ingest.run.prepare import Failed, Prepared, Task, prepare
from phidex.ingest.run.process import LostWorkerError, Process, Stream, make_root, named
from phidex.ingest.run.worker import Page, Result, SetUp, Stage, Up, receive

__all__ = ["Event", "LostWorkerError", "Pool", "WorkerPool"]

log = logging.getLogger(__name__)

Event = Prepared | Failed | Page | None
"""What a pool tells: a result, how far a long document is, or nothing for the moment."""

_LOOK_S = 0.25  # between two looks at limits
_SHORT_LOOK_S = 0.02  # where a worker has nothing to do and tasks may come
_SMALL_BYTES = 64 << 10
_JOB_BYTES = 256 << 10
_JOB_TASKS = 16
_WORN_TASKS = 2000  # then a worker makes room for a fresh one
_WORN_SHARE = 0.5  # or when it holds this much of its memory between two files
_START_S = 60.0
_START_ATTEMPTS = 3
_MEMORY_SLACK = 1.25  # a worker's own limit, which is exact, is to be met first


class Pool(Protocol):
    """Runs the stage function on tasks, somewhere."""

    def run(self, tasks: Iterator[Task | None]) -> Iterator[Event]:
        """A result for each task, in any order; each must be used before the next is asked for.

        Args:
            tasks: None says that none is at hand at the moment.
        """
        ...

    @property
    def replaced(self) -> int:
        """Workers that were lost, and made anew."""
        ...


class WorkerPool:
    """Worker processes on this machine, started when there is work for them, all gone after `close`.

    Args:
        workers: at most so many; 0: as many as cores and memory allow.
        memory_mb: a worker that needs more loses the file it is at.
        timeout_s: likewise one that has made no progress for so long, or takes longer than its file's size can explain.
        stage: the function of a module that runs in them.
    """

    def __init__(self, *, workers: int = 0, memory_mb: int = 2048, timeout_s: float = 120.0, stage: Stage = prepare) -> None:
        self.limit = workers or worker_count()
        self._replaced = 0
        self._set_up = SetUp(stage, memory_mb)
        self._timeout_s = timeout_s
        self._workers: list[Process] = []
        self._backlog: deque[list[Task]] = deque()
        self._suspects: set[int] = set()  # tasks that had a worker die once
        self._stillborn = 0
        self._judged = 0.0
        self._root: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def replaced(self) -> int:
        """Workers that were lost, and made anew."""
        return self._replaced

    @property
    def process_ids(self) -> list[int]:
        """Of the workers there are at the moment."""
        return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """End all workers, and remove what they left in their temporary folders."""
        while self._workers:
            self._end(self._workers[-1])
        if self._root is not None:
            self._root.cleanup()
            self._root = None

    def run(self, tasks: Iterator[Task | None]) -> Iterator[Event]:
        """See `Pool`. One call at a time, by the thread that stays until the end: workers end with it.

        Raises:
            ServiceError: workers cannot be started.
        """
        more = True
        while True:
            more = more and self._take(tasks)
            self._hand_out()
            busy = any(worker.tasks for worker in self._workers)
            if not busy and not self._backlog:
                if not more:
                    return
                yield None
                continue
            idle = more and not all(worker.tasks for worker in self._workers)
            ready = self._listen(_SHORT_LOOK_S if idle else _LOOK_S)
            if not ready:
                yield None
            for worker in ready:
                yield from self._hear(worker)
            yield from self._judge()

    # Handing out

    def _take(self, tasks: Iterator[Task | None]) -> bool:
        """Fill the backlog with what is at hand; False when there are no more tasks."""
        while len(self._backlog) < 2 * self.limit:
            for task in tasks:
                if task is None:
                    return True
                self._put(task)
                break
            else:
                return False
        return True

    def _put(self, task: Task) -> None:
        """Small files share a job: going to and fro would cost more than they do."""
        last = self._backlog[-1] if self._backlog else None
        if (
            last
            and task.size_bytes <= _SMALL_BYTES
            and len(last) < _JOB_TASKS
            and last[-1].size_bytes <= _SMALL_BYTES
            and sum(one.size_bytes for one in last) < _JOB_BYTES
        ):
            last.append(task)
        else:
            self._backlog.append([task])

    def _hand_out(self) -> None:
        """Give jobs to those who have none, then, where more wait than there are workers, a second one each to go on with."""
        while self._backlog:
            worker = next((worker for worker in self._workers if not worker.tasks), None)
            if worker is None and len(self._workers) < self.limit:
                worker = self._start()
            if worker is None and len(self._backlog) > self.limit:
                worker = next((worker for worker in self._workers if worker.jobs < 2), None)
            if worker is None:
                return
            worker.give(self._backlog.popleft())

    # Listening

    def _listen(self, timeout_s: float) -> list[Process]:
        poll = select.poll()
        by_descriptor = {worker.connection.fileno(): worker for worker in self._workers}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        return [by_descriptor[descriptor] for descriptor, _ in poll.poll(timeout_s * 1000)]

    def _hear(self, worker: Process) -> Generator[Event]:
        """One message of a worker that has something to say, or its end."""
        try:
            message = receive(worker.connection)
        except (EOFError, OSError):  # TimeoutError is an OSError: it stopped in the middle of a message
            yield from self._bury(worker)
            return
        worker.heard = time.monotonic()
        match message:
            case Page():
                if message.total:
                    yield message
            case Result(outcome, more):
                if isinstance(outcome, Prepared) and more:
                    stream = Stream(worker.connection)
                    yield replace(outcome, pieces=stream.pieces())
                    if not stream.drain():
                        yield from self._bury(worker)
                        return
                else:
                    yield outcome
                worker.finish_task()
                self._retire(worker)
            case Up():
                worker.up, self._stillborn = True, 0
            case _:
                raise AssertionError(f"a part of no result: {message!r}")

    def _judge(self) -> Generator[Event]:
        """End the workers that are over a limit."""
        now = time.monotonic()
        if now - self._judged < _LOOK_S:
            return
        self._judged = now
        for worker in [worker for worker in self._workers if worker.tasks]:
            silence_s = self._timeout_s if worker.up else max(_START_S, self._timeout_s)
            if worker.memory_mb() > self._set_up.memory_mb * _MEMORY_SLACK:
                worker.verdict = "memory"
            elif worker.has_something():  # it was not silent: we did not listen
                continue
            elif now - worker.heard > silence_s:
                worker.verdict = "silent"
            elif now - worker.began > self._time_limit_s(worker.tasks[0]):
                worker.verdict = "slow"
            if worker.verdict != "crash":
                yield from self._bury(worker)

    def _time_limit_s(self, task: Task) -> float:
        return file_limit_s(self._timeout_s, task.size_bytes, recording=task.is_recording)

    # Life and death

    def _start(self) -> Process:
        self._root = self._root or make_root()
        worker = Process(Path(self._root.name), self._set_up, self._timeout_s)
        self._workers.append(worker)
        log.debug("worker started pid=%d", worker.pid)
        return worker

    def _end(self, worker: Process) -> str:
        self._workers.remove(worker)
        return worker.end()

    def _retire(self, worker: Process) -> None:
        """Let an idle worker go that has done much, or kept much memory of it."""
        if worker.tasks:
            return
        memory_mb = worker.memory_mb()
        if worker.finished >= _WORN_TASKS or memory_mb > self._set_up.memory_mb * _WORN_SHARE:
            log.debug("worker retired pid=%d tasks=%d mb=%d", worker.pid, worker.finished, memory_mb)
            self._end(worker)

    def _bury(self, worker: Process) -> Generator[Event]:
        """Take the tasks of a dead or condemned worker back; the one it was at is tried once more alone, or has failed."""
        code = worker.exit_code() if worker.verdict == "crash" else None
        printed = self._end(worker)
        self._replaced += 1
        if not worker.up and worker.verdict == "crash":
            self._stillborn += 1
            self._backlog.extendleft([task] for task in reversed(worker.tasks))
            if self._stillborn >= _START_ATTEMPTS:
                message = f"worker processes cannot be started ({named(code)})\n{printed}".rstrip()
                raise ServiceError(message, hint="phidex doctor says what is installed")
            return
        log.warning("worker lost verdict=%s code=%s finished=%d\n%s", worker.verdict, code, worker.finished, printed)
        if not worker.tasks:
            return
        culprit, *others = worker.tasks
        self._backlog.extendleft([task] for task in reversed(others))
        again = worker.verdict == "crash" or (worker.verdict == "memory" and worker.finished > 0)
        if again and culprit.number not in self._suspects:
            self._suspects.add(culprit.number)
            self._start().give([culprit])
            return
        yield self._failure(culprit, worker, code)

    def _failure(self, task: Task, worker: Process, code: int | None) -> Failed:
        match worker.verdict:
            case "memory":
                reason = f"needs more than {self._set_up.memory_mb} MB of memory"
                hint = "raise PHIDEX_INGEST__MEMORY_MB to take it"
            case "silent":
                reason = f"made no progress for {self._timeout_s:g} s"
                hint = "raise PHIDEX_INGEST__TIMEOUT_S to wait longer"
            case "slow":
                reason = f"took longer than {self._time_limit_s(task):.0f} s"
                hint = "raise PHIDEX_INGEST__TIMEOUT_S to wait longer"
            case "crash" if code == -signal.SIGKILL:
                reason, hint = "its reader was killed twice", "the machine may be short of memory: try --workers 1"
            case "crash":
                reason, hint = f"crashed its reader twice ({named(code)})", "please report this file"
        return Failed(task.number, reason, hint, seconds=time.monotonic() - worker.began)
