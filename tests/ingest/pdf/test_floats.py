"""Figures, captions, footnotes, formulas and the order in which the text around them is read, in PDFs made here."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from PIL import Image

from phidex.ingest.options import ParseOptions, Quality
from phidex.ingest.pdf.captions import caption_of
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.records import Block, Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete
PROSE = "The engine reads each page once and keeps where every line stands, so that a citation lands on the exact place. "


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


def parse(document: Any, quality: Quality = "balanced") -> Parsed:
    return parse_pdf(Path("made.pdf"), document.tobytes(), ParseOptions(quality=quality, ocr="off"))


def write(page: Any, box: tuple[float, float, float, float], text: str, **options: Any) -> None:
    assert page.insert_textbox(box, text, **options) >= 0


def picture(shade: int = 0, size: tuple[int, int] = (160, 120)) -> bytes:
    """A PNG with a gradient, so that it is neither empty nor of one colour."""
    image = Image.new("RGB", size)
    image.putdata([((x * 255) // size[0], (y * 255) // size[1], shade) for y in range(size[1]) for x in range(size[0])])
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def sketch(page: Any, x: float, y: float) -> None:
    """A drawing of circles and slanted lines."""
    for step in range(6):
        page.draw_circle((x + 60 + 12 * step, y + 60), 20 + 4 * step)
        page.draw_line((x, y + 10 * step), (x + 180, y + 120 - 10 * step))


def of_kind(blocks: Iterable[Block], kind: str) -> list[Block]:
    return [block for block in blocks if block.kind == kind]


def starts(parsed: Parsed) -> list[str]:
    """The first word of every block."""
    return [block.text.split()[0] for block in parsed.blocks]


def test_a_picture_is_cut_out_with_its_caption_and_what_is_said_of_it(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE + "As Figure 1 shows, colours change from corner to corner.", fontsize=11)
    page.insert_image((150, 200, 390, 380), stream=picture())
    write(page, (150, 390, 400, 420), "Figure 1: A gradient of colours", fontsize=10)
    write(page, (72, 450, 500, 700), PROSE * 3, fontsize=11)
    parsed = parse(document)
    (figure,), (caption,) = of_kind(parsed.blocks, "figure"), of_kind(parsed.blocks, "caption")
    assert caption.text == "Figure 1: A gradient of colours"
    assert parsed.blocks.index(caption) + 1 == parsed.blocks.index(figure)
    assert figure.text.startswith("As Figure 1 shows")
    assert figure.anchors[0].box == pytest.approx((150, 200, 390, 380), abs=1)
    assert figure.image == 0
    with Image.open(io.BytesIO(parsed.images[0].data)) as image:
        assert image.size == (parsed.images[0].width, parsed.images[0].height)
        assert image.size == pytest.approx((500, 375), abs=3)
        dark, bright = image.getchannel("R").getextrema()
    assert (dark, bright) == (pytest.approx(0, abs=10), pytest.approx(255, abs=10))


def test_a_drawing_is_a_figure_and_keeps_its_labels(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE * 2, fontsize=11)
    sketch(page, 150, 200)
    page.insert_text((200, 262), "inlet", fontsize=9)
    write(page, (150, 350, 400, 370), "Figure 2.1: The valve", fontsize=10)
    parsed = parse(document)
    (figure,) = of_kind(parsed.blocks, "figure")
    assert "inlet" in figure.text
    assert sum("inlet" in block.text for block in parsed.blocks) == 1
    assert parsed.images[0].mime == "image/png"


def test_decoration_is_left_out(document: Any) -> None:
    logo = picture(90)
    for _ in range(4):
        page = document.new_page()
        page.insert_image(page.rect, stream=picture(200, (60, 80)))  # a background
        page.insert_image((480, 20, 560, 70), stream=logo)
        page.insert_image((72, 20, 82, 30), stream=picture(50))  # a bullet
        page.insert_image((72, 780, 540, 784), stream=picture(10))  # a rule
        write(page, (72, 90, 500, 300), PROSE * 3, fontsize=11)
    parsed = parse(document)
    assert not of_kind(parsed.blocks, "figure")
    assert parsed.images == ()


def test_strips_of_one_picture_are_one_figure(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE * 2, fontsize=11)
    for strip in range(4):
        page.insert_image((150, 200 + 30 * strip, 390, 230 + 30 * strip), stream=picture(60 * strip), keep_proportion=False)
    (figure,) = of_kind(parse(document).blocks, "figure")
    assert figure.anchors[0].box == pytest.approx((150, 200, 390, 320), abs=1)


def test_fast_cuts_out_nothing(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 60, 500, 160), PROSE * 2, fontsize=11)
    page.insert_image((150, 200, 390, 380), stream=picture())
    assert parse(document, "fast").images == ()


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("Table 3: Results", "table"),
        ("TABLE IV", "table"),
        ("Tabelle 1.7: Gruppen", "table"),
        ("Таблица 2. Пути", "table"),
        ("表 4 結果", "table"),
        ("표 2. 결과", "table"),
        ("Fig. 7. The path", "figure"),
        ("Abbildung 3: Aufbau", "figure"),
        ("图 1 系统结构", "figure"),
        ("Table 3 shows the results of all runs", None),
        ("figure 2 is below", None),
        ("Tables are dangerous", None),
        ("Tablets 3: a review", None),
    ],
)
def test_captions_in_many_languages(text: str, of: str | None) -> None:
    assert caption_of(text) == of


def test_footnotes_follow_the_text_of_their_page(document: Any) -> None:
    page = document.new_page()
    write(page, (60, 60, 290, 640), "Alpha " + PROSE * 10, fontsize=11)
    page.draw_line((60, 660), (140, 660), width=0.4)
    write(
        page, (60, 664, 290, 720), "1 Compare the note on reading order in the manual of the engine, second part.", fontsize=8
    )
    write(page, (310, 60, 540, 720), "Beta " + PROSE * 10, fontsize=11)
    parsed = parse(document)
    assert [(block.kind, block.text.split()[0]) for block in parsed.blocks] == [
        ("paragraph", "Alpha"),
        ("paragraph", "Beta"),
        ("footnote", "1"),
    ]


def test_small_print_above_text_is_no_footnote(document: Any) -> None:
    page = document.new_page()
    write(page, (72, 450, 500, 480), "1 A remark set small, in the middle of the page.", fontsize=8)
    write(page, (72, 500, 500, 700), PROSE * 5, fontsize=11)
    assert not of_kind(parse(document).blocks, "footnote")


def test_three_columns_under_a_wide_title(document: Any) -> None:
    page = document.new_page()
    # Drawn from right to left, so that the order of drawing is no help.
    write(page, (400, 120, 540, 500), "Gamma " + PROSE * 4, fontsize=10)
    write(page, (230, 120, 370, 500), "Beta " + PROSE * 4, fontsize=10)
    write(page, (60, 120, 200, 500), "Alpha " + PROSE * 4, fontsize=10)
    page.insert_text((60, 90), "Heading over all three of the columns", fontsize=20)
    assert starts(parse(document)) == ["Heading", "Alpha", "Beta", "Gamma"]


def test_a_wide_table_parts_the_columns(document: Any) -> None:
    page = document.new_page()
    for x, above, below in ((60, "Alpha", "Gamma"), (320, "Beta", "Delta")):
        write(page, (x, 60, x + 220, 260), f"{above} " + PROSE * 4, fontsize=10)
        write(page, (x, 400, x + 220, 600), f"{below} " + PROSE * 4, fontsize=10)
    for row, texts in enumerate([("Kind", "Count", "Share"), ("Even", "12", "0.40"), ("Odd", "18", "0.60")]):
        for column, text in enumerate(texts):
            page.insert_text((70 + 180 * column, 310 + 18 * row), text, fontsize=10)
    for y in (297, 315, 352):
        page.draw_line((60, y), (540, y), width=0.6)
    parsed = parse(document)
    assert [block.text.split()[1 if block.kind == "table" else 0] for block in parsed.blocks] == [
        "Alpha",
        "Beta",
        "Kind",
        "Gamma",
        "Delta",
    ]


def test_a_box_beside_the_text_does_not_interrupt_it(document: Any) -> None:
    page = document.new_page()
    write(page, (60, 60, 380, 300), "Alpha " + PROSE * 5, fontsize=11)
    page.draw_rect((400, 60, 550, 260), color=(0.5, 0.5, 0.5))
    write(page, (408, 68, 542, 255), "Sidebar " + PROSE * 2, fontsize=9)
    write(page, (60, 310, 550, 500), "Beta " + PROSE * 5, fontsize=11)
    assert starts(parse(document)) == ["Alpha", "Sidebar", "Beta"]


def test_a_formula_stays_apart_and_whole(document: Any) -> None:
    page = document.new_page()
    page.insert_font(fontname="MathFont", fontbuffer=pymupdf.Font("symb").buffer)
    write(page, (72, 60, 500, 100), "The sum of the series is known since Euler and is written", fontsize=11)
    page.insert_text((200, 120), "a = b + g -", fontsize=11, fontname="symb")
    page.insert_text((200, 136), "d + e = z", fontsize=11, fontname="symb")
    write(page, (72, 150, 500, 200), "where every letter stands for a number that is not zero.", fontsize=11)
    parsed = parse(document)
    formula = parsed.blocks[1]
    assert len(parsed.blocks) == 3
    assert formula.text.count("\n") == 1
    assert formula.text.split("\n")[0].endswith(("-", "−"))
