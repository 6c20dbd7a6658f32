"""Latin words on a page of another script, which its own pack takes for figures: read once more, by the English pack.

Only what the first reading doubts is looked at, on a picture where all else is white, so that it costs a quarter of a page.
Reading with both packs at once (`kor+eng`) is worse: the English one then takes native words too (measured: eval/bench/ocr.py).
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from phidex.ingest.ocr.raster import Raster
from phidex.ingest.ocr.tesseract import Tesseract, TextLine, Word
from phidex.ingest.records import Box

NATIVE = {
    "ara": re.compile("[\u0600-\u06ff]"),
    "heb": re.compile("[\u0590-\u05ff]"),
    "kor": re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
}
"""The letters of a pack's own script, for the packs that this is for."""

_DOUBTED = 60.0  # confidence below which a native word may be a foreign one
_CERTAIN = 97.0  # confidence at which a figure is one
_BELIEVED = 80.0  # confidence of a foreign word in place of a native one
_MARGIN_PT = 1.5
_SHARE = 0.5  # of a word's area that two readings of it share at least


def read_foreign(lines: list[TextLine], raster: Raster, pack: str, tesseract: Tesseract) -> list[TextLine]:
    """The lines with Latin words in place of what `pack` made of them.

    Raises:
        InputError: Tesseract failed.
    """
    if pack not in NATIVE or "eng" not in tesseract.packs:
        return lines
    native = NATIVE[pack]
    doubted = [(word, line) for line in lines for word in line.words if _is_doubtful(word, native)]
    if not doubted:
        return lines
    masked = _masked(
        raster,
        [(word.box[0], min(word.box[1], line.box[1]), word.box[2], max(word.box[3], line.box[3])) for word, line in doubted],
    )
    found = [word for line in tesseract.read(masked, "eng", timeout_s=30) for word in line.words]
    found = [word for word in found if sum(char.isascii() and char.isalpha() for char in word.text) > 1]
    return [replace(line, words=_replaced(line.words, found, native)) for line in lines] if found else lines


def _is_doubtful(word: Word, native: re.Pattern[str]) -> bool:
    if native.search(word.text):
        return word.confidence < _DOUBTED
    return len(word.text) > 1 and word.confidence < _CERTAIN


def _masked(raster: Raster, boxes: list[Box]) -> Raster:
    """The raster with nothing on it but what stands in the boxes."""
    scale = raster.dpi / 72
    paper = int(np.median(raster.pixels[::16, ::16]))
    pixels = np.full_like(raster.pixels, paper)
    for box in boxes:
        x0, y0 = (max(0, int((edge - _MARGIN_PT) * scale)) for edge in box[:2])
        x1, y1 = (int((edge + _MARGIN_PT) * scale) + 1 for edge in box[2:])
        pixels[y0:y1, x0:x1] = raster.pixels[y0:y1, x0:x1]
    return Raster(pixels, raster.dpi)


def _replaced(words: tuple[Word, ...], found: list[Word], native: re.Pattern[str]) -> tuple[Word, ...]:
    """The words of a line, foreign ones put where they are more believable; each at most once."""
    kept: list[Word] = []
    for word in words:
        there = [other for other in found if max(_shared(other.box, word.box), _shared(word.box, other.box)) > _SHARE]
        confidence = min((other.confidence for other in there), default=0.0)
        is_native = native.search(word.text) is not None
        if confidence > word.confidence and (not is_native or (word.confidence < _DOUBTED and confidence >= _BELIEVED)):
            kept += [other for other in there if not any(other is known for known in kept)]
        else:
            kept.append(word)
    return tuple(kept)


def _shared(box: Box, other: Box) -> float:
    """The share of `box` that lies in `other`."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0
