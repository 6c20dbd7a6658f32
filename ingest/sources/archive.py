"""The files of archives: zip, and tar packed by gzip, bzip2 or xz; one member at a time, within limits, in the spool alone.

Nothing an archive says is trusted: not its sizes (what comes out is counted), not its names (they only name the document), not
its links and devices (never made). A bad member costs itself alone. Office files are ZIP archives too, and are documents here:
an archive is told by its suffix and its first bytes together.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.parse import quote

from phidex.errors import InputError
from phidex.ingest.parse import SUFFIXES
from phidex.ingest.sources.container import BROKEN, TAR_KINDS, TarHeader, open_tar, open_zip, told, zip_name
from phidex.ingest.sources.found import Found, Scope
from phidex.ingest.sources.walk import UNKNOWN
from phidex.ingest.sources.zipdirectory import first_entries

_ZIP = b"PK"
_PACKED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_SUFFIX = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz)|gz|bz2|xz)$", re.IGNORECASE)
_FOREIGN = {
    ".7z": "a 7-Zip archive",
    ".rar": "a RAR archive",
    ".zst": "packed by Zstandard",
    ".tzst": "packed by Zstandard",
    ".lz4": "packed by LZ4",
    ".z": "packed by compress",
    ".cab": "a cabinet archive",
    ".lzh": "an LHA archive",
    ".arj": "an ARJ archive",
}
_TAR_MAGIC_AT = 257
_PIECE = 1 << 18
_FREE_MB = 64  # the ratio says little about small archives: a file of blanks is no attack
_HIDDEN = frozenset(("__MACOSX", "__pycache__", "node_modules"))


class _LimitError(InputError):
    """An archive goes beyond a limit: nothing more of it is read."""


class _DamagedError(InputError):
    """A member cannot be read to its end."""


def is_packed(name: str) -> bool:
    """Whether a file of this name would be an archive, ours or foreign."""
    return bool(_SUFFIX.search(name)) or Path(name).suffix.lower() in _FOREIGN


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that is read here, by its suffix and its first bytes."""
    if not _SUFFIX.search(path.name):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:  # reading it as a document says what is wrong
        return False
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))
    return suffix == ".tar" or any(head.startswith(magic) for magic in _PACKED)


def foreign_archive(path: Path) -> str:
    """What is said of an archive of a kind that is not read; "" for everything else.

    >>> foreign_archive(Path("a.7z")), foreign_archive(Path("a.pdf"))
    ('a 7-Zip archive, a kind that is not read', '')
    """
    kind = _FOREIGN.get(path.suffix.lower(), "")
    return f"{kind}, a kind that is not read" if kind else ""


@dataclass(slots=True)
class _Budget:
    """What one archive named by a user, with all archives inside, may still give."""

    size: int  # bytes of the archive itself
    scope: Scope
    entries: int = 0
    unpacked: int = 0

    def take(self, count: int) -> None:
        """Count bytes that came out."""
        settings = self.scope.settings
        self.unpacked += count
        if self.unpacked > settings.max_archive_mb << 20:
            hint = "raise PHIDEX_INGEST__MAX_ARCHIVE_MB to read it whole"
            raise _LimitError(f"unpacks to more than {settings.max_archive_mb} MB; the rest is left out", hint=hint)
        if self.unpacked > _FREE_MB << 20 and self.unpacked > self.size * settings.max_archive_ratio:
            hint = "it may be made to harm; raise PHIDEX_INGEST__MAX_ARCHIVE_RATIO if you trust it"
            raise _LimitError(
                f"unpacks to more than {settings.max_archive_ratio} times its size; the rest is left out", hint=hint
            )

    @property
    def entries_left(self) -> int:
        """How many entries may still be counted."""
        return self.scope.settings.max_archive_entries - self.entries

    def enter(self) -> None:
        """Count one more entry."""
        self.entries += 1
        if self.entries_left < 0:
            raise self.too_many()

    def too_many(self) -> _LimitError:
        """What is said of an archive with more entries than may be read, or with a directory too long for them."""
        hint = "raise PHIDEX_INGEST__MAX_ARCHIVE_ENTRIES to read it whole"
        limit = self.scope.settings.max_archive_entries
        return _LimitError(f"has more than {limit} entries; the rest is left out", hint=hint)


