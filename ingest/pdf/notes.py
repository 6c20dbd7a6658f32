"""Footnotes of a PDF: which paragraphs are some, and their place behind the text of their page.

A footnote is set smaller than the text, at the foot of its column, and begins with a mark or stands under a short rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from phidex.ingest.pdf.layout import Paragraph
from phidex.ingest.pdf.lines import Page
from phidex.ingest.records import Box

_MARK = re.compile(r"\(?(?:\d{1,3}|[*∗†‡§¶#]{1,3})\)?\s?[^\W\d_]|[*∗†‡§¶]+\s?\S|\[\d{1,3}\]\s\S|[①-⑳㉑-㉟]|※")
_SMALL = 0.93  # of the body's type size
_SHORT = (20.0, 0.5)  # a rule above footnotes: at least points, at most this share of the page's width
_NEAR = 2.5  # lines of its own size by which a note stands below a table, and then belongs to it


def settle_footnotes(paragraphs: list[Paragraph], pages: Sequence[Page], body_size: float) -> None:
    """Mark the footnotes, and put them behind the other paragraphs of their page."""
    settled: list[Paragraph] = []
    for index, group in groupby(paragraphs, key=lambda paragraph: paragraph.page_index):
        found = list(group)
        notes = {id(paragraph) for paragraph in _footnotes(found, pages[index], body_size)}
        settled += [p for p in found if id(p) not in notes] + [p for p in found if id(p) in notes] if notes else found
    paragraphs[:] = settled


def _footnotes(paragraphs: Sequence[Paragraph], page: Page, body_size: float) -> Iterator[Paragraph]:
    """The footnotes among the paragraphs of one page, which become of that kind."""
    if page.regions is not None:
        yield from _seen(paragraphs, page.regions.of("footnote"))
        return
    small = [p for p in paragraphs if _is_small(p, body_size) and p.rows[0].y0 > 0.4 * page.height]
    if not small:
        return
    large = [p for p in paragraphs if not _is_small(p, body_size)]
    tables = [p for p in large if p.kind == "table"]
    rules = _short_rules(page)
    open_columns: list[Box] = []  # in which a first footnote has been met
    for paragraph in sorted(small, key=lambda p: p.rows[0].y0):
        box = _box(paragraph)
        if any(_over(box, _box(other)) and _box(other)[1] > box[1] for other in large):
            continue
        if any(_over(box, _box(t)) and 0 <= box[1] - _box(t)[3] < _NEAR * paragraph.rows[0].size for t in tables):
            continue
        marked = _MARK.match(paragraph.rows[0].text) is not None
        ruled = any(_over(box, rule) and -2 < box[1] - rule[3] < 2 * body_size for rule in rules)
        if marked or ruled or any(_over(box, column) and box[1] - column[3] < body_size for column in open_columns):
            paragraph.kind = "footnote"
            open_columns.append(box)
            yield paragraph


def _seen(paragraphs: Sequence[Paragraph], boxes: Sequence[Box]) -> Iterator[Paragraph]:
    """Those that a layout model calls footnotes."""
    for paragraph in paragraphs:
        row = paragraph.rows[0]
        x, y = (row.x0 + row.x1) / 2, (row.y0 + row.y1) / 2
        if row.insert is None and any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in boxes):
            paragraph.kind, paragraph.level = "footnote", 0
            yield paragraph


def _is_small(paragraph: Paragraph, body_size: float) -> bool:
    row = paragraph.rows[0]
    return row.insert is None and row.upright and not paragraph.level and row.size < _SMALL * body_size and (
        paragraph.kind in ("paragraph", "list_item")
    )  # fmt: skip


def _short_rules(page: Page) -> list[Box]:
    """The short horizontal lines in the lower part of a page."""
    return [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1, _, upright in page.vectors
        if upright and y1 - y0 < 3 and y0 > 0.4 * page.height and _SHORT[0] < x1 - x0 < _SHORT[1] * page.width
    ]


def _box(paragraph: Paragraph) -> Box:
    rows = paragraph.rows
    return min(r.x0 for r in rows), min(r.y0 for r in rows), max(r.x1 for r in rows), max(r.y1 for r in rows)


def _over(box: Box, other: Box) -> bool:
    """Whether two boxes share some of their width."""
    return min(box[2], other[2]) - max(box[0], other[0]) > 0
