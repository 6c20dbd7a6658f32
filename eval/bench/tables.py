"""Tables of real documents whose cells are known: how many end in the right row and column, beside PyMuPDF's finder.

The truth (`eval/data/tables/`) was read off the rendered pages. A table found and a true one are compared as GriTS does: rows
are matched in order, then columns, so that as many cells as possible agree; a cell is right when its text is that of the cell
in the matching row and column. Headers of several rows count as one, each column named by all that stands above it.
Source: Smock, Pesala, Abraham, "GriTS: Grid table similarity metric for table structure recognition", ICDAR 2023.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.eval.bench.options import ROOT, Options
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.options import DEFAULT, Quality
from phidex.ingest.pdf.document import parse_pdf

pymupdf: Any = _pymupdf  # its own types are incomplete
DATA = ROOT / "eval" / "data" / "tables"
WITHOUT = {
    "debmake-doc.en.pdf": (3, 4, 10, 16, 21, 26, 31, 37, 52, 84, 91, 112, 139),
    "R-intro.pdf": (3, 5, 9, 18, 27, 36, 45, 54, 71, 85, 100, 104, 108, 112),
    "pari-tutorial.pdf": (3, 8, 15, 21, 30, 38, 44, 52, 58),
}
"""Pages of manuals without tables: prose, lists, listings, notes in frames, formulas, contents, an index, a plot."""

_ROUNDS = 3
_SEPARATOR = re.compile(r"(?<!\\)\|")
_IGNORED = re.compile(r"[\s\u00ad-]+")

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Truth:
    """One table as it stands on its page.

    Args:
        rows: its cells; text that spans several stands in the first of them.
        spans: first row, first column, rows, columns of such text.
    """

    file: str
    page: int
    title: str
    header_rows: int
    spans: tuple[tuple[int, int, int, int], ...]
    rows: Rows

    @property
    def cell_count(self) -> int:
        """Cells with text, the header counted once a column."""
        header, body = flat(self.rows, self.header_rows, self.spans)
        return sum(map(bool, header)) + sum(bool(cell) for row in body for cell in row)


def read_truth(folder: Path = DATA) -> list[Truth]:
    """All known tables."""
    entries: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text("utf-8"))
    return [
        Truth(e["file"], e["page"], e["title"], e["header_rows"], tuple(tuple(span) for span in e["spans"]), e["rows"])
        for e in entries
    ]


def flat(rows: Rows, header_rows: int, spans: Sequence[tuple[int, int, int, int]] = ()) -> tuple[list[str], Rows]:
    """The header as one row, where each column has all that stands above it, and the rows below it.

    >>> flat([["", "Men", ""], ["Age", "old", "young"], ["1", "2", "3"]], 2, [(0, 1, 1, 2)])
    (['Age', 'Menold', 'Menyoung'], [['1', '2', '3']])
    """
    filled = [[plain(cell) for cell in row] for row in rows]
    for top, left, height, width in spans:
        if top < header_rows:
            for row in range(top, top + height):
                for column in range(left, left + width):
                    filled[row][column] = plain(rows[top][left]) if row == top else ""
    header = ["".join(row[column] for row in filled[:header_rows]) for column in range(len(filled[0]))]
    return header, filled[header_rows:]


def plain(text: str) -> str:
    """The text without white space and hyphens, which the end of a line may add, the dots of a leader, and ligatures.

    >>> plain("well- known . . .")
    'wellknown'
    """
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text)).rstrip(".…")


def right_cells(truth: Truth, found: Rows) -> int:
    """How many cells of the truth are in the right row and column of the table found."""
    header, body = flat(truth.rows, truth.header_rows, truth.spans)
    best = 0
    for header_rows in range(min(4, len(found))):  # where the finder's header ends is not asked
        their_header, their_body = flat(found, header_rows)
        pairs = _matches(body, their_body)
        columns = _column_matches(body, their_body, pairs)
        cells = sum(bool(body[i][a]) and body[i][a] == their_body[j][b] for i, j in pairs for a, b in columns)
        cells += _spanning(truth, body, their_body, pairs, columns)
        cells += sum(bool(header[a]) and header[a] == their_header[b] for a, b in columns)
        best = max(best, cells)
    return best


def _spanning(
    truth: Truth, ours: Rows, theirs: Rows, rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]]
) -> int:
    """How many texts that span columns stand in another column of their span."""
    matched = dict(rows)
    count = 0
    for top, left, _, width in truth.spans:
        row = top - truth.header_rows
        if row not in matched or width < 2 or not ours[row][left]:
            continue
        within = [b for a, b in columns if left <= a < left + width]
        first = any(theirs[matched[row]][b] == ours[row][left] for a, b in columns if a == left)
        count += not first and any(theirs[matched[row]][b] == ours[row][left] for b in within)
    return count


def _matches(ours: Rows, theirs: Rows) -> list[tuple[int, int]]:
    """Pairs of rows, in order, with as many equal cells in order as possible."""
    scores = [[_common(a, b) for b in theirs] for a in ours]
    return _align(len(ours), len(theirs), lambda i, j: scores[i][j])


def _column_matches(ours: Rows, theirs: Rows, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of columns, in order, with as many equal cells in the matched rows as possible."""
    if not pairs:
        return []

    def score(a: int, b: int) -> int:
        return sum(bool(ours[i][a]) and ours[i][a] == theirs[j][b] for i, j in pairs)

    table = [[score(a, b) for b in range(len(theirs[0]))] for a in range(len(ours[0]))]
    return _align(len(ours[0]), len(theirs[0]), lambda a, b: table[a][b])


def _common(ours: list[str], theirs: list[str]) -> int:
    """Equal cells that two rows have in the same order."""
    pairs = _align(len(ours), len(theirs), lambda a, b: int(bool(ours[a]) and ours[a] == theirs[b]))
    return len(pairs)


