"""Pictures cut out of documents, and originals that lie nowhere else: files named by their content, one folder a source.

An id is `<source id>/<hash><suffix>`. A source's folder goes with the source, and what a newer version no longer names is known
from the source alone: nothing has to be searched for. The place is a folder or any URL that fsspec opens (`s3://bucket/phidex`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import re
import uuid
from collections.abc import Callable, Collection, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from phidex.errors import ConfigError, InputError, NotFoundError, ServiceError

Files = Any
"""A file system of fsspec, which declares no types."""

_ID = re.compile(r"[0-9a-f-]{36}(?:/[0-9a-f]{32}(?:\.[a-z0-9+-]{1,16})?)?")  # of a blob, or of a source and so its folder
_CLOCK, _SWEPT = ".clock", ".swept"  # written for their date alone
_LEFT = timedelta(days=1)  # no file takes so long from its first picture to its commit
_SUFFIX = re.compile(r"\.[a-z0-9+-]{1,16}")


def blob_id(source_id: str, sha256: str, suffix: str = "") -> str:
    """The id of bytes with this hash.

    >>> blob_id("6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78", "ab" * 32, ".png")
    '6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78/abababababababababababababababab.png'
    """
    return f"{source_id}/{sha256[:32]}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


class Blobs:
    """The blobs of one collection.

    Args:
        place: a folder or an fsspec URL; made when something is put there.
    """

    def __init__(self, place: str | Path) -> None:
        self._place = str(place).rstrip("/")
        self._opened: tuple[Files, str] | None = None

    def put(self, source_id: str, data: bytes, suffix: str = "", *, sha256: str = "") -> str:
        """The id of the bytes, which are stored when this returns; those that are there already are not written again."""
        identity = blob_id(source_id, sha256 or hashlib.sha256(data).hexdigest(), suffix)
        with self._translated():
            files, path = self._path(identity)
            if files.exists(path) and files.size(path) == len(data):
                return identity
            if self._is_local(files):
                _write_whole(Path(path), data)
            else:
                files.pipe_file(path, data)  # an object appears whole or not at all
        return identity

    def get(self, identity: str) -> bytes:
        """The bytes.

        Raises:
            NotFoundError: there is no such blob.
        """
        with self._translated():
            files, path = self._path(identity)
            try:
                return bytes(files.cat_file(path))
            except FileNotFoundError as exc:
                raise NotFoundError(f"there is no blob {identity}", hint="ingest its document again") from exc

    def open(self, identity: str) -> BinaryIO:
        """The blob as a file, to be read in parts; it is for the caller to close.

        Raises:
            NotFoundError: there is no such blob.
        """
        with self._translated():
            files, path = self._path(identity)
            try:
                opened: BinaryIO = files.open(path, "rb")
            except FileNotFoundError as exc:
                raise NotFoundError(f"there is no blob {identity}", hint="ingest its document again") from exc
            return opened

    def exists(self, identity: str) -> bool:
        """Whether there is such a blob."""
        with self._translated():
            files, path = self._path(identity)
            return bool(files.exists(path))

    def keep_only(self, source_id: str, identities: Collection[str], *, before: datetime) -> None:
        """Delete the source's blobs that are not among these: what its older versions named, and what a killed run left.

        Args:
            before: blobs written since then stay: another run may be about to name them. By the clock of the place.
        """
        kept = {identity.rpartition("/")[2] for identity in identities}
        with self._translated():
            files, folder = self._path(source_id)
            if not files.isdir(folder):
                return
            files.invalidate_cache(folder)
            paths: list[str] = files.ls(folder, detail=False)
            gone = [path for path in paths if path.rpartition("/")[2] not in kept and _is_older(files, path, before)]
            for path in gone:
                files.rm_file(path)
            if len(gone) == len(paths):
                with contextlib.suppress(OSError):  # a blob came meanwhile
                    files.rmdir(folder)

    def now(self) -> datetime:
        """The present, by the clock that blobs are dated by."""
        with self._translated():
            files, root = self._path("")
            if self._is_local(files):
                return datetime.now(UTC)
            files.pipe_file(f"{root}/{_CLOCK}", b"-")
            return _written(files, f"{root}/{_CLOCK}") or datetime.now(UTC)

    def sweep(self, known: Callable[[], Collection[str]]) -> None:
        """Delete what failed files and removals that were killed left: blobs of sources that are not `known`, a day old.

        It is looked for once a day.
        """
        if "://" not in self._place and not Path(self._place).is_dir():
            return
        with self._translated():
            files, root = self._path("")
            files.invalidate_cache(root)
            old = self.now() - _LEFT
            swept = _written(files, f"{root}/{_SWEPT}")
            if swept and swept > old:
                return
            names = {path.rpartition("/")[2] for path in files.ls(root, detail=False)} - set(known())
            for folder in (f"{root}/{name}" for name in names if _ID.fullmatch(name)):
                if all(_is_older(files, path, old) for path in files.ls(folder, detail=False) or [folder]):
                    files.rm(folder, recursive=True)
            files.pipe_file(f"{root}/{_SWEPT}", b"-")

    def remove(self, source_id: str) -> None:
        """Delete all of a source's blobs."""
        self._remove(source_id)

    def drop(self) -> None:
        """Delete all of the collection's blobs."""
        self._remove("")

    def _remove(self, name: str) -> None:
        with self._translated(), contextlib.suppress(FileNotFoundError):
            files, folder = self._path(name)
            if files.exists(folder):
                files.rm(folder, recursive=True)

    def _path(self, identity: str) -> tuple[Files, str]:
        if identity and not _ID.fullmatch(identity):  # no name may lead out of the place
            raise InputError(f"{identity!r} is no id of a blob")
        if self._opened is None:
            core: Any = importlib.import_module("fsspec.core")  # it takes a while, and most runs need none of it
            files, root = core.url_to_fs(self._place)
            self._opened = (files, str(root).rstrip("/"))
        files, root = self._opened
        return files, f"{root}/{identity}".rstrip("/")

    @staticmethod
    def _is_local(files: Files) -> bool:
        names: str | tuple[str, ...] = files.protocol
        return names == "file" or "file" in names

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (ImportError, ValueError) as exc:  # the file system's package is not installed, or there is none of that name
            raise ConfigError(f"blobs cannot be kept at {self._place}: {exc}", hint="see PHIDEX_INGEST__BLOBS") from exc
        except OSError as exc:
            message = f"the blobs at {self._place} cannot be used: {exc.strerror or exc}"
            raise ServiceError(message, hint="check its space and permissions", retryable=True) from exc


def _is_older(files: Files, path: str, moment: datetime) -> bool:
    """Whether a blob was written before; one that has gone meanwhile was not."""
    written = _written(files, path)
    return written is not None and written < moment


def _written(files: Files, path: str) -> datetime | None:
    """When a file was written; None where it is not there."""
    try:
        written: datetime = files.modified(path)
    except FileNotFoundError:
        return None
    return written if written.tzinfo else written.replace(tzinfo=UTC)


def _write_whole(path: Path, data: bytes) -> None:
    """Write the file so that it is there whole or not at all, a power cut included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
