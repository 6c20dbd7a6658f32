"""What else is on a PDF page besides its lines of text: vectors and images, read no more exactly than is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pymupdf as _pymupdf

from phidex.ingest.pdf.lines import Page
from phidex.ingest.pdf.rulings import THICK, Vector
from phidex.ingest.pdf.vectors import read_drawings
from phidex.ingest.records import Box

pymupdf: Any = _pymupdf  # its own types are incomplete
_THIN = 3.0  # points: what is no thicker is a line
_TALL = 40.0  # points: the box of a larger stroke is exact enough
_FAR = 1e5  # points beyond the page at which a box is no longer believed
_MANY = 3_000  # vectors: a page with more is a drawing, and need not be read exactly
_IMAGES = frozenset(("fill-image", "fill-imgmask"))


def read_evidence(shown: Any, page: Page) -> None:
    """Add to `page` the boxes of its images, and make its vectors exact where their boxes are not to be trusted.

    Free for pages without images and strokes, about 0.7 ms for each of the two.
    """
    if len(page.vectors) < _MANY and any(map(_is_vague, page.vectors)):
        page.vectors = read_drawings(shown)
    page.vectors = list(_on_page(page.vectors, page))
    if not shown.get_images():
        return
    turn = shown.rotation_matrix if shown.rotation else None
    for kind, found, *_ in shown.get_bboxlog():
        if kind not in _IMAGES:
            continue
        box: Box = tuple(pymupdf.Rect(found) * turn) if turn is not None else found
        if box[2] - box[0] <= _THIN or box[3] - box[1] <= _THIN:
            page.vectors.append((*box, False, True))  # a line, as old converters draw it
        else:
            page.images.append(box)


def _is_vague(vector: Vector) -> bool:
    """Whether a vector is a stroke whose box may be mostly room for its corners."""
    x0, y0, x1, y1, stroked, upright = vector
    return stroked and upright and x1 - x0 > THICK and y1 - y0 > THICK and (x1 - x0 < _TALL or y1 - y0 < _TALL)


def _on_page(vectors: Iterable[Vector], page: Page) -> Iterator[Vector]:
    """The visible parts of vectors; those of a size that cannot be are left out."""
    width, height = page.width, page.height
    for x0, y0, x1, y1, stroked, upright in vectors:
        if -_FAR < x0 < width and -_FAR < y0 < height and 0 < x1 < _FAR and 0 < y1 < _FAR:
            yield max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height), stroked, upright
