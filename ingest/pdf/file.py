"""The PDF as a file: opened, unlocked, checked and repaired, or refused with the reason and the cure.

    bytes -> opened -> a PyMuPDF document with pages       no_text_error: why none of them has text

MuPDF repairs what it can while it opens. Here that is noticed (`is_repaired`), helped (bytes before the header are cut off, so
that the places written in the file fit again) and, where it fails, explained. Passwords never reach an error or a log.
Does not read pages: that is `lines.py`; nor what a PDF says about itself: that is `catalog.py`.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.errors import InputError
from phidex.ingest.options import ParseOptions

pymupdf: Any = _pymupdf  # its own types are incomplete

PAGE_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    pymupdf.mupdf.FzErrorBase,
)
"""What PyMuPDF raises on damaged parts of a file that opened."""

_HEADER = b"%PDF-"
_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b")
_HEADER_REACH = 1024  # where MuPDF still counts places from the header, as Adobe Reader does
_HEADER_SEARCH = 1 << 20
_END_REACH = 2048
_MAX_OBJECTS = 200_000
_FETCH_AGAIN = "fetch or export the file again"
_PASSWORD_CURE = "give its password with --ask-password or PHIDEX_INGEST__PASSWORDS='[\"…\"]', or save a copy without one"


@contextmanager
def opened(path: Path, data: bytes | None, options: ParseOptions) -> Generator[Any]:
    """The open document, unlocked, with at least one page; MuPDF's messages are kept off stderr.

    A file of another kind that MuPDF lays out in pages (SVG, XPS …) is opened as well: `is_pdf` tells.

    Raises:
        InputError: it cannot be opened, is locked, has no pages or too many.
    """
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    document = _open(path, data)
    try:
        if document.needs_pass:
            _unlock(document, path, options.passwords)
        count = _page_count(document) or _recount(document)
        if count == 0:
            raise _no_pages_error(document, path, data)
        if count > options.max_pages:
            raise InputError(
                f"{path.name} has {count:,} pages, more than the {options.max_pages:,} that are read of one document.",
                hint="split it, or raise PHIDEX_INGEST__MAX_PAGES",
            )
        yield document
    finally:
        document.close()


def repairs(document: Any) -> list[str]:
    """Warnings about how the file had to be opened; ask before its pages are read."""
    if not document.is_pdf:
        metadata: dict[str, str | None] = document.metadata or {}
        kind = metadata.get("format") or "something else"
        return [f"The file is called a PDF but is {kind}; it has been read as that."]
    damaged = document.is_repaired or document.is_dirty  # the second where `_recount` had to write into it
    return ["The PDF was damaged and has been repaired; text may be missing."] if damaged else []


def load_bare_page(document: Any, index: int) -> Any:
    """The page without its annotations and fields, where these are so broken that they spoil it.

    Raises:
        one of PAGE_ERRORS: the page itself is broken.
    """
    document.xref_set_key(document.page_xref(index), "Annots", "null")
    return document.load_page(index)


def no_text_error(document: Any, path: Path, *, lost: int = 0) -> InputError:
    """Why no page has text, told from what is on the pages: pictures, drawings, or nothing.

    Args:
        lost: how many pages could not be read at all.
    """
    count = document.page_count
    if lost == count:
        return InputError(f"{path.name} is damaged: no page of it can be read.", hint=_FETCH_AGAIN)
    pages = f"{count} pages have" if count != 1 else "Its one page has"
    pictures, drawings = _what_is_shown(document)
    if pictures:
        return InputError(
            f"{path.name} looks like a scan: {pages} no text.",
            hint="turn recognition of scans on (--ocr auto), or run OCR first, e.g. `ocrmypdf in.pdf out.pdf`",
        )
    if drawings:
        return InputError(
            f"{path.name} shows drawings without any text: {pages} no text.",
            hint="where letters were drawn as outlines, recognition of scans (--ocr always) may read them",
        )
    return InputError(f"{path.name} is blank: {pages} no text and no pictures.", hint="check that it is the right file")


def _open(path: Path, data: bytes | None) -> Any:
    """The document as MuPDF opens it, locked or not."""
    try:
        if data is None:
            head = _peek(path)[:_HEADER_REACH]
            data = None if _HEADER in head else path.read_bytes()
        if data is None:
            return pymupdf.open(path, filetype="pdf")
        start = data.find(_HEADER, 0, _HEADER_SEARCH)
        behind = _open_whole(data[start:]) if start > _HEADER_REACH else None
        return pymupdf.open("pdf", data) if behind is None else behind
    except (OSError, pymupdf.FileNotFoundError) as exc:  # the second is PyMuPDF's own, a RuntimeError
        raise InputError(f"{path} cannot be read.", hint="check the path and its permissions") from exc
    except PAGE_ERRORS as exc:
        raise _open_error(path, data or _peek(path), str(exc.__cause__ or exc)) from exc


def _open_whole(data: bytes) -> Any | None:
    """The document, where it opens without repair."""
    try:
        document = pymupdf.open("pdf", data)
        if not document.is_repaired and (document.needs_pass or _page_count(document)):
            return document
        document.close()
    except PAGE_ERRORS:
        return None
    return None


def _peek(path: Path) -> bytes:
    """The file's first megabyte and its end: enough to tell what is wrong with it."""
    with path.open("rb") as file:
        head = file.read(_HEADER_SEARCH)
        file.seek(max(len(head), path.stat().st_size - _END_REACH))
        return head + file.read()


