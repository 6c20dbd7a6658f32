"""Tables and figures among the paragraphs of a PDF: found on the page, tied to their captions, figures described.

page --add_floats--> Page.inserts --read_rows--> rows --split_paragraphs--> paragraphs --tie_captions--> caption, float
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pymupdf as _pymupdf

from phidex.ingest.options import ParseOptions
from phidex.ingest.pdf.captions import caption_of, label_of
from phidex.ingest.pdf.evidence import read_evidence
from phidex.ingest.pdf.figures import Figure, note_figures, settle_figures
from phidex.ingest.pdf.file import PAGE_ERRORS
from phidex.ingest.pdf.layout import Paragraph
from phidex.ingest.pdf.lines import Page
from phidex.ingest.pdf.regions import read_regions, require_model, sort_lines
from phidex.ingest.pdf.tables import Table, find_tables
from phidex.ingest.records import Block, Picture
from phidex.ingest.sentences import sentence_spans

pymupdf: Any = _pymupdf  # its own types are incomplete
_REACH = 6.0  # lines of its own size that a caption may stand away
_NEAR_BLOCKS = 40  # blocks around a figure in which it may be mentioned
_AROUND = 300  # characters of the text around a figure that go with it
_SAME = 8.0  # points by which the columns of a table's parts on two pages may be off


def add_floats(document: Any, pages: Sequence[Page], options: ParseOptions) -> tuple[list[Picture], list[str]]:
    """Pictures of the document's figures, and warnings; its tables and figures join the pages' inserts.

    Lines that stand in them are taken out of `pages`. Costs little where a page shows no sign of either.

    Raises:
        ConfigError: the layout model is asked for, and is not there.
    """
    if options.quality == "fast":
        return [], []
    modelled = options.quality == "layout"
    if modelled:
        require_model()
    noted: list[tuple[Page, Figure]] = []
    for page in pages:
        if not page.lines and not modelled:
            continue  # a scan, or blank
        try:
            shown = document.load_page(page.index)
            if modelled:
                page.regions = read_regions(shown)
                sort_lines(page)
            noted += [(page, figure) for figure in _find_floats(shown, page)]
        except (*PAGE_ERRORS, ArithmeticError):
            continue  # its text has been read
        if modelled and options.on_page is not None:
            options.on_page(page.index + 1, len(pages))
    continue_tables(pages)
    return settle_figures(document, pages, noted)


def _find_floats(shown: Any, page: Page) -> list[Figure]:
    """What may be the figures of a page, whose tables are found and taken out of its lines."""
    read_evidence(shown, page)
    turn = shown.rotation_matrix if shown.rotation else None

    def words() -> list[Any]:
        found: list[Any] = shown.get_text("words")
        return found if turn is None else [(*(pymupdf.Rect(word[:4]) * turn), word[4]) for word in found]

    regions = page.regions
    tables = find_tables(page, words, regions.tables if regions else None)
    taken = {id(line) for table in tables for line in table.lines}
    if taken:
        page.lines = [line for line in page.lines if id(line) not in taken]
        page.inserts += tables
    if regions is not None:
        return note_figures(page, regions.pictures)
    return note_figures(page) if page.images or page.vectors else []


def continue_tables(pages: Sequence[Page]) -> None:
    """Give a table that goes on from the page before the header that it has there."""
    for before, page in pairwise(pages):
        above = max((i for i in before.inserts if isinstance(i, Table)), key=lambda table: table.box[3], default=None)
        below = min((i for i in page.inserts if isinstance(i, Table)), key=lambda table: table.box[1], default=None)
        if above is None or below is None or not _goes_on(above, before, below, page):
            continue
        if above.rows[0] != below.rows[0]:
            below.rows.insert(0, above.rows[0])
            below.boxes.insert(0, below.boxes[0])


def _goes_on(above: Table, before: Page, below: Table, page: Page) -> bool:
    """Whether the second table is the rest of the first: the same columns, and nothing of the text between them."""
    if (below.named and not below.lined) or len(above.borders) != len(below.borders):
        return False
    shift = below.box[0] - above.box[0]
    if any(abs(b - a - shift) > _SAME for a, b in zip(above.borders, below.borders, strict=True)):
        return False
    between = [line for line in before.lines if line.y0 > above.box[3]] + [
        line for line in page.lines if line.y1 < below.box[1]
    ]
    return not any(caption_of(line.text) for line in between) and len(between) <= 2


def tie_captions(paragraphs: list[Paragraph], pages: Sequence[Page]) -> None:
    """Mark the captions among the paragraphs, and put that of a table or figure right before it."""
    captions = {
        index: of
        for index, paragraph in enumerate(paragraphs)
        if paragraph.kind in ("paragraph", "heading", "list_item")
        and (of := caption_of(_text(paragraph)) or _seen_as(paragraph, pages, "caption"))
    }
    if not captions:
        return
    owner: dict[int, int] = {}
    for index, paragraph in enumerate(paragraphs):
        if paragraph.kind not in ("table", "figure"):
            continue
        near = [
            (abs(other - index) + (of != paragraph.kind) * 10, other)
            for other, of in captions.items()
            if other not in owner and abs(other - index) < 12 and _is_near(paragraphs[other], paragraph)
        ]
        if near:
            owner[min(near)[1]] = index
    if not owner:
        for index in captions:
            paragraphs[index].kind = "caption" if _is_apart(paragraphs[index]) else paragraphs[index].kind
        return
    before: dict[int, list[Paragraph]] = {}
    for caption, index in owner.items():
        paragraphs[caption].kind, paragraphs[caption].level = "caption", 0
        before.setdefault(index, []).append(paragraphs[caption])
    placed: list[Paragraph] = []
    for index, paragraph in enumerate(paragraphs):
        if index not in owner:
            placed += before.get(index, [])
            placed.append(paragraph)
    paragraphs[:] = placed


def _seen_as(paragraph: Paragraph, pages: Sequence[Page], label: str) -> str | None:
    """The label when the layout model gave it to the place where a paragraph stands."""
    regions = pages[paragraph.page_index].regions
    row = paragraph.rows[0]
    if regions is None or row.insert is not None:
        return None
    x, y = (row.x0 + row.x1) / 2, (row.y0 + row.y1) / 2
    return label if any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in regions.of(label)) else None


def _text(paragraph: Paragraph) -> str:
    return " ".join(row.text for row in paragraph.rows)


def _is_apart(paragraph: Paragraph) -> bool:
    """Whether a caption without its table or figure stands for itself."""
    return paragraph.kind != "heading" and len(paragraph.rows) < 4


def _is_near(caption: Paragraph, other: Paragraph) -> bool:
    """Whether a caption stands right above or below a table or figure, or beside it."""
    if caption.page_index != other.page_index:
        return False
    first, last = caption.rows[0], caption.rows[-1]
    x0, x1 = min(row.x0 for row in other.rows), max(row.x1 for row in other.rows)
    y0, y1 = min(row.y0 for row in other.rows), max(row.y1 for row in other.rows)
    left, right = min(row.x0 for row in caption.rows), max(row.x1 for row in caption.rows)
    gap = max(y0 - last.y1, first.y0 - y1)
    if gap > _REACH * first.size:
        return False
    if left < x1 and right > x0:
        return True
    return gap < 0 and max(x0 - right, left - x1) < _REACH * first.size  # beside it


def describe_figures(blocks: list[Block]) -> list[Block]:
    """The blocks, with each figure's text completed: the words in it, and what the text around it says of it."""
    if not any(block.kind == "figure" for block in blocks):
        return blocks
    described: list[Block] = []
    for index, block in enumerate(blocks):
        if block.kind == "figure":
            caption = blocks[index - 1].text if index and blocks[index - 1].kind == "caption" else ""
            said = _mention(blocks, index, label_of(caption)) or ("" if caption else _words_beside(blocks, index))
            text = "\n".join(part for part in (block.text, said) if part)
            described.append(replace(block, text=text or f"Figure on page {block.page_number}"))
        else:
            described.append(block)
    return described


