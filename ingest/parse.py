"""One door to all parsers: the kind of a file is told from its bytes first, and from its name where bytes cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Parsed
from phidex.ingest.text import VERBATIM

Kind = Literal["pdf", "html", "markdown", "text"]

_MARKDOWN = frozenset((".md", ".markdown", ".mdx", ".mkd"))
_HTML = frozenset((".html", ".htm", ".xhtml"))
_TEXT = frozenset((".txt", ".text", ".rst", ".adoc", ".asciidoc", ".org", ".me")) | VERBATIM

SUFFIXES = frozenset((".pdf",)) | _MARKDOWN | _HTML | _TEXT
"""Suffixes, in lower case, of files worth offering to `parse_file`."""

_HEAD_BYTES = 8192
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ID3", "a recording"),
    (b"OggS", "a recording"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"RIFF", "a recording or video"),
)


def parse_file(path: Path, data: bytes | None = None) -> Parsed:
    """The blocks of a file with where each stands; `data` are its bytes where they are at hand.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is empty, encrypted, damaged, of an unknown kind or without text; the message says which.
    """
    kind = sniff(path, _read(path, _HEAD_BYTES) if data is None else data[:_HEAD_BYTES])
    if kind == "pdf":
        from phidex.ingest.pdf import parse_pdf  # PyMuPDF: 0.1 s to import

        return parse_pdf(path, data)
    content = data if data is not None else _read(path)
    match kind:
        case "html":
            from phidex.ingest.html import parse_html  # trafilatura: 0.5 s to import

            return parse_html(content, path)
        case "markdown":
            from phidex.ingest.markdown import parse_markdown

            return parse_markdown(content, path)
        case "text":
            from phidex.ingest.text import parse_text

            return parse_text(content, path)


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
    if start.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:1024]):
        return "pdf"
    _refuse_binary(path, head)
    if suffix in _MARKDOWN:
        return "markdown"
    lowered = _plain_ascii(start).lower()
    if lowered.startswith(("<!doctype html", "<html")) or (lowered.startswith(("<?xml", "<!--")) and "<html" in lowered):
        return "html"
    if suffix in _HTML and "<" in lowered:
        return "html"
    return "text"


def _plain_ascii(start: bytes) -> str:
    """The ASCII of the first bytes, whatever the encoding."""
    return start[:2048].replace(b"\x00", b"").decode("ascii", "ignore").strip("\r\n\t ")


def _refuse_binary(path: Path, head: bytes) -> None:
    """Raise for what is not text in any encoding that announces itself."""
    cure = "convert it to PDF, HTML, Markdown or plain text"
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):  # UTF-16 or UTF-32
        return
    for magic, what in _MAGIC:
        if head.startswith(magic) and not (magic.isalnum() and head.isascii() and b"\x00" not in head):
            raise InputError(f"{path.name} is {what}, a kind that is not read.", hint=cure)
    controls = sum(head.count(code) for code in (*range(9), *range(14, 27), *range(28, 32)))
    if b"\x00" in head or controls > len(head) // 20:
        kind = "damaged or not a PDF at all" if path.suffix.lower() == ".pdf" else "a binary file of unknown kind"
        raise InputError(f"{path.name} is {kind}.", hint="check the file" if "PDF" in kind else cure)


def _read(path: Path, limit: int = -1) -> bytes:
    """The file's bytes, or its first `limit`."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError as exc:
        raise NotFoundError(f"{path} does not exist.", hint="check the path") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}.", hint="check its permissions") from exc
