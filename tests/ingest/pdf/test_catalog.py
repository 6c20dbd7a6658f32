"""What a PDF says about itself beside its pages."""

from __future__ import annotations

import json
from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.ingest.drawn import PROSE, book, parse, write

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


def test_title_comes_from_metadata_unless_it_is_a_file_name(document: Any) -> None:
    page = document.new_page()
    page.insert_text((72, 80), "A Real Heading", fontsize=24)
    write(page, (72, 150, 500, 400), PROSE, fontsize=11)
    document.set_metadata({"title": "Guide  for Maintainers ", "author": "A. Writer"})
    parsed = parse(document)
    assert (parsed.title, parsed.metadata["author"]) == ("Guide for Maintainers", "A. Writer")
    document.set_metadata({"title": "draft-v3.docx"})
    assert parse(document).title == "A Real Heading"


def test_page_labels(document: Any) -> None:
    book(document, 4)
    assert parse(document).page_labels == ()
    document.set_page_labels(
        [{"startpage": 0, "style": "r", "firstpagenum": 1}, {"startpage": 2, "style": "D", "firstpagenum": 1}]
    )
    assert parse(document).page_labels == ("i", "ii", "1", "2")


def test_attached_files_are_listed(document: Any) -> None:
    document.new_page().insert_text((72, 72), "See the attachments")
    document.embfile_add("budget.xlsx", b"PK")
    assert any("an attached file" in warning and "budget.xlsx" in warning for warning in parse(document).warnings)
    document.embfile_add("letter.docx", b"PK")
    assert any("2 attached files" in warning for warning in parse(document).warnings)


def test_dynamic_forms_are_named(document: Any) -> None:
    document.new_page().insert_text((72, 72), "Please wait while the form loads")
    catalog = document.pdf_catalog()
    document.xref_set_key(catalog, "NeedsRendering", "true")
    assert parse(document).warnings == ()
    document.xref_set_key(catalog, "AcroForm", "<</XFA(form)>>")
    assert any("XFA" in warning for warning in parse(document).warnings)


@pytest.mark.parametrize(
    ("key", "value"),
    [("Outlines", "7"), ("PageLabels", "<</Nums[0 1 2]>>"), ("Names", "<</EmbeddedFiles[1]>>"), ("Metadata", "9999 0 R")],
)
def test_a_broken_part_costs_that_part_alone(document: Any, key: str, value: str) -> None:
    document.new_page().insert_text((72, 72), "The page is well")
    document.xref_set_key(document.pdf_catalog(), key, value)
    assert [block.text for block in parse(document).blocks] == ["The page is well"]


def test_metadata_can_be_stored(document: Any) -> None:
    document.new_page().insert_text((72, 72), "text")
    document.set_metadata({"author": "A\x00 Writer"})
    metadata = parse(document).metadata
    assert json.dumps(dict(metadata)).encode()
    assert "Writer" in metadata["author"]
