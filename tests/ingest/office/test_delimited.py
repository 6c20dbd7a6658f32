"""CSV and TSV: dialect and encoding found, rows cited as a spreadsheet numbers them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.packages import chunks_of, parse

from phidex.errors import InputError
from phidex.ingest.office.delimited import find_delimiter, first_lines
from phidex.ingest.records import CellLocator


@pytest.mark.parametrize(
    ("name", "data", "rows"),
    [
        ("a.csv", b"name,qty\npump,3\n", ["| name | qty |", "| pump | 3 |"]),
        ("a.csv", b'name;price\n"Pump; big";1,50\n', ["| name | price |", "| Pump; big | 1,50 |"]),
        ("a.csv", "\ufeffsep=;\r\nname;qty\r\npump;3\r\n".encode(), ["| name | qty |", "| pump | 3 |"]),
        ("a.csv", "Größe;Zahl\nklein;1\n".encode("utf-16"), ["| Größe | Zahl |", "| klein | 1 |"]),
        ("a.tsv", b"name\tqty, more\npump\t3\n", ["| name | qty, more |", "| pump | 3 |"]),
        ("a.csv", b'name,text\nx,"two\nlines"\n', ["| name | text |", "| x | two lines |"]),
        ("a.csv", b"a|b\n1|2\n", ["| a | b |", "| 1 | 2 |"]),
        ("a.csv", b"3,4\n5,6\n", ["| A | B |", "| 3 | 4 |", "| 5 | 6 |"]),
        ("a.csv", b"name,,qty\npump,,3\n", ["| name | qty |", "| pump | 3 |"]),
    ],
)
def test_dialects(name: str, data: bytes, rows: list[str]) -> None:
    parsed = parse(name, data)
    assert (parsed.kind, len(parsed.blocks)) == ("data", 1)
    assert [line for line in parsed.blocks[0].text.splitlines() if not line.startswith("|---")] == rows


def test_places_are_cells_numbered_as_records() -> None:
    data = b'name,text\nx,"two\nlines"\ny,one\n'
    parsed = parse("a.csv", data)
    assert [anchor.cells for anchor in parsed.blocks[0].anchors] == [(1, 1, 1, 2), (2, 1, 2, 2), (3, 1, 3, 2)]
    assert chunks_of(parsed, 200)[0].locator == CellLocator("", "A1:B3")
    assert parse("a.csv", b"sep=,\nname,qty\npump,3\n").blocks[0].anchors[0].cells == (2, 1, 2, 2)


def test_a_preamble_stands_above_its_table() -> None:
    parsed = parse("a.csv", b"Export of May\n\nname,qty\npump,3\nvalve,4\n")
    assert [(block.kind, block.anchors[0].cells) for block in parsed.blocks] == [
        ("heading", (1, 1, 1, 1)),
        ("table", (3, 1, 3, 2)),
    ]


def test_quotation_marks_that_never_close_lose_nothing_silently() -> None:
    parsed = parse("a.csv", b'name,text\nx,"never closed\ny,z\n')
    assert "never closed" in parsed.blocks[0].text
    assert "y,z" in parsed.blocks[0].text


@pytest.mark.parametrize("data", [b",,,\n,,\n", b"\n\n\n", b"   "])
def test_no_filled_cell_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.csv has no text"):
        parse("a.csv", data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.from_regex(r"[a-zß ,'\n]{0,6}x", fullmatch=True), min_size=2, max_size=4), min_size=1, max_size=8))
def test_every_field_is_kept(records: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows(records)
    text = "".join(block.text for block in parse("a.csv", file.getvalue().encode()).blocks)
    for field in (" ".join(field.split()) for record in records for field in record):
        assert field in text


def test_the_lines_of_old_macs_and_what_is_beyond_the_limit() -> None:
    assert parse("a.csv", b"name,qty\rpump,3\r").blocks[0].text.endswith("| pump | 3 |")
    kept, warnings = first_lines(b"a,b\nc,d\ne,f\n", 9)
    assert kept == b"a,b\nc,d\n"
    assert warnings == ("Only the first 8 of 12 bytes were read; split the file to have all of it.",)
    assert len(first_lines("größe\n".encode("utf-16") * 3, 11)[0]) == 8


def test_delimiters_by_consistency_not_by_count() -> None:
    assert find_delimiter("a;b\n1,2,3;4,5\n6,7;8\n") == ";"
    assert find_delimiter("x\n", "\t") == "\t"
