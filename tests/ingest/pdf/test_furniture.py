"""Running headers, footers and page numbers leave the text; what only looks like them stays."""

from __future__ import annotations

import re
from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.ingest.drawn import PROSE, book, check, parse, text_of, write

from phidex.ingest.pdf.furniture import drop_furniture
from phidex.ingest.pdf.lines import Line, Page

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


@pytest.mark.parametrize("alternating", [False, True])
def test_running_headers_and_page_numbers_are_kept_out(document: Any, alternating: bool) -> None:
    book(document, 8, alternating=alternating)
    parsed = parse(document)
    assert "A Book of Tests" not in text_of(parsed)
    assert not re.search(r"- \d -", text_of(parsed))
    assert "A Book of Tests" in parsed.furniture
    assert text_of(parsed).count("Page content number") == 8
    check(parsed, document.tobytes())


def test_repeated_text_in_the_body_is_not_furniture(document: Any) -> None:
    for _ in range(6):
        write(document.new_page(), (72, 300, 500, 700), "Note\n\n" + PROSE, fontsize=11)
    parsed = parse(document)
    assert parsed.furniture == ()
    assert text_of(parsed).count("Note") == 6


def test_body_text_that_repeats_at_the_top_of_some_pages_stays(document: Any) -> None:
    for number in range(10):
        page = document.new_page()
        page.insert_text((72, 40), "A running title", fontsize=9)
        first = "package description" if number in (3, 4, 5) else f"Body text {'abcdefghij'[number]} begins here"
        own = PROSE.split()[number:] + PROSE.split()[:number]
        write(page, (72, 62, 500, 700), f"{first}\n{' '.join(own)}", fontsize=11)
    parsed = parse(document)
    assert parsed.furniture == ("A running title",)
    assert text_of(parsed).count("package description") == 3


def test_furniture_needs_three_pages() -> None:
    line = Line("Header", 10, 10, 60, 20, 9, False, False, 0, True)
    assert drop_furniture([Page(0, 600, 800, [line]), Page(1, 600, 800, [line])], 10) == ()


def test_what_looks_like_furniture_is_the_text_where_there_is_no_other(document: Any) -> None:
    for number in range(1, 9):
        document.new_page().insert_text((72, 40), f"Original page {number}")
    parsed = parse(document)
    assert [block.text for block in parsed.blocks] == [f"Original page {number}" for number in range(1, 9)]
    assert parsed.furniture == ()
