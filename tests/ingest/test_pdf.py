"""PDFs made here with known text and places; every locator must map back to the text it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phidex.errors import InputError
from phidex.ingest.bidi import order_logically
from phidex.ingest.furniture import drop_furniture
from phidex.ingest.lines import Line, Page
from phidex.ingest.pdf import parse_pdf
from phidex.ingest.records import Block, Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete

PROSE = (
    "The engine reads each page once and keeps where every line stands. A reader who follows a citation sees the "
    "exact place and can judge the answer alone. Nothing is guessed that the document does not say, and what was "
    "lost on the way is named in a warning."
)


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


def parse(document: Any, **options: Any) -> Parsed:
    return parse_pdf(Path("made.pdf"), document.tobytes(**options))


def text_of(parsed: Parsed) -> str:
    return "\n".join(block.text for block in parsed.blocks)


def kinds(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


def find(parsed: Parsed, part: str) -> Block:
    return next(block for block in parsed.blocks if part in block.text)


def squeeze(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def grown(box: Any) -> Any:
    """The box with a margin of one point."""
    return pymupdf.Rect(box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1)


def check(parsed: Parsed, data: bytes) -> None:
    """All invariants of a parsed PDF, against the PDF itself."""
    document = pymupdf.open("pdf", data)
    assert parsed.page_count == document.page_count
    for block in parsed.blocks:
        assert block.text
        assert block.text == block.text.strip() or block.kind == "code"
        assert block.page_number is not None
        starts = [anchor.start for anchor in block.anchors]
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < len(block.text)
        page = document[block.page_number - 1]
        for anchor, end in zip(block.anchors, [*starts[1:], len(block.text)], strict=True):
            assert anchor.box is not None
            box = pymupdf.Rect(anchor.box)
            assert box in grown(page.rect)
            assert not box.is_empty
            there = page.get_textbox(grown(box) * page.derotation_matrix)
            assert squeeze(block.text[anchor.start : end]) in squeeze(there)


def write(page: Any, box: tuple[float, float, float, float], text: str, **options: Any) -> None:
    assert page.insert_textbox(box, text, **options) >= 0


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


def book(document: Any, pages: int = 6, *, alternating: bool = False) -> None:
    for number in range(1, pages + 1):
        page = document.new_page()
        left = alternating and number % 2 == 0
        page.insert_text((72, 40), "A Book of Tests" if left or not alternating else f"Chapter {number // 4 + 1}", fontsize=9)
        write(page, (72, 90, 500, 700), f"Page content number {'abcdefghijkl'[number - 1]}. {PROSE}", fontsize=11)
        page.insert_text((290, 810), f"- {number} -", fontsize=9)


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


def test_ligatures_and_spaces_are_normalised(document: Any) -> None:
    page = document.new_page()
    page.insert_htmlbox((72, 72, 500, 200), "<p>The o\ufb03ce \ufb01le \ufb02ows, no\u00a0break and caf\u00e9</p>")
    assert text_of(parse(document)) == "The office file flows, no break and café"


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


def test_title_comes_from_metadata_unless_it_is_a_file_name(document: Any) -> None:
    page = document.new_page()
    page.insert_text((72, 80), "A Real Heading", fontsize=24)
    write(page, (72, 150, 500, 400), PROSE, fontsize=11)
    document.set_metadata({"title": "Guide  for Maintainers ", "author": "A. Writer"})
    parsed = parse(document)
    assert (parsed.title, parsed.metadata["author"]) == ("Guide for Maintainers", "A. Writer")
    document.set_metadata({"title": "draft-v3.docx"})
    assert parse(document).title == "A Real Heading"


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
    parsed = parse(document)
    assert kinds(parsed)[-1] == ("table", "Name\tSize\tColour\nalpha\t1\tred\nbeta\t2\tblue")
    check(parsed, document.tobytes())


def test_page_labels(document: Any) -> None:
    book(document, 4)
    assert parse(document).page_labels == ()
    document.set_page_labels(
        [{"startpage": 0, "style": "r", "firstpagenum": 1}, {"startpage": 2, "style": "D", "firstpagenum": 1}]
    )
    assert parse(document).page_labels == ("i", "ii", "1", "2")


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


def test_encrypted(document: Any) -> None:
    document.new_page().insert_text((72, 72), "secret")
    options = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "owner_pw": "o"}
    with pytest.raises(InputError, match=r"encrypted.*password"):
        parse(document, user_pw="u", **options)
    assert text_of(parse(document, **options)) == "secret"  # an owner's password only forbids printing and the like


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 0.99])
def test_truncated_is_named_or_repaired_with_a_warning(document: Any, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    book(document, 6)
    data = document.tobytes()
    cut = data[: int(share * len(data))]
    try:
        said = " ".join(parse_pdf(Path("cut.pdf"), cut).warnings)
    except InputError as error:
        said = str(error)
    assert re.search("truncated|no text|repaired", said)
    assert capfd.readouterr().err == ""


def test_no_text_and_some_pages_without_text(document: Any) -> None:
    document.new_page()
    document.new_page()
    with pytest.raises(InputError, match="scan: 2 pages have no text") as caught:
        parse(document)
    assert "OCR" in caught.value.hint
    document[0].insert_text((72, 72), "Only the first page has text.")
    assert any("1 of 2 pages" in warning and "page 2" in warning for warning in parse(document).warnings)


def test_html_is_not_a_pdf() -> None:
    with pytest.raises(InputError):
        parse_pdf(Path("x.pdf"), b"<html><body>hello</body></html>")


def test_path_is_read_and_missing_files_are_named(tmp_path: Path, document: Any) -> None:
    document.new_page().insert_text((72, 72), "From a file")
    document.save(tmp_path / "a.pdf")
    assert text_of(parse_pdf(tmp_path / "a.pdf")) == "From a file"
    with pytest.raises(InputError):
        parse_pdf(tmp_path / "none.pdf")


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
        parsed = parse_pdf(Path("made.pdf"), data)
    except InputError:
        return
    check(parsed, data)
    shown = squeeze("".join(page.get_text() for page in pymupdf.open("pdf", data)))
    ours = squeeze("".join([block.text for block in parsed.blocks]))
    assert len(ours) + sum(map(len, parsed.furniture)) * len(paragraphs) >= len(shown)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1500))
def test_damage_raises_nothing_but_input_errors(noise: bytes, at: int) -> None:
    data = _sample()
    broken = data[:at] + noise + data[at + len(noise) :]
    try:
        parsed = parse_pdf(Path("x.pdf"), broken)
    except InputError:
        return
    assert parsed.blocks


def _cached(make: Callable[[], bytes]) -> Callable[[], bytes]:
    kept: list[bytes] = []

    def once() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return once


@_cached
def _sample() -> bytes:
    document = pymupdf.open()
    book(document, 3)
    return document.tobytes()
