"""Lines of a page: where they stand as shown, in which order they are read, and which are no lines at all."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.ingest.drawn import PLAIN, PROSE, check, grown, parse, raw_pdf, shown, text_of, write

from phidex.ingest.pdf.bidi import order_logically
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.records import Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_boxes_of_rotated_pages_are_where_the_text_is_shown(document: Any, rotation: int) -> None:
    page = document.new_page(width=400, height=600)
    write(page, (50, 60, 350, 300), PROSE, fontsize=11)
    page.set_rotation(rotation)
    data = document.tobytes()
    parsed = parse_pdf(Path("made.pdf"), data)
    check(parsed, data)
    shown = pymupdf.open("pdf", data)[0]
    pixels = shown.get_pixmap(colorspace=pymupdf.csGRAY)
    boxes = [pymupdf.Rect(anchor.box) for block in parsed.blocks for anchor in block.anchors]
    dark = [(x, y) for y in range(pixels.height) for x in range(pixels.width) if pixels.pixel(x, y)[0] < 100]
    inside = sum(any((x, y) in grown(box) for box in boxes) for x, y in dark)
    assert dark
    assert inside > 0.98 * len(dark)


def test_landscape_text_on_a_rotated_page_is_one_paragraph(document: Any) -> None:
    page = document.new_page(width=400, height=600)
    page.insert_text((100, 500), "Shown upright on a turned page,", rotate=90)
    page.insert_text((115, 500), "in two lines.", rotate=90)
    page.set_rotation(90)
    assert text_of(parse(document)).replace("\n", " ") == "Shown upright on a turned page, in two lines."


def test_text_outside_the_cropbox_is_not_read(document: Any) -> None:
    page = document.new_page(width=400, height=600)
    page.insert_text((50, 100), "Outside above")
    page.insert_text((150, 250), "Inside the window")
    page.set_cropbox(pymupdf.Rect(100, 200, 350, 450))
    parsed = parse(document)
    assert text_of(parsed) == "Inside the window"
    check(parsed, document.tobytes())


def test_ligatures_and_spaces_are_normalised(document: Any) -> None:
    page = document.new_page()
    page.insert_htmlbox((72, 72, 500, 200), "<p>The o\ufb03ce \ufb01le \ufb02ows, no\u00a0break and caf\u00e9</p>")
    assert text_of(parse(document)) == "The office file flows, no break and café"


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם זה טקסט בעברית",
        "שלום עולם 45 מילים abc בתוך",
        "日本語の文章は空白なしで書かれます。とても長い文章を折り返すと行になります。",
    ],
)
def test_other_scripts_come_in_logical_order(document: Any, text: str) -> None:
    page = document.new_page()
    direction = "rtl" if "ש" in text else "ltr"
    page.insert_htmlbox((72, 72, 300, 300), f'<p dir="{direction}">{text}</p>')
    assert text_of(parse(document)) == text
    check(parse(document), document.tobytes())


def test_arabic_presentation_forms_are_spelled_out(document: Any) -> None:
    document.new_page().insert_htmlbox((72, 72, 400, 300), '<p dir="rtl">هذا نص عربي</p>')
    assert text_of(parse(document)) == "هذا نص عربي"


def test_visual_order_of_a_mixed_line_is_turned() -> None:
    logical = "שלום abc 45 רב"
    shown = "בר" + " abc 45 " + "םולש"
    assert order_logically([(char, float(x)) for x, char in enumerate(shown)]) == logical
    english = "say " + "םולש" + " twice"
    assert order_logically([(char, float(x)) for x, char in enumerate(english)]) == "say שלום twice"


def read(data: bytes) -> Parsed:
    return parse_pdf(Path("raw.pdf"), data, PLAIN)


@pytest.mark.parametrize("offset", [(0, 0), (0.3, 0), (0, 0.4)])
def test_text_printed_twice_to_look_bold_is_read_once(document: Any, offset: tuple[float, float]) -> None:
    page = document.new_page()
    for x, y in ((0, 0), offset):
        page.insert_text((72 + x, 72 + y), "Bold by double print")
    page.insert_text((72, 90), "Bold by double print")  # a line of its own is no second print
    assert text_of(parse(document)).count("Bold by double print") == 2


def test_the_invisible_text_of_a_recognised_scan_is_read(document: Any) -> None:
    document.new_page().insert_text((72, 72), "Recognised before", render_mode=3)
    assert text_of(parse(document)) == "Recognised before"


@pytest.mark.parametrize(
    ("content", "box", "text"),
    [
        (shown("Negative box", -400, -400), "-500 -500 -100 -100", "Negative box"),
        (shown("Box upside down", 100, 100), "595 842 0 0", "Box upside down"),
        (shown("No box", 100, 100), "0 0 0 0", "No box"),
        (shown("Undefined box", 100, 100), "nan inf 1e99 -1e99", "Undefined box"),
        (shown("Dust", 0, 0, 0.0001), "0 0 0.001 0.001", "Dust"),
        (shown("Backwards", 100, 100, -12), "0 0 595 842", "Backwards"),
        (shown("Size zero", 10, 10, 0), "0 0 595 842", "Size zero"),
        (b"q 1 0 0 0 10 100 cm " + shown("Flat matrix", 0, 0) + b" Q", "0 0 595 842", "Flat matrix"),
        (b"q .7 .7 -.7 .7 200 200 cm " + shown("Slanted", 0, 0) + b" Q", "0 0 595 842", "Slanted"),
    ],
)
def test_odd_boxes_and_matrices_lose_no_text(content: bytes, box: str, text: str) -> None:
    parsed = read(raw_pdf(content, box=box))
    assert text_of(parsed) == text
    for block in parsed.blocks:
        for anchor in block.anchors:
            assert anchor.box is not None
            assert all(math.isfinite(edge) and edge >= 0 for edge in anchor.box)


@pytest.mark.parametrize("turn", [45, 450, -90])
def test_odd_rotations_lose_no_text(turn: int) -> None:
    assert text_of(read(raw_pdf(shown("Turned", 100, 100), page=f"/Rotate {turn}"))) == "Turned"


def test_type_of_enormous_size_does_not_spoil_its_page() -> None:
    assert "normal" in text_of(read(raw_pdf(shown("Vast", 10, 10, 1e38) + shown("normal", 10, 50))))


def test_columns_kilometres_apart_make_no_kilometres_of_spaces() -> None:
    code = b"".join(shown(f"x = {n}", 10, 500 - 12 * n) + shown("y", 13_000, 500 - 12 * n) for n in range(3))
    assert len(text_of(read(raw_pdf(code, box="0 0 14400 800", font="Courier")))) < 3 * 500


def test_text_that_no_reader_can_read_is_kept_and_named() -> None:
    parsed = read(raw_pdf(shown("\\001\\002\\003\\004", 100, 100)))
    assert text_of(parsed) == "\ufffd" * 4
    assert any(re.search(r"Page 1: .*unreadable; OCR", warning) for warning in parsed.warnings)


def test_half_a_character_can_be_stored() -> None:
    lone = b"BT /F 10 Tf 100 100 Td /Span<</ActualText<FEFFD8000041>>>BDC (lone) Tj EMC ET"
    text_of(read(raw_pdf(lone + shown("fine", 10, 50)))).encode()


def test_a_page_of_many_thousand_pieces_takes_seconds() -> None:
    pieces = b"".join(shown(f"w{n}", n * 7919 % 590, n * 104_729 % 830, 4) for n in range(20_000))
    started = time.process_time()
    assert text_of(read(raw_pdf(pieces))).count("w") == 20_000
    assert time.process_time() - started < 10
