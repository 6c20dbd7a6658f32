"""Tables in PDFs made here: ruled, with horizontal lines only, and without any; and what only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from phidex.errors import ConfigError
from phidex.ingest.options import ParseOptions, Quality
from phidex.ingest.pdf import regions
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.records import Block, Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete
PROSE = "The engine reads each page once and keeps where every line stands, so that a citation lands on the exact place. "
ROWS = [("Fruit", "Weight (g)", "Price"), ("Apple", "182", "0.45"), ("Plum", "66", "0.20"), ("Blood orange", "131", "1.10")]


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


def parse(document: Any, quality: Quality = "balanced") -> Parsed:
    return parse_pdf(Path("made.pdf"), document.tobytes(), ParseOptions(quality=quality, ocr="off"))


def write(page: Any, box: tuple[float, float, float, float], text: str, **options: Any) -> None:
    assert page.insert_textbox(box, text, **options) >= 0


def put(page: Any, rows: list[tuple[str, ...]], *, x: float = 90, y: float = 200, width: float = 110, step: float = 16) -> None:
    """The rows as text, each cell at its column's left edge; `y` is the base line of the first."""
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            page.insert_text((x + width * column, y + step * number), cell, fontsize=10)


def rule(page: Any, y: float, x0: float = 84, x1: float = 420) -> None:
    page.draw_line((x0, y), (x1, y), width=0.6)


def tables(parsed: Parsed) -> list[Block]:
    return [block for block in parsed.blocks if block.kind == "table"]


