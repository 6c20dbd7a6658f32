"""What somebody filled in is text of the page, whether the form shows it or not."""

from __future__ import annotations

from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.ingest.drawn import find, grown, parse, text_of

pymupdf: Any = _pymupdf  # its own types are incomplete
RECT = (100, 60, 250, 80)


def add_field(page: Any, kind: int, value: str, **more: Any) -> int:
    """The number of a new field's object."""
    field = pymupdf.Widget()
    field.field_name, field.field_type, field.rect = f"field{kind}", kind, pymupdf.Rect(RECT)
    for name, setting in more.items():
        setattr(field, name, setting)
    field.field_value = value
    return page.add_widget(field).xref


@pytest.fixture
def document() -> Any:
    made = pymupdf.open()
    made.new_page(width=300, height=200).insert_text((20, 75), "Name:")
    return made


def test_values_that_the_page_shows_are_read_once(document: Any) -> None:
    add_field(document[0], pymupdf.PDF_WIDGET_TYPE_TEXT, "Ada Lovelace")
    assert text_of(parse(document)).count("Ada Lovelace") == 1


@pytest.mark.parametrize("rotation", [0, 90, 270])
def test_values_without_a_picture_of_them_stand_where_their_field_is(document: Any, rotation: int) -> None:
    number = add_field(document[0], pymupdf.PDF_WIDGET_TYPE_TEXT, "Shown otherwise")
    document.xref_set_key(number, "V", "(Filled in)")
    document[0].set_rotation(rotation)
    parsed = parse(document)
    block = find(parsed, "Filled in")
    anchor = next(anchor for anchor in reversed(block.anchors) if anchor.start <= block.text.index("Filled in"))
    there = pymupdf.Rect(RECT) * document[0].rotation_matrix
    assert grown(there) in pymupdf.Rect(anchor.box) or pymupdf.Rect(anchor.box) in grown(there)


def test_a_choice_is_read_by_its_label(document: Any) -> None:
    choices = [("de", "Germany"), ("fr", "France")]
    add_field(document[0], pymupdf.PDF_WIDGET_TYPE_COMBOBOX, "fr", choice_values=choices)
    parsed = parse(document)
    assert "France" in text_of(parsed)
    assert "Germany" not in text_of(parsed)


def test_passwords_typed_into_a_form_stay_there(document: Any) -> None:
    number = add_field(document[0], pymupdf.PDF_WIDGET_TYPE_TEXT, "****", field_flags=pymupdf.PDF_TX_FIELD_IS_PASSWORD)
    document.xref_set_key(number, "V", "(hunter2)")
    assert "hunter2" not in text_of(parse(document))


def test_a_damaged_field_costs_that_field_alone(document: Any) -> None:
    number = add_field(document[0], pymupdf.PDF_WIDGET_TYPE_TEXT, "Ada")
    for key, value in (("FT", "7"), ("Rect", "[0 0]"), ("V", "[1 2]"), ("Parent", f"{number} 0 R")):
        document.xref_set_key(number, key, value)
        assert "Name:" in text_of(parse(document))
