"""The embedded engine's own process: `python -m phidex.retrieval.engine --data DIR`, one per data folder.

Started on demand by `retrieval/channel.py`, it serves every client on this machine over a Unix socket and leaves when
nobody has asked for anything for a while. It is apart because the engine never releases the GIL, may be killed by SIGBUS on
a full disk, does not survive a fork, and lets only one process hold a shard. A client that meets its death restarts it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import fcntl
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from phidex.errors import ConfigError, ServiceError
from phidex.retrieval import runtime, wire
from phidex.retrieval.tuning import Tuning

logger = logging.getLogger(__name__)

_TEND_S = 0.5  # between two looks at what is to be flushed, cleared away or indexed
_STALL_S = 60.0  # a client that neither sends the rest of its frame nor takes its answer is left
_QUIET_S = 2.0  # a collection unwritten for so long is flushed
_GARBAGE = 50_000  # objects between two looks for cycles
_TIDY_S = 20.0  # when nobody has asked for anything for so long, deleted points are cleared away


class Engine:
    """Accepts connections and answers them, one thread each, with one lock around the shards.

    Args:
        data: the data folder, its lock held by this process.
        lock: the descriptor of that lock.
        idle_s: seconds without any request or connection before it leaves.
    """

    def __init__(self, data: Path, lock: int, idle_s: float) -> None:
        # Here, so that the loser of a start leaves before it loads the engine.
        from phidex.retrieval.builds import Builder
        from phidex.retrieval.shards import Shards

        self._data, self._lock, self._idle_s = data, lock, idle_s
        self._path = runtime.socket_path(data)
        self._shards = Shards(data)
        self._shards_lock = threading.Condition()
        self._builder = Builder(self._shards, self._shards_lock)
        self._min_free_mb = 0  # as the last client had it
        self._state = threading.Lock()
        self._active = 0
        self._last = time.monotonic()
        self._tended = time.monotonic()
        self._leaving = False
        self._version = version("phidex")
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._crash = _note_crash(data)
        self._wake, self._wakened = socket.socketpair()

    def serve(self) -> None:
        """Serve until idle or told to leave; then close the shards and take the socket and the note away."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # of an engine that was killed; the lock says that none lives
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen(128)
        inode = self._path.stat().st_ino
        self._write_note()
        logger.info("serving pid=%d data=%s", os.getpid(), self._data)
        while not self._is_over(inode):
            ready, _, _ = select.select([listener, self._wakened], [], [], min(1.0, self._idle_s / 4))
            if listener in ready:
                self._accept(listener)
            if time.monotonic() - self._tended > _TEND_S:
                self._tend()
        listener.close()
        self._take_away(inode)

    def leave(self, *_signal: object) -> None:
        """Ask `serve` to end; safe in a signal handler."""
        self._leaving = True
        self._wake.send(b"x")

    def _accept(self, listener: socket.socket) -> None:
        self._last = time.monotonic()
        try:
            connection, _ = listener.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()
        except (OSError, RuntimeError) as exc:  # out of descriptors or threads: those who are connected go on
            logger.warning("not accepted error=%r", exc)
            time.sleep(0.1)

    def _take_away(self, inode: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == inode:
                self._path.unlink()
        with self._shards_lock:  # waits for the request that runs; later ones are refused and retried elsewhere
            self._builder.give_up()
            self._shards.close()
        self._builder.join()
        if self._is_home():
            (self._data / runtime.NOTE).unlink(missing_ok=True)
        logger.info("left pid=%d", os.getpid())

    def _is_over(self, inode: int) -> bool:
        with self._state:
            idle = not self._active and not self._builder.is_busy and time.monotonic() - self._last > self._idle_s
            # Without its socket (a cleaner of temporary files) or its folder it is of no use to anyone.
            self._leaving = self._leaving or idle or not self._is_home() or _inode(self._path) != inode
            return self._leaving

    def _is_home(self) -> bool:
        return _inode(self._data / runtime.LOCK) == os.fstat(self._lock).st_ino

    def _write_note(self) -> None:
        note = {"pid": os.getpid(), "started": self._started, "version": self._version, "socket": str(self._path)}
        try:
            runtime.write_note(self._data / runtime.NOTE, {**note, "host": socket.gethostname()})
        except OSError as exc:  # a full disk: reading may still be possible, and clients find the socket by its name
            logger.warning("note not written error=%s", exc.strerror)

    def _tend(self) -> None:
        self._tended = time.monotonic()
        with self._shards_lock:
            try:
                self._shards.flush_quiet(_QUIET_S)
                if not self._active and time.monotonic() - self._last > _TIDY_S:
                    self._shards.tidy()
                self._builder.tend(self._min_free_mb)
            except Exception:  # the engine raises nothing narrower; the log keeps what was acknowledged
                logger.exception("tending failed")

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, OSError):
            if not runtime.peer_is_me(connection):
                return
            connection.sendall(wire.pack({"protocol": wire.PROTOCOL, "pid": os.getpid()}))
            while True:
                connection.settimeout(None)
                wait_readable(connection)
                request = wire.receive(connection, time.monotonic() + _STALL_S)
                if not self._begin():
                    return
                try:
                    reply = wire.pack(self._answer(request))
                    connection.settimeout(_STALL_S)
                    connection.sendall(reply)
                finally:
                    self._end()

    def _begin(self) -> bool:
        with self._state:
            # A folder that was removed under us must not swallow writes.
            self._leaving = self._leaving or not self._is_home()
            self._active += not self._leaving
            return not self._leaving

    def _end(self) -> None:
        with self._state:
            self._active -= 1
            self._last = time.monotonic()

    def _answer(self, request: Any) -> list[Any]:
        from phidex.retrieval.operations import translate

        try:
            operation, collection, body, min_free_mb = request
        except (TypeError, ValueError) as exc:
            raise ConnectionAbortedError from exc
        try:
            return [True, self._perform(operation, collection, body, min_free_mb)]
        except Exception as exc:  # the engine raises nothing narrower; the boundary translates
            error = translate(exc, operation)
            if isinstance(error, ServiceError):
                logger.exception("failed operation=%s collection=%s", operation, collection)
            return [False, wire.encode_error(error)]
        except BaseException:
            # A panic in the engine's Rust: its state is not to be trusted. The log has all that was acknowledged.
            logger.critical("panic operation=%s collection=%s", operation, collection, exc_info=True)
            os._exit(70)

    def _perform(self, operation: str, collection: str, body: dict[str, Any], min_free_mb: int) -> Any:
        from phidex.retrieval.operations import READS

        if operation == "info":
            return self._info()
        if operation == "leave":
            self.leave()
            return None
        with self._shards_lock:
            self._min_free_mb = min_free_mb
            match operation:
                case "names":
                    return self._shards.names()
                case "create":
                    self._builder.give_up(collection)  # the schema may get another index
                    return self._shards.create(collection, wire.decode_schema(body), min_free_mb)
                case "drop":
                    self._builder.give_up(collection)
                    return self._shards.drop(collection)
                case "optimize" | "index_state":
                    return self._index(collection, body, min_free_mb, begin=operation == "optimize")
                case "hybrid":
                    other, ids = body["beside"]
                    found = READS["hybrid"](self._shards.get(collection, min_free_mb), body)
                    wanted = {"ids": ids, "dense": False}
                    return {**found, "beside": READS["retrieve"](self._shards.get(other, min_free_mb), wanted)}
                case _ if operation in READS:
                    return READS[operation](self._shards.get(collection, min_free_mb), body)
                case _:
                    return self._write(operation, collection, body, min_free_mb)

    def _write(self, operation: str, collection: str, body: dict[str, Any], min_free_mb: int) -> Any:
        from phidex.retrieval.operations import WRITES, touches

        shard = self._shards.get(collection, min_free_mb)
        while shard.paused:
            self._shards_lock.wait(1.0)
            shard = self._shards.get(collection, min_free_mb)
        self._shards.check_space(min_free_mb)
        if shard.touched is not None:
            shard.touched |= touches(operation, shard, body)
        if "tuning" in body:
            self._shards.tune(collection, shard, Tuning.from_dict(body["tuning"]))
        result = WRITES[operation](shard, body)
        shard.changed += len(body.get("ids", b"")) // 16
        self._shards.note_write(shard, _size(body))
        return result

    def _index(self, collection: str, body: dict[str, Any], min_free_mb: int, *, begin: bool) -> dict[str, Any]:
        shard = self._shards.get(collection, min_free_mb)
        if begin:
            self._shards.tune(collection, shard, Tuning.from_dict(body["tuning"]))
            shard.asked = shard.touched is None
            self._builder.tend(min_free_mb)
        return self._shards.state(shard).to_dict()

    def _info(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": self._version,
            "started": self._started,
            "last_crash": self._crash,
            "data": str(self._data),
        }


