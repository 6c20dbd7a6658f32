"""Uploads: `multipart/form-data` written to the disk as it comes in, never held whole; what lies or climbs is refused.

A job moves the files to `uploads/<collection>/` of the data folder, where the web app puts its own: one of the same name takes
the older one's place, and the ingest sees what changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart import MultipartParser, exceptions
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from phidex.errors import InputError
from phidex.retrieval.checks import check_name
from phidex.server.faults import RefusedError
from phidex.server.lanes import Lane

_TOGETHER = 1 << 20  # bytes handed to a thread at a time
_MOST_FIELDS = 100
_FIELD_BYTES = 1_024
_NAME_BYTES = 255
_DEPTH = 32
_PATH_BYTES = 1_024
_HEAD_BYTES = 512

_SIGNS: dict[str, tuple[bytes, ...]] = {  # how files begin whose type says so
    "application/pdf": (b"%PDF-",),
    "application/zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "application/gzip": (b"\x1f\x8b",),
    "application/vnd.openxmlformats-officedocument": (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"),  # the latter: encrypted
    "application/vnd.oasis.opendocument": (b"PK\x03\x04",),
    "application/epub+zip": (b"PK\x03\x04",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF8",),
    "image/tiff": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "image/bmp": (b"BM",),
    "image/webp": (b"RIFF",),
    "audio/wav": (b"RIFF",),
    "audio/flac": (b"fLaC",),
    "video/webm": (b"\x1aE\xdf\xa3",),
    "video/x-matroska": (b"\x1aE\xdf\xa3",),
}
_PLAIN = ("text/plain", "text/markdown", "text/csv", "application/json")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Received:
    """What was sent: names of the files, as they lie in the folder, and the other fields.

    Args:
        hashes: SHA-256 of each file.
    """

    names: list[str] = field(default_factory=list[str])
    hashes: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])


async def receive_upload(request: Request, folder: Path, lane: Lane, *, max_files: int, max_bytes: int) -> Received:
    """The upload, its files in `folder`; on a fault nothing of it stays.

    Raises:
        RefusedError: it is no upload, too large, or a file is not what it is said to be.
        InputError: a name leads out of the folder, or cannot be used.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        hint = "curl -F files=@report.pdf …"
        raise RefusedError(415, "unsupported_type", "uploads are multipart/form-data", hint=hint)
    _check_room(folder, int(request.headers.get("content-length") or 0))
    form = _Form(folder, boundary, max_files, max_bytes)
    held = bytearray()
    try:
        async for part in request.stream():
            held += part
            if len(held) >= _TOGETHER:
                await lane(form.feed, bytes(held))
                held.clear()
        await lane(form.finish, bytes(held))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(_discard, form, folder))
        raise
    return form.received


def place_files(files: Path, names: Sequence[str], data: Path, collection: str) -> Iterator[Path]:
    """Where the files of an upload now lie; those that were moved before a kill are there already.

    Raises:
        InputError: a folder stands where a file is to be, or the other way round; or the disk does not take them.
    """
    folder = uploads_of(data, collection)
    for name in names:
        source, target = files / name, folder / name
        try:
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
        except OSError as exc:
            raise InputError(f"{name} cannot be saved: {exc.strerror}", hint="rename it, or remove what is there") from exc
        yield target


def uploads_of(data: Path, collection: str) -> Path:
    """Where the uploads of a collection lie."""
    return data.resolve() / "uploads" / check_name(collection)


