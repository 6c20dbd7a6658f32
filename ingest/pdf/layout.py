"""From the lines of a PDF page to its paragraphs: reading order, rows, and where one paragraph ends.

Headings are marked by `headings.py`, text is joined by `joining.py`; here only geometry and type style decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from phidex.ingest.pdf.bidi import RTL
from phidex.ingest.pdf.lines import Insert, Line, Page, Stretch
from phidex.ingest.records import BlockKind, Box

BULLETS = "•◦‣⁃▪▫■□●○▶►▸➢➤✓✔∙·\uf0b7\uf0a7\uf0d8\uf076\uf06c"
_BULLET = re.compile(rf"[{BULLETS}]\s*(?=\S|$)|[–—*-]\s+(?=\S)|[–—](?=[^\s\w–—-])")
_ORDINAL = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivx]{2,5})[.)]\s+(?=\S)")
INSERT = "\ufffc"
"""The text of a row that stands for a table or a figure."""

_SCRAP = 8  # characters: a piece that may stand beside a formula, as its number does
_ENDS = '.!?:;。！？：；…”"»)'


@dataclass(slots=True)
class Row(Stretch):
    """All that stands on one line of a column, its pieces joined by a space.

    Args:
        cells: the pieces that wide gaps set apart; one for running text.
        level: the outline's level when the row is a heading that the outline names, otherwise 0.
        insert: the table or figure that stands here instead of text.
        math: whether it reads like a formula.
    """

    cells: list[Line]
    level: int = 0
    insert: Insert | None = None
    math: bool = False


@dataclass(slots=True)
class Paragraph:
    """Rows that belong together. `kind` is a `BlockKind`; headings are decided later.

    `formula` says that it is one set apart from the text: its lines are kept.
    """

    rows: list[Row]
    kind: BlockKind
    page_index: int
    level: int = 0
    formula: bool = False


def read_rows(page: Page) -> list[Row]:
    """The rows of a page in reading order."""
    rows: list[Row] = []
    last: Row | None = None
    for line in page.lines:
        if last is not None and line.group == last.group and _same_row(last, line):
            _extend(last, line)
            continue
        last = Row(
            line.text, line.x0, line.y0, line.x1, line.y1,
            line.size, line.bold, line.mono, line.group, line.upright, [line], math=line.math,
        )  # fmt: skip
        rows.append(last)
    if page.inserts:
        rows = _with_inserts(rows, page)
    return rows if page.regions is not None else _in_reading_order(rows)


def _with_inserts(rows: list[Row], page: Page) -> list[Row]:
    """The rows with one for each table and figure: behind what stands above it in its columns."""
    placed = list(rows)
    disordered = False
    for number, insert in enumerate(sorted(page.inserts, key=lambda insert: insert.box[1]), 1):
        x0, y0, x1, y1 = insert.box
        row = Row(INSERT, x0, y0, x1, y1, 0.0, False, False, -number, True, [], insert=insert)  # fmt: skip
        beside = [i for i, other in enumerate(placed) if min(other.x1, x1) > max(other.x0, x0)]
        above = [i for i in beside if placed[i].y0 + placed[i].y1 < y0 + y1]
        at = above[-1] + 1 if above else beside[0] if beside else sum(other.y0 < y0 for other in placed)
        disordered = disordered or any(placed[i].y0 > y1 for i in beside if i < at)
        placed.insert(at, row)
    return _sort_columns(placed) if disordered and page.regions is None else placed


def _same_row(row: Row, line: Line) -> bool:
    """Whether `line` continues `row` on the same base line, to the right or (Arabic, Hebrew) to the left."""
    if not line.upright or not row.upright:
        return False
    overlap = min(row.y1, line.y1) - max(row.y0, line.y0)
    if overlap < 0.5 * min(row.y1 - row.y0, line.y1 - line.y0):
        return False
    return line.x0 >= row.x1 - 1 or line.x1 <= row.x0 + 1


def _extend(row: Row, line: Line) -> None:
    """Add a piece to a row; right-to-left pieces that were drawn from left to right go in front."""
    turned = line.x0 >= row.x1 - 1 and not line.text.isascii() and bool(RTL.search(line.text) and RTL.search(row.text))
    end = 0 if turned else len(row.cells) - 1
    text = f"{line.text} {row.text}" if turned else f"{row.text} {line.text}"
    if row.mono or max(line.x0 - row.x1, row.x0 - line.x1) > 1.5 * row.size:
        row.cells.insert(0 if turned else end + 1, line)
    else:
        near = row.cells[end]
        row.cells[end] = Line(
            f"{line.text} {near.text}" if turned else f"{near.text} {line.text}",
            min(near.x0, line.x0), min(near.y0, line.y0), max(near.x1, line.x1), max(near.y1, line.y1),
            near.size, near.bold and line.bold, near.mono and line.mono, near.group, near.upright,
        )  # fmt: skip
    row.math = (row.math or len(row.text) <= _SCRAP) and (line.math or len(line.text) <= _SCRAP) and (row.math or line.math)
    row.text = text
    row.x0, row.y0 = min(row.x0, line.x0), min(row.y0, line.y0)
    row.x1, row.y1 = max(row.x1, line.x1), max(row.y1, line.y1)
    row.bold = row.bold and line.bold
    row.mono = row.mono and line.mono
    row.size = max(row.size, line.size)


def _in_reading_order(rows: list[Row]) -> list[Row]:
    """`rows` as they are, or, where a block stands right above the one before it, sorted by columns."""
    previous = None
    for row in rows:
        if previous is not None and row.group != previous.group and row.y1 <= previous.y0:
            overlap = min(row.x1, previous.x1) - max(row.x0, previous.x0)
            if overlap > 0.5 * min(row.x1 - row.x0, previous.x1 - previous.x0):
                return _sort_columns(rows)
        previous = row
    return rows


def _sort_columns(rows: list[Row]) -> list[Row]:
    """Rows ordered by a recursive cut of their blocks: gutters first where there are any, else from top to bottom."""
    blocks: dict[int, list[Row]] = {}
    for row in rows:
        blocks.setdefault(row.group, []).append(row)
    boxed = [
        ((min(r.x0 for r in b), min(r.y0 for r in b), max(r.x1 for r in b), max(r.y1 for r in b)), b) for b in blocks.values()
    ]
    return [row for _, block in _cut(boxed, depth=0) for row in block]


_Boxed = tuple[Box, list[Row]]


def _cut(boxed: list[_Boxed], *, depth: int) -> list[_Boxed]:
    """Blocks in reading order, by the XY-cut: split at white bands, horizontal ones outermost."""
    if len(boxed) < 2 or depth > 40:
        return boxed
    parts = _rejoin_columns(_bands(boxed, 1))
    if len(parts) == 1:
        parts = _bands(boxed, 0)
    if len(parts) == 1:
        return sorted(boxed, key=lambda entry: (entry[0][1], entry[0][0]))
    return [entry for part in parts for entry in _cut(part, depth=depth + 1)]


def _bands(boxed: list[_Boxed], axis: int) -> list[list[_Boxed]]:
    """Groups of blocks that a straight white line separates, along y (axis 1) or x (axis 0)."""
    parts: list[list[_Boxed]] = []
    reach = float("-inf")
    for entry in sorted(boxed, key=lambda entry: entry[0][axis]):
        if not parts or entry[0][axis] >= reach - 1:
            parts.append([])
        parts[-1].append(entry)
        reach = max(reach, entry[0][axis + 2])
    return parts


def _rejoin_columns(parts: list[list[_Boxed]]) -> list[list[_Boxed]]:
    """Bands joined again where one gutter runs through them: columns are read to their end, not band by band."""
    joined: list[list[_Boxed]] = []
    for part in parts:
        if joined and len(_bands(joined[-1] + part, 0)) > 1:
            joined[-1] = joined[-1] + part
        else:
            joined.append(part)
    return joined


def split_paragraphs(rows: list[Row], page_index: int, *, code: bool) -> list[Paragraph]:
    """The paragraphs of one page; `code` says whether monospaced rows are code."""
    paragraphs: list[Paragraph] = []
    current: Paragraph | None = None
    right = 0.0
    _gather_formulas(rows)
    for index, row in enumerate(rows):
        if row.insert is not None:
            current = None
            paragraphs.append(Paragraph([row], row.insert.kind, page_index))
            continue
        kind: BlockKind = "code" if code and row.mono and not row.level else "paragraph"
        formula = row.math and kind == "paragraph" and not row.level and _is_displayed(row, current)
        if kind == "paragraph" and not row.level and not formula and _is_table_row(rows, index):
            kind = "table"
        if current is not None and formula == current.formula and not _breaks(current, row, kind, right):
            current.rows.append(row)
            right = max(right, row.x1)
            continue
        if kind == "paragraph" and not row.level and not formula and _marker_end(row.text):
            kind = "list_item"
        current = Paragraph([row], kind, page_index, row.level, formula)
        paragraphs.append(current)
        right = max(row.x1, _group_right(rows, index))
    return paragraphs


def _gather_formulas(rows: list[Row]) -> None:
    """Count the scraps above and below a formula's line, such as the parts of a fraction, as mathematics too."""
    for steps in (rows, rows[::-1]):
        for row, beside in pairwise(steps):
            if row.math and not beside.math and len(beside.text) <= _SCRAP and beside.insert is None and not beside.level:
                overlap = min(row.y1, beside.y1) - max(row.y0, beside.y0)
                beside.math = overlap > -0.2 * row.size and not beside.mono


