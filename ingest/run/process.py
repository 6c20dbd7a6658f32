"""One worker process, as its parent holds it: started, given tasks, listened to, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from phidex.errors import PhidexError
from phidex.ingest.run.machine import tree_memory_mb
from phidex.ingest.run.prepare import Task
from phidex.ingest.run.sink import Piece
from phidex.ingest.run.worker import Part, SetUp, receive, send

Verdict = Literal["crash", "silent", "slow", "memory"]

_FOLDER = "phidex-ingest-"
_COMMAND = "from phidex.ingest.run.worker import main; main()"
_TAIL_CHARS = 600
_LEAVE_S = 1.0


class LostWorkerError(PhidexError):
    """A worker died while its result was read. Its task is tried again or fails, as the pool will tell."""


class Process:
    """A worker.

    Args:
        root: where it gets a folder of its own, for what it and its parsers put aside.
        silence_s: a message that is begun must end within this time.

    Attributes:
        tasks: what it was given and has not finished, in order; `jobs`: in so many portions.
        heard: when it last said something; `began`: when the task it is at began.
        up: whether it has started.
        verdict: why it is ended, or has ended by itself.
    """

    def __init__(self, root: Path, set_up: SetUp, silence_s: float) -> None:
        self.tasks: deque[Task] = deque()
        self._portions: deque[int] = deque()
        self.heard = self.began = time.monotonic()
        self.finished = 0
        self.up = False
        self.verdict: Verdict = "crash"
        self._folder = Path(tempfile.mkdtemp(dir=root))
        self.connection, theirs = socket.socketpair()
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS"), "1")  # a worker is one core's
        with theirs, (self._folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                # -P: a module in the working folder must not stand in for ours.
                [sys.executable, "-P", "-c", _COMMAND, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # an interrupt of the terminal is its parent's matter; and its children end with it
                env={**threads, **os.environ, "TMPDIR": str(self._folder)},
            )
        self.connection.settimeout(silence_s)
        self._send(tuple(sys.path))
        self._send(set_up)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def jobs(self) -> int:
        """Portions of tasks that it has not finished."""
        return len(self._portions)

    def give(self, job: list[Task]) -> None:
        """Have it do these behind what it has to do already."""
        if not self.tasks:
            self.began = self.heard = time.monotonic()
        self.tasks.extend(job)
        self._portions.append(len(job))
        self._send(job)

    def finish_task(self) -> None:
        """Its first task is done."""
        self.tasks.popleft()
        self._portions[0] -= 1
        if not self._portions[0]:
            self._portions.popleft()
        self.finished += 1
        self.began = self.heard = time.monotonic()

    def has_something(self) -> bool:
        """Whether it has said something that was not heard yet, or has ended."""
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def memory_mb(self) -> int:
        """What it uses now, with all that it started."""
        return tree_memory_mb(self.pid)

    def exit_code(self) -> int | None:
        """Of one whose socket is closed: it has ended, or is about to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_LEAVE_S)
        return None

    def end(self) -> str:
        """Kill it with all that it started, and remove what they put aside; returns the end of what it printed."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self.connection.close()
        printed = ""
        with contextlib.suppress(OSError):
            printed = (self._folder / "log").read_text("utf-8", "replace").strip()[-_TAIL_CHARS:]
        shutil.rmtree(self._folder, ignore_errors=True)
        return printed

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # it just died: its end is met where it is listened to
            send(self.connection, message)


class Stream:
    """The parts of a long result, read as they are asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._state: Literal["open", "ended", "broken"] = "open"

    def pieces(self) -> Iterator[Piece]:
        """What is left of the pieces.

        Raises:
            LostWorkerError: the worker died over it.
        """
        while self._state == "open":
            yield from self._next().pieces

    def drain(self) -> bool:
        """Read what nobody wanted; False when the worker died over it."""
        with contextlib.suppress(LostWorkerError):
            while self._state == "open":
                self._next()
        return self._state == "ended"

    def _next(self) -> Part:
        try:
            part: Part = receive(self._connection)
        except (EOFError, OSError) as exc:
            self._state = "broken"
            raise LostWorkerError("a worker died while it handed over its result") from exc
        if part.last:
            self._state = "ended"
        return part


def make_root() -> tempfile.TemporaryDirectory[str]:
    """A folder for the workers of this process, once those of pools whose process was killed are removed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if folder.lstat().st_uid == os.getuid() and not _is_alive(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", ignore_cleanup_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def named(code: int | None) -> str:
    """An exit code for people.

    >>> named(-11), named(3)
    ('SIGSEGV', 'exit code 3')
    """
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
