"""Pictures of cited places: what is marked changes, nothing else does, and what cannot be shown says why."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pymupdf as _pymupdf
import pytest

from phidex.errors import InputError, NotFoundError
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.pdf.render import render_page
from phidex.ingest.records import Box

pymupdf: Any = _pymupdf  # its own types are incomplete

ROOF = "The roof was mended in May. It had leaked for years, and nobody knew the rea-\nson. The bill came in June."
BOX: Box = (72, 88, 460, 124)


@pytest.fixture
def roof(tmp_path: Path) -> Path:
    return write(tmp_path / "roof.pdf")


def write(path: Path, rotation: int = 0, text: str = ROOF) -> Path:
    document = pymupdf.open()
    page = document.new_page(width=500, height=700)
    page.insert_text((72, 100), text.split("\n"), fontsize=11)
    page.insert_text((72, 400), "Another passage far below, which is not cited.", fontsize=11)
    page.set_rotation(rotation)
    document.new_page(width=500, height=700)
    document.save(path)
    return path


def pixels(png: bytes) -> npt.NDArray[np.int16]:
    picture = pymupdf.Pixmap(png)
    return np.frombuffer(picture.samples, np.uint8).reshape(picture.height, picture.width, 3).astype(np.int16)


def changed(path: Path, boxes: tuple[Box, ...] = (), quote: str = "", page_number: int = 1) -> npt.NDArray[np.bool_]:
    """Where the marked picture differs from the bare one."""
    bare, marked = pixels(render_page(path, page_number)), pixels(render_page(path, page_number, boxes, quote))
    return (bare != marked).any(axis=2)


def strong(path: Path, boxes: tuple[Box, ...], quote: str) -> npt.NDArray[np.bool_]:
    """Where the quote changes what the boxes alone look like."""
    alone, both = pixels(render_page(path, 1, boxes)), pixels(render_page(path, 1, boxes, quote))
    return (alone != both).any(axis=2)


def extent(mask: npt.NDArray[np.bool_]) -> Box:
    """The box around what is set, in points at the default zoom of 2."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (columns[0] / 2, rows[0] / 2, (columns[-1] + 1) / 2, (rows[-1] + 1) / 2)


def test_marks_change_the_boxes_and_nothing_else(roof: Path) -> None:
    before = roof.read_bytes()
    assert extent(changed(roof, (BOX,))) == pytest.approx(BOX, abs=3)
    assert roof.read_bytes() == before


def test_text_stays_black_under_a_mark(roof: Path) -> None:
    marked = pixels(render_page(roof, 1, (BOX,)))
    inside = marked[180:246, 146:918]
    assert inside.min() < 60
    assert tuple(np.median(inside.reshape(-1, 3), axis=0)) == (255, 244, 204)


def test_marks_show_on_dark_ground(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=300, height=200)
    page.draw_rect(page.rect, fill=(0, 0, 0.1))
    document.save(tmp_path / "dark.pdf")
    assert changed(tmp_path / "dark.pdf", ((100, 50, 200, 100),))[110:190, 210:390].all()


def test_a_quote_is_found_over_line_ends_and_hyphens(roof: Path) -> None:
    x0, y0, x1, y1 = extent(strong(roof, (BOX,), "It had leaked for years, and nobody knew the reason."))
    assert y0 < 95
    assert y1 > 110  # both lines
    assert x0 < 75
    assert x1 > 420


def test_the_parts_of_a_quote_are_found_where_the_whole_is_not(roof: Path) -> None:
    assert strong(roof, (BOX,), "The roof was mended in May. And then something else. The bill came in June.").any()


def test_a_quote_outside_the_boxes_or_nowhere_leaves_the_boxes_alone(roof: Path) -> None:
    assert not strong(roof, (BOX,), "Another passage far below").any()
    assert not strong(roof, (BOX,), "words that stand nowhere in it").any()
    assert changed(roof, (), "Another passage far below")[770:806].any()  # without boxes: on the whole page


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_boxes_of_rotated_pages_are_on_the_page_as_shown(tmp_path: Path, rotation: int) -> None:
    path = write(tmp_path / "turned.pdf", rotation)
    block = next(block for block in parse_pdf(path).blocks if "roof" in block.text)
    boxes = tuple(anchor.box for anchor in block.anchors if anchor.box)
    quote = strong(path, boxes, "The roof was mended in May.")
    inside = changed(path, boxes)
    assert quote.any()
    assert not (quote & ~inside).any()
    dark = pixels(render_page(path, 1)).max(axis=2) < 100
    assert (dark & inside).sum() > 200  # the marked place holds the text


def test_crop_is_the_region_of_the_boxes(roof: Path) -> None:
    height, width, _ = pixels(render_page(roof, 1, (BOX,), crop=True)).shape
    assert (width / 2, height / 2) == pytest.approx((388 + 48, 36 + 48), abs=1)
    assert pixels(render_page(roof, 1, crop=True)).shape == (1400, 1000, 3)  # nothing to crop to: the whole page


def test_boxes_beyond_the_page_are_cut(roof: Path) -> None:
    assert changed(roof, ((-50, -50, 40, 40), (900, 900, 950, 950)))[:80, :80].all()
    render_page(roof, 1, ((900, 900, 950, 950),), crop=True)


def test_large_pages_are_drawn_smaller(tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page(width=8000, height=8000)
    document.save(tmp_path / "poster.pdf")
    height, width, _ = pixels(render_page(tmp_path / "poster.pdf", 1, ((0, 0, 10, 10),))).shape
    assert width * height <= 24_100_000


def test_a_changed_file_is_refused(roof: Path) -> None:
    sha256 = hashlib.sha256(roof.read_bytes()).hexdigest()
    render_page(roof, 1, sha256=sha256)
    write(roof, text="Something else.")
    with pytest.raises(InputError, match="changed since it was ingested") as caught:
        render_page(roof, 1, sha256=sha256)
    assert "ingest it again" in caught.value.hint


def test_what_cannot_be_shown_says_why(roof: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is gone"):
        render_page(tmp_path / "none.pdf", 1)
    with pytest.raises(InputError, match="has no page 3") as caught:
        render_page(roof, 3)
    assert caught.value.hint == "it has 2 pages"
    (tmp_path / "not.pdf").write_text("plain text")
    with pytest.raises(InputError, match="is not a PDF"):
        render_page(tmp_path / "not.pdf", 1)
    with pytest.raises(InputError, match="zoom"):
        render_page(roof, 1, zoom=99)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        render_page(tmp_path, 1)


def test_encrypted_files_are_named(tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page()
    document.save(tmp_path / "locked.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y")
    with pytest.raises(InputError, match="encrypted"):
        render_page(tmp_path / "locked.pdf", 1)
    assert render_page(tmp_path / "locked.pdf", 1, passwords=("no", "x")).startswith(b"\x89PNG")
