"""Paragraphs of a PDF become blocks: lines joined, divided words made whole, code and tables kept line by line.

A hyphen at the end of a line is dropped, unless the document spells the word with one elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from phidex.ingest.clean import glue
from phidex.ingest.pdf.figures import Figure
from phidex.ingest.pdf.layout import BULLETS, Paragraph, Row
from phidex.ingest.pdf.lines import Insert, Page
from phidex.ingest.records import Anchor, Block

_HYPHENS = "-\u2010\u00ad"
_TAIL = re.compile(r"([^\W_]+(?:-[^\W_]+)*)[-\u2010\u00ad]$")
_HEAD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_PUNCTUATION = "!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~“”„‘’«»…"
# "Haupt- und Nebensatz": the hyphen stands for a word that follows, in every language that writes so.
_SUSPENDED = frozenset(
    ("und", "oder", "bzw", "sowie", "and", "or", "to", "et", "ou", "y", "o", "e", "en", "of", "och", "eller", "og")
)
_MAX_COLUMN = 400  # a page may be kilometres wide
_BULLET_START = re.compile(rf"^(?:[{BULLETS}]\s*|[–—*-]\s+|[–—](?=[^\s\w–—-]))")


@dataclass(slots=True)
class Spelling:
    """The words of a document, for deciding how a divided one is spelled. Read only when first needed."""

    pages: list[list[str]]
    _words: frozenset[str] | None = None
    _compounds: frozenset[str] = field(default_factory=frozenset[str])

    @classmethod
    def of(cls, pages: Iterable[Page]) -> Spelling:
        """The spelling of these pages."""
        return cls([[line.text for line in page.lines] for page in pages])

    def keeps_hyphen(self, left: str, right: str) -> bool:
        """Whether `left`-`right` is a compound of this document rather than one word divided at a line's end."""
        if self._words is None:
            self._words, self._compounds = self._read()
        whole = (left + right).casefold()
        if f"{left}-{right}".casefold() in self._compounds:
            return whole not in self._words
        if "-" in left:
            return False
        return len(left) > 2 and whole not in self._words and {left.casefold(), right.casefold()} <= self._words

    def _read(self) -> tuple[frozenset[str], frozenset[str]]:
        """All words and all hyphenated compounds, without the fragments at divided line ends."""
        lines: list[str] = []
        for page in self.pages:
            divided = False
            for line in page:
                rest = line.partition(" ")[2] if divided else line
                divided = line[-1] in _HYPHENS
                lines.append(rest.rpartition(" ")[0] if divided else rest)
        self.pages = []
        words = frozenset(word.strip(_PUNCTUATION).casefold() for word in set("\n".join(lines).split()))
        return words, frozenset(word for word in words if "-" in word)


def make_block(paragraph: Paragraph, page: Page, spelling: Spelling) -> Block | None:
    """The block of a paragraph with one anchor a line; None when nothing is left of its text."""
    if (insert := paragraph.rows[0].insert) is not None:
        return _insert_block(insert, page)
    match paragraph.kind:
        case "code":
            text, starts = _keep_lines(_code_lines(paragraph.rows))
        case "table":
            text, starts = _keep_lines([_cells(row) for row in paragraph.rows])
        case _ if paragraph.formula:
            text, starts = _keep_lines([row.text for row in paragraph.rows])
        case _:
            text, starts = _join(paragraph, spelling)
    if not text:
        return None
    width, height = page.width, page.height
    anchors: list[Anchor] = []
    for start, row in zip(starts, paragraph.rows, strict=True):
        x0, y0, x1, y1 = row.x0, row.y0, row.x1, row.y1
        box = (
            round(x0 if x0 > 0 else 0.0, 2),
            round(y0 if y0 > 0 else 0.0, 2),
            round(x1 if x1 < width else width, 2),
            round(y1 if y1 < height else height, 2),
        )
        anchors.append(Anchor(start, box))
    return Block(text, paragraph.kind, tuple(anchors), paragraph.level, page.index + 1)