def wait_readable(connection: socket.socket) -> None:
    """Returns when there is something to read or the other side has left; `select.select` knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.poll()


def hold_folder(data: Path, patience_s: float = 10.0) -> int | None:
    """The descriptor of the folder's lock, held; None when an engine that holds it answers.

    An engine that is closing has taken its socket away already: its lock is waited for.

    Raises: ServiceError when the holder neither answers nor leaves.
    """
    descriptor = os.open(data / runtime.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if _answers(data):
                os.close(descriptor)
                return None
        if time.monotonic() > deadline:
            os.close(descriptor)
            note = runtime.read_note(data / runtime.NOTE)
            who = f"process {note.get('pid', '?')} on {note.get('host', '?')}"
            hint = "one container a data folder, or a Qdrant server"
            raise ServiceError(f"{data} is held by an engine ({who}) that cannot be reached from here", hint=hint)
        time.sleep(0.05)


def _answers(data: Path) -> bool:
    for path in {runtime.socket_path(data), runtime.noted_socket(data)} - {None}:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            return True
    return False


def _note_crash(data: Path) -> str | None:
    """When a crash of the last engine, or an earlier one, was noticed; a clean exit takes its note away."""
    left = runtime.read_note(data / runtime.NOTE)
    if left or (data / runtime.NOTE).exists():
        noticed = datetime.now(UTC).isoformat(timespec="seconds")
        logger.warning("previous engine crashed pid=%s started=%s", left.get("pid"), left.get("started"))
        with contextlib.suppress(OSError):
            runtime.write_note(data / runtime.CRASH, {"noticed": noticed, **left})
        return noticed
    return runtime.read_note(data / runtime.CRASH).get("noticed")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _size(body: dict[str, Any]) -> int:
    return 256 + sum(len(value) for value in body.values() if isinstance(value, bytes))


def main(arguments: list[str] | None = None) -> int:
    """Serve the data folder until idle; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m phidex.retrieval.engine", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--idle-s", type=float, default=60.0, help="leave after this many seconds without a request")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    faulthandler.enable()  # a SIGBUS of a full disk leaves its trace in engine.log
    data: Path = options.data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    try:
        lock = hold_folder(data)
        if lock is None:
            return 0
        engine = Engine(data, lock, options.idle_s)
        gc.freeze()  # what is loaded stays: requests leave no cycles behind, and need not wait while it is looked through
        gc.set_threshold(_GARBAGE)
    except (ServiceError, ConfigError) as exc:
        logger.error("not started: %s", exc)  # the message says all
        return runtime.UNREACHABLE
    signal.signal(signal.SIGTERM, engine.leave)
    signal.signal(signal.SIGINT, engine.leave)
    engine.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
