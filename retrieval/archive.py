"""The file of a backup: a zip of parts, which a manifest at its end describes. Written in one pass and read in one.

    points/000001.msgpack …   points by column (`wire.encode_points`), at most a thousand each
    blobs/<id>                pictures and originals
    sources.jsonl             the records of the catalogue, each with the attempt that its points belong to
    manifest.json             versions, counts, the SHA-256 of every other member, and the size of those above 1 GiB

A source that changed while it was written stands in it twice: of its points those count whose part has its attempt.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgpack  # pyright: ignore[reportMissingTypeStubs]  # it has none

from phidex.errors import InputError, ServiceError
from phidex.retrieval import wire
from phidex.retrieval.store import Payload, Point

FORMAT = "phidex-backup/1"
PART_POINTS = 1000
_MANIFEST, _SOURCES = "manifest.json", "sources.jsonl"
_MOST_BYTES = 1 << 30  # of one member that the manifest does not say to be larger
_LEVEL = 1  # of deflate: 60 MB a second and core; higher ones save a tenth
_msgpack: Any = msgpack


Step = Literal["points", "blobs", "indexing", "switching"]
Progress = Callable[[Step, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was written, or made of it."""

    collection: str
    path: str
    sources: int
    chunks: int
    blobs: int
    size_bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


class ArchiveWriter:
    """Writes a backup; the file appears under its name with the last step of `finish`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            self._zip = zipfile.ZipFile(self._partial, "x", compression=zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        except OSError as exc:
            raise InputError(f"{path} cannot be written: {exc.strerror}", hint="choose another place") from exc
        self._digests: dict[str, str] = {}
        self._large: dict[str, int] = {}
        self._parts: list[dict[str, Any]] = []

    def add_points(self, points: Sequence[Point], attempt: int) -> None:
        """One part."""
        name = f"points/{len(self._parts) + 1:06d}.msgpack"
        self._add(name, _msgpack.packb(wire.encode_points(points)))
        self._parts.append({"name": name, "attempt": attempt, "points": len(points)})

    def add_blob(self, identity: str, data: bytes) -> None:
        """One blob."""
        self._add(f"blobs/{identity}", data)

    def finish(self, sources: Sequence[Payload], facts: Payload) -> None:
        """Write what is known of the sources and the manifest, and let the file appear."""
        self._add(_SOURCES, "".join(json.dumps(source, ensure_ascii=False) + "\n" for source in sources).encode())
        manifest = {"format": FORMAT, **facts, "parts": self._parts, "sha256": self._digests, "large": self._large}
        with self._translated():
            self._zip.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
            self._zip.close()
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
            self._partial.replace(self._path)

    def abandon(self) -> None:
        """Take away what was written; no change behind `finish`."""
        if self._zip.fp is not None:
            self._zip.fp.close()
            self._zip.fp = None
        self._partial.unlink(missing_ok=True)

    def _add(self, name: str, data: bytes) -> None:
        with self._translated():
            self._zip.writestr(name, data)
        self._digests[name] = hashlib.sha256(data).hexdigest()
        if len(data) > _MOST_BYTES:
            self._large[name] = len(data)

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except OSError as exc:
            raise ServiceError(f"{self._path} cannot be written: {exc.strerror}", hint="is the disk full?") from exc


class ArchiveReader:
    """Reads a backup. Raises: InputError where the file is none, is damaged, or was made by a newer version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._large: dict[str, int] = {}  # as the manifest says
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as exc:
            raise InputError(f"there is no file {path}", hint="check the path") from exc
        except (zipfile.BadZipFile, OSError, NotImplementedError) as exc:
            raise self._damaged(f"it is no backup, or was cut off ({exc})") from exc
        try:
            self.manifest: dict[str, Any] = self._manifest()
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def sources(self) -> list[Payload]:
        """The records of the catalogue, each with its `attempt`."""
        try:
            return [json.loads(line) for line in self._read(_SOURCES).decode().split("\n") if line]
        except ValueError as exc:
            raise self._damaged("its list of sources cannot be read") from exc

    def parts(self) -> Iterator[tuple[int, list[Point]]]:
        """The points of each part, and its attempt."""
        for part in self.manifest["parts"]:
            try:
                yield part["attempt"], wire.decode_points(_msgpack.unpackb(self._read(part["name"])))
            except (ValueError, KeyError, TypeError, _msgpack.UnpackException) as exc:
                raise self._damaged(f"{part['name']} cannot be read") from exc

    def blobs(self) -> Iterator[tuple[str, bytes]]:
        """Id and bytes of each blob."""
        for name in self.manifest["sha256"]:
            if name.startswith("blobs/"):
                yield name.removeprefix("blobs/"), self._read(name)

    def _manifest(self) -> dict[str, Any]:
        try:
            found = json.loads(self._bytes(_MANIFEST))
            kind = str(found["format"])
            whole = isinstance(found["parts"], list) and isinstance(found["sha256"], dict) and isinstance(found["made"], dict)
        except (ValueError, KeyError, TypeError) as exc:
            raise self._damaged("it has no manifest") from exc
        if kind != FORMAT:
            hint = "update Phidex" if kind.startswith("phidex-backup/") else "a file that `phidex backup` wrote is needed"
            raise InputError(f"{self._path} is of the format {kind!r}, not {FORMAT!r}", hint=hint)
        if not whole:
            raise self._damaged("its manifest is incomplete")
        large = found.get("large", {})
        self._large = large if isinstance(large, dict) else {}
        return found

    def _read(self, name: str) -> bytes:
        data = self._bytes(name)
        if hashlib.sha256(data).hexdigest() != self.manifest["sha256"].get(name):
            raise self._damaged(f"{name} is not what was written")
        return data

    def _bytes(self, name: str) -> bytes:
        try:
            size = self._zip.getinfo(name).file_size
            if size > _MOST_BYTES and size != self._large.get(name):
                raise self._damaged(f"{name} is too large")
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as exc:
            raise self._damaged(f"{name}: {exc}") from exc

    def _damaged(self, why: str) -> InputError:
        return InputError(
            f"{self._path} is damaged: {why}", hint="copy it again from where it was made, or take another backup"
        )


def check_free(folder: Path, needed_bytes: int) -> None:
    """Raises ServiceError where the folder's disk has not so much room, InputError where there is no such folder."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{folder} is no folder that can be written to", hint="choose another place")
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        message = f"the disk of {folder} has {free >> 20} MB free; up to {needed_bytes >> 20} MB are needed"
        raise ServiceError(message, hint="free space, or choose another place")