def _open_error(path: Path, data: bytes, message: str) -> InputError:
    """Why MuPDF could not open the file, from its message and the bytes."""
    if "PubSec" in message:
        reason = "is encrypted for the holders of certain certificates, which is not supported"
        return InputError(f"{path.name} {reason}.", hint="save a copy without encryption")
    if re.search("encrypt|crypt filter|security handler", message):
        return InputError(f"{path.name} is encrypted in a way that cannot be read.", hint="save a copy without encryption")
    if not data.strip(b"\x00 \t\r\n\x0c"):
        return InputError(f"{path.name} is empty: it holds nothing but white space or zeros.", hint=_FETCH_AGAIN)
    if _HEADER not in data and not _OBJECT.search(data):
        return InputError(f"{path.name} is not a PDF.", hint="give the file the suffix of what it is, or fetch it again")
    return _damage_error(path, data)


def _damage_error(path: Path, data: bytes) -> InputError:
    """Truncated, when its end is missing, or otherwise damaged."""
    if b"%%EOF" not in data[-_END_REACH:]:
        return InputError(f"{path.name} is truncated: its end is missing, and no page of it can be read.", hint=_FETCH_AGAIN)
    return InputError(f"{path.name} is damaged: no page of it can be read.", hint=_FETCH_AGAIN)


def _unlock(document: Any, path: Path, passwords: tuple[str, ...]) -> None:
    """Open the lock with the first password that fits: the user's or the owner's."""
    for password in passwords:
        try:
            if document.authenticate(password):
                return
        except PAGE_ERRORS:  # one that the encoding of the lock cannot express
            continue
    tried = f"; none of the {len(passwords)} given fits" if len(passwords) > 1 else "; the one given does not fit"
    raise InputError(f"{path.name} is encrypted and needs a password{tried if passwords else ''}.", hint=_PASSWORD_CURE)


def _page_count(document: Any) -> int:
    """0 also where the page tree is beyond repair."""
    try:
        return document.page_count
    except PAGE_ERRORS:
        return 0


def _recount(document: Any) -> int:
    """The page count after an impossible one in the page tree was replaced by the number of page objects; 0 if in vain."""
    try:
        kind, root = document.xref_get_key(document.pdf_catalog(), "Pages")
        numbers = range(1, min(document.xref_length(), _MAX_OBJECTS))
        pages = sum(document.xref_get_key(number, "Type")[1] == "/Page" for number in numbers)
        if kind == "xref" and pages:
            document.xref_set_key(int(root.split()[0]), "Count", str(pages))
        return document.page_count
    except PAGE_ERRORS:
        return 0


def _no_pages_error(document: Any, path: Path, data: bytes | None) -> InputError:
    """Damaged, or whole and without a page."""
    data = data or _peek(path)
    if data.lstrip().startswith(b"%FDF-"):
        return InputError(f"{path.name} holds the values of a form (FDF) and no pages.", hint="give the filled-in PDF")
    try:
        damaged = document.is_repaired or document.xref_get_key(document.pdf_catalog(), "Pages")[0] != "xref"
    except PAGE_ERRORS:
        damaged = True
    if damaged or b"%%EOF" not in data[-_END_REACH:]:
        return _damage_error(path, data)
    return InputError(f"{path.name} has no pages that can be read.", hint=_FETCH_AGAIN)


def _what_is_shown(document: Any, pages: int = 20) -> tuple[bool, bool]:
    """Whether the first pages show pictures, and whether they show drawings."""
    pictures = drawings = False
    for index in range(min(document.page_count, pages)):
        try:
            kinds = {kind for kind, _ in document.load_page(index).get_bboxlog()}
        except PAGE_ERRORS:
            continue
        pictures = pictures or any("image" in kind for kind in kinds)
        drawings = drawings or any("path" in kind or "shade" in kind for kind in kinds)
        if pictures:
            break
    return pictures, drawings
