"""A client's way to the engine of a data folder: pooled connections, starting the engine, and asking again when it died.

Safe for many threads and after a fork. All requests are idempotent, so that one whose answer never came is simply repeated.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from phidex.errors import ConfigError, PhidexError, ServiceError
from phidex.retrieval import runtime, wire
from phidex.settings import StoreSettings

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_BACKOFF_S = 0.1  # doubled for each further attempt
_POOL = 16  # idle connections kept
_LOG_BYTES = 1 << 20  # a longer log is cut at the engine's start
_TAIL = 1500  # characters of the log in an error


class Channel:
    """Requests to the engine of the data folder, which is started when none answers."""

    def __init__(self, data: Path, settings: StoreSettings) -> None:
        self._data = data.resolve()
        self._settings = settings
        self._forget()

    def request(self, operation: str, collection: str = "", body: Any = None, *, timeout_s: float | None = None) -> Any:
        """The engine's answer.

        Raises: the engine's error; ServiceError (retryable) when the time is up or the engine died at every attempt.
        """
        frame = wire.pack([operation, collection, body, self._settings.min_free_mb])
        timeout_s = timeout_s or self._settings.timeout_s
        deadline = time.monotonic() + timeout_s
        for attempt in range(_ATTEMPTS):
            connection, pid = self._connection(deadline)
            if attempt:
                logger.warning("engine restarted pid=%d operation=%s attempt=%d", pid, operation, attempt + 1)
            try:
                connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                connection.sendall(frame)
                done, answer = wire.receive(connection, deadline)
            except TimeoutError as exc:
                connection.close()
                message = f"the store's engine did not answer {operation} within {timeout_s:g} s"
                raise ServiceError(message, hint="raise PHIDEX_STORE__TIMEOUT_S", retryable=True) from exc
            except (EOFError, OSError) as exc:
                connection.close()
                logger.info("connection broke operation=%s error=%r", operation, exc)
                time.sleep(_BACKOFF_S * 2**attempt)
                continue
            except BaseException:  # an interrupt: the answer that is due must not meet another question
                connection.close()
                raise
            self._keep(connection, pid)
            if done:
                return answer
            raise wire.decode_error(answer)
        raise self._died(operation)

    def close(self) -> None:
        """Close the idle connections; a later request opens new ones."""
        while self._pool:
            with contextlib.suppress(IndexError):  # another thread may take the last
                self._pool.pop()[0].close()

    def __del__(self) -> None:
        self.close()  # a store that was not closed leaves no open sockets

    def _forget(self) -> None:
        self._owner = os.getpid()
        self._pool: deque[tuple[socket.socket, int]] = deque()
        self._start = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def _keep(self, connection: socket.socket, pid: int) -> None:
        if len(self._pool) < _POOL:
            self._pool.append((connection, pid))
        else:
            connection.close()

    def _connection(self, deadline: float) -> tuple[socket.socket, int]:
        if os.getpid() != self._owner:
            self._abandon()
        while self._pool:
            with contextlib.suppress(IndexError):
                connection, pid = self._pool.pop()
                if _is_alive(connection):
                    return connection, pid
                connection.close()  # the engine left while nobody asked
        found = self._connect(deadline)
        if found is None:
            with self._start:  # one thread starts it, the others find it
                found = self._connect(deadline) or self._launch(deadline)
        return found

    def _abandon(self) -> None:
        # In a child after fork: the sockets are the parent's, the locks may be held by threads that are not here.
        inherited = list(self._pool)
        self._forget()
        for connection, _ in inherited:
            connection.close()

    def _connect(self, deadline: float) -> tuple[socket.socket, int] | None:
        paths = [runtime.socket_path(self._data)]
        noted = runtime.noted_socket(self._data)
        for path in [*paths, noted] if noted not in (None, *paths) else paths:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                connection.connect(str(path))
                if not runtime.peer_is_me(connection):
                    raise ConfigError(f"another user's process listens at {path}")
                greeting = wire.receive(connection, deadline)
                if greeting["protocol"] == wire.PROTOCOL:
                    return connection, greeting["pid"]
                # Another version's engine: ask it to leave, and start ours.
                connection.sendall(wire.pack(["leave", "", None, 0]))
                wire.receive(connection, deadline)
                connection.close()
            except (EOFError, OSError):
                connection.close()
            except BaseException:
                connection.close()
                raise
        return None

    def _launch(self, deadline: float) -> tuple[socket.socket, int]:
        starts = 0
        while time.monotonic() < deadline:
            if self._child is None or self._child.poll() is not None:
                unreachable = self._child is not None and self._child.returncode == runtime.UNREACHABLE
                if starts == _ATTEMPTS or (starts and unreachable):
                    break
                # Beside a start that fails for good, one may fail by meeting an engine that is just leaving.
                time.sleep(_BACKOFF_S * starts)
                starts += 1
                self._child = _spawn(self._data, self._settings)
            time.sleep(0.005)
            found = self._connect(deadline)
            if found is not None:
                return found
        raise self._died("start")

    def _died(self, operation: str) -> PhidexError:
        code = self._child.poll() if self._child is not None else None
        state = "does not answer" if code is None else f"ended with code {code}"
        free_mb = shutil.disk_usage(self._data).free >> 20 if self._data.exists() else 0
        message = f"the store's engine {state} ({operation}; {free_mb} MB free under {self._data})"
        tail = _tail(self._data / runtime.LOG)
        return ServiceError(f"{message}\n{tail}" if tail else message, hint=f"see {runtime.LOG}", retryable=True)


def _is_alive(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False  # its end, or an answer that nobody waits for


def _spawn(data: Path, settings: StoreSettings) -> subprocess.Popen[bytes]:
    runtime.runtime_folder()  # refused here, with a clear error, rather than in the engine's log
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"the data folder {data} cannot be made: {exc.strerror}", hint="set PHIDEX_DATA") from exc
    # -P: a module in the working folder must not stand in for ours.
    command = [sys.executable, "-P", "-m", "phidex.retrieval.engine", "--data", str(data), "--idle-s", str(settings.idle_s)]
    with contextlib.ExitStack() as stack:
        log = subprocess.DEVNULL
        with contextlib.suppress(OSError):  # a full disk: the engine may still be able to read
            log = stack.enter_context(_open_log(data / runtime.LOG))
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, close_fds=True
        )
    # The engine outlives requests: a thread takes its exit, so that no zombie stays.
    threading.Thread(target=child.wait, name="phidex-engine-wait", daemon=True).start()
    return child


def _open_log(path: Path) -> Any:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size > _LOG_BYTES:
        os.ftruncate(descriptor, 0)
    return os.fdopen(descriptor, "ab")


def _tail(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
    except OSError:
        return ""