def forget_upload(data: Path, collection: str, path: Path) -> None:
    """Remove a file that was uploaded, and folders that are empty then; any other file stays."""
    folder = uploads_of(data, collection)
    if folder not in path.parents:
        return
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def safe_name(name: str) -> str:
    """The name, which may have folders in it.

    >>> safe_name("reports/2024/a.pdf")
    'reports/2024/a.pdf'

    Raises:
        InputError: it leads out of the folder it is put into, or cannot be a file's name.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        raise InputError(f"{name[:100]!r} leads out of its folder", hint="send names without .. and without a leading slash")
    if len(name.encode("utf-8", "replace")) > _PATH_BYTES:
        hint = f"a name with its folders may have {_PATH_BYTES:,} bytes"
        raise InputError(f"{name[:100]!r}… is too long for the name of a file", hint=hint)
    sound = all(part and not part.startswith(".") and len(part.encode()) <= _NAME_BYTES for part in parts)
    if not sound or not name.isprintable() or len(parts) > _DEPTH:
        hint = "names are printable, not hidden (no leading dot) and at most 255 bytes long"
        raise InputError(f"{name[:100]!r} is no name for a file", hint=hint)
    return "/".join(parts)


def check_claim(name: str, claim: str, head: bytes) -> None:
    """Refuse a file whose first bytes are not of the type that it is said to be of; unknown types say nothing.

    Raises: RefusedError.
    """
    claim = claim.split(";", 1)[0].strip().lower()
    signs = next((signs for kind, signs in _SIGNS.items() if claim == kind or claim.startswith(kind + ".")), None)
    if signs is not None:
        # A PDF may have a little rubbish before it; readers look through the first kilobyte.
        lies = not (signs[0] in head if claim == "application/pdf" else head.startswith(signs))
    else:
        lies = claim in _PLAIN and b"\x00" in head and not head.startswith(_UTF16)
    if lies and head:
        message = f"{name} is said to be {claim}, and is not"
        raise RefusedError(
            415, "lying_type", message, hint="send application/octet-stream where you do not know", param="files"
        )


class _Form:
    """A form that is being received. For one thread at a time."""

    def __init__(self, folder: Path, boundary: bytes, max_files: int, max_bytes: int) -> None:
        self.received = Received()
        self._folder = folder
        self._max_files, self._max_bytes = max_files, max_bytes
        self._bytes = 0
        self._fields = 0
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[str, bytes] = {}
        self._file: BinaryIO | None = None
        self._name = self._claim = ""
        self._head = bytearray()
        self._hash = hashlib.sha256()
        self._ended = False
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished", "end")
        callbacks: Any = {f"on_{name}": getattr(self, f"_{name}") for name in names}
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            hint = "send fewer files at a time"
            raise RefusedError(413, "too_large", f"an upload may have {self._max_bytes >> 20} MB", hint=hint)
        try:
            self._parser.write(data)
        except exceptions.FormParserError as exc:
            raise RefusedError(400, "bad_upload", "this is no multipart/form-data", hint="curl -F files=@report.pdf …") from exc
        except OSError as exc:
            raise RefusedError(503, "no_room", f"the upload cannot be saved: {exc.strerror}", retry_s=60) from exc

    def finish(self, data: bytes) -> None:
        """Takes the last bytes; the files are safe on the disk when this returns."""
        self.feed(data)
        if not self._ended:
            raise RefusedError(400, "bad_upload", "the upload broke off", hint="send it again")
        if not self.received.names:
            raise RefusedError(400, "bad_upload", "there is no file in it", hint="curl -F files=@report.pdf …", param="files")

    def close(self) -> None:
        """Gives up the file that is open."""
        if self._file is not None:
            self._file.close()

    def _part_begin(self) -> None:
        self._headers, self._head = {}, bytearray()
        self._name = self._claim = ""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[bytes(self._header).decode("latin-1").lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        if (filename := options.get(b"filename")) is None:
            self._open_field(options.get(b"name", b""))
            return
        try:
            self._name = safe_name(filename.decode())
        except UnicodeDecodeError as exc:
            raise InputError("a file's name is not UTF-8", hint="rename it") from exc
        if self._name in self.received.names:
            raise InputError(f"there are two files {self._name!r}", hint="send them apart, or rename one")
        if len(self.received.names) >= self._max_files:
            hint = "send fewer at a time, or an archive"
            raise RefusedError(413, "too_many_files", f"an upload may have {self._max_files} files", hint=hint)
        self._claim = self._headers.get("content-type", b"").decode("latin-1")
        path = self._folder / self._name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
            self._hash = hashlib.sha256()
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
            raise InputError(f"{self._name!r} is a file and a folder at once", hint="rename one") from exc

    def _open_field(self, name: bytes) -> None:
        self._fields += 1
        if name != b"tags" or self._fields > _MOST_FIELDS:
            shown = name.decode("utf-8", "replace")[:100]
            raise RefusedError(400, "bad_upload", f"there is no field {shown!r}", hint="fields are: files, tags", param=shown)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            part = memoryview(data)[start:end]
            self._file.write(part)
            self._hash.update(part)
        room = (_HEAD_BYTES if self._file is not None else _FIELD_BYTES + 1) - len(self._head)
        self._head += data[start : min(end, start + room)] if room > 0 else b""
        if self._file is None and len(self._head) > _FIELD_BYTES:
            raise RefusedError(413, "too_large", f"a tag may have {_FIELD_BYTES} bytes", param="tags")

    def _part_end(self) -> None:
        if self._file is None:
            tag = bytes(self._head).decode("utf-8", "replace").strip()
            self.received.tags += [tag] if tag else []
            return
        check_claim(self._name, self._claim, bytes(self._head))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self.received.names.append(self._name)
        self.received.hashes.append(self._hash.hexdigest())

    def _end(self) -> None:
        self._ended = True


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size * 2 > free:  # the document, and what is made of it
        hint = "make room in the data folder"
        raise RefusedError(503, "no_room", f"{size >> 20} MB do not fit on the disk", hint=hint, retry_s=60)


def _discard(form: _Form, folder: Path) -> None:
    form.close()
    shutil.rmtree(folder, ignore_errors=True)
