"""Which paragraphs of a PDF are headings, and of what level: the outline's word first, then the evidence of type.

Where an outline exists, the type styles of the headings that it names teach which other lines are headings.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from phidex.ingest.clean import clean_line
from phidex.ingest.pdf.layout import Paragraph, Row

_NOT_WORD = re.compile(r"[\W_]+")
_NUMBERED = re.compile(
    r"(?:[A-Z]|\d{1,3})(?:\.\d{1,3}){0,4}\.?\s+\S|(?:chapter|part|appendix|kapitel|teil|第)\s?\w", re.IGNORECASE
)
_LABEL = re.compile(r"(?:[^\W\d]{3,12}\s|第\s?)?(?:\d{1,3}|[IVXLC]+|[A-Z])\s?[.:]?(?:[章部節节編篇回]|장)?")
_MAX_LENGTH = 200
_LEVELS = 6

_Style = tuple[float, bool]


@dataclass(slots=True)
class Outline:
    """The entries of a document's outline that are still to be found in its text, by page index."""

    entries: dict[int, dict[str, int]] = field(default_factory=dict[int, dict[str, int]])
    _late: dict[str, int] = field(default_factory=dict[str, int])  # not found on the page before

    @classmethod
    def of(cls, toc: list[tuple[int, str, int]]) -> Outline:
        """From (level, title, 1-based page) triples, as `get_toc` gives them."""
        entries: dict[int, dict[str, int]] = defaultdict(dict)
        for level, title, page_number in toc:
            if page_number > 0 and (key := _key(clean_line(title))):
                entries[page_number - 1].setdefault(key, min(level, _LEVELS))
        return cls(dict(entries))

    def mark(self, rows: list[Row], page_index: int) -> None:
        """Set `level` on the rows of a page that its outline entries name; a title may run over three rows.

        Pages are asked in order.
        """
        fresh = self.entries.pop(page_index, {})
        # A destination at the very end of a page means the top of the next one.
        wanted = {key: level for key, level in self._late.items() if len(key) > 3} | fresh
        if not wanted:
            return
        keys = [_key(row.text) if len(row.text) <= _MAX_LENGTH else "" for row in rows]
        # Larger type first: a running text may quote a title before the title itself stands.
        for index in sorted(range(len(rows)), key=lambda i: (-rows[i].size, not rows[i].bold)):
            if not wanted:
                break
            if keys[index] and not rows[index].level:
                self._match(rows, keys, index, wanted)
        for index, row in enumerate(rows):
            if wanted and len(row.cells) > 1 and not row.level and _stands_in_own_block(rows, index):
                row.level = wanted.pop(_key(row.cells[0].text), 0)
        self._late = {key: level for key, level in wanted.items() if key in fresh}

    def _match(self, rows: list[Row], keys: list[str], index: int, wanted: dict[str, int]) -> None:
        """Mark the rows from `index` on that spell out an entry."""
        joined = ""
        for count, row in enumerate(rows[index : index + 3]):
            if count and (abs(row.size - rows[index].size) > 1 or row.level):
                return
            joined += keys[index + count]
            for title in wanted:
                if joined == title or (joined.endswith(title) and _is_label(row if not count else rows[index], joined, title)):
                    level = wanted.pop(title)
                    for marked in rows[index : index + count + 1]:
                        marked.level = level
                    return
            if not any(_begins(title, joined) for title in wanted):
                return


def _stands_in_own_block(rows: list[Row], index: int) -> bool:
    """Whether a row is all of its block: "abbreviate     Abbreviate Strings" above a page of a reference."""
    group = rows[index].group
    return all(rows[near].group != group for near in (index - 1, index + 1) if 0 <= near < len(rows))