def _mention(blocks: Sequence[Block], index: int, label: str) -> str:
    """The sentences near a figure that name it ("as Figure 3 shows")."""
    if not label:
        return ""
    named = re.compile(rf"{re.escape(label)}(?![\d.]*\d)", re.IGNORECASE)
    near = range(max(0, index - _NEAR_BLOCKS), min(len(blocks), index + _NEAR_BLOCKS))
    for other in sorted(near, key=lambda other: abs(other - index)):
        block = blocks[other]
        if block.kind == "paragraph" and (found := named.search(block.text)):
            spans = [span for span in sentence_spans(block.text, 0, len(block.text)) if span[1] > found.start()]
            start = spans[0][0] if spans else found.start()
            return _cut(block.text[start:])
    return ""


def _words_beside(blocks: Sequence[Block], index: int) -> str:
    """The end of the paragraph before a figure without a caption, or the start of the one behind it."""
    page = blocks[index].page_number
    for other in reversed(range(max(0, index - 3), index)):
        if blocks[other].page_number == page and blocks[other].kind in ("paragraph", "list_item", "heading"):
            text = blocks[other].text
            return text if len(text) <= _AROUND else text[text.find(" ", len(text) - _AROUND) + 1 :]
    for block in blocks[index + 1 : index + 3]:
        if block.page_number == page and block.kind in ("paragraph", "list_item"):
            return _cut(block.text)
    return ""


def _cut(text: str) -> str:
    """The first characters of a text, to the end of a word."""
    return text if len(text) <= _AROUND else text[: max(text.rfind(" ", 0, _AROUND), _AROUND // 2)]
