"""A place for what is unpacked, downloaded or checked out, removed when done; and locks between processes.

A spool lies under the workspace, one folder a run. What a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from phidex.errors import InputError, ServiceError

_NAME_BYTES = 200


class Spool:
    """A folder of files that are handed on one by one. Made with the first of them."""

    def __init__(self, workspace: Path) -> None:
        self._parent = workspace / "spool"
        self._root: Path | None = None
        self._descriptor = -1
        self._count = 0
        self._free: list[Path] = []  # folders to use again: to make and remove one costs more than all else

    def place(self, name: bytes | str) -> Path:
        """A path for a new file of this name, made harmless: the suffix stays, no part of it leaves the spool."""
        root = self._open()
        try:
            folder = self._free.pop()
        except IndexError:
            self._count += 1
            folder = root / str(self._count)
            folder.mkdir()
        return folder / safe_name(name)

    def write(self, name: bytes | str, pieces: Iterable[bytes]) -> Path:
        """A new file with this content.

        Raises:
            InputError: there is no room for it.
        """
        path = self.place(name)
        try:
            with path.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
        except OSError as exc:
            self.release(path)
            raise InputError(f"cannot be put aside: {exc.strerror}", hint="check the free space of the data folder") from exc
        except BaseException:
            self.release(path)
            raise
        return path

    def release(self, path: Path) -> None:
        """Remove a file of the spool that is no longer needed; others are left alone."""
        if self._root is not None and path.parent.parent == self._root:
            with suppress(FileNotFoundError):
                path.unlink()
                self._free.append(path.parent)

    def close(self) -> None:
        """Remove everything."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            os.close(self._descriptor)
            self._root = None

    def _open(self) -> Path:
        if self._root is None:
            try:
                self._parent.mkdir(parents=True, exist_ok=True)
                with locked(self._parent / ".lock"):
                    self._sweep()
                    self._root = self._parent / secrets.token_hex(6)
                    self._root.mkdir(mode=0o700)
                    self._descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            except OSError as exc:
                hint = "check its permissions and free space"
                raise InputError(f"{self._parent} cannot be written: {exc.strerror}", hint=hint) from exc
        return self._root

    def _sweep(self) -> None:
        """Remove the spools of runs that are gone: nobody holds their locks."""
        for folder in self._parent.iterdir():
            if not folder.is_dir():
                continue
            with suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(descriptor)


def safe_name(name: bytes | str) -> str:
    """A file name that stays in its folder and fits every file system, with the suffix of `name`.

    >>> safe_name("../../etc/passwd"), safe_name(".."), safe_name("a\\x00b\\n.pdf")
    ('passwd', 'file', 'a_b_.pdf')
    """
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates of names that are no UTF-8
    last = re.sub(r"[\x00-\x1f\x7f]", "_", re.split(r"[/\\]", text.rstrip("/\\"))[-1]).strip()
    if not last.strip("."):
        return "file"
    stem, dot, suffix = last.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, dot, suffix = last, "", ""
    room = _NAME_BYTES - len(suffix.encode()) - 1
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + suffix


@contextmanager
def locked(path: Path, *, shared: bool = False, wait_s: float = 600) -> Generator[None]:
    """Hold a lock between processes; it falls with the process that holds it.

    Args:
        wait_s: how long to wait for another holder; 0 to try once.

    Raises:
        ServiceError: another process holds it for longer.
    """
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, mode)
                break
            except BlockingIOError as exc:
                if time.monotonic() >= until:
                    message = "another ingest is fetching the same repository"
                    raise ServiceError(message, hint="wait for it, then try again", retryable=True) from exc
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
