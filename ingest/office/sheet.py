"""Sheets of cells become tables: each stretch of filled cells is one, with the range of cells that every row stands in.

Empty rows part tables, and so do empty columns between two stretches of at least two columns. A lone cell over a table is its
heading. The readers of the file kinds (`workbook.py`, `opendocument.py`, `delimited.py`) bring the rows, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from phidex.ingest.clean import clean_line
from phidex.ingest.records import Anchor, Block, Cells
from phidex.ingest.tabular import column_name, is_number, looks_like_header, make_table

Row = tuple[int, dict[int, str]]
"""A row's number and the texts of its filled cells by column, both counted from 1."""

MOST_CELLS = 2_000_000
_HEADING_CHARS = 120


class Budget:
    """How many more cells of a document are read; what is beyond is named in `warnings`."""

    def __init__(self, cells: int = MOST_CELLS) -> None:
        self._left = self._all = cells
        self.warnings: list[str] = []

    def limit(self, rows: Iterable[Row], what: str) -> Iterator[Row]:
        """The rows as long as there are cells left; each row counts as one at least."""
        for number, cells in rows:
            if self._left <= 0:
                self.warnings.append(
                    f"{what} was read up to row {number - 1} only: a document's limit of {self._all:,} cells is reached."
                )
                return
            self._left -= max(1, len(cells))
            yield number, cells


def sheet_blocks(rows: Iterable[Row], *, part: str, split_columns: bool = True) -> Iterator[Block]:
    """The tables and texts of a sheet in order, from rows in ascending order."""
    tables = _Tables(part)
    for group in _groups(rows):
        for region in _by_columns(group) if split_columns else [group]:
            yield from tables.add(region)
    yield from tables.finish()


def titled_sheet(name: str, blocks: Iterator[Block]) -> Iterator[Block]:
    """A sheet's blocks under its name; the name stands where the first of them does."""
    first = next(blocks, None)
    if first is not None:
        place = first.anchors[0].cells
        if heading := clean_line(name):
            yield Block(heading, "heading", (Anchor(0, cells=place),), 1, part=name)
        yield first
        yield from blocks


def fill_merged(rows: Iterable[Row], merged: Sequence[Cells]) -> Iterator[Row]:
    """The rows with the text of merged cells in every cell that they cover, where the row has other cells beside them."""
    waiting = sorted(merged, reverse=True)
    active: list[tuple[Cells, str]] = []
    for number, cells in rows:
        active = [(area, text) for area, text in active if area[2] >= number]
        while waiting and waiting[-1][0] <= number:
            area = waiting.pop()
            if area[0] == number and (text := cells.get(area[1])):
                active.append((area, text))
        for (_, first, _, last), text in active:
            if any(not first <= column <= last for column in cells):
                cells.update(dict.fromkeys(range(first, min(last, max(cells)) + 1), text))
        yield number, cells


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Runs of rows without an empty one between them."""
    group: list[Row] = []
    for number, cells in rows:
        if group and (not cells or number != group[-1][0] + 1):
            yield group
            group = []
        if cells:
            group.append((number, cells))
    if group:
        yield group


def _by_columns(group: list[Row]) -> Iterator[list[Row]]:
    """The parts of a group that empty columns divide, where each is at least two columns wide."""
    used = sorted(set[int]().union(*(cells for _, cells in group)))
    runs: list[list[int]] = []
    for column in used:
        if runs and column == runs[-1][-1] + 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    if len(runs) < 2 or any(len(run) < 2 for run in runs):
        yield group
        return
    for run in runs:
        first, last = run[0], run[-1]
        part = [(number, {c: text for c, text in cells.items() if first <= c <= last}) for number, cells in group]
        yield from _groups(part)


class _Tables:
    """Makes blocks of regions; remembers the header that a stretch without one continues, and a cell that may be a heading."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._columns: list[int] = []
        self._header: list[str] = []
        self._lone: tuple[int, int, str] | None = None

    def add(self, region: list[Row]) -> Iterator[Block]:
        """The blocks of one stretch of cells; a lone cell waits for what follows it."""
        while len(region) > 1 and len(region[0][1]) == 1 and len(region[1][1]) > 1 and _is_title(region[0][1]):
            yield from self._lone_cell(region.pop(0))
        columns = sorted(set[int]().union(*(cells for _, cells in region)))
        if len(region) < 3 and len(columns) == 1:
            for row in region:
                yield from self._lone_cell(row)
            return
        yield from self._settle(is_heading=True)
        rows = [[cells.get(column, "") for column in columns] for _, cells in region]
        places = [Anchor(0, cells=(number, columns[0], number, columns[-1])) for number, _ in region]
        header: list[str] | None = None
        if looks_like_header(rows[0], islice(rows, 1, 50)):
            self._header, self._columns = rows[0], columns
        elif columns == self._columns:
            header = self._header
        else:
            header = [column_name(column) for column in columns]
        if block := make_table(rows, places, header=header, part=self._part):
            yield block

    def finish(self) -> Iterator[Block]:
        """What still waits."""
        yield from self._settle(is_heading=False)

    def _lone_cell(self, row: Row) -> Iterator[Block]:
        yield from self._settle(is_heading=False)
        number, cells = row
        column, text = next(iter(cells.items()))
        self._lone = number, column, " ".join(text.split())

    def _settle(self, *, is_heading: bool) -> Iterator[Block]:
        """The waiting cell as a heading where a table follows it, otherwise as a paragraph."""
        if self._lone:
            number, column, text = self._lone
            heading = is_heading and _is_title({column: text})
            anchor = Anchor(0, cells=(number, column, number, column))
            yield Block(text, "heading" if heading else "paragraph", (anchor,), 2 if heading else 0, part=self._part)
            self._lone = None


def _is_title(cells: dict[int, str]) -> bool:
    text = next(iter(cells.values()))
    return len(text) <= _HEADING_CHARS and not text.endswith(".") and not is_number(text)
