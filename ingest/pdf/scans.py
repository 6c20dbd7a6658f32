"""Which pages of a PDF are scans, and their pixels at the resolution that Tesseract reads best.

The text of a page is kept where there is any that makes sense; a scan is a page without, or one that a picture covers whole and
whose text is a stamp, or no words at all. Does not recognise: that is `scan.py`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pymupdf as _pymupdf

from phidex.errors import InputError
from phidex.ingest.ocr.raster import MAX_PIXELS, MOST_DPI, Raster
from phidex.ingest.pdf.file import PAGE_ERRORS
from phidex.ingest.pdf.lines import Page

pymupdf: Any = _pymupdf  # its own types are incomplete

_DPI, _LEAST_DPI = 250.0, 150.0  # measured: from 150 dpi on, more changes little and costs time
_FEW_CHARS = 200  # less is a stamp or a page number, if a picture covers the page
_COVERED = 0.7  # of the page's area
_JUNK_SHARE = 0.3  # of characters that are neither letters, digits nor space: text has 5%, code 25%
_WORDS = re.compile(r"[\w\s]+")
_MAX_PICTURE_PIXELS = 400_000_000


def is_scan(page: Any, read: Page, *, every: bool) -> bool:
    """Whether a `pymupdf.Page` is to be recognised, given what was read from it; some 20 us for a page of text.

    Args:
        every: whether all pages are, whatever text they have.
    """
    if not read.lines:
        return not _is_empty(page)
    if every or read.is_garbled:
        return True
    text = "".join(line.text for line in read.lines)
    if len(text) >= _FEW_CHARS and not (_is_junk(text[:_FEW_CHARS]) and _is_junk(text)):
        return False
    return _coverage(page) >= _COVERED


def _is_empty(page: Any) -> bool:
    """Whether nothing at all is put on the page: most blank ones need not be drawn to see that they are."""
    try:
        return not page.get_bboxlog()
    except PAGE_ERRORS:  # drawing it tells what is wrong
        return False


def is_better(recognised: Page, read: Page) -> bool:
    """Whether what was recognised takes the place of the page's own text."""
    if not recognised.lines:
        return False
    own = "".join(line.text for line in read.lines)
    if not own or read.is_garbled or _is_junk(own):
        return True
    return sum(len(line.text) for line in recognised.lines) > 1.5 * len(own)


def draw_raster(page: Any) -> Raster:
    """The page in grey, at its picture's own resolution where it is one picture.

    Raises:
        InputError: its picture is too large to be decoded.
    """
    rect = page.rect
    dpi = _resolution(page)
    area = max(1.0, rect.width * rect.height)
    dpi = min(dpi, 72 * (MAX_PIXELS / area) ** 0.5)
    scale = dpi / 72
    drawn = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY, alpha=False)
    pixels = np.frombuffer(drawn.samples_mv, np.uint8).reshape(drawn.height, drawn.stride)[:, : drawn.width]
    return Raster(pixels.copy(), dpi)  # MuPDF frees its own


def _resolution(page: Any) -> float:
    """Of the largest picture on the page, within what is useful."""
    best, largest = _DPI, 0.0
    for info in page.get_image_info():
        count = info["width"] * info["height"]
        if count > _MAX_PICTURE_PIXELS:
            raise InputError(f"its picture has {count // 1_000_000:,} megapixels", hint="save it smaller")
        x0, y0, x1, y1 = info["bbox"]
        area = (x1 - x0) * (y1 - y0)
        if area > largest:
            largest, best = area, 72 * (count / area) ** 0.5
    return min(max(best, _LEAST_DPI), MOST_DPI)


def _coverage(page: Any) -> float:
    """The share of the page that its pictures take; scanners may cut one page into strips."""
    covered = 0.0
    for info in page.get_image_info():
        box = pymupdf.Rect(info["bbox"]) & page.rect
        covered += max(0.0, box.width) * max(0.0, box.height)
    return covered / max(1.0, page.rect.width * page.rect.height)


def _is_junk(text: str) -> bool:
    """Whether a text has so few letters and digits that it is none: what is left of a poor recognition."""
    return sum(map(len, _WORDS.findall(text))) < (1 - _JUNK_SHARE) * len(text)
