"""PDF files: opened, checked and read into blocks with a box for every line.

    bytes --lines--> lines --furniture--> lines --layout--> paragraphs --headings, joining--> Parsed

Text comes from the PDF itself: scanned pages have none and are named in a warning. Nothing is rendered.
Source of the failure signs (`is_repaired`, `is_pdf`): PyMuPDF 2.0, measured on truncated and misnamed files.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pymupdf as _pymupdf

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.furniture import drop_furniture
from phidex.ingest.headings import Outline, is_label, mark_headings
from phidex.ingest.joining import Spelling, make_block
from phidex.ingest.layout import Paragraph, read_rows, split_paragraphs
from phidex.ingest.lines import Fonts, Page, read_page
from phidex.ingest.records import Block, Parsed

_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    )
)
_NO_TITLE = re.compile(
    r"^(?:untitled\b.*|microsoft \w+ - .*|.*\.(?:docx?|dvi|tex|pdf|indd|qxd|pptx?|xlsx?|rtf|odt|html?|ps))$", re.I
)
pymupdf: Any = _pymupdf  # its own types are incomplete
# What PyMuPDF raises on damaged parts of a file that opened.
_PAGE_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    pymupdf.mupdf.FzErrorBase,
)


def parse_pdf(path: Path, data: bytes | None = None) -> Parsed:
    """The blocks of a PDF. About 3.5 ms of CPU a page.

    Raises:
        InputError: encrypted, truncated or broken, not a PDF, or without any text.
    """
    with _opened(path, data) as document:
        warnings = ["The PDF was damaged and has been repaired; text may be missing."] if document.is_repaired else []
        fonts = Fonts()
        pages, lost = _read_pages(document, fonts)
        warnings += _check_text(pages, lost, path)
        toc, labels = _toc(document), _labels(document)
        metadata: dict[str, str] = {key: clean_line(str(value)) for key, value in _items(document.metadata) if value}
    furniture = drop_furniture(pages, fonts.body_size)
    blocks = _build(pages, toc, fonts)
    if not blocks:
        raise InputError(f"{path.name} has no text besides page numbers.", hint="check that it is the right file")
    return Parsed(
        kind="pdf",
        blocks=tuple(blocks),
        title=_title(metadata.pop("title", ""), blocks),
        mime="application/pdf",
        page_count=len(pages),
        page_labels=labels,
        furniture=furniture,
        warnings=tuple(warnings),
        metadata={key: value for key, value in metadata.items() if key not in ("trapped", "encryption", "format")},
    )


@contextmanager
def _opened(path: Path, data: bytes | None) -> Generator[Any]:
    """The open document, checked; MuPDF's messages are kept off stderr."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    broken = f"{path.name} is truncated or damaged: no page of it can be read."
    cure = "fetch or export the file again"
    try:
        document: Any = pymupdf.open(path, filetype="pdf") if data is None else pymupdf.open("pdf", data)
    except FileNotFoundError as exc:  # PyMuPDF has its own type of this name, a RuntimeError
        raise InputError(f"{path} cannot be read.", hint="check the path and its permissions") from exc
    except (RuntimeError, ValueError) as exc:
        raise InputError(broken, hint=cure) from exc
    try:
        if document.needs_pass:
            raise InputError(f"{path.name} is encrypted and needs a password.", hint="save a copy without a password")
        if not document.is_pdf:
            raise InputError(f"{path.name} is not a PDF.", hint="give the file the suffix of what it is")
        if _page_count(document) == 0:
            raise InputError(broken, hint=cure)
        yield document
    finally:
        document.close()


def _page_count(document: Any) -> int:
    """0 also where the page tree is beyond repair."""
    try:
        return document.page_count
    except _PAGE_ERRORS:
        return 0


def _items(metadata: dict[str, str | None] | None) -> list[tuple[str, str | None]]:
    return list((metadata or {}).items())


def _read_pages(document: Any, fonts: Fonts) -> tuple[list[Page], list[int]]:
    """The lines of every page, and the numbers of pages that could not be read."""
    pages: list[Page] = []
    lost: list[int] = []
    for index in range(document.page_count):
        try:
            pages.append(read_page(document.load_page(index), fonts))
        except _PAGE_ERRORS:
            lost.append(index + 1)
            pages.append(Page(index, 0.0, 0.0, []))
    return pages, lost


