"""The drawing process with pages that hang and processes that end."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from phidex.errors import InputError
from phidex.ingest.pdf.painter import PageView, Painter

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def painter() -> Generator[Painter]:
    painter = Painter(limit_s=5.0)
    yield painter
    painter.close()


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    with pymupdf.open() as document:
        document.new_page(width=100, height=100)
        document.save(tmp_path / "good.pdf")
    return tmp_path / "good.pdf"


def test_a_page_that_hangs_costs_no_other_its_picture(painter: Painter, pdf: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.pdf")  # reading waits for a writer that never comes
    with ThreadPoolExecutor(3) as pool:
        hanging = pool.submit(painter.page, PageView(tmp_path / "hangs.pdf", 1))
        others = [pool.submit(painter.page, PageView(pdf, 1)) for _ in range(2)]
        assert [other.result()[:4] for other in others] == [b"\x89PNG"] * 2
        with pytest.raises(InputError, match=r"hangs\.pdf cannot be drawn"):
            hanging.result()


def test_a_process_that_ended_between_two_pages_is_replaced(painter: Painter, pdf: Path) -> None:
    first = painter.page(PageView(pdf, 1))
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    assert painter.page(PageView(pdf, 1)) == first


def test_a_painter_that_was_closed_starts_again(painter: Painter, pdf: Path) -> None:
    first = painter.page(PageView(pdf, 1))
    painter.close()
    assert painter.page(PageView(pdf, 1)) == first


def test_closing_while_a_page_hangs_is_an_error_of_ours(painter: Painter, pdf: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.pdf")
    painter.page(PageView(pdf, 1))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(painter.page, PageView(tmp_path / "hangs.pdf", 1))
        painter.close()
        with pytest.raises(InputError, match="cannot be drawn"):
            hanging.result()