@dataclass(frozen=True, slots=True)
class _Box:
    """One archive being read: where its bytes lie, and how its members are named.

    Args:
        uri, shown: of the archive that the user named; members come after `#`.
        inside: path of this archive in that one, as `inner.zip/`; "" for that one itself.
    """

    path: Path
    uri: str
    shown: str
    inside: str
    depth: int
    budget: _Budget

    def member(self, name: str, *, reason: str = "", failed: bool = False, hint: str = "") -> Found:
        """A member as it is found, without its file."""
        whole = os.fsencode(self.inside + name)
        place = whole.decode("utf-8", "replace")
        shown = f"{self.shown}#{place}"
        return Found(Path(shown), f"{self.uri}#{quote(whole)}", shown, place, reason=reason, failed=failed, hint=hint)


def read_archive(archive: Found, scope: Scope) -> Iterator[Found]:
    """The documents in an archive, and what in it is left out and why; each file is unpacked when its turn comes.

    Hidden files and files of unknown kind are treated as in a folder; archives in archives are read to a depth that is set.
    """
    uri = archive.uri or Path(archive.path.resolve()).as_uri()
    shown = archive.shown or str(archive.path)
    budget = _Budget(archive.path.stat().st_size, scope)
    box = _Box(archive.path, uri, shown, "", 0, budget)
    for found in _read(box):
        metadata = {**archive.metadata, **found.metadata, "archive": shown, "member": found.place}
        yield found if found.reason else replace(found, metadata=metadata, keep=True)


def _read(box: _Box) -> Iterator[Found]:
    try:
        yield from _zip_members(box) if box.path.suffix.lower() == ".zip" else _tar_members(box)
    except _LimitError as exc:
        if box.depth:
            raise
        yield Found(box.path, f"{box.uri}#", box.shown, reason=exc.message, failed=True, hint=exc.hint)
    except BROKEN as exc:
        yield replace(
            box.member(""), reason=f"the archive is damaged; it was read as far as it goes ({told(exc)})", failed=True
        )


def _zip_members(box: _Box) -> Iterator[Found]:
    passwords = [password.get_secret_value().encode() for password in box.budget.scope.settings.passwords]
    with box.path.open("rb") as file, zipfile.ZipFile(first := first_entries(file, box.budget.entries_left)) as archive:
        for info in archive.infolist():
            box.budget.enter()
            name = zip_name(info)
            is_link = info.external_attr >> 28 == 0xA
            if info.is_dir():
                continue
            if found := _refusal(box, name, "a symbolic link" if is_link else ""):
                yield found
            elif not _is_hidden(name):
                yield from _member(box, name, lambda info=info: open_zip(archive, info, passwords), counted=False)
        if first is not file:
            raise box.budget.too_many()


def _tar_members(box: _Box) -> Iterator[Found]:
    with _unpacked(box) as (stream, is_tar):
        if not is_tar:  # one file, packed
            name = PurePosixPath(box.inside or box.shown).name
            box.budget.enter()
            yield from _member(box, re.sub(r"\.\w+$", "", name) or "file", lambda: nullcontext(stream), counted=True)
            return
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=TarHeader, errorlevel=1) as archive:
            for info in archive:
                archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # none is asked for again
                box.budget.enter()
                if info.isdir():
                    continue
                kind = "" if info.isreg() else TAR_KINDS.get(info.type, "no regular file")
                name = info.name.removeprefix("./")
                if found := _refusal(box, name, kind):
                    yield found
                elif not _is_hidden(name):
                    yield from _member(box, name, lambda info=info: open_tar(archive, info), counted=info.sparse is None)


