"""A zip's directory, looked at before `zipfile` reads it whole: how much of it may be read, and a view that ends there.

`zipfile` holds some 500 bytes for each entry, and the directory itself; a directory of a million entries takes half a gigabyte.
What an archive says of its number of entries is not believed: they are counted, one after another, in constant memory.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO, Any

_END = struct.Struct("<4s4H2LH")  # of the directory: the record at a zip's end
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s24x3H12x")  # its signature, and the lengths of name, extra fields and comment
_COMMENT_BYTES = 0xFFFF  # of the comment behind the end record, at most
_ENTRY_BYTES = 512  # of an entry, on average, at most
_SMALL_BYTES = 1 << 20  # of a directory whose entries may be as long as they like


@dataclass(frozen=True, slots=True)
class _Directory:
    start: int  # in the file
    size: int
    shift: int  # what lies before the archive: its offsets do not count it


def first_entries(file: IO[bytes], count: int) -> IO[bytes]:
    """The zip, or, where its directory has more than `count` entries, a view of it with only the first of them.

    A directory that is damaged is left as it is, for `zipfile` to say so.
    """
    directory = _find(file)
    if directory is None:
        return file
    cut, entries = _walk(file, directory, count)
    if cut == directory.start + directory.size:
        return file
    return io.BufferedReader(_View(file, cut, _tail(directory, cut, entries)))


def _find(file: IO[bytes]) -> _Directory | None:
    """Where the directory lies, as `zipfile` finds it; None where there is none."""
    total = file.seek(0, io.SEEK_END)
    before = max(0, total - _END.size - _COMMENT_BYTES)
    file.seek(before)
    tail = file.read()
    at = len(tail) - _END.size
    if at < 0 or tail[at : at + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        return None
    end = before + at
    size, offset = _END.unpack_from(tail, at)[5:7]
    if end >= _LOCATOR64.size + _END64.size:
        file.seek(end - _LOCATOR64.size - _END64.size)
        record = file.read(_END64.size)
        if file.read(4) == b"PK\6\7" and record[:4] == b"PK\6\6":
            size, offset = _END64.unpack(record)[8:10]
            end -= _LOCATOR64.size + _END64.size
    start = end - size
    return _Directory(start, size, start - offset) if 0 <= offset <= start else None


def _walk(file: IO[bytes], directory: _Directory, count: int) -> tuple[int, int]:
    """Where the first entries end, and how many they are: `count` at most, and no more bytes than belong to so many."""
    file.seek(directory.start)
    at, entries = directory.start, 0
    limit = max(_SMALL_BYTES, count * _ENTRY_BYTES)
    end = directory.start + directory.size
    while at < end:
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
            return end, entries
        following = at + _ENTRY.size + sum(_ENTRY.unpack(head)[1:])
        if entries == count or following - directory.start > limit:
            return at, entries
        file.seek(following)
        at, entries = following, entries + 1
    return end, entries


def _tail(directory: _Directory, cut: int, entries: int) -> bytes:
    """The records that end a zip whose directory ends at `cut`."""
    offset, size = directory.start - directory.shift, cut - directory.start
    record = _END64.pack(b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, entries, entries, size, offset)
    locator = _LOCATOR64.pack(b"PK\6\7", 0, cut - directory.shift, 1)
    return record + locator + _END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


class _View(io.RawIOBase):
    """The first `cut` bytes of a file, and others behind them."""

    def __init__(self, file: IO[bytes], cut: int, tail: bytes) -> None:
        self._file, self._cut, self._tail = file, cut, tail
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._at, self._cut + len(self._tail))[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)
        if self._at < self._cut:
            self._file.seek(self._at)
            data = self._file.read(min(len(room), self._cut - self._at))
        else:
            begin = self._at - self._cut
            data = self._tail[begin : begin + len(room)]
        room[: len(data)] = data
        self._at += len(data)
        return len(data)