def _insert_block(insert: Insert, page: Page) -> Block:
    """The block of a table or figure; a figure without words in it has no text yet (`floats.describe_figures`)."""
    text, starts, boxes = insert.describe()
    anchors: list[Anchor] = []
    for start, (x0, y0, x1, y1) in zip(starts, boxes, strict=True):
        box = (max(x0, 0.0), max(y0, 0.0), min(x1, page.width), min(y1, page.height))
        anchors.append(Anchor(start, (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))))
    image = insert.image if isinstance(insert, Figure) else None
    return Block(text, insert.kind, tuple(anchors), page_number=page.index + 1, image=image)


def _join(paragraph: Paragraph, spelling: Spelling) -> tuple[str, list[int]]:
    """The running text of a paragraph, and where each of its rows starts."""
    rows = paragraph.rows
    first = rows[0].text
    if paragraph.kind == "list_item":
        first = _BULLET_START.sub("", first) or first
    if len(rows) == 1:
        return first.rstrip("\u00ad"), [0]
    parts = [first]
    starts = [0]
    length = len(first)
    previous = first
    for row in rows[1:]:
        text = row.text
        if previous[-1] in _HYPHENS:
            kept, between = _mend(previous, text, spelling)
            length -= len(previous) - len(kept)
            parts[-1] = kept
        else:
            between = glue(previous, text)
        parts.append(between)
        parts.append(text)
        length += len(between)
        starts.append(length)
        length += len(text)
        previous = text
    return "".join(parts).rstrip("\u00ad"), starts


def _mend(left: str, right: str, spelling: Spelling) -> tuple[str, str]:
    """`left` without its hyphen where it only divided a word, and what joins it to `right`."""
    tail, head = _TAIL.search(left), _HEAD.match(right)
    if left[-1] == "\u00ad":
        return left[:-1], ""
    if tail is None or head is None:
        return left, "" if tail and right[:1].isalnum() else " "
    before, after = tail[1], head[0]
    if after in _SUSPENDED:
        return left, " "
    if not after[0].islower() or not before[-1].isalpha():
        return left, ""
    return (left, "") if spelling.keeps_hyphen(before, after) else (left[:-1], "")


def _keep_lines(lines: list[str]) -> tuple[str, list[int]]:
    """Lines joined by line feeds, and where the text of each starts."""
    starts: list[int] = []
    length = 0
    for line in lines:
        body = line.lstrip("\n")
        starts.append(length + len(line) - len(body))
        length += len(line) + 1
    return "\n".join(lines), starts


def _cells(row: Row) -> str:
    return "\t".join(cell.text.rstrip("\u00ad") for cell in row.cells)


def _code_lines(rows: list[Row]) -> list[str]:
    """The rows of a listing with their indentation and its blank lines, measured in widths of a character."""
    longest = max(rows, key=lambda row: len(row.cells[0].text)).cells[0]
    width = max(longest.x1 - longest.x0, 1.0) / len(longest.text)
    left = min(row.x0 for row in rows)
    steps = sorted(b.y0 - a.y0 for a, b in pairwise(rows) if b.y0 > a.y0)
    step = steps[len(steps) // 2] if steps else rows[0].size * 1.2
    lines: list[str] = []
    previous: Row | None = None
    for row in rows:
        text = ""
        for cell in row.cells:
            column = min(round((cell.x0 - left) / width), _MAX_COLUMN) if lines or len(rows) > 1 or text else 0
            text += " " * max(column - len(text), 1 if text else 0) + cell.text
        blank = previous is not None and row.y0 - previous.y0 > 1.7 * step
        lines.append(("\n" if blank else "") + text)
        previous = row
    indent = min(len(line.lstrip("\n")) - len(line.strip()) for line in lines)
    return [line.replace(" " * indent, "", 1) if indent else line for line in lines]
