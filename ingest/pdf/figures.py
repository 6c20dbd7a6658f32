"""Figures of a PDF: where pictures and drawings stand, which of them say something, and a picture of each.

    images, vectors --note_figures--> Page.inserts, by page --settle_figures--> those that say something, rendered

What is tiny, long and thin, as large as the page, or repeated on page after page is decoration. A picture is cut out of the
rendered page, so that masks, overlaid labels and vectors come along. Only pages with figures are rendered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pymupdf as _pymupdf

from phidex.ingest.pdf.captions import caption_of
from phidex.ingest.pdf.connected import connected
from phidex.ingest.pdf.file import PAGE_ERRORS
from phidex.ingest.pdf.lines import Insert, Page
from phidex.ingest.pdf.rulings import Vector, around
from phidex.ingest.records import Box, Picture

pymupdf: Any = _pymupdf  # its own types are incomplete
_MIN_SIDE, _MIN_AREA = 30.0, 0.008  # points; share of the page
_MAX_AREA = 0.85  # of the page: what is larger is its background, or a scan
_MAX_RATIO = 14.0  # of the sides: what is longer is a rule
_REPEATED = 3  # pages: what stands on as many at the same place is decoration
_CELL = 8.0  # points: vectors that are nearer to each other belong together
_CELLS = 400  # a side of the page at most: it may be kilometres wide
_MAX_TEXT = 900  # characters: a "figure" with more text on it is a page with a background
_MIN_STROKES, _MIN_CAPTIONED = 12, 4  # vectors a drawing has at least, without and with a caption
_MIN_CURVES = 3  # of these, pieces that are no upright lines or rectangles
_DPI = 150
_MAX_PIXELS = 2_000_000  # a figure
_MAX_FIGURES = 500  # a document
_MAX_BYTES = 64_000_000  # a document's pictures together
_PNG_BYTES = 200_000  # a larger one becomes a JPEG
_QUALITY = 80


@dataclass(slots=True)
class Figure(Insert):
    """A picture or drawing on a page.

    Args:
        drawn: whether it is made of vectors alone.
        image: its index among the document's pictures.
    """

    kind: ClassVar[Literal["table", "figure"]] = "figure"
    drawn: bool = False
    image: int = -1

    def describe(self) -> tuple[str, list[int], list[Box]]:
        """The words inside the figure, line by line; all of them stand in its box."""
        return "\n".join(line.text.rstrip("\u00ad") for line in self.lines), [0], [self.box]


def note_figures(page: Page, regions: Sequence[Box] | None = None) -> list[Figure]:
    """What may be the figures of a page; nothing is taken out of it yet.

    Args:
        regions: where a layout model sees pictures; None to look for evidence.
    """
    tables = [insert.box for insert in page.inserts]
    if regions is not None:
        return [Figure(box, [], drawn=False) for box in regions if not _is_covered(box, tables)]
    images = [box for box in _merged(_shown(page.images, page)) if not _is_covered(box, tables)]
    found = [Figure(box, [], drawn=False) for box in images if _is_sized(box, page)]
    if page.vectors:
        captioned = any(caption_of(line.text) == "figure" for line in page.lines)
        least = _MIN_CAPTIONED if captioned else _MIN_STROKES
        drawings = _drawings(page, tables, least, captioned=captioned)
        found += [Figure(box, [], drawn=True) for box in drawings if _is_sized(box, page) and not _is_covered(box, images)]
    return found


def settle_figures(
    document: Any, pages: Sequence[Page], noted: Sequence[tuple[Page, Figure]]
) -> tuple[list[Picture], list[str]]:
    """Pictures of the figures that are no decoration, which join their pages' inserts; and warnings.

    Lines of text inside a figure become its own.
    """
    places = Counter({(round(f.box[0]), round(f.box[1]), round(f.box[2]), round(f.box[3])): 0 for _, f in noted})
    places.update((round(f.box[0]), round(f.box[1]), round(f.box[2]), round(f.box[3])) for _, f in noted)
    pictures: list[Picture] = []
    size = left_out = 0
    for page, figure in noted:
        x0, y0, x1, y1 = figure.box
        if places[round(x0), round(y0), round(x1), round(y1)] >= min(_REPEATED, max(2, len(pages))):
            continue
        inside = [line for line in page.lines if x0 <= (line.x0 + line.x1) / 2 <= x1 and y0 <= (line.y0 + line.y1) / 2 <= y1]
        if sum(len(line.text) for line in inside) > _MAX_TEXT:
            continue
        if len(pictures) >= _MAX_FIGURES or size >= _MAX_BYTES:
            left_out += 1
            continue
        picture = _render(document, page, figure)
        if picture is None:
            continue
        figure.image, figure.lines = len(pictures), inside
        pictures.append(picture)
        size += len(picture.data)
        taken = set(map(id, inside))
        page.lines = [line for line in page.lines if id(line) not in taken]
        page.inserts.append(figure)
    warnings = (
        [f"{left_out} of {len(noted)} figures were left out: a document's first {_MAX_FIGURES} are kept."] if left_out else []
    )
    return pictures, warnings


def _render(document: Any, page: Page, figure: Figure) -> Picture | None:
    """A picture of the figure; None when the page cannot be rendered, or nothing is seen there."""
    x0, y0, x1, y1 = figure.box
    scale = min(_DPI / 72, (_MAX_PIXELS / max((x1 - x0) * (y1 - y0), 1.0)) ** 0.5)
    try:
        shown = document.load_page(page.index)
        pixmap = shown.get_pixmap(matrix=pymupdf.Matrix(scale, scale), clip=pymupdf.Rect(figure.box), alpha=False, annots=False)
        if pixmap.width < 2 or pixmap.height < 2 or _is_plain(pixmap.samples, pixmap.n):
            return None
        data, mime = pixmap.tobytes("png"), "image/png"
        if len(data) > _PNG_BYTES:
            data, mime = pixmap.tobytes("jpeg", jpg_quality=_QUALITY), "image/jpeg"
    except PAGE_ERRORS:
        return None
    return Picture(data, mime, pixmap.width, pixmap.height)


def _is_plain(samples: bytes, colours: int) -> bool:
    """Whether all pixels have the colour of the first."""
    return samples == samples[:colours] * (len(samples) // colours)


def _shown(boxes: Iterable[Box], page: Page) -> list[Box]:
    """The visible parts of the boxes."""
    shown = [(max(a, 0.0), max(b, 0.0), min(c, page.width), min(d, page.height)) for a, b, c, d in boxes]
    return [box for box in shown if box[2] - box[0] > 1 and box[3] - box[1] > 1]


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """The boxes, those that touch put together: pictures are often stored in strips."""
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0]))[:2000]:
        joined = box
        rest: list[Box] = []
        for other in merged:
            if other[0] - 3 < joined[2] and joined[0] < other[2] + 3 and other[1] - 3 < joined[3] and joined[1] < other[3] + 3:
                joined = around([joined, other])
            else:
                rest.append(other)
        merged = [*rest, joined]
    return merged


def _is_sized(box: Box, page: Page) -> bool:
    """Whether a box is neither too small, nor a rule, nor the page itself."""
    width, height = box[2] - box[0], box[3] - box[1]
    share = width * height / max(page.width * page.height, 1.0)
    return (
        min(width, height) >= _MIN_SIDE
        and _MIN_AREA <= share <= _MAX_AREA
        and max(width, height) < _MAX_RATIO * min(width, height)
    )


def _is_covered(box: Box, others: Iterable[Box]) -> bool:
    """Whether most of a box lies in one of the others."""
    area = max((box[2] - box[0]) * (box[3] - box[1]), 1.0)
    for a, b, c, d in others:
        across, down = min(box[2], c) - max(box[0], a), min(box[3], d) - max(box[1], b)
        if across > 0 and down > 0 and across * down > 0.5 * area:
            return True
    return False


def _drawings(page: Page, tables: Sequence[Box], least: int, *, captioned: bool) -> list[Box]:
    """The boxes of vectors that lie close together and draw something: curves, slanted lines, or many pieces."""
    curves = [v for v in page.vectors if not v[5]]
    if len(curves) < _MIN_CURVES and (not captioned or len(page.vectors) < 2 * least):
        return []
    if not captioned and not any(_is_sized(around([v[:4] for v in cluster]), page) for cluster in _clusters(curves, page)):
        return []  # icons, and the marks of lists
    usable = [v for v in page.vectors if _draws(v, page) and not _is_covered(v[:4], tables)]
    if len(usable) < least:
        return []
    found: list[Box] = []
    for cluster in _clusters(usable, page):
        curved = sum(not v[5] for v in cluster)
        if len(cluster) < least or (curved < _MIN_CURVES and not (captioned and curved + len(cluster) >= 2 * least)):
            continue
        box = around([v[:4] for v in cluster])
        if not _is_written(page, box):
            found.append(_with_labels(page, box))
    return list(_merged(found))


def _draws(vector: Vector, page: Page) -> bool:
    """Whether a vector may be part of a drawing rather than the shading behind text or a rule across the page."""
    width, height = vector[2] - vector[0], vector[3] - vector[1]
    if width > 0.95 * page.width or height > 0.95 * page.height:
        return False
    return not (vector[5] and not vector[4] and width > 0.5 * page.width)


def _clusters(vectors: Sequence[Vector], page: Page) -> list[list[Vector]]:
    """Vectors by connected stretches of a coarse grid that their boxes cover, in the order of each one's first."""
    if not vectors:
        return []
    size = max(_CELL, page.width / _CELLS, page.height / _CELLS)
    spans = (np.array([vector[:4] for vector in vectors]) // size).astype(np.intp)
    spans -= np.tile(spans[:, :2].min(axis=0), 2)
    spans[:, 2:] += 1  # the last column and row of each, so that they touch across the edge of a cell
    groups: dict[int, list[Vector]] = {}
    for vector, label in zip(vectors, connected(spans), strict=True):
        groups.setdefault(label, []).append(vector)
    return list(groups.values())


def _is_written(page: Page, box: Box) -> bool:
    """Whether a box is full of running text or code, as a framed passage is."""
    inside = [
        line
        for line in page.lines
        if box[0] <= (line.x0 + line.x1) / 2 <= box[2] and box[1] <= (line.y0 + line.y1) / 2 <= box[3]
    ]
    if not inside:
        return False
    covered = sum((line.x1 - line.x0) * (line.y1 - line.y0) for line in inside)
    long = sum(len(line.text) for line in inside if len(line.text) > 40 or line.x1 - line.x0 > 0.55 * (box[2] - box[0]))
    return covered > 0.4 * (box[2] - box[0]) * (box[3] - box[1]) or long > 0.5 * sum(len(line.text) for line in inside)


def _with_labels(page: Page, box: Box) -> Box:
    """The box grown to hold the short lines of text that reach into it: the labels of axes."""
    x0, y0, x1, y1 = box
    boxes = [box]
    for line in page.lines:
        near = line.x0 < x1 + 8 and line.x1 > x0 - 24 and line.y0 < y1 + 8 and line.y1 > y0 - 6
        if near and len(line.text) < 30 and line.x1 - line.x0 < 0.6 * (x1 - x0) and caption_of(line.text) is None:
            boxes.append((line.x0, line.y0, line.x1, line.y1))
    return around(boxes)