def _labels(document: Any) -> tuple[str, ...]:
    """The printed label of every page; empty when each equals the page's number.

    Made here from the document's rules, since PyMuPDF's `get_label` reads the rules anew for every page.
    """
    try:
        rules: list[dict[str, Any]] = document.get_page_labels()
    except _PAGE_ERRORS:
        return ()
    labels = [str(index + 1) for index in range(document.page_count)]
    rules = sorted(rules, key=lambda rule: rule["startpage"])
    ends = [rule["startpage"] for rule in rules[1:]] + [len(labels)]
    for rule, end in zip(rules, ends, strict=False):
        start = rule["startpage"]
        for index in range(max(start, 0), min(end, len(labels))):
            number = rule.get("firstpagenum", 1) + index - start
            labels[index] = clean_line(rule.get("prefix", "") + _numeral(number, rule.get("style", "")))
    return () if all(label == str(number) for number, label in enumerate(labels, 1)) else tuple(labels)


def _numeral(number: int, style: str) -> str:
    """A page number in the style of a PDF page label: D decimal, R and r Roman, A and a letters, otherwise none.

    >>> _numeral(14, "r"), _numeral(28, "A"), _numeral(3, "")
    ('xiv', 'BB', '')
    """
    if style in ("A", "a"):
        text = chr(ord("A") + (number - 1) % 26) * min((number - 1) // 26 + 1, 40)
    elif style in ("R", "r"):
        text, rest = "", min(number, 9999)
        for value, numeral in _ROMAN:
            count, rest = divmod(rest, value)
            text += numeral * count
    else:
        return str(number) if style == "D" else ""
    return text.lower() if style.islower() else text


def _check_text(pages: list[Page], lost: list[int], path: Path) -> list[str]:
    """Warnings about pages without text; an error when no page has any."""
    empty = [page.index + 1 for page in pages if not page.lines and page.index + 1 not in lost]
    if len(empty) + len(lost) == len(pages):
        count = f"{len(pages)} pages have" if len(pages) != 1 else "Its one page has"
        raise InputError(
            f"{path.name} looks like a scan: {count} no text.",
            hint="this version does not recognise text in images; run OCR first, e.g. `ocrmypdf in.pdf out.pdf`",
        )
    warnings: list[str] = []
    if lost:
        warnings.append(f"{_pages(lost)} could not be read.")
    if empty:
        warnings.append(f"No text on {len(empty)} of {len(pages)} pages (images or blank): {_pages(empty).lower()}.")
    return warnings


def _pages(numbers: list[int]) -> str:
    """Page numbers as people write them.

    >>> _pages([2, 3, 4, 9])
    'Pages 2-4, 9'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    listed = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:20])
    return f"Page{'s' if len(numbers) > 1 else ''} {listed}{' …' if len(runs) > 20 else ''}"


def _toc(document: Any) -> list[tuple[int, str, int]]:
    """The outline as (level, title, 1-based page); empty when it is broken."""
    try:
        entries = document.get_toc(simple=True)
    except _PAGE_ERRORS:
        return []
    return [(int(level), str(title), int(page)) for level, title, page in entries]


def _build(pages: list[Page], toc: list[tuple[int, str, int]], fonts: Fonts) -> list[Block]:
    """Lines to blocks, over all pages, because headings and spelling are learnt from the whole document."""
    outline = Outline.of(toc)
    code = not fonts.body_is_mono
    paragraphs: list[Paragraph] = []
    for page in pages:
        rows = read_rows(page)
        outline.mark(rows, page.index)
        paragraphs += split_paragraphs(rows, page.index, code=code)
    mark_headings(paragraphs, fonts.body_size)
    spelling = Spelling.of(pages)
    blocks = [make_block(paragraph, pages[paragraph.page_index], spelling) for paragraph in paragraphs]
    return [block for block in blocks if block is not None]


def _title(title: str, blocks: list[Block]) -> str:
    """The metadata's title when it is one, otherwise the highest heading of the first three pages."""
    if len(title) > 2 and any(c.isalpha() for c in title) and not _NO_TITLE.match(title):
        return title
    early = [b for b in blocks[:60] if b.kind == "heading" and cast(int, b.page_number) <= 3 and not is_label(b.text)]
    return min(early, key=lambda block: block.level).text if early else ""
