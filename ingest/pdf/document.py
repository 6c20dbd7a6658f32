"""PDF files: opened, checked and read into blocks with a box for every line.

    bytes --lines--> lines --floats--> lines, tables, figures --furniture--> lines --layout--> paragraphs
          --headings, floats, notes, joining--> Parsed

Text comes from the PDF itself; only pages that have none are drawn and recognised (`scans.py`, `scan.py`), and figures.
What can be wrong with the file is the concern of `file.py`; what stands beside its pages, of `catalog.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError
from phidex.ingest.collecting import without_collecting
from phidex.ingest.ocr.scan import Scans, page_ranges
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.pdf.catalog import read_hints, read_labels, read_metadata, read_outline
from phidex.ingest.pdf.file import PAGE_ERRORS, load_bare_page, no_text_error, opened, repairs
from phidex.ingest.pdf.floats import add_floats, describe_figures, tie_captions
from phidex.ingest.pdf.form import add_values, is_form
from phidex.ingest.pdf.furniture import drop_furniture
from phidex.ingest.pdf.headings import Outline, is_label, mark_headings
from phidex.ingest.pdf.joining import Spelling, make_block
from phidex.ingest.pdf.layout import Paragraph, read_rows, split_paragraphs
from phidex.ingest.pdf.lines import Fonts, Page, read_page
from phidex.ingest.pdf.notes import settle_footnotes
from phidex.ingest.pdf.scans import draw_raster, is_better, is_scan
from phidex.ingest.records import Block, Parsed

_NO_TITLE = re.compile(
    r"^(?:untitled\b.*|microsoft \w+ - .*|.*\.(?:docx?|dvi|tex|pdf|indd|qxd|pptx?|xlsx?|rtf|odt|html?|ps))$", re.I
)


@without_collecting
def parse_pdf(path: Path, data: bytes | None = None, options: ParseOptions = DEFAULT) -> Parsed:
    """The blocks of a PDF. About 3 ms of CPU a page, two of them MuPDF's own.

    Raises:
        InputError: encrypted, truncated or broken, not a PDF, or without any text.
    """
    with opened(path, data, options) as document:
        fonts, warnings = Fonts(), repairs(document)
        scans = Scans(options, len(data) if data is not None else path.stat().st_size)
        pages, lost = _read_pages(document, fonts, scans, options)
        if not any(page.lines for page in pages):
            raise scans.error(path) or no_text_error(document, path, lost=len(lost))
        warnings += _losses(pages, lost, scans) + read_hints(document)
        pictures, left_out = add_floats(document, scans.others(pages), options)
        warnings += left_out
        toc, labels, metadata = read_outline(document), read_labels(document), read_metadata(document)
    furniture = drop_furniture(pages, fonts.body_size)
    blocks = scans.place(build_blocks(pages, toc, fonts))
    return Parsed(
        kind="pdf",
        blocks=tuple(blocks),
        title=find_title(metadata.pop("title", ""), blocks),
        mime="application/pdf",
        page_count=len(pages),
        page_labels=labels,
        furniture=furniture,
        warnings=tuple(warnings),
        metadata=metadata,
        images=tuple(pictures),
        lacks_tesseract=scans.lacks_tesseract,
    )


def _read_pages(document: Any, fonts: Fonts, scans: Scans, options: ParseOptions) -> tuple[list[Page], list[int]]:
    """The lines of every page, and the numbers of pages that could not be read."""
    pages: list[Page] = []
    lost: list[int] = []
    has_fields = is_form(document)
    for index in range(document.page_count):
        try:
            shown, page = _load(document, index, fonts, vectors=options.quality != "fast")
            if options.ocr != "off" and is_scan(shown, page, every=options.ocr == "always"):
                page = _recognise(shown, page, fonts, scans)
        except PAGE_ERRORS:
            lost.append(index + 1)
            pages.append(Page(index, 0.0, 0.0, []))
        else:
            pages.append(page)
            if has_fields:
                add_values(shown, page)
        if options.on_page:
            options.on_page(index + 1, document.page_count)
    return pages, lost


def _load(document: Any, index: int, fonts: Fonts, *, vectors: bool) -> tuple[Any, Page]:
    """The page and its lines; without its annotations where these spoil it."""
    try:
        shown = document.load_page(index)
        return shown, read_page(shown, fonts, vectors=vectors)
    except PAGE_ERRORS:
        shown = None  # as long as it lives, and with it the error's traceback, MuPDF gives the same page again
    shown = load_bare_page(document, index)
    return shown, read_page(shown, fonts, vectors=vectors)


def _recognise(shown: Any, own: Page, fonts: Fonts, scans: Scans) -> Page:
    """The page as it is recognised, or with its own text where that is better."""
    try:
        raster = draw_raster(shown)
    except InputError as exc:
        scans.leave(own.index, exc.message, exc.hint)
        return own
    except PAGE_ERRORS:
        scans.leave(own.index, "it cannot be drawn")
        return own
    recognised = scans.read(raster, own.index, fonts)
    if is_better(recognised, own):
        return recognised
    scans.forget(own.index)
    return own


def _losses(pages: list[Page], lost: list[int], scans: Scans) -> list[str]:
    """Warnings about pages without text, or with text that nobody can read."""
    known = {*lost, *scans.unread_pages}
    empty = [page.index + 1 for page in pages if not page.lines and page.index + 1 not in known]
    garbled = [page.index + 1 for page in pages if page.is_garbled]
    warnings: list[str] = []
    if lost:
        warnings.append(f"{page_ranges(lost)} could not be read.")
    if empty:
        warnings.append(f"No text on {len(empty)} of {len(pages)} pages (images or blank): {page_ranges(empty).lower()}.")
    if garbled:
        where = page_ranges(garbled)
        warnings.append(f"{where}: the fonts do not say which letters they show, so that the text is unreadable; OCR may help.")
    return warnings + scans.warnings()


def build_blocks(pages: list[Page], toc: list[tuple[int, str, int]], fonts: Fonts) -> list[Block]:
    """Lines to blocks, over all pages, because headings and spelling are learnt from the whole document."""
    outline = Outline.of(toc)
    code = not fonts.body_is_mono
    paragraphs: list[Paragraph] = []
    for page in pages:
        rows = read_rows(page)
        outline.mark(rows, page.index)
        paragraphs += split_paragraphs(rows, page.index, code=code)
    mark_headings(paragraphs, fonts.body_size)
    tie_captions(paragraphs, pages)
    settle_footnotes(paragraphs, pages, fonts.body_size)
    spelling = Spelling.of(pages)
    blocks = [make_block(paragraph, pages[paragraph.page_index], spelling) for paragraph in paragraphs]
    return describe_figures([block for block in blocks if block is not None])


def find_title(title: str, blocks: list[Block]) -> str:
    """The metadata's title when it is one, otherwise the highest heading of the first three pages."""
    if len(title) > 2 and any(c.isalpha() for c in title) and not _NO_TITLE.match(title):
        return title
    early = [b for b in blocks[:60] if b.kind == "heading" and cast(int, b.page_number) <= 3 and not is_label(b.text)]
    return min(early, key=lambda block: block.level).text if early else ""
