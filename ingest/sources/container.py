"""What zip and tar need of their own: names, passwords, headers that do no harm, and what both raise when they are broken."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from phidex.errors import InputError

BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError),
    *(NotImplementedError, RuntimeError),  # of zipfile: a version or a method that it does not know
)
TAR_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
_AES = 99  # WinZip's method number
_HEADER_BYTES = 1 << 20  # of a long name or a set of attributes; real ones have a few hundred
_PIECE = 1 << 18


def zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name: what is not marked as UTF-8 is UTF-8 all the same where it can be, else what DOS used."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


@contextmanager
def open_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, passwords: Sequence[bytes]) -> Generator[IO[bytes]]:
    """A member's content, with the first password that opens it.

    Raises:
        InputError: none does, or it is packed by a method that is not read.
    """
    if info.flag_bits & 0x1 and info.compress_type == _AES:
        raise InputError("encrypted with AES, which is not read here", hint="unpack it, and name the folder")
    try:
        opened = _decrypt(archive, info, passwords) if info.flag_bits & 0x1 else archive.open(info)
    except NotImplementedError as exc:
        raise InputError(f"packed by a method that is not read: {exc}", hint="pack it again as a plain zip") from exc
    with opened as file:
        yield file


def _decrypt(archive: zipfile.ZipFile, info: zipfile.ZipInfo, passwords: Sequence[bytes]) -> IO[bytes]:
    for password in passwords:
        try:
            # A wrong password passes zip's own check one time in 256; where there are several, the content's sum decides.
            if len(passwords) > 1:  # never more than the size it states
                with archive.open(info, pwd=password) as file:
                    while file.read(_PIECE):
                        continue
            return archive.open(info, pwd=password)
        except (RuntimeError, zipfile.BadZipFile, zlib.error):
            continue
    raise InputError("encrypted", hint="give its password: PHIDEX_INGEST__PASSWORDS")


class TarHeader(tarfile.TarInfo):
    """A tar header that cannot make the reader hold a bomb in memory, or go backwards."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> TarHeader:
        """The header in a block.

        Raises:
            tarfile.InvalidHeaderError: it is none, or its numbers are absurd.
        """
        header = super().frombuf(buf, encoding, errors)
        in_memory = header.type in (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if header.size < 0 or (in_memory and header.type != tarfile.GNUTYPE_SPARSE and header.size > _HEADER_BYTES):
            raise tarfile.ReadError("a header of absurd size")
        return header


@contextmanager
def open_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Generator[IO[bytes]]:
    """A member's content."""
    file = archive.extractfile(info)
    if file is None:
        raise InputError("no regular file")
    with file:
        yield file


def told(exc: Exception) -> str:
    """What an exception says, in one line."""
    return (str(exc) or type(exc).__name__).split("\n")[0][:200]
