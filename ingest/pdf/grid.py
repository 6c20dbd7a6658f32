"""The rows and columns of a table, from its words and ruling lines.

    words -> text lines -> pieces (words that no wide gap parts) -> column borders -> header, body rows -> Grid

Columns come from vertical lines where there are any, and from gaps that run through most text lines. Rows come from horizontal
lines, and otherwise from the text lines, of which those without an entry in the key column go on with a row. Several header
rows become one: each column is named by all that stands above it ("Male Under 18 years").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from phidex.ingest.clean import clean_line, glue
from phidex.ingest.pdf.columns import Borders, Cell
from phidex.ingest.pdf.rulings import Rulings, around, positions
from phidex.ingest.pdf.tablerows import Body
from phidex.ingest.pdf.textlines import TextLine, Word, text_lines, without_leaders
from phidex.ingest.records import Box

NUMBER = re.compile(r"[^\w]*\d[\d.,:;/%\s()+–−-]*[^\W\d]{0,3}[^\w]*|[–—−-]|n/?a", re.IGNORECASE)
"""A cell that holds a number, or the sign that there is none."""
_DIVIDED = re.compile(r"(?:^|\s)[^\W\d_]{2,}-$")
_MAX_COLUMNS = 60


@dataclass(slots=True)
class Grid:
    """A table's text, its header first; all rows have as many cells.

    Args:
        boxes: where each row stands.
        borders: x of the borders between columns.
        named: whether the first row is known to be a header: a line sets it off.
        lined: whether a line is drawn below every row, so that one below the first says nothing.
        title: what stands alone above the header, inside the table.
    """

    rows: list[list[str]]
    boxes: list[Box]
    borders: list[float]
    named: bool
    lined: bool
    title: str = ""


def build_grid(words: Iterable[Word], box: Box, rulings: Rulings, *, em: float) -> Grid | None:
    """The grid of the words; None when they stand in one column or on one line.

    Args:
        em: the size of their type in points.
    """
    visible = without_leaders(words)
    if len(visible) < 3:
        return None
    lines = text_lines(visible, em)
    inside = rulings.within(box)
    borders = Borders(lines, box, inside, em)
    if not borders.at or len(borders.at) >= _MAX_COLUMNS or len(lines) < 2:
        return None
    rules = _rules(inside, box)
    cells = [borders.cells(line) for line in lines]
    title, lines, cells = _take_title(lines, cells, rules)
    end = _header_end(lines, cells, rules)
    header = _header(cells[:end], lines[:end], borders, inside)
    body = Body(lines[end:], cells[end:], borders, [y for y, share in rules if share >= 0.6])
    groups = body.rows()
    boxes = [_box([w for line in lines[:end] for p in line.pieces for w in p.words], box)] if end else []
    rows = [header] if end else []
    for group in groups:
        rows.append(_row(group, borders))
        boxes.append(_box([word for cells_of in group for cell in cells_of for word in cell.words], box))
    named = end > 0 and (end < len(lines) and any(lines[end - 1].mid < y < lines[end].mid for y, _ in rules))
    lined = sum(share > 0.9 for _, share in rules) >= len(rows)
    return Grid(rows, boxes, borders.at, named, lined, title)


def _rules(rulings: Rulings, box: Box) -> list[tuple[float, float]]:
    """The heights of horizontal lines inside the table, and the share of its width that each covers."""
    width = max(box[2] - box[0], 1.0)
    found: list[tuple[float, float]] = []
    for y in positions(((line[1] + line[3]) / 2 for line in rulings.across), 2.0):
        length = sum(line[2] - line[0] for line in rulings.across if abs((line[1] + line[3]) / 2 - y) <= 2.0)
        found.append((y, min(1.0, length / width)))
    return found


def _take_title(
    lines: list[TextLine], cells: list[list[Cell]], rules: list[tuple[float, float]]
) -> tuple[str, list[TextLine], list[list[Cell]]]:
    """The title that stands alone above the first line drawn through the table, and the lines and cells below it."""
    ends = [end for y, share in rules if share > 0.9 and 0 < (end := sum(line.mid < y for line in lines)) < len(lines)]
    alone = ends and len(ends) > 1 and ends[0] <= 2 and all(len(row) == 1 for row in cells[: ends[0]])
    if not alone or any(cell.first == cell.last == 0 for row in cells[: ends[0]] for cell in row) or len(lines) - ends[0] < 2:
        return "", lines, cells
    return _join([row[0].text for row in cells[: ends[0]]]), lines[ends[0] :], cells[ends[0] :]


def _header_end(lines: list[TextLine], cells: list[list[Cell]], rules: list[tuple[float, float]]) -> int:
    """How many lines are the header: those above the first line drawn through, or above the first numbers; one otherwise."""
    for share in (0.9, 0.6):
        ends = [sum(line.mid < y for line in lines) for y, covered in rules if covered >= share]
        ends = [end for end in ends if 0 < end < len(lines)]
        if ends:
            first = ends[0]
            return first if first <= max(0.4 * len(lines), 4) else 1
    for index, row in enumerate(cells[:4]):
        others = [cell for cell in row if cell.first > 0]
        numbers = sum(NUMBER.fullmatch(cell.text) is not None for cell in others)
        if numbers and numbers * 2 >= len(others):
            return max(index, 1)
    return 1


def _header(cells: list[list[Cell]], lines: list[TextLine], borders: Borders, rulings: Rulings) -> list[str]:
    """The header as one row: what stands over several columns is said for each of them."""
    texts: list[list[str]] = [[] for _ in range(len(borders.at) + 1)]
    width = sum(line[2] - line[0] for line in rulings.across) and max(line[2] - line[0] for line in rulings.across)
    for row, line in zip(cells, lines, strict=True):
        taken = {column for cell in row for column in range(cell.first, cell.last + 1)}
        for cell in row:
            first, last = cell.first, cell.last
            for x0, y0, x1, _ in rulings.across:
                if line.mid < y0 < line.y1 + 4 and x1 - x0 < 0.9 * width and x0 < cell.x0 + 2 and cell.x1 - 2 < x1:
                    first, last = min(first, borders.column(x0 + 3)), max(last, borders.column(x1 - 3))
            first = max((n + 1 for n in range(first, cell.first) if borders.is_drawn(n, line.mid)), default=first)
            last = min((n for n in range(cell.last, last) if borders.is_drawn(n, line.mid)), default=last)
            while first > 0 and first - 1 not in taken and _is_open(borders, first - 1, line.mid):
                first -= 1
            while last < len(borders.at) and last + 1 not in taken and _is_open(borders, last, line.mid):
                last += 1
            for column in range(first, last + 1):
                if column in range(cell.first, cell.last + 1) or column not in taken:
                    texts[column].append(cell.text)
    return [_join(parts) for parts in texts]


def _is_open(borders: Borders, border: int, y: float) -> bool:
    """Whether a border that is drawn elsewhere is not drawn at this height."""
    return borders.at[border] in borders.ruled and not borders.is_drawn(border, y)


def _row(group: list[list[Cell]], borders: Borders) -> list[str]:
    """The cells of a row; what stands alone in it across columns, as the title of a section does, comes first."""
    texts: list[list[str]] = [[] for _ in range(len(borders.at) + 1)]
    if all(len(cells) == 1 and 0 < cells[0].first < cells[0].last for cells in group):
        return [_join([cells[0].text for cells in group]), *([""] * len(borders.at))]
    for cells in group:
        for column in range(len(texts)):
            here = [cell.text for cell in cells if cell.first == column]
            if here:
                texts[column].append(" ".join(here))
    return [_join(parts) for parts in texts]


def _join(parts: list[str]) -> str:
    """The lines of a cell as one; a word divided at a line's end is made whole."""
    text = ""
    for part in map(clean_line, parts):
        if text.endswith("-"):
            text = text[:-1] + part if _DIVIDED.search(text) and part[:1].islower() else text + part
        else:
            text += (glue(text, part) if text and part else "") + part
    return text


def _box(words: list[Word], inside: Box) -> Box:
    """The box around the words of a row."""
    return around([(word[0], word[1], word[2], word[3]) for word in words]) if words else inside
