"""Which reader takes an Office file, a book, a mail or a file of data: by the bytes, and by the name where they cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phidex.errors import InputError
from phidex.ingest.options import ParseOptions
from phidex.ingest.records import Parsed

OfficeKind = Literal["package", "compound", "rtf", "flat", "mail", "mailbox", "table", "json", "json_lines"]

_TABLES = frozenset((".csv", ".tsv", ".tab"))
_JSON = frozenset((".json", ".geojson"))
_JSON_LINES = frozenset((".jsonl", ".ndjson"))
_MAIL = frozenset((".eml", ".emlx"))
_BOXES = frozenset((".mbox", ".mbx"))
_FLAT = frozenset((".fodt", ".fods", ".fodp"))
_PACKAGES = frozenset(
    [
        ".docx",
        ".docm",
        ".dotx",
        ".dotm",
        ".pptx",
        ".pptm",
        ".ppsx",
        ".ppsm",
        ".potx",
        ".potm",
        ".xlsx",
        ".xlsm",
        ".xltx",
        ".xltm",
        ".xlsb",
        ".odt",
        ".ott",
        ".ods",
        ".ots",
        ".odp",
        ".otp",
        ".epub",
    ]
)
_COMPOUND = frozenset((".xls", ".msg", ".doc", ".ppt"))  # the last two are refused with the cure

SUFFIXES = _TABLES | _JSON | _JSON_LINES | _MAIL | _BOXES | _FLAT | _PACKAGES | _COMPOUND | {".rtf"}
_MAINS = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml")
_OPEN = {".odp": "presentation", ".fodp": "presentation", ".ods": "spreadsheet", ".fods": "spreadsheet"}
_IWORK = {".pages": "Pages", ".numbers": "Numbers", ".key": "Keynote"}


def sniff_office(suffix: str, head: bytes) -> OfficeKind | None:
    """The kind of container or data, from a file's suffix in lower case and its first bytes; None for all else."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "package"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "compound"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if suffix in _FLAT and b"<office:document" in head:
        return "flat"
    return None


def sniff_text(suffix: str, head: bytes) -> OfficeKind | None:
    """The kind of a text file that is data or mail; None for all else."""
    if suffix in _TABLES:
        return "table"
    if suffix in _JSON:
        return "json"
    if suffix in _JSON_LINES:
        return "json_lines"
    if suffix in _MAIL or suffix in _BOXES or not suffix:
        from phidex.ingest.office.mail import looks_like_box, looks_like_mail

        if looks_like_box(head):
            return "mailbox"
        if suffix == ".emlx" or looks_like_mail(head):
            return "mail"
    return None


def parse_office(kind: OfficeKind, data: bytes, path: Path, options: ParseOptions) -> Parsed:
    """The blocks of a file of this kind; each reader is imported when it is first needed.

    Raises:
        InputError: it is encrypted, damaged, of a kind that is not read, or has no text; the message says which.
    """
    match kind:
        case "package":
            return _parse_package(data, path)
        case "compound":
            from phidex.ingest.office.ole import parse_ole

            return parse_ole(data, path, options)
        case "rtf":
            from phidex.ingest.office.rtf import parse_rtf

            return parse_rtf(data, path)
        case "flat":
            return _parse_open(_flat_kind(data, path), data, path)
        case "mail":
            from phidex.ingest.office.mail import parse_mail

            return parse_mail(data, path, options)
        case "mailbox":
            from phidex.ingest.office.mail import parse_mailbox

            return parse_mailbox(data, path, options)
        case "table":
            from phidex.ingest.office.delimited import parse_delimited

            return parse_delimited(data, path)
        case "json":
            from phidex.ingest.office.data import parse_json

            return parse_json(data, path)
        case "json_lines":
            from phidex.ingest.office.data import parse_json_lines

            return parse_json_lines(data, path)


def _parse_package(data: bytes, path: Path) -> Parsed:
    """A ZIP package by what its own directory says that it is."""
    from phidex.ingest.office.package import Package

    package = Package(data, path.name)
    media = package.read("mimetype", 200).decode("ascii", "ignore").strip() if "mimetype" in package else ""
    if media == "application/epub+zip" or ("meta-inf/container.xml" in package and not media):
        from phidex.ingest.office.epub import parse_epub

        return parse_epub(data, path)
    if media.startswith("application/vnd.oasis.opendocument."):
        return _parse_open(media.rsplit(".", 1)[-1], data, path)
    if "content.xml" in package:  # lost its type
        return _parse_open(_OPEN.get(path.suffix.lower(), "text"), data, path)
    main = package.related("", "officeDocument") or next((part for part in _MAINS if part in package), "")
    match main.split("/")[0]:
        case "word":
            from phidex.ingest.office.word import parse_word

            return parse_word(data, path)
        case "ppt":
            from phidex.ingest.office.slides import parse_slides

            return parse_slides(data, path)
        case "xl":
            from phidex.ingest.office.workbook import parse_old_workbook, parse_workbook

            binary = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
            return parse_old_workbook(data, path, binary) if main.endswith(".bin") else parse_workbook(data, path)
        case _:
            raise _not_read(
                path, is_office=bool(main) or "[content_types].xml" in package, is_apple="index/document.iwa" in package
            )


def _parse_open(kind: str, data: bytes, path: Path) -> Parsed:
    """An OpenDocument file by the last word of its media type."""
    from phidex.ingest.office.opendocument import parse_open_slides, parse_open_text
    from phidex.ingest.office.opensheet import parse_open_sheet

    match kind.removesuffix("-template").removesuffix("-master").removesuffix("-web"):
        case "text":
            return parse_open_text(data, path)
        case "presentation":
            return parse_open_slides(data, path)
        case "spreadsheet":
            return parse_open_sheet(data, path)
        case other:
            hint = "export it as PDF"
            raise InputError(f"{path.name} is an OpenDocument file of a kind that is not read ({other}).", hint=hint)


def _flat_kind(data: bytes, path: Path) -> str:
    """The last word of the media type that a flat file declares."""
    for kind in ("text", "spreadsheet", "presentation"):
        if f'mimetype="application/vnd.oasis.opendocument.{kind}"'.encode() in data[:65536]:
            return kind
    return _OPEN.get(path.suffix.lower(), "text")


def _not_read(path: Path, *, is_office: bool, is_apple: bool) -> InputError:
    if is_apple or path.suffix.lower() in _IWORK:
        program = _IWORK.get(path.suffix.lower(), "iWork")
        return InputError(
            f"{path.name} is an Apple {program} document, a kind that is not read.", hint="export it as PDF or Office"
        )
    if is_office:
        hint = "save it as .docx, .xlsx, .pptx or PDF"
        return InputError(f"{path.name} is an Office file of a kind that is not read, or lacks its main part.", hint=hint)
    return InputError(f"{path.name} is a ZIP archive, not a document.", hint="unpack it, and name the folder or the file in it")