@contextmanager
def _unpacked(box: _Box) -> Generator[tuple[IO[bytes], bool]]:
    """The stream inside the packing, counted as it comes, and whether it is a tar."""
    with box.path.open("rb") as file:
        opener = _PACKED.get(file.read(2))
    with opener(box.path, "rb") if opener else box.path.open("rb") as inner:
        counted = _Counted(cast(IO[bytes], inner), box.budget)
        named = re.search(r"\.(tar(\.\w+)?|t\w{2,3})$", box.path.name, re.IGNORECASE)
        is_tar = counted.peek(_TAR_MAGIC_AT + 5)[_TAR_MAGIC_AT:] == b"ustar" or bool(named)
        yield cast(IO[bytes], counted), is_tar  # it can be read, and that is all it is used for


class _Counted:
    """A stream that counts what is read against the budget."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget, self._ahead = stream, budget, b""

    def peek(self, size: int) -> bytes:
        """The first bytes, which are read again afterwards."""
        self._ahead = self._stream.read(size)
        return self._ahead

    def read(self, size: int = _PIECE) -> bytes:
        """The next bytes."""
        data = self._ahead[:size]
        self._ahead = self._ahead[size:]
        if len(data) < size:
            data += self._stream.read(min(size - len(data), _PIECE))
        self._budget.take(len(data))
        return data


def _member(
    box: _Box, name: str, open_it: Callable[[], AbstractContextManager[IO[bytes]]], *, counted: bool
) -> Iterator[Found]:
    """A member, unpacked into the spool; or the members of the archive that it is; or why it is left out.

    Args:
        counted: its bytes are counted where they come from.
    """
    scope, found = box.budget.scope, box.member(name)
    packed = bool(_SUFFIX.search(name))
    if not packed and PurePosixPath(name).suffix.lower() not in SUFFIXES:
        yield replace(found, reason=foreign_archive(Path(name)) or UNKNOWN)
        return
    try:
        with open_it() as file:
            path = scope.spool.write(PurePosixPath(name).name, _pieces(file, box.budget, counted))
    except _LimitError:
        raise
    except InputError as exc:
        yield replace(found, reason=exc.message, failed=True, hint=exc.hint)
        return
    except BROKEN as exc:
        yield replace(found, reason=f"damaged ({told(exc)})", failed=True)
        return
    if not packed:
        yield replace(found, path=path)
        return
    try:
        if not is_archive(path):
            yield replace(found, reason=UNKNOWN)
        elif box.depth >= scope.settings.archive_depth:
            hint = "raise PHIDEX_INGEST__ARCHIVE_DEPTH to open it"
            yield replace(found, reason="an archive too deep in archives", failed=True, hint=hint)
        else:
            yield from _read(_Box(path, box.uri, box.shown, f"{box.inside}{name}/", box.depth + 1, box.budget))
    finally:
        scope.spool.release(path)


def _pieces(file: IO[bytes], budget: _Budget, counted: bool) -> Iterator[bytes]:
    """A member's content.

    Raises:
        InputError: it is damaged, or larger than a file may be.
    """
    limit, size = budget.scope.settings.max_file_mb, 0
    while True:
        try:
            piece = file.read(_PIECE)
        except InputError:
            raise
        except BROKEN as exc:
            raise _DamagedError(f"damaged ({told(exc)})") from exc
        if not piece:
            return
        size += len(piece)
        if not counted:
            budget.take(len(piece))
        if size > limit << 20:
            raise InputError(f"larger than {limit} MB", hint="raise PHIDEX_INGEST__MAX_FILE_MB to take it")
        yield piece


def _refusal(box: _Box, name: str, kind: str) -> Found | None:
    """Why a member is not even looked at."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or re.match(r"^[A-Za-z]:", name) or "\0" in name:
        return box.member(name.replace("\0", "\N{REPLACEMENT CHARACTER}"), reason="its path leaves the archive")
    return box.member(name, reason=f"{kind}, not a file") if kind else None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part in _HIDDEN for part in PurePosixPath(name).parts)