def _key(text: str) -> str:
    """What is compared of a title: letters and digits, without case."""
    return _NOT_WORD.sub("", text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _begins(title: str, joined: str) -> bool:
    """Whether `joined` may be the first part of a title, a number before it allowed."""
    at = joined.find(title[:8])
    return (0 <= at <= 14 and title.startswith(joined[at:])) or (len(joined) < 15 and title[:8].startswith(joined[:8]))


def _is_label(row: Row, joined: str, title: str) -> bool:
    """Whether what stands before `title` is a number or "Chapter 3" rather than words of a sentence."""
    before = joined[: -len(title)]
    if len(before) > 14 or not (any(map(str.isdigit, before)) or len(before) <= 2 or before == _key(row.text.split()[0])):
        return False
    return row.text[0].isdigit() or row.text[0].isupper() or not row.text[0].isascii()


def mark_headings(paragraphs: list[Paragraph], body_size: float) -> None:
    """Set `kind` and `level` of the headings among `paragraphs`."""
    styles: dict[_Style, Counter[int]] = defaultdict(Counter)
    for paragraph in paragraphs:
        if paragraph.level:
            paragraph.kind = "heading"
            styles[_style(paragraph)][paragraph.level] += 1
    known = {style: levels.most_common(1)[0][0] for style, levels in styles.items() if style[0] > body_size * 1.05 or style[1]}
    taught = sum(styles[style].total() for style in known) >= 5
    found = [
        paragraph
        for index, paragraph in enumerate(paragraphs)
        if not paragraph.level and _looks_like_heading(paragraphs, index, body_size, known if taught else None)
    ]
    if taught:  # what the outline leaves out and the document repeats is a label: "Note", "Tip", "Example"
        times = Counter(paragraph.rows[0].text for paragraph in found)
        found = [p for p in found if times[p.rows[0].text] < 4 or is_label(p.rows[0].text)]
    levels = _levels(Counter(map(_style, found)), known)
    for paragraph in found:
        paragraph.kind, paragraph.level = "heading", levels[_style(paragraph)]
    _join_labels(paragraphs)


def _join_labels(paragraphs: list[Paragraph]) -> None:
    """Put "Chapter 3" and the title below it into one heading."""
    for label, heading in pairwise(paragraphs):
        if label.kind != "heading" or heading.kind != "heading" or label.page_index != heading.page_index:
            continue
        gap = heading.rows[0].y0 - label.rows[0].y1
        if len(label.rows) == 1 and -1 < gap < 4 * heading.rows[0].size and is_label(label.rows[0].text):
            heading.rows = label.rows + heading.rows
            label.rows = []
    paragraphs[:] = [paragraph for paragraph in paragraphs if paragraph.rows]


def _style(paragraph: Paragraph) -> _Style:
    row = paragraph.rows[0]
    return (round(row.size * 2) / 2, row.bold)


def _looks_like_heading(paragraphs: list[Paragraph], index: int, body_size: float, known: dict[_Style, int] | None) -> bool:
    """Whether type and position alone make a paragraph a heading; `known` are the styles that the outline taught."""
    paragraph = paragraphs[index]
    rows = paragraph.rows
    first = rows[0]
    if not (first.bold or first.size > 1.12 * body_size) or len(rows) > 3 or not first.upright:
        return False
    if paragraph.kind in ("code", "table", "figure") or paragraph.formula or _is_entry(first):
        return False
    if paragraph.kind == "list_item" and not _NUMBERED.match(first.text):
        return False
    text = first.text if len(rows) == 1 else " ".join(row.text for row in rows)
    letters = sum(map(str.isalpha, text))
    if not 2 <= len(text) <= _MAX_LENGTH or letters < 2 or letters < len(text) * 0.4:
        return False
    style = _style(paragraph)
    if known is not None and style in known:
        large = style[0] > 1.12 * body_size
        return (
            len(rows) < 3 and text[-1] not in ",;" and (large or (text[-1] not in ":.-" and _stands_alone(paragraphs, index)))
        )
    if first.size > 1.12 * body_size:
        return text[-1] not in ",;" and (text[-1] != "." or len(text) < 60) and all(r.size >= first.size - 1 for r in rows)
    if known is not None:
        return False
    small = first.size < 0.95 * body_size
    return not small and len(text) <= 100 and text[-1] not in ".,;:" and _stands_alone(paragraphs, index)


def _is_entry(row: Row) -> bool:
    """Whether a row is a line of a table of contents: it ends in a page number that stands apart."""
    if " … " in row.text or " . . " in row.text:
        return True
    return len(row.cells) > 1 and len(row.cells[-1].text) < 6 and row.cells[-1].text.isalnum()


def _stands_alone(paragraphs: list[Paragraph], index: int) -> bool:
    """Whether a paragraph is followed by text on its page, with more room above it than between lines."""
    paragraph = paragraphs[index]
    row, end = paragraph.rows[0], paragraph.rows[-1]
    following = paragraphs[index + 1] if index + 1 < len(paragraphs) else None
    if following is None or following.page_index != paragraph.page_index or following.rows[0].y0 < end.y0 + 1:
        return False
    before = paragraphs[index - 1] if index else None
    if before is None or before.page_index != paragraph.page_index:
        return True
    gap = row.y0 - before.rows[-1].y1
    return gap < 0 or gap > 0.55 * row.size


def _levels(found: Counter[_Style], known: dict[_Style, int]) -> dict[_Style, int]:
    """A level for each style: as the outline taught, or one below the next larger style."""
    levels = dict(known)
    if not known:
        ranked = sorted(found, reverse=True)
        return {style: min(rank, _LEVELS) for rank, style in enumerate(ranked, 1)}
    for style in sorted(found, reverse=True):
        if style not in levels:
            larger = [level for other, level in known.items() if other[0] > style[0] + 0.4]
            levels[style] = min(max(larger, default=0) + 1, _LEVELS)
    return levels


def is_label(text: str) -> bool:
    """Whether a heading is only the number of the next one ("Chapter 3", "第2章").

    >>> is_label("Chapter 3"), is_label("Overview")
    (True, False)
    """
    return len(text) <= 20 and _LABEL.fullmatch(text) is not None
