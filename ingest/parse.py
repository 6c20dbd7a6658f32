"""One door to all parsers: the kind of a file is told from its bytes first, and from its name where bytes cannot tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from phidex.errors import InputError, NotFoundError
from phidex.ingest.code.source import SUFFIXES as _CODE
from phidex.ingest.code.source import is_code
from phidex.ingest.office.formats import SUFFIXES as _OFFICE
from phidex.ingest.office.formats import OfficeKind, parse_office, sniff_office, sniff_text
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.records import Parsed
from phidex.ingest.speech.beside import SUBTITLES
from phidex.ingest.text import VERBATIM
from phidex.ingest.video.containers import RECORDINGS, is_recording

Kind = Literal["pdf", "image", "html", "markdown", "text", "code", "notebook", "recording", "captions"] | OfficeKind

_MARKDOWN = frozenset((".md", ".markdown", ".mdx", ".mkd", ".rmd", ".qmd"))
_HTML = frozenset((".html", ".htm", ".xhtml"))
_TEXT = frozenset((".txt", ".text", ".rst", ".adoc", ".asciidoc", ".org", ".me")) | VERBATIM

_IMAGE = frozenset((".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif"))

SUFFIXES = frozenset((".pdf", ".ipynb")) | _IMAGE | _MARKDOWN | _HTML | _TEXT | _OFFICE | _CODE | RECORDINGS
"""Suffixes, in lower case, of files worth offering to `parse_file`."""

_PLAIN = (_MARKDOWN | _HTML | _TEXT | _CODE | {".ipynb"}) - _OFFICE
_HEAD_BYTES = 8192
_UTF = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # how UTF-16 and UTF-32 begin
_PDF_OBJECT = re.compile(rb"\d\s+\d+\s+obj\b")
_IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"RIFF", "a file of a program"),
)


def parse_file(path: Path, data: bytes | None = None, options: ParseOptions = DEFAULT) -> Parsed:
    """The blocks of a file with where each stands; `data` are its bytes where they are at hand.

    A recording is read from its file, however large; from `data` only where there is no such file.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is empty, encrypted, damaged, of an unknown kind or without text; the message says which.
    """
    kind = sniff(path, _read(path, _HEAD_BYTES) if data is None else data[:_HEAD_BYTES])
    if kind == "pdf":
        from phidex.ingest.pdf.document import parse_pdf  # PyMuPDF: 0.1 s to import

        return parse_pdf(path, data, options)
    if kind == "recording":
        from phidex.ingest.video.parse import parse_recording  # PyAV

        return parse_recording(path, options, data)
    content = data if data is not None else _read(path)
    if path.suffix.lower() == ".pdf" and kind in ("text", "html", "markdown") and _has_pdf_objects(content):
        from phidex.ingest.pdf.document import parse_pdf

        return parse_pdf(path, content, options)
    match kind:
        case "image":
            from phidex.ingest.ocr.image import parse_image  # Pillow, PyMuPDF

            return parse_image(content, path, options)
        case "html":
            from phidex.ingest.html import parse_html  # trafilatura: 0.5 s to import

            return parse_html(content, path)
        case "markdown":
            from phidex.ingest.markdown import parse_markdown

            return parse_markdown(content, path)
        case "code":
            from phidex.ingest.code.source import parse_code

            return parse_code(content, path)
        case "notebook":
            from phidex.ingest.code.notebook import parse_notebook

            return parse_notebook(content, path)
        case "captions":
            from phidex.ingest.speech.parse import parse_captions

            return parse_captions(content, path)
        case "text":
            from phidex.ingest.text import parse_text

            return parse_text(content, path)
        case _:
            return parse_office(kind, content, path, options)


def heeds_options(suffix: str) -> bool:
    """Whether files of that suffix, in lower case, are read differently with other options."""
    return suffix not in _PLAIN


def sniff(path: Path, head: bytes) -> Kind:
    """The kind of a file from its first bytes and its name.

    Raises:
        InputError: it is empty, or binary of a kind that is not read.

    >>> sniff(Path("report.pdf"), b"<!DOCTYPE html><title>Not found</title>")
    'html'
    """
    if not head:
        raise InputError(f"{path.name} is empty.", hint="check that it was copied or downloaded completely")
    suffix = path.suffix.lower()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n\x0c\x00")
    if _is_pdf(suffix, start, head):
        return "pdf"
    if container := sniff_office(suffix, head):
        return container
    if is_image(head):
        return "image"
    if is_recording(suffix, head):
        return "recording"
    if suffix == ".pdf" and _is_binary(head) and not head.startswith((*_UTF, *(magic for magic, _ in _MAGIC))):
        return "pdf"  # or not: who opens it says what is wrong
    _refuse_binary(path, head)
    if suffix in SUBTITLES and _is_captions(suffix, head):
        return "captions"
    if suffix in _MARKDOWN:
        return "markdown"
    if suffix == ".ipynb":
        return "notebook"
    if is_code(path, head):
        return "code"
    lowered = _plain_ascii(start).lower()
    if lowered.startswith(("<!doctype html", "<html")) or (lowered.startswith(("<?xml", "<!--")) and "<html" in lowered):
        return "html"
    if suffix in _HTML and "<" in lowered:
        return "html"
    return sniff_text(suffix, head) or "text"


def is_image(head: bytes) -> bool:
    """Whether the bytes begin as a PNG, JPEG, GIF, TIFF, WebP or BMP does; a text may begin with BM, so its header counts."""
    if head.startswith(_IMAGE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return head[:2] == b"BM" and len(head) > 26 and head[6:10] == bytes(4) and head[14] in (12, 40, 52, 56, 64, 108, 124)


def _is_captions(suffix: str, head: bytes) -> bool:
    from phidex.ingest.speech.captions import is_captions

    return is_captions(suffix, head.replace(b"\x00", b"").decode("latin-1").lstrip("\xff\xfe\xef\xbb\xbf"))


def _plain_ascii(start: bytes) -> str:
    """The ASCII of the first bytes, whatever the encoding."""
    return start[:2048].replace(b"\x00", b"").decode("ascii", "ignore").strip("\r\n\t ")


def _refuse_binary(path: Path, head: bytes) -> None:
    """Raise for what is not text in any encoding that announces itself."""
    cure = "convert it to PDF, HTML, Markdown or plain text"
    if head.startswith(_UTF):
        return
    for magic, what in _MAGIC:
        if head.startswith(magic) and not (magic.isalnum() and head.isascii() and b"\x00" not in head):
            raise InputError(f"{path.name} is {what}, a kind that is not read.", hint=cure)
    if _is_binary(head):
        raise InputError(f"{path.name} is a binary file of unknown kind.", hint=cure)


def _is_binary(head: bytes) -> bool:
    """Whether control characters abound."""
    controls = sum(head.count(code) for code in (*range(9), *range(14, 27), *range(28, 32)))
    return b"\x00" in head or controls > len(head) // 20


def _is_pdf(suffix: str, start: bytes, head: bytes) -> bool:
    """Whether these are a PDF's bytes: also behind foreign ones, without a header, or compressed as a whole."""
    if start.startswith(b"%PDF-"):
        return True
    if suffix == ".pdf":
        return b"%PDF-" in head or head.startswith(b"\x1f\x8b") or _PDF_OBJECT.search(head) is not None
    return suffix not in SUFFIXES and b"%PDF-" in head[:1024] and _PDF_OBJECT.search(head) is not None


def _has_pdf_objects(content: bytes) -> bool:
    """Whether a PDF follows, far behind what looks like text."""
    return (b"%PDF-" in content or b"endobj" in content) and _PDF_OBJECT.search(content) is not None


def _read(path: Path, limit: int = -1) -> bytes:
    """The file's bytes, or its first `limit`."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError as exc:
        raise NotFoundError(f"{path} does not exist.", hint="check the path") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}.", hint="check its permissions") from exc
