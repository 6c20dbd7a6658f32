"""Whether a grid reads like a table, and not like columns of prose, a list, an index or a contents page."""

from __future__ import annotations

import re
from itertools import pairwise

from phidex.ingest.pdf.grid import NUMBER, Grid

_MARKER = re.compile(r"\[\d+\]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]+)[.)]|[•‣◦▪–—*·-]")
_INDEX = re.compile(r".*\D,? \d+(?:[–,-] ?\d+)*$")


def is_table(grid: Grid, kind: str, *, captioned: bool) -> bool:
    """Whether a grid reads like a table, and not like columns of prose, a list, an index or a contents page."""
    rows, columns = grid.rows, len(grid.rows[0])
    filled = [sum(map(bool, row)) for row in rows]
    if len(rows) < 2 or sum(filled) < 4 or (max(filled[1:]) < 2 and kind != "framed"):
        return False
    if kind == "seen":
        return True
    wide = sum(count > 1 for count in filled)
    if wide < (0.3 if kind == "framed" else 0.5) * len(rows) or sum(filled) < 0.15 * len(rows) * columns:
        return False
    if kind == "framed":
        return wide >= 2 or len(rows) == 2
    if _is_prose(rows):
        return False
    body = rows[1:]
    firsts = [row[0] for row in body if row[0]]
    if columns == 2 and firsts and sum(_MARKER.fullmatch(text) is not None for text in firsts) > 0.6 * len(firsts):
        return False
    if columns < 5 and _ends_in_pages(rows):
        return False
    if kind == "ruled" or captioned:
        return True
    return _is_plain_table(rows, columns)


def _is_prose(rows: list[list[str]]) -> bool:
    """Whether the cells are stretches of running text side by side: most of them long, many broken off in a sentence."""
    cells = [cell for row in rows for cell in row if cell]
    long = sum(len(cell) > 35 and cell.count(" ") > 3 for cell in cells)
    return len(rows) > 4 and long > 0.6 * len(cells)


def _ends_in_pages(rows: list[list[str]]) -> bool:
    """Whether the last column holds page numbers: whole and ascending."""
    last = [number for row in rows for number in row[-1].split()]
    pages = [int(number) for number in last if number.isdecimal() and number.isascii()]
    return len(pages) > 2 and len(pages) >= 0.8 * len(last) and all(a <= b for a, b in pairwise(pages))


def _is_plain_table(rows: list[list[str]], columns: int) -> bool:
    """Whether rows without any line or caption are a table: numbers in columns, or many short columns."""
    body = rows[1:]
    if len(body) < 2:
        return False
    cells = [cell for row in body for cell in row if cell]
    if sum(len(cell) for cell in cells) > 40 * len(cells) or sum(_INDEX.match(c) is not None for c in cells) > 0.4 * len(cells):
        return False
    numeric = 0
    for column in range(1, columns):
        texts = [row[column] for row in body if row[column]]
        numeric += len(texts) > 1 and sum(NUMBER.fullmatch(text) is not None for text in texts) >= 0.6 * len(texts)
    full = sum(sum(map(bool, row)) for row in body) >= 0.6 * len(body) * columns
    return full and (numeric > 0 or (columns > 3 and len(body) > 2))