def _is_displayed(row: Row, current: Paragraph | None) -> bool:
    """Whether a row of mathematics is set apart from the text: further in than the line before it, or below a formula."""
    if current is None or current.formula or current.rows[-1].group != row.group:
        return True
    return row.x0 - current.rows[-1].x0 > 1.5 * row.size


def _group_right(rows: list[Row], index: int) -> float:
    """The right edge of the block that a row stands in."""
    group = rows[index].group
    right = 0.0
    for row in rows[index : index + 30]:
        if row.group != group:
            break
        if row.x1 > right:
            right = row.x1
    return right


def _marker_end(text: str) -> int:
    """How many characters of `text` are a list marker."""
    first = text[0]
    if (first.isalnum() and first.isascii()) or first == "(":
        match = _ORDINAL.match(text)
    elif first.isalpha():
        return 0
    else:
        match = _BULLET.match(text)
    return match.end() if match else 0


def _is_table_row(rows: list[Row], index: int) -> bool:
    """Whether a row has cells, and so has one next to it in the same block of columns."""
    row = rows[index]
    if len(row.cells) < 2 or _is_marked(row):
        return False
    for other in rows[max(0, index - 1) : index + 2]:
        if other is not row and len(other.cells) > 1 and not _is_marked(other) and abs(other.y0 - row.y0) < 4 * row.size:
            return True
    return False


