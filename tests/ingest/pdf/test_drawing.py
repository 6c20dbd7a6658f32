"""Pages drawn by a child process: pictures in order, and an error for each page that has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from phidex.errors import InputError
from phidex.ingest.pdf import drawing
from phidex.ingest.pdf.drawing import Sheet, draw_pages
from phidex.ingest.pdf.render import render_page

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "made.pdf"
    with pymupdf.open() as document:
        for number in range(1, 4):
            document.new_page(width=200, height=100 * number).insert_text((20, 50), f"Page {number}")
        document.save(path)
    return path


def test_pages_are_drawn_in_order_and_a_bad_one_costs_itself(pdf: Path, tmp_path: Path) -> None:
    sheets = [
        Sheet(pdf, 3, 1.0),
        Sheet(pdf, 9, 1.0),
        Sheet(tmp_path / "gone.pdf", 1, 1.0),
        Sheet(pdf, 1, 2.0),
        Sheet(pdf, 2, 1.0, "0" * 64),
    ]
    third, beyond, gone, first, changed = draw_pages(sheets)
    assert third == render_page(pdf, 3, zoom=1.0)
    assert first == render_page(pdf, 1, zoom=2.0)
    assert isinstance(beyond, InputError)
    assert "has no page 9" in beyond.message
    assert "3 pages" in beyond.hint
    assert isinstance(gone, InputError)
    assert "is gone" in gone.message
    assert isinstance(changed, InputError)
    assert "has changed" in changed.message


def test_a_page_that_ends_the_process_costs_no_other_its_picture(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "import os, phidex.ingest.pdf.drawing as d; draw = d.render_page\n"
    crash += "d.render_page = lambda path, number, **options: os._exit(9) if number == 2 else draw(path, number, **options)\n"
    monkeypatch.setattr(drawing, "_COMMAND", f"{crash}d.main()")
    first, second, third = draw_pages([Sheet(pdf, 1, 1.0), Sheet(pdf, 2, 1.0), Sheet(pdf, 3, 1.0)])
    assert isinstance(first, bytes)
    assert isinstance(second, InputError)
    assert "page 2 of made.pdf cannot be drawn" in second.message
    assert isinstance(third, bytes)


def test_a_page_that_hangs_is_given_up(pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_COMMAND", "import time; time.sleep(60)")
    monkeypatch.setattr(drawing, "_START_S", 0.2)
    (found,) = draw_pages([Sheet(pdf, 1, 1.0)], page_s=0.1)
    assert isinstance(found, InputError)
    assert draw_pages([]) == []
