"""Compound files (OLE): encrypted Office documents, old Office documents, Outlook messages; each is told by what is inside.

Old .xls workbooks and .msg messages are read. Old .doc and .ppt are not: the error says how to convert them. With a password,
encrypted documents are decrypted by msoffcrypto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from xml.parsers.expat import ExpatError

from phidex.errors import InputError
from phidex.ingest.options import ParseOptions
from phidex.ingest.records import Parsed

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OleKind = Literal["encrypted", "message", "word", "slides", "workbook", "unknown"]

_STREAMS: tuple[tuple[str, OleKind], ...] = (
    ("EncryptedPackage", "encrypted"),
    ("__properties_version1.0", "message"),
    ("WordDocument", "word"),
    ("PowerPoint Document", "slides"),
    ("Workbook", "workbook"),
    ("Book", "workbook"),
)
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, ExpatError, struct.error, AssertionError)
"""What msoffcrypto lets through on damaged files."""
_CURES = {"word": ("Word", "docx"), "slides": ("PowerPoint", "pptx")}
_INSTALL = "pip install 'phidex[office]'"


def parse_ole(data: bytes, path: Path, options: ParseOptions) -> Parsed:
    """The blocks of an Outlook message, an old workbook, or a document that one of the passwords opens.

    Raises:
        InputError: it is encrypted, damaged, or of a kind that must be converted; the message says which.
        InputError: what reads it is not installed.
    """
    kind = ole_kind(data)
    if kind == "encrypted":
        from phidex.ingest.parse import parse_file  # which imports this module

        return parse_file(path, _decrypt(data, path.name, options.passwords), options)
    if kind == "message":
        from phidex.ingest.office.outlook import parse_outlook

        return parse_outlook(data, path, options)
    if kind == "workbook":
        return _parse_workbook(data, path, options)
    if kind in _CURES:
        program, suffix = _CURES[kind]
        cure = f"save it as .{suffix}, or convert it: soffice --headless --convert-to {suffix} '{path.name}'"
        raise InputError(f"{path.name} is an old {program} document (before 2007), a kind that is not read.", hint=cure)
    raise InputError(
        f"{path.name} is a compound file of a kind that is not read.", hint="save it as PDF, .docx, .xlsx or .pptx"
    )


def ole_kind(data: bytes) -> OleKind:
    """What a compound file holds, by the streams at its root; without olefile, by the names anywhere in it."""
    try:
        import olefile as _olefile  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        names = {name: name.encode("utf-16-le") + b"\0\0" for name, _ in _STREAMS}
        return _first(name for name, _ in _STREAMS if names[name] in data)
    olefile: Any = _olefile
    try:
        with olefile.OleFileIO(BytesIO(data)) as file:
            return _first(name for name, _ in _STREAMS if file.exists(name))
    except (OSError, ValueError, IndexError, TypeError, AttributeError):  # what olefile raises on damaged files
        return "unknown"


def _first(names: Iterable[str]) -> OleKind:
    """The kind of the first name."""
    name = next(iter(names), "")
    return dict(_STREAMS).get(name, "unknown")


def _parse_workbook(data: bytes, path: Path, options: ParseOptions) -> Parsed:
    from phidex.ingest.office.workbook import parse_old_workbook

    try:
        return parse_old_workbook(data, path)
    except InputError as exc:
        if "encrypted" not in exc.message:
            raise
        return parse_old_workbook(_decrypt(data, path.name, options.passwords), path)


def _decrypt(data: bytes, name: str, passwords: tuple[str, ...]) -> bytes:
    """The document inside, by the first password that opens it.

    Raises:
        InputError: none does.
    """
    if not passwords:
        raise InputError(f"{name} is encrypted.", hint="give its password, or open it and save it without one")
    try:
        import msoffcrypto as _crypto  # pyright: ignore[reportMissingTypeStubs]
        from msoffcrypto import exceptions as _errors  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as exc:
        raise InputError(f"{name} is encrypted and needs msoffcrypto-tool to be opened.", hint=_INSTALL) from exc
    crypto: Any = _crypto
    errors: Any = _errors
    for password in passwords:
        plain = BytesIO()
        try:
            document = crypto.OfficeFile(BytesIO(data))
            document.load_key(password=password)
            document.decrypt(plain)
        except errors.InvalidKeyError:
            continue
        except (errors.DecryptionError, errors.FileFormatError, errors.ParseError, *_DAMAGED) as exc:
            raise InputError(f"{name} is encrypted and cannot be opened: {exc}.", hint="save it without a password") from exc
        return plain.getvalue()
    raise InputError(f"{name} is encrypted, and none of the passwords opens it.", hint="give the right password")
