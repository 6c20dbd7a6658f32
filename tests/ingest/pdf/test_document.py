"""PDFs drawn here with known text and places: paragraphs, columns, headings, lists and tables come out as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.drawn import PLAIN, PROSE, check, kinds, parse, squeeze, text_of, write

from phidex.errors import InputError
from phidex.ingest.options import ParseOptions
from phidex.ingest.pdf.document import parse_pdf

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


def test_lines_become_paragraphs_with_a_box_each(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 72, 372, 300), PROSE, fontsize=11)
    write(page, (72, 320, 372, 500), "Second paragraph, short.", fontsize=11)
    parsed = parse(document)
    assert [block.text for block in parsed.blocks] == [PROSE, "Second paragraph, short."]
    assert len(parsed.blocks[0].anchors) > 3
    check(parsed, document.tobytes())


def test_two_columns_are_read_one_after_the_other(document: Any) -> None:
    page = document.new_page()
    page.insert_text((72, 60), "A title across both columns", fontsize=20)
    # Drawn in a different order from the one in which they are read.
    write(page, (320, 300, 520, 500), "Delta text " * 12, fontsize=10)
    write(page, (320, 90, 520, 280), "Gamma text " * 12, fontsize=10)
    write(page, (72, 300, 272, 500), "Beta text " * 12, fontsize=10)
    write(page, (72, 90, 272, 280), "Alpha text " * 12, fontsize=10)
    parsed = parse(document)
    order = [block.text.split()[0] for block in parsed.blocks]
    assert order == ["A", "Alpha", "Beta", "Gamma", "Delta"]
    check(parsed, document.tobytes())


def test_divided_words_are_joined_and_compounds_kept(document: Any) -> None:
    page = document.new_page()
    lines = (
        "This is an exam-\nple of a line that ends in a well-\nknown compound. The well-known case and the\n"
        "Haupt-\nund Nebensatz of Jean-\nPaul stay; a soft hy\u00ad\nphen goes."
    )
    for n, line in enumerate(lines.split("\n")):
        page.insert_text((72, 100 + 13 * n), line, fontsize=11)
    text = text_of(parse(document))
    assert "an example of a line" in text
    assert text.count("well-known") == 2
    assert "Haupt- und Nebensatz of Jean-Paul stay" in text
    check(parse(document), document.tobytes())


def test_outline_gives_headings_and_levels(document: Any) -> None:
    for number in range(1, 4):
        page = document.new_page()
        page.insert_text((72, 110), f"{number} Chapter title {'abc'[number - 1]}", fontsize=11)
        page.insert_text((72, 150), f"{number}.1 A section whose name runs", fontsize=11)
        page.insert_text((72, 164), "over two lines", fontsize=11)
        write(page, (72, 180, 500, 500), PROSE, fontsize=11)
    toc: list[list[Any]] = []
    for number in range(1, 4):
        toc += [[1, f"Chapter title {'abc'[number - 1]}", number], [2, "A section whose name runs over two lines", number]]
    document.set_toc(toc)
    parsed = parse(document)
    headings = [(block.level, block.text) for block in parsed.blocks if block.kind == "heading"]
    assert headings[:2] == [(1, "1 Chapter title a"), (2, "1.1 A section whose name runs over two lines")]
    assert len(headings) == 6
    check(parsed, document.tobytes())


def test_outline_entry_not_found_is_looked_for_on_the_next_page_only(document: Any) -> None:
    for number in range(1, 4):
        page = document.new_page()
        write(page, (72, 150, 500, 300), PROSE, fontsize=11)
        page.insert_text((72, 350), f"Title {'abc'[number - 1]}", fontsize=11)
        page.insert_text((300, 350), "what it is about", fontsize=11)
    document.set_toc([[1, "Title b", 1], [1, "Title c", 1]])
    headings = [(block.page_number, block.text) for block in parse(document).blocks if block.kind == "heading"]
    assert headings == [(2, "Title b what it is about")]


def test_larger_type_makes_headings_by_rank(document: Any) -> None:
    page = document.new_page()
    page.insert_text((72, 80), "The Great Title", fontsize=24)
    page.insert_text((72, 130), "First part", fontsize=16)
    write(page, (72, 150, 500, 250), PROSE, fontsize=11)
    page.insert_text((72, 280), "Bold and alone", fontsize=11, fontname="hebo")
    write(page, (72, 300, 500, 400), PROSE, fontsize=11)
    parsed = parse(document)
    headings = [(block.level, block.text) for block in parsed.blocks if block.kind == "heading"]
    assert headings == [(1, "The Great Title"), (2, "First part"), (3, "Bold and alone")]
    assert parsed.title == "The Great Title"


def test_chapter_number_and_title_are_one_heading(document: Any) -> None:
    page = document.new_page()
    page.insert_text((72, 80), "Chapter 1", fontsize=20)
    page.insert_text((72, 115), "Overview", fontsize=24)
    write(page, (72, 150, 500, 400), PROSE, fontsize=11)
    assert kinds(parse(document))[0] == ("heading", "Chapter 1 Overview")


def test_lists_and_code(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 72, 500, 110), "A list of things follows here:", fontsize=11)
    for n, line in enumerate(
        ["• first thing to do", "• second thing that runs on", "   over a line", "1. numbered one", "2. numbered two"]
    ):
        page.insert_text((90, 120 + 14 * n), line, fontsize=11, fontname="helv")
    for n, line in enumerate(["def f(x):", "    if x:", "        return 1", "", "    return 2"]):
        page.insert_text((72, 230 + 12 * n), line, fontsize=10, fontname="cour")
    write(page, (72, 320, 500, 500), PROSE, fontsize=11)
    parsed = parse(document)
    assert kinds(parsed)[1:6] == [
        ("list_item", "first thing to do"),
        ("list_item", "second thing that runs on over a line"),
        ("list_item", "1. numbered one"),
        ("list_item", "2. numbered two"),
        ("code", "def f(x):\n    if x:\n        return 1\n\n    return 2"),
    ]
    check(parsed, document.tobytes())


def test_tables_keep_rows_and_cells(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 72, 500, 150), PROSE, fontsize=11)
    for n, row in enumerate([("Name", "Size", "Colour"), ("alpha", "1", "red"), ("beta", "2", "blue")]):
        for column, cell in enumerate(row):
            page.insert_text((72 + 120 * column, 200 + 14 * n), cell, fontsize=11)
    parsed = parse(document, ParseOptions(quality="fast", ocr="off"))
    assert kinds(parsed)[-1] == ("table", "Name\tSize\tColour\nalpha\t1\tred\nbeta\t2\tblue")
    check(parsed, document.tobytes())


words = st.text(st.characters(codec="latin-1", categories=("L", "N")), min_size=1, max_size=14)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(words, min_size=1, max_size=60), min_size=1, max_size=6), st.sampled_from([8, 11, 16]))
def test_no_word_is_lost_and_every_anchor_holds(paragraphs: list[list[str]], size: int) -> None:
    document = pymupdf.open()
    for paragraph in paragraphs:
        page = document.new_page()
        page.insert_textbox((72, 72, 420, 780), " ".join(paragraph), fontsize=size)
    data = document.tobytes()
    try:
        parsed = parse_pdf(Path("made.pdf"), data, PLAIN)
    except InputError:
        return
    check(parsed, data)
    shown = squeeze("".join(page.get_text() for page in pymupdf.open("pdf", data)))
    ours = squeeze("".join([block.text for block in parsed.blocks]))
    assert len(ours) + sum(map(len, parsed.furniture)) * len(paragraphs) >= len(shown)
