"""Tables as Markdown: rows of cells become one block, with a place for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phidex.ingest.clean import clean_line
from phidex.ingest.records import Anchor, Block, Cells


def make_table(
    rows: Sequence[Sequence[str]],
    places: Sequence[Anchor],
    *,
    header: Sequence[str] | None = None,
    page_number: int | None = None,
    part: str = "",
) -> Block | None:
    """A block of kind "table"; None where no cell has text. `places` says where each row stands; their `start` does not count.

    The first row becomes Markdown's header unless another is given; that one stands at the first row's place. Empty rows are
    dropped; line breaks in cells become spaces.
    """
    cleaned = [[_cell(cell) for cell in row] for row in rows]
    kept = [(row, place) for row, place in zip(cleaned, places, strict=True) if any(row)]
    if not kept:
        return None
    width = max(len(row) for row, _ in kept)
    if header is not None:
        kept.insert(0, ([_cell(cell) for cell in header], kept[0][1]))
    lines: list[str] = []
    anchors: list[Anchor] = []
    length = 0
    for number, (row, place) in enumerate(kept):
        line = f"| {' | '.join(row + [''] * (width - len(row)))} |"
        if number == 0:
            line += "\n|" + "---|" * width
        if number != 1 or header is None:
            anchors.append(Anchor(length, box=place.box, line=place.line, cells=place.cells))
        lines.append(line)
        length += len(line) + 1
    return Block("\n".join(lines), "table", tuple(anchors), page_number=page_number, part=part)


def _cell(text: str) -> str:
    """A cell's text on one line, its bars escaped."""
    line = clean_line(text)
    return line.replace("|", "\\|") if "|" in line else line


def looks_like_header(row: Sequence[str], below: Iterable[Sequence[str]]) -> bool:
    """Whether the row names columns: words, mostly different ones, over rows that hold numbers or all the columns' words.

    >>> looks_like_header(["Name", "Age"], [["Ann", "41"]]), looks_like_header(["Ann", "41"], [["Bob", "39"]])
    (True, False)
    """
    named = [cell for cell in row if cell]
    if not named or any(is_number(cell) for cell in named) or len(set(named)) < len(named) / 2:
        return False
    return len(named) * 2 >= len(row) or any(any(is_number(cell) for cell in other) for other in below)


def is_number(text: str) -> bool:
    """Whether a cell shows an amount, a share or a date.

    >>> [is_number(text) for text in ("1,234.50 €", "12%", "2024-05-01", "-3e5", "Q1", "A 4 sheet")]
    [True, True, True, True, False, False]
    """
    letters = sum(char.isalpha() for char in text)
    digits = sum(char.isdigit() for char in text)
    return digits > 0 and letters <= 1 and letters < digits


def column_name(number: int) -> str:
    """A column's letters, counted from 1.

    >>> column_name(1), column_name(28)
    ('A', 'AB')
    """
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_range(cells: Cells) -> str:
    """A range of cells as spreadsheets write it.

    >>> cell_range((2, 1, 40, 6)), cell_range((3, 2, 3, 2))
    ('A2:F40', 'B3')
    """
    first, last = f"{column_name(cells[1])}{cells[0]}", f"{column_name(cells[3])}{cells[2]}"
    return first if first == last else f"{first}:{last}"
