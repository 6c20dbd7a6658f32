"""The tables of a document, as its stored passages hold them, put together again where they were cut; no model is needed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.generation.structured.sheet import csv_text, write_text
from phidex.ingest.records import Chunk, Locator, Source

_RULE = re.compile(r"\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)*\|?")
_BAR = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """One table of a document.

    Args:
        number: from 1, in document order.
        rows: cells as text, all rows as wide as the widest; the first is the header, where the table has one.
        caption: what stands right before it in its passage, or the section it stands in.
        locator: the place of its first passage.
        chunk_ids: the passages that it was put together from.
    """

    source: Source
    number: int
    rows: tuple[tuple[str, ...], ...]
    caption: str
    locator: Locator
    chunk_ids: tuple[str, ...]

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV, written to `path` too where it is given. Raises: InputError: it cannot be written."""
        text = csv_text(self.rows)
        if path is not None:
            write_text(Path(path), text)
        return text

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "source": self.source.to_dict(),
            "number": self.number,
            "caption": self.caption,
            "locator": self.locator.to_dict(),
            "chunk_ids": list(self.chunk_ids),
            "rows": [list(row) for row in self.rows],
        }


@dataclass(slots=True)
class _Grid:
    """A stretch of rows in one passage."""

    header: list[str] | None
    rows: list[list[str]]
    caption: str
    chunks: list[Chunk]
    is_first: bool  # nothing but its caption stands before it in the passage
    is_last: bool = False

    lead: str = field(default="")


def read_tables(source: Source, chunks: Sequence[Chunk]) -> list[DocumentTable]:
    """The tables in a source's passages.

    Args:
        chunks: all of them, in document order.
    """
    grids: list[_Grid] = []
    for chunk in chunks:
        for grid in _grids(chunk):
            before = grids[-1] if grids else None
            if before is not None and _goes_on(before, grid):
                before.rows += grid.rows
                before.chunks += grid.chunks
                before.is_last = grid.is_last
            else:
                grids.append(grid)
    return [_table(source, number, grid) for number, grid in enumerate(grids, 1)]


def save_tables(tables: Sequence[DocumentTable], folder: Path) -> list[Path]:
    """Write one CSV file a table, named after document and number; returns their paths, in the order of the tables.

    A name that is taken, by another document's table or by a file from before, gets a number: "report_2-01.csv".

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"cannot make {folder}: {exc.strerror}", hint="choose another folder") from exc
    numbers: dict[str, list[int]] = {}
    for table in tables:
        numbers.setdefault(table.source.id, []).append(table.number)
    stems: dict[str, str] = {}
    paths: list[Path] = []
    for table in tables:
        source = table.source
        if source.id not in stems:
            stems[source.id] = _free_stem(folder, source, numbers[source.id], {stem.casefold() for stem in stems.values()})
        paths.append(folder / _file_name(stems[source.id], table.number))
        table.to_csv(paths[-1])
    return paths


def _free_stem(folder: Path, source: Source, numbers: Sequence[int], taken: Collection[str]) -> str:
    """A beginning of file names for the tables of one source that no other has, in this folder on any file system."""
    stem = re.sub(r"[^\w.-]+", "_", Path(source.name).stem)[:_NAME_CHARS] or "table"
    for free in itertools.chain((stem,), (f"{stem}_{number}" for number in itertools.count(2))):
        is_there = any((folder / _file_name(free, number)).exists() for number in numbers)
        if not is_there and free.casefold() not in taken:
            return free
    raise AssertionError("unreachable: the count has no end")


def _file_name(stem: str, number: int) -> str:
    return f"{stem}-{number:02d}.csv"


def _grids(chunk: Chunk) -> Iterator[_Grid]:
    """The tables in one passage. Rows without a header count only in a passage that is a table: a text may have bars too."""
    lines = chunk.text.split("\n")
    at = begun = 0
    while at < len(lines):
        has_header = at + 1 < len(lines) and _is_row(lines[at]) and bool(_RULE.fullmatch(lines[at + 1].strip()))
        if not has_header and not (chunk.modality == "table" and _is_row(lines[at])):
            at += 1
            continue
        lead = [line.strip() for line in lines[begun:at] if line.strip()]
        header = _cells(lines[at]) if has_header else None
        end = at + 2 if has_header else at
        rows: list[list[str]] = []
        while end < len(lines) and _is_row(lines[end]):
            if end + 1 < len(lines) and _RULE.fullmatch(lines[end + 1].strip()) and "|" in lines[end + 1]:
                break  # the header of the next table
            if not _RULE.fullmatch(lines[end].strip()):
                rows.append(_cells(lines[end]))
            end += 1
        caption = lead[-1].lstrip("# ") if lead else (chunk.heading[-1] if chunk.heading else "")
        is_last = not any(line.strip() for line in lines[end:])
        yield _Grid(header, rows, caption, [chunk], begun == 0, is_last, "\n".join(lead))
        at = begun = end


def _goes_on(before: _Grid, grid: _Grid) -> bool:
    """Whether rows go on that were cut at the end of the passage before: under the same caption and header, or under none."""
    follows = before.is_last and grid.is_first and before.chunks[-1].order + 1 == grid.chunks[0].order
    if not follows or before.chunks[-1].heading != grid.chunks[0].heading:
        return False
    if grid.header is None:
        width = len(before.header or before.rows[0]) if before.header or before.rows else 0
        return not grid.lead and bool(grid.rows) and len(grid.rows[0]) == width
    return grid.header == before.header and (not grid.lead or grid.lead == before.lead)


def _table(source: Source, number: int, grid: _Grid) -> DocumentTable:
    rows = [grid.header, *grid.rows] if grid.header and any(grid.header) else grid.rows
    width = max((len(row) for row in rows), default=0)
    even = tuple(tuple(row + [""] * (width - len(row))) for row in rows)
    ids = tuple(dict.fromkeys(chunk.id for chunk in grid.chunks))
    return DocumentTable(source, number, even, grid.caption, grid.chunks[0].locator, ids)


def _is_row(line: str) -> bool:
    line = line.strip()
    return line.startswith("|") and line.endswith("|") and len(line) > 1


def _cells(line: str) -> list[str]:
    inner = line.strip()[1:-1]
    return [_BREAK.sub("\n", cell.strip().replace("\\|", "|")) for cell in _BAR.split(inner)]