def _is_marked(row: Row) -> bool:
    """Whether a row of two cells is a list item: marker and text."""
    return len(row.cells) == 2 and len(row.cells[0].text) <= 3 and _marker_end(row.text) > 0


def _breaks(current: Paragraph, row: Row, kind: BlockKind, right: float) -> bool:
    """Whether `row` starts a new paragraph after `current`."""
    rows = current.rows
    last = rows[-1]
    if current.formula:
        return row.y0 - last.y1 > 1.5 * row.size or row.y1 < rows[0].y0 - row.size
    if kind in ("code", "table") or current.kind in ("code", "table"):
        gap = row.y0 - last.y1
        return kind != current.kind or row.level > 0 or gap < -2 * row.size or gap > 4 * row.size
    if row.level or current.level or not (row.upright and last.upright):
        return row.level != current.level or row.group != last.group
    if abs(row.size - last.size) > 0.12 * last.size:
        return True
    short = last.x1 < right - 3 * row.size
    if row.bold != last.bold and (short or row.group != last.group or len(rows) == 1):
        return True
    ended = last.text[-1] in _ENDS
    if row.group != last.group:
        return not _continues(last, row, short=short, ended=ended)
    if row.y0 - last.y1 > 0.9 * row.size or row.y1 < last.y0:
        return True
    return _starts_item(current, row, done=short or ended) or _is_indented(rows, row, right, short=short, ended=ended)


def _continues(last: Row, row: Row, *, short: bool, ended: bool) -> bool:
    """Whether a row of the next MuPDF block goes on with the sentence of the row above it."""
    gap = row.y0 - last.y1
    if ended or short or gap > 1.2 * row.size or gap < -0.5 * row.size or abs(row.x0 - last.x0) > 3 * row.size:
        return False
    return row.text[0].islower() and len(row.cells) == len(last.cells) == 1


def _starts_item(current: Paragraph, row: Row, *, done: bool) -> bool:
    """Whether a row begins with a list marker, and is not merely a line that happens to begin so."""
    if not _marker_end(row.text):
        return False
    if row.text[0] in BULLETS:
        return True
    aligned = current.kind == "list_item" and abs(row.x0 - current.rows[0].x0) < 0.6 * row.size
    return done or aligned


def _is_indented(rows: list[Row], row: Row, right: float, *, short: bool, ended: bool) -> bool:
    """Whether indentation, or a short last line, shows that a new paragraph begins."""
    last = rows[-1]
    step = row.x0 - last.x0
    if step > 0.8 * row.size:
        return ended and (len(rows) > 1 or step < 4 * row.size) and not _marker_end(rows[0].text)
    if step < -0.8 * row.size:
        return (ended or short) and (len(rows) > 1 or _marker_end(rows[0].text) > 0)
    return ended and last.x1 < right - 0.25 * (right - last.x0) and not row.text[0].islower()
