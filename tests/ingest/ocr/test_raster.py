"""Grey pixels of a page: turned, levelled, and found back on the page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.ingest.scanned import ARTICLE, scan_of

from phidex.ingest.ocr.raster import MAX_PIXELS, MOST_DPI, Raster, Turn, gray_raster


def paper(width: int = 700, height: int = 1000) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, -1])
def test_a_box_on_a_turned_page_is_found_on_the_page(turns: int) -> None:
    pixels = paper()
    pixels[200:240, 100:300] = 0
    turned = Raster(pixels, 72.0).turned(turns)
    ys, xs = np.nonzero(turned.pixels == 0)
    box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    assert turned.turn.to_page(box) == (100, 200, 300, 240)


@given(
    st.integers(0, 3),
    st.floats(-8, 8),
    st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(1, 300), st.floats(1, 300)),
)
def test_mapping_back_keeps_area_or_grows_it(turns: int, degrees: float, place: tuple[float, float, float, float]) -> None:
    x, y, width, height = place
    x0, y0, x1, y1 = Turn(600, 800, turns, degrees).to_page((x, y, x + width, y + height))
    assert x1 > x0
    assert y1 > y0
    assert (x1 - x0) * (y1 - y0) >= 0.99 * width * height


@pytest.mark.parametrize("degrees", [-6.0, -2.0, -0.6, 1.0, 3.5])
def test_a_slanted_page_is_made_level_and_its_boxes_found_back(degrees: float) -> None:
    picture = scan_of(ARTICLE["en"], ARTICLE["de"])
    slanted = picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    level = Raster(np.asarray(slanted), 150.0).levelled()
    assert level.degrees == pytest.approx(-degrees, abs=0.25)
    # A point of the levelled page, taken back, is where the slant had moved it to.
    mark = paper(200, 100)
    mark[20:24, 150:154] = 0
    back = Image.fromarray(mark).rotate(-degrees, fillcolor=255)
    ys, xs = np.nonzero(np.asarray(back) < 128)
    x0, y0, x1, y1 = Turn(200, 100, 0, degrees).to_page((150, 20, 154, 24))
    assert x0 - 1 <= xs.mean() <= x1 + 1
    assert y0 - 1 <= ys.mean() <= y1 + 1


def test_a_level_page_is_left_as_it_is() -> None:
    raster = Raster(np.asarray(scan_of(ARTICLE["en"])), 150.0)
    assert raster.levelled() is raster
    assert Raster(paper(), 72.0).levelled().degrees == 0


def test_blank_pages_are_told_from_pages_with_a_line() -> None:
    noisy = np.clip(paper().astype(np.int16) - np.random.default_rng(1).integers(0, 25, (1000, 700)), 0, 255).astype(np.uint8)
    assert Raster(noisy, 72.0).is_blank()
    noisy[500:512, 100:300:2] = 0
    assert not Raster(noisy, 72.0).is_blank()
    assert not Raster(255 - np.asarray(scan_of("white on black")), 150.0).is_blank()


def test_columns_are_seen_and_paragraphs_are_not() -> None:
    page = np.asarray(scan_of(*[ARTICLE["ko"]] * 2, ARTICLE["en"]))
    assert not Raster(page, 150.0).has_columns()
    half = np.asarray(scan_of(*[ARTICLE["en"]] * 3, size=11).resize((440, 620)))
    assert Raster(np.hstack([half, half]), 150.0).has_columns()


def test_the_band_is_the_part_with_text() -> None:
    pixels = paper(600, 2000)
    pixels[1500:1700, 50:550:4] = 0
    band = Raster(pixels, 72.0).band(220)
    assert band.pixels.shape == (220, 600)
    assert np.count_nonzero(band.pixels == 0) > 0.9 * np.count_nonzero(pixels == 0)


def test_large_pictures_are_made_smaller_and_keep_their_size_in_points() -> None:
    raster = gray_raster(Image.new("1", (10_000, 8_000), 1), 600.0)
    assert raster.dpi == pytest.approx(MOST_DPI, rel=0.01)
    assert raster.width == pytest.approx(10_000 * 72 / 600, rel=0.001)
    assert gray_raster(Image.new("1", (10_000, 8_000), 1), 100.0).pixels.size <= MAX_PIXELS * 1.01


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_all_modes_become_grey_with_paper_white(mode: str) -> None:
    picture = Image.new("L", (60, 40), 255)
    picture.paste(0, (10, 10, 30, 20))
    if mode in ("I;16", "F"):
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16 if mode == "I;16" else np.float32) * 200)
    else:
        picture = picture.convert(mode)
    if "A" in mode:  # transparent paper over black
        alpha = Image.new("L", (60, 40), 0)
        alpha.paste(255, (10, 10, 30, 20))
        picture = Image.new(mode, (60, 40), 0)
        picture.putalpha(alpha)
    pixels = gray_raster(picture, 72.0).pixels
    assert pixels.dtype == np.uint8
    assert pixels[15, 20] < 10
    assert pixels[35, 50] > 245


@pytest.mark.parametrize("dpi", [150.0, 1200.0])
@pytest.mark.parametrize("gutter", [True, False])
def test_columns_are_seen_at_any_resolution(dpi: float, gutter: bool) -> None:
    """At 1,200 dpi, a square of 24 pixels is looked at as one, and 16 bits do not hold the sum of white ones."""
    scale = dpi / 150
    pixels = paper(round(900 * scale), round(1000 * scale))
    for top in range(20, 980, 20):
        for left, right in ((40, 400 if gutter else 500), (500, 860)):
            pixels[round(top * scale) : round((top + 10) * scale), round(left * scale) : round(right * scale)] = 0
    assert Raster(pixels, dpi).has_columns() == gutter