def cells(block: Block) -> list[list[str]]:
    lines = [line for line in block.text.split("\n") if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_grid_of_lines_gives_every_cell_its_place(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE * 3, fontsize=10)
    put(page, ROWS)
    for number in range(5):
        rule(page, 188 + 16 * number)
    for x in (84, 196, 306, 420):
        page.draw_line((x, 188), (x, 252), width=0.6)
    (table,) = tables(parse(document))
    assert cells(table) == [list(row) for row in ROWS]
    assert table.text.split("\n")[1] == "| --- | --- | --- |"


def test_each_row_has_its_own_box(document: Any) -> None:
    page = document.new_page()
    put(page, ROWS)
    rule(page, 188)
    rule(page, 205)
    rule(page, 254)
    (table,) = tables(parse(document))
    assert len(table.anchors) == len(ROWS)
    for anchor, row in zip(table.anchors, ROWS, strict=True):
        assert anchor.box is not None
        assert row[0] in page.get_textbox((*pymupdf.Rect(anchor.box), -1, -1, 1, 1))
        assert table.text[anchor.start :].startswith(f"| {row[0]}")


def test_three_lines_make_a_table_whose_columns_are_gaps(document: Any) -> None:
    page = document.new_page()
    put(page, ROWS)
    for y in (188, 205, 254):
        rule(page, y)
    assert cells(tables(parse(document))[0]) == [list(row) for row in ROWS]


def test_numbers_in_columns_need_no_line(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE * 3, fontsize=10)
    put(page, ROWS)
    assert cells(tables(parse(document))[0]) == [list(row) for row in ROWS]


def test_a_cell_of_several_lines_stays_one_cell(document: Any) -> None:
    page = document.new_page()
    put(
        page,
        [
            ("Name", "Meaning"),
            ("stem", "the part of a word to which"),
            ("", "endings are added"),
            ("root", "what all forms share"),
        ],
    )
    for y in (188, 205, 238, 254):
        rule(page, y)
    assert cells(tables(parse(document))[0]) == [
        ["Name", "Meaning"],
        ["stem", "the part of a word to which endings are added"],
        ["root", "what all forms share"],
    ]


def test_a_header_over_several_columns_is_said_for_each(document: Any) -> None:
    page = document.new_page()
    page.insert_text((230, 184), "Harvest", fontsize=10)
    rule(page, 188, 196, 420)
    put(page, [("Year", "Apples", "Plums"), ("2019", "12", "7"), ("2020", "15", "9")])
    for y in (172, 205, 238):
        rule(page, y)
    assert cells(tables(parse(document))[0])[0] == ["Year", "Harvest Apples", "Harvest Plums"]


def test_two_tables_on_a_page_stay_two(document: Any) -> None:
    page = document.new_page()
    for top in (200, 400):
        put(page, ROWS, y=top)
        for y in (top - 12, top + 5, top + 54):
            rule(page, y)
    write(page, (84, 290, 420, 360), PROSE * 2, fontsize=10)
    found = tables(parse(document))
    assert [len(cells(table)) for table in found] == [4, 4]


def test_a_bar_in_a_cell_does_not_part_it(document: Any) -> None:
    page = document.new_page()
    put(page, [("Sign", "Sense"), ("a|b", "a or b"), ("a&b", "a and b")])
    for y in (188, 205, 238):
        rule(page, y)
    assert r"| a\|b | a or b |" in tables(parse(document))[0].text


def test_a_table_that_goes_on_gets_its_header_again(document: Any) -> None:
    document.new_page()
    document.new_page()
    first, second = document[0], document[1]
    write(first, (72, 60, 500, 160), PROSE * 3, fontsize=10)
    put(first, ROWS, y=740)
    put(second, [("Pear", "178", "0.60"), ("Fig", "50", "0.75"), ("Date", "7", "0.30")], y=80)
    for page, top, rows in ((first, 728, 4), (second, 68, 3)):
        for number in range(rows + 1):
            rule(page, top + 16 * number)
        for x in (84, 196, 306, 420):
            page.draw_line((x, top), (x, top + 16 * rows), width=0.6)
    one, two = tables(parse(document))
    assert cells(one)[0] == cells(two)[0] == ["Fruit", "Weight (g)", "Price"]
    assert cells(two)[1] == ["Pear", "178", "0.60"]


def test_a_rotated_page_is_read_as_it_is_shown(document: Any) -> None:
    page = document.new_page()
    put(page, ROWS)
    for y in (188, 205, 254):
        rule(page, y)
    shown = pymupdf.open()
    turned = shown.new_page(width=page.rect.height, height=page.rect.width)
    turned.show_pdf_page(turned.rect, document, 0, rotate=90)
    turned.set_rotation(90)
    (table,) = tables(parse(shown))
    assert cells(table) == [list(row) for row in ROWS]
    assert table.anchors[0].box is not None
    assert table.anchors[0].box[0] < turned.rect.width


def test_fast_leaves_tables_as_lines(document: Any) -> None:
    page = document.new_page()
    put(page, ROWS)
    assert tables(parse(document, "fast"))[0].text.split("\n")[1] == "Apple\t182\t0.45"


@pytest.mark.parametrize("kind", ["two columns of prose", "contents", "code in a frame", "note in a frame", "numbered list"])
def test_what_only_looks_like_a_table(document: Any, kind: str) -> None:
    page = document.new_page()
    match kind:
        case "two columns of prose":
            page.draw_line((60, 50), (540, 50))
            page.draw_line((60, 780), (540, 780))
            write(page, (60, 60, 290, 700), PROSE * 14, fontsize=10)
            write(page, (310, 60, 540, 700), PROSE * 14, fontsize=10)
        case "contents":
            put(page, [(f"{n} Chapter", str(3 * n)) for n in range(1, 9)], width=400)
        case "code in a frame":
            page.draw_rect((80, 90, 500, 300))
            write(page, (90, 100, 490, 290), "for x in y:   # all\n    print(x)   # each\n" * 5, fontsize=9, fontname="cour")
        case "note in a frame":
            page.draw_rect((80, 90, 500, 300))
            page.draw_rect((90, 100, 120, 130))
            write(page, (140, 100, 480, 290), PROSE * 4, fontsize=10)
        case _:
            put(page, [(f"{n}.", "An item of a list in words") for n in range(1, 7)], width=30)
    assert not [table for table in tables(parse(document)) if table.text.startswith("|")]


def test_the_layout_model_finds_the_table_too(document: Any) -> None:
    pytest.importorskip("pymupdf.layout")
    page = document.new_page()
    page.insert_text((72, 60), "Prices of fruit", fontsize=16)
    write(page, (72, 80, 500, 170), PROSE * 3, fontsize=10)
    put(page, ROWS, y=240)
    for y in (228, 245, 294):
        rule(page, y)
    write(page, (72, 330, 500, 500), PROSE * 4, fontsize=10)
    assert [cells(table) for table in tables(parse(document, "layout"))] == [[list(row) for row in ROWS]]


def test_without_the_layout_model_the_error_says_what_to_do(document: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(regions.importlib, "import_module", missing)
    document.new_page().insert_text((72, 72), "Text")
    with pytest.raises(ConfigError, match="layout model") as error:
        parse(document, "layout")
    assert "balanced" in error.value.hint
