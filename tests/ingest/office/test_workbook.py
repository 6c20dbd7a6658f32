"""Spreadsheets: values as shown, every row's cells cited exactly, what is hidden, merged or uncomputed named."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl as _openpyxl
import pytest
import xlwt as _xlwt  # pyright: ignore[reportMissingTypeStubs]
from openpyxl.comments import Comment as _Comment
from tests.ingest.packages import SOURCE, chunks_of, parse, saved, texts

from phidex.errors import InputError
from phidex.ingest.chunk import chunk_document
from phidex.ingest.office.sheet import Budget, Row, sheet_blocks
from phidex.ingest.records import CellLocator, locator_from_dict

openpyxl: Any = _openpyxl  # its own types are incomplete
xlwt: Any = _xlwt
Comment: Any = _Comment


def budget() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Budget"
    rows = [
        ["Item", "Share", "Due", "Cost"],
        ["Pump", 0.256, datetime.date(2024, 5, 1), 1234.5],
        ["Valve | spare", 1, datetime.datetime(2024, 5, 2, 13, 30), -2],
    ]
    for row in rows:
        sheet.append(row)
    for row in (2, 3):
        sheet.cell(row, 2).number_format = "0.0%"
        sheet.cell(row, 4).number_format = '#,##0.00 "€"'
    sheet["D3"].comment = Comment("returned", "Ann")
    return saved(book)


def table(name: str, data: bytes, number: int = 0) -> list[str]:
    tables = [block for block in parse(name, data).blocks if block.kind == "table"]
    return tables[number].text.splitlines()


def test_values_are_as_shown_and_dates_iso() -> None:
    assert table("budget.xlsx", budget()) == [
        "| Item | Share | Due | Cost |",
        "|---|---|---|---|",
        "| Pump | 25.6% | 2024-05-01 | 1,234.50 € |",
        "| Valve \\| spare | 100.0% | 2024-05-02 13:30 | -2.00 € |",
    ]
    parsed = parse("budget.xlsx", budget())
    assert parsed.blocks[0].text == "Budget"
    assert texts(parsed)[-1] == "[comment on D3] returned"


def test_places_are_sheet_and_cells() -> None:
    chunks = chunks_of(parse("budget.xlsx", budget()), 200)
    assert chunks[0].locator == CellLocator("Budget", "A1:D3")
    assert str(chunks[0].locator) == "Budget!A1:D3"
    assert locator_from_dict(chunks[0].locator.to_dict()) == chunks[0].locator
    assert chunks[0].heading == ("Budget",)


def test_a_long_sheet_cites_each_stretch_of_rows() -> None:
    book = openpyxl.Workbook()
    book.active.append(["number", "word"])
    for number in range(2, 202):
        book.active.append([number, f"word{number}"])
    chunks = chunks_of(parse("a.xlsx", saved(book)))
    seen: list[int] = []
    for chunk in chunks:
        assert isinstance(chunk.locator, CellLocator)
        match = re.fullmatch(r"A(\d+):B(\d+)", chunk.locator.cells)
        assert match
        words = [int(word) for word in re.findall(r"word(\d+)", chunk.text)]
        first = int(match[1]) if int(match[1]) > 1 else 2
        assert words == list(range(first, int(match[2]) + 1))
        seen += words
    assert seen == list(range(2, 202))
    assert len(chunks) > 10


def test_every_part_of_a_long_sheet_repeats_the_header() -> None:
    book = openpyxl.Workbook()
    book.active.append(["number", "word"])
    for number in range(200):
        book.active.append([number, "word"])
    chunks = chunks_of(parse("a.xlsx", saved(book)))
    assert len(chunks) > 10
    assert all("| number | word |\n|---|---|\n" in chunk.text for chunk in chunks)


def test_sheets_never_share_a_chunk_and_hidden_ones_are_named() -> None:
    book = openpyxl.Workbook()
    book.active.title = "One"
    book.active.append(["a", 1])
    other = book.create_sheet("Two")
    other.append(["b", 2])
    other.sheet_state = "hidden"
    parsed = parse("a.xlsx", saved(book))
    sheets = [chunk.locator.sheet for chunk in chunks_of(parsed, 200) if isinstance(chunk.locator, CellLocator)]
    assert sheets == ["One", "Two"]
    assert parsed.warnings == ("Hidden sheets were read too: Two.",)


def test_formulas_without_stored_values_are_shown_and_named() -> None:
    book = openpyxl.Workbook()
    book.active.append(["total", "=SUM(B2:B3)"])
    parsed = parse("a.xlsx", saved(book))
    assert "=SUM(B2:B3)" in parsed.blocks[-1].text
    assert any("1 formulas of sheet Sheet have no stored values" in warning for warning in parsed.warnings)


def test_merged_cells_fill_what_they_cover_and_titles_are_headings() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Prices 2024"], ["group", "item", "price"], ["pumps", "small", 3], [None, "large", 9]):
        sheet.append(row)
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("A3:A4")
    parsed = parse("a.xlsx", saved(book))
    assert [(block.kind, block.text) for block in parsed.blocks[:2]] == [("heading", "Sheet"), ("heading", "Prices 2024")]
    assert parsed.blocks[2].text.splitlines()[2:] == ["| pumps | small | 3 |", "| pumps | large | 9 |"]
    assert parsed.blocks[2].anchors[0].cells == (2, 1, 2, 3)


def rows_of(*rows: str) -> list[Row]:
    """Rows from strings of one sign a cell; "." is empty."""
    return [(n, {c: sign for c, sign in enumerate(row, 1) if sign != "."}) for n, row in enumerate(rows, 1) if row.strip(".")]


def test_empty_rows_and_columns_part_tables() -> None:
    blocks = list(sheet_blocks(rows_of("ab.cd", "12.34", ".....", "ef...", "56..."), part="S"))
    assert [block.anchors[0].cells for block in blocks] == [(1, 1, 1, 2), (1, 4, 1, 5), (4, 1, 4, 2)]
    form = list(sheet_blocks(rows_of("a.1", "b.2", "c.3"), part="S"))
    assert len(form) == 1  # labels and values stay together over an empty column


def test_rows_without_a_header_continue_the_one_above_or_get_letters() -> None:
    blocks = list(sheet_blocks(rows_of("ab", "12", "..", "34"), part=""))
    assert [block.text.splitlines()[0] for block in blocks] == ["| a | b |", "| a | b |"]
    assert blocks[1].anchors[0].cells == (4, 1, 4, 2)
    assert next(iter(sheet_blocks(rows_of("12", "34"), part=""))).text.splitlines()[0] == "| A | B |"


def test_what_is_beyond_the_limit_is_named() -> None:
    limit = Budget(10)
    rows = list(limit.limit(((number, {1: "x", 2: "y"}) for number in range(1, 100)), "Sheet S"))
    assert [number for number, _ in rows] == [1, 2, 3, 4, 5]
    assert limit.warnings == ["Sheet S was read up to row 5 only: a document's limit of 10 cells is reached."]


def test_a_damaged_sheet_is_read_as_far_as_it_goes() -> None:
    data = budget()
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[: content.index(b'<row r="3"') + 30] if name.endswith("sheet1.xml") else content)
    parsed = parse("a.xlsx", file.getvalue())
    assert "Pump" in parsed.blocks[1].text
    assert any("damaged" in warning for warning in parsed.warnings)


def test_old_workbooks_are_read_by_calamine() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Old")
    for column, value in enumerate(["name", "qty"]):
        sheet.write(0, column, value)
    sheet.write(1, 0, "pump")
    sheet.write(1, 1, 3.5)
    parsed = parse("old.xls", saved(book))
    assert parsed.blocks[1].text == "| name | qty |\n|---|---|\n| pump | 3.5 |"
    assert chunks_of(parsed)[0].locator == CellLocator("Old", "A1:B2")


def test_an_empty_workbook_is_named() -> None:
    with pytest.raises(InputError, match="no filled cell"):
        parse("a.xlsx", saved(openpyxl.Workbook()))


@pytest.mark.slow
def test_fifty_thousand_rows_are_chunked_in_seconds(tmp_path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    for number in range(50_000):
        sheet.append([number, f"name {number}", number * 1.5, "some words", number % 7])
    data = saved(book)
    parsed = parse("a.xlsx", data)
    chunks = chunk_document(parsed, source_id=SOURCE, path="a.xlsx", language="en")
    assert f"name {49_999}" in chunks[-1].text
    assert len(parsed.blocks) == 2
