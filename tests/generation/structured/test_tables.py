"""Tables of documents as CSV: put together where they were cut, one file each, no formulas."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import CommandLine, phidex, phidex_cli
from tests.generation.passages import hit

from phidex import InputError, NotFoundError, Phidex
from phidex.generation.structured.sheet import csv_text, safe_cell
from phidex.generation.structured.tables import read_tables, save_tables

__all__ = ["phidex", "phidex_cli"]  # fixtures

LONG = "\n".join(f"| Flat {n} | {n * 10} | =SUM(A{n}) |" for n in range(1, 201))
DOCUMENT = f"""# Report

Rents of all flats

| Flat | Rent | Note |
|------|------|------|
{LONG}

Some words about them.

## Heating

| Year | Cost |
|------|------|
| 2020 | -5,3 |
| 2021 | a \\| b |
"""


def test_a_table_that_was_cut_is_whole_again(phidex: Phidex, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text(DOCUMENT)
    phidex.ingest(tmp_path / "report.md")
    rents, heating = phidex.tables("report.md")
    assert len(rents.chunk_ids) > 1, "it must have been cut"
    assert rents.rows[0] == ("Flat", "Rent", "Note")
    assert [row[0] for row in rents.rows[1:]] == [f"Flat {n}" for n in range(1, 201)]
    assert heating.rows == (("Year", "Cost"), ("2020", "-5,3"), ("2021", "a | b"))
    assert (rents.number, heating.number) == (1, 2)
    assert heating.to_dict()["caption"] == "Heating"
    with pytest.raises(NotFoundError):
        phidex.tables("other.md")


def test_one_file_a_table_and_no_formula_in_it(phidex_cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text(DOCUMENT)
    with phidex_cli.sdk() as phidex:
        phidex.ingest(tmp_path / "report.md")
    listed = phidex_cli("tables", "report.md").stdout.splitlines()
    assert listed[0].startswith("1. report.md, lines 1-")
    assert listed[0].endswith(": 201 rows of 3  Rents of all flats")
    written = phidex_cli.json("tables", "report.md", "--output", tmp_path / "out" / "csv")
    assert [Path(table["file"]).name for table in written] == ["report-01.csv", "report-02.csv"]
    rows = list(csv.reader(io.StringIO((tmp_path / "out/csv/report-01.csv").read_text("utf-8"))))
    assert rows[1] == ["Flat 1", "10", "'=SUM(A1)"]
    assert (tmp_path / "out/csv/report-02.csv").read_bytes() == b'Year,Cost\r\n2020,"-5,3"\r\n2021,a | b\r\n'
    (tmp_path / "file").write_text("")
    assert "cannot make" in phidex_cli("tables", "report.md", "--output", tmp_path / "file", code=2).stderr


def test_two_tables_alike_are_two_where_words_stand_between() -> None:
    table = "| A | B |\n|---|---|\n| 1 | 2 |"
    text = hit("x", f"{table}\n\nWords.\n\n{table}").chunk
    source = hit("x", "").source
    assert [one.rows for one in read_tables(source, [text])] == [(("A", "B"), ("1", "2"))] * 2
    after = replace(text, id="y", order=1, text=table, modality="table")
    assert len(read_tables(source, [text, after])) == 2, "the last goes on in the next passage"
    elsewhere = replace(after, heading=("Other",))
    assert len(read_tables(source, [text, elsewhere])) == 3
    assert len(read_tables(source, [text, replace(after, order=7)])) == 3, "passages that the next one does not follow"
    ended = replace(text, text=f"{table}\n\nThat was all.")
    assert len(read_tables(source, [ended, after])) == 2
    late = replace(after, text=f"{table}\n\n{table}")
    assert [len(one.rows) for one in read_tables(source, [text, late])] == [2, 3, 2]


def test_rows_without_a_header_are_a_table_only_in_a_table() -> None:
    source, chunk = hit("x", "").source, hit("x", "| 1 | 2 |\n| 3 |").chunk
    assert read_tables(source, [chunk]) == []
    (table,) = read_tables(source, [replace(chunk, modality="table")])
    assert table.rows == (("1", "2"), ("3", ""))
    assert read_tables(source, [hit("x", "a | b\n\n|x| is the absolute value").chunk]) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    chunk = hit("x", "| A |\n|---|\n| 1 |").chunk
    tables = read_tables(hit("a/ b?", "").source, [chunk])
    assert save_tables(tables, tmp_path)[0].parent == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot make"):
        save_tables(tables, tmp_path / "file" / "below")


def test_no_file_is_written_over(tmp_path: Path) -> None:
    text = "| A |\n|---|\n| 1 |"
    mine = hit("x", "").source
    named = [("1", "report.pdf"), ("2", "report.docx"), ("3", "Report.pdf"), ("4", "report_2.pdf")]
    sources = [replace(mine, id=id_, uri=f"file:///{name}") for id_, name in named]
    tables = [table for source in sources for table in read_tables(source, [hit("x", f"{text}\n\nand\n\n{text}").chunk])]
    first = save_tables(tables, tmp_path)
    expected = ["report", "report_2", "Report_3", "report_2_2"]
    assert [path.name for path in first] == [f"{stem}-{number:02d}.csv" for stem in expected for number in (1, 2)]
    first[0].write_text("mended by hand")
    again = save_tables(tables[:2], tmp_path)
    assert not set(again) & set(first)
    assert first[0].read_text() == "mended by hand"


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=4), max_size=6))
def test_no_cell_begins_a_formula_and_every_cell_comes_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(rows), newline="")))
    flat = [cell for row in read for cell in row]
    given_cells = [cell for row in rows for cell in row]
    if all(len(row) > 1 or row[0] for row in rows):  # a row of one empty cell reads as no row
        assert [cell.replace("'", "") for cell in flat] == [cell.replace("'", "") for cell in given_cells]
    assert not [cell for cell in flat if cell[:1] in ("\t", "\r")]
    pieces = [piece.lstrip() for cell in flat for piece in re.split("[;\t\r\n]", cell)]
    assert not [piece for piece in pieces if piece[:1] in ("=", "@", "＝", "＠")]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (" =1+1", "' =1+1"),
        ("\u3000=1+1", "'\u3000=1+1"),
        ("＝1+1", "'＝1+1"),
        ("－cmd", "'－cmd"),
        ("rent;=1+1", "rent;'=1+1"),
        ('rent;"=1+1"', 'rent;\'"=1+1"'),
        ("rent\t@x\n+x", "rent\t'@x\n'+x"),
        ("5; -3; - ", "5; -3; - "),
        ("a-b = c", "a-b = c"),
    ],
)
def test_a_formula_is_found_wherever_a_spreadsheet_may_see_it(text: str, safe: str) -> None:
    assert safe_cell(text) == safe
