"""PowerPoint: titles, shapes in reading order with true boxes, tables, charts, groups, pictures, notes."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pptx as _pptx
import pytest
from pptx.chart.data import CategoryChartData as _CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE as _CHART_TYPE
from tests.ingest.packages import chunks_of, parse, png_bytes, saved, texts

from phidex.errors import InputError
from phidex.ingest.office.placement import Frame, reading_order
from phidex.ingest.records import PageLocator, locator_from_dict

pptx: Any = _pptx  # its own types are incomplete
CategoryChartData: Any = _CategoryChartData
CHART_TYPE: Any = _CHART_TYPE
POINT = 12700


def deck() -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Pumps"
    slide.placeholders[1].text_frame.text = "first point"
    slide.placeholders[1].text_frame.add_paragraph().text = "second point"
    slide.notes_slide.notes_text_frame.text = "Mention the budget."
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    right = slide.shapes.add_textbox(400 * POINT, 150 * POINT, 200 * POINT, 40 * POINT)
    right.text_frame.text = "right"
    left = slide.shapes.add_textbox(50 * POINT, 150 * POINT, 200 * POINT, 40 * POINT)
    left.text_frame.text = "left"
    table = slide.shapes.add_table(2, 2, 50 * POINT, 250 * POINT, 300 * POINT, 80 * POINT).table
    for row in range(2):
        for column in range(2):
            table.cell(row, column).text = f"{row}{column}"
    values = CategoryChartData()
    values.categories = ["spring", "autumn"]
    values.add_series("litres", (1.5, 4.3))
    chart = slide.shapes.add_chart(CHART_TYPE.BAR_CLUSTERED, 50 * POINT, 400 * POINT, 200 * POINT, 100 * POINT, values).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Flow by season"
    slide.shapes.title.text = "Data"
    picture = slide.shapes.add_picture(io.BytesIO(png_bytes()), 500 * POINT, 400 * POINT)
    picture._element.nvPicPr.cNvPr.set("descr", "a grey square")
    slide.element.set("show", "0")
    return saved(deck)


def test_a_presentation_made_by_its_library() -> None:
    parsed = parse("deck.pptx", deck())
    assert (parsed.unit, parsed.page_count, parsed.title) == ("slide", 2, "Pumps")
    assert [(block.page_number, block.kind, block.text) for block in parsed.blocks if block.kind != "table"] == [
        (1, "heading", "Pumps"),
        (1, "list_item", "first point"),
        (1, "list_item", "second point"),
        (1, "paragraph", "Speaker notes: Mention the budget."),
        (2, "heading", "Data"),
        (2, "paragraph", "left"),
        (2, "paragraph", "right"),
        (2, "caption", "Flow by season"),
        (2, "figure", "a grey square"),
    ]
    tables = [block.text.splitlines() for block in parsed.blocks if block.kind == "table"]
    assert tables == [
        ["| 00 | 01 |", "|---|---|", "| 10 | 11 |"],
        ["|  | litres |", "|---|---|", "| spring | 1.5 |", "| autumn | 4.3 |"],
    ]
    assert parsed.warnings == ("Hidden slides were read too: 2.",)


def test_places_are_slides_with_boxes_in_points() -> None:
    chunks = chunks_of(parse("deck.pptx", deck()), 16)
    left = next(chunk.locator for chunk in chunks if "left" in chunk.text)
    assert isinstance(left, PageLocator)
    assert (left.page_number, left.unit, str(left)) == (2, "slide", "slide 2")
    assert (50.0, 150.0, 250.0, 190.0) in left.boxes
    assert locator_from_dict(left.to_dict()) == left
    table = next(block for block in parse("deck.pptx", deck()).blocks if block.kind == "table")
    assert [anchor.box for anchor in table.anchors] == [(50.0, 250.0, 350.0, 290.0), (50.0, 290.0, 350.0, 330.0)]


def test_placeholders_take_their_boxes_from_the_layout() -> None:
    heading = parse("deck.pptx", deck()).blocks[0]
    box = heading.anchors[0].box
    assert box is not None
    assert box[2] - box[0] > 300
    assert 0 < box[1] < box[3] < 200


def test_groups_scale_what_stands_in_them() -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    inner = group.shapes.add_textbox(0, 0, 100 * POINT, 50 * POINT)
    inner.text_frame.text = "grouped"
    group.left, group.top, group.width, group.height = 200 * POINT, 100 * POINT, 50 * POINT, 100 * POINT
    box = parse("a.pptx", saved(deck)).blocks[0].anchors[0].box
    assert box == pytest.approx((200, 100, 250, 200))


def test_shows_and_presentations_with_video_are_read_without_the_video() -> None:
    file = io.BytesIO(deck())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("ppt/media/film.mp4", bytes(3_000_000))
    with zipfile.ZipFile(file) as archive:
        types = archive.read("[Content_Types].xml").decode()
    assert "presentationml.presentation.main" in types
    assert texts(parse("deck.ppsx", file.getvalue()))[0] == "Pumps"


def test_a_missing_slide_is_named() -> None:
    data = deck()
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            if not re.fullmatch(r"ppt/slides/slide1\.xml", name):
                new.writestr(name, old.read(name))
    parsed = parse("deck.pptx", file.getvalue())
    assert {block.page_number for block in parsed.blocks} == {2}
    assert "Slide 1 is missing or damaged." in parsed.warnings


def test_a_presentation_without_text_says_what_to_do() -> None:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[6])
    with pytest.raises(InputError, match="has no text") as caught:
        parse("a.pptx", saved(deck))
    assert "PDF" in caught.value.hint


def test_columns_are_read_before_rows_where_the_gap_between_them_is_wider() -> None:
    boxes = {"before": (0, 0, 40, 10), "after": (60, 0, 100, 10), "old": (0, 12, 40, 50), "new": (60, 12, 100, 50)}
    frames = [Frame(name, box) for name, box in boxes.items()]
    assert [frame.shape for frame in reading_order(frames)] == ["before", "old", "after", "new"]
