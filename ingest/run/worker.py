"""A worker process: takes jobs from its parent, one stage function on each task, and tells how far it is.

It is a plain child, neither a fork nor a second run of the caller's script: it is given one end of a socket, and no more. It
limits its own memory, leaves interrupts to its parent, and ends when its parent does, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from phidex.ingest.pdf.spare import spare_imports
from phidex.ingest.run.prepare import Failed, Prepared, Task
from phidex.ingest.run.sink import Piece

Stage = Callable[..., Prepared | Failed]
"""`prepare`: of a task, and of what is called with pages done and in all (`OnPage`)."""

_HEAD = struct.Struct("!Q")
_PIECES_A_PART = 256
_BEAT_S = 0.2  # at most one sign of life in this time
_PR_SET_PDEATHSIG = 1
_PARENT_LOOK_S = 0.5
_OOM_SCORE = b"500"  # where the kernel must kill something, rather a worker than the store's engine


@dataclass(frozen=True, slots=True)
class SetUp:
    """What a worker is to do: the second message to it, behind the paths where its functions are looked for."""

    stage: Stage
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Up:
    """The worker has started."""


@dataclass(frozen=True, slots=True)
class Page:
    """A sign of life: pages done and pages in all of a task; 0 and 0 where there is nothing to count."""

    number: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Result:
    """What the stage made of a task. With `more`, its pieces follow in `Part`s, until one of them is the last."""

    outcome: Prepared | Failed
    more: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some pieces of the result before."""

    pieces: Sequence[Piece]
    last: bool


Message = Up | Page | Result | Part


def send(connection: socket.socket, message: object) -> None:
    """Send one message; blocks until the other side has taken it or the socket's time is up."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    connection.sendall(_HEAD.pack(len(body)))
    connection.sendall(body)


def receive(connection: socket.socket) -> Any:
    """The next message.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: it began a message, and the socket's time was up.
    """
    (size,) = _HEAD.unpack(_exactly(connection, _HEAD.size))
    return pickle.loads(_exactly(connection, size))


def _exactly(connection: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view, filled = memoryview(buffer), 0
    while filled < size:
        try:
            count = connection.recv_into(view[filled:])
        except ConnectionError as exc:
            raise EOFError from exc
        if not count:
            raise EOFError
        filled += count
    return buffer


def main() -> None:
    """Work until the parent leaves or closes the socket; the command line holds its descriptor and the parent's process id."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor, parent = map(int, sys.argv[1:])
    _end_with(parent)
    faulthandler.enable()
    spare_imports()
    with socket.socket(fileno=descriptor) as connection, contextlib.suppress(EOFError, BrokenPipeError):
        sys.path.extend(path for path in receive(connection) if path not in sys.path)
        set_up: SetUp = receive(connection)
        _limit_memory(set_up.memory_mb)
        send(connection, Up())
        while True:
            job: Sequence[Task] = receive(connection)
            for task in job:
                _work(connection, set_up.stage, task)


def _work(connection: socket.socket, stage: Stage, task: Task) -> None:
    """Run the stage, and hand over what it returns in messages of bounded size."""
    heard = time.monotonic()

    def beat(done: int, total: int) -> None:
        nonlocal heard
        now = time.monotonic()
        if now - heard >= _BEAT_S:
            heard = now
            send(connection, Page(task.number, done, total))

    try:
        outcome = stage(task, beat)
        pieces = list(outcome.pieces) if isinstance(outcome, Prepared) else []
        short = len(pieces) <= _PIECES_A_PART
        if isinstance(outcome, Prepared):
            outcome = replace(outcome, pieces=pieces if short else ())
        send(connection, Result(outcome, more=not short))
    except (EOFError, OSError):
        raise
    except Exception as exc:  # noqa: BLE001  a stage that raises, or returns what cannot be pickled, has failed
        send(connection, Result(Failed(task.number, f"{type(exc).__name__}: {exc}", detail=traceback.format_exc())))
        return
    if short:
        return
    for start in range(0, len(pieces), _PIECES_A_PART):
        end = start + _PIECES_A_PART
        send(connection, Part(pieces[start:end], last=end >= len(pieces)))


def _limit_memory(memory_mb: int) -> None:
    """Let allocations fail beyond the limit (Linux; elsewhere the parent's look at it is all there is), and leave no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        limit = memory_mb << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:  # noqa: PTH123  no path to speak of
            file.write(_OOM_SCORE)


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_look_for, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before that was said
        os._exit(0)


def _look_for(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_LOOK_S)
    os._exit(0)