def _align(height: int, width: int, score: Callable[[int, int], int]) -> list[tuple[int, int]]:
    """The pairs (i, j), both ascending, of the highest sum of scores; pairs of score 0 are left out."""
    best = [[0] * (width + 1) for _ in range(height + 1)]
    for i in range(height - 1, -1, -1):
        for j in range(width - 1, -1, -1):
            gain = score(i, j)
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + gain if gain else 0)
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < height and j < width:
        gain = score(i, j)
        if gain and best[i][j] == best[i + 1][j + 1] + gain:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def from_markdown(text: str) -> Rows:
    """The cells of a table in Markdown, and its title above it as a row of its own.

    >>> from_markdown("| a | b\\\\|c |\\n| --- | --- |\\n| 1 |  |")
    [['a', 'b|c'], ['1', '']]
    """
    lines = [line for line in text.split("\n") if line.startswith("|") and not line.startswith("| ---")]
    return [[cell.strip().replace("\\|", "|") for cell in _SEPARATOR.split(line)[1:-1]] for line in lines]


@dataclass(slots=True)
class Found:
    """The tables that a system found in one file, by page, and the CPU seconds that it took beyond reading the text."""

    tables: dict[int, list[Rows]]
    seconds: float


def find_ours(path: Path) -> Found:
    """Ours, by `--quality balanced`; the time is what it costs beyond `fast`."""
    tables: dict[int, list[Rows]] = {}
    for block in parse_pdf(path, None, replace(DEFAULT, ocr="off")).blocks:
        if block.kind == "table" and (rows := from_markdown(block.text)):
            tables.setdefault(block.page_number or 0, []).append(rows)
    return Found(tables, max(_seconds(path, "balanced") - _seconds(path, "fast"), 0.0))


def _seconds(path: Path, quality: Quality) -> float:
    """The least CPU seconds that parsing took."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        parse_pdf(path, None, replace(DEFAULT, quality=quality, ocr="off"))
        best = min(best, time.process_time() - started)
    return best


def find_pymupdf(path: Path) -> Found:
    """PyMuPDF's `find_tables` with its defaults."""
    tables: dict[int, list[Rows]] = {}
    started = time.process_time()
    with pymupdf.open(path) as document:
        for page in document:
            for table in page.find_tables().tables:
                tables.setdefault(page.number + 1, []).append(_filled(table.extract()))
    return Found(tables, time.process_time() - started)


def _filled(rows: list[list[str | None]]) -> Rows:
    """The rows with what spans several columns of a header repeated in each, since None stands for "as to the left"."""
    filled: Rows = []
    for number, row in enumerate(rows):
        cells: list[str] = []
        for cell in row:
            cells.append(cell if cell is not None else cells[-1] if cells and number < 3 else "")
        filled.append(cells)
    return filled


def measure(truths: Sequence[Truth], find: Callable[[Path], Found], folder: Path) -> tuple[list[int], int, float]:
    """Right cells of each table, the number of tables found in all, and the seconds."""
    right: list[int] = []
    files = {name: find(folder / name) for name in dict.fromkeys(truth.file for truth in truths)}
    for truth in truths:
        candidates = files[truth.file].tables.get(truth.page, [])
        right.append(max((right_cells(truth, rows) for rows in candidates), default=0))
    count = sum(len(tables) for found in files.values() for tables in found.tables.values())
    return right, count, sum(found.seconds for found in files.values())


def report(truths: Sequence[Truth], ours: list[int], theirs: list[int] | None, summary: list[list[Cell]]) -> Outcome:
    """Table by table, and in all."""
    counts = [truth.cell_count for truth in truths]
    rows: list[list[Cell]] = []
    for index, (truth, count) in enumerate(zip(truths, counts, strict=True)):
        peer = [theirs[index] / count] if theirs is not None else []
        rows.append(
            [f"{truth.file.removesuffix('.pdf')} p.{truth.page}: {truth.title[:44]}", count, ours[index] / count, *peer]
        )
    pages = sum(map(len, WITHOUT.values()))
    columns = ("table", "cells", "Phidex", *(["PyMuPDF"] if theirs is not None else []))
    return Outcome(
        "tables",
        f"{len(truths)} tables of real documents, {sum(counts):,} cells: share in the right row and column",
        [
            Table("In all", ("system", "cells right", "tables found", "CPU s", f"false on {pages} pages without"), summary),
            Table("By table", columns, rows),
        ],
        [Check("share of cells in the right row and column", sum(ours) / sum(counts), ">=", 0.90)],
    )


def run(options: Options) -> Outcome:
    """The benchmark; about a minute."""
    truths = read_truth()
    cells = sum(truth.cell_count for truth in truths)
    plain = options.documents(tuple(WITHOUT))
    ours, count, seconds = measure(truths, find_ours, DATA)
    summary: list[list[Cell]] = [["Phidex, balanced", sum(ours) / cells, count, seconds, count_false(plain, find_ours)]]
    theirs: list[int] | None = None
    if options.peers:
        theirs, count, seconds = measure(truths, find_pymupdf, DATA)
        summary.append(["PyMuPDF find_tables", sum(theirs) / cells, count, seconds, count_false(plain, find_pymupdf)])
    return report(truths, ours, theirs, summary)


def count_false(paths: Sequence[Path], find: Callable[[Path], Found]) -> int:
    """How many tables are found on pages that have none, taken out of their documents."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            part = Path(folder) / path.name
            with pymupdf.open(path) as document:
                document.select([number - 1 for number in WITHOUT[path.name]])
                document.save(part)
            count += sum(map(len, find(part).tables.values()))
    return count
