"""Vector graphics among the blocks of MuPDF's text page: taken out, so that the text blocks are as if there were none.

MuPDF collects them in the same pass as the text, nearly for nothing (0.05 ms a page, where `get_drawings` takes 0.6); but a
line drawn between two lines of text parts the block that they stand in.
"""

from __future__ import annotations

import itertools
from typing import Any

import pymupdf as _pymupdf

from phidex.ingest.pdf.rulings import Vector

pymupdf: Any = _pymupdf  # its own types are incomplete
COLLECT: int = pymupdf.TEXT_COLLECT_VECTORS
"""The flag that has MuPDF collect them."""

_TEXT = 0  # the type of a block of text
_WHITE = 0xFFFFFF
_NEW_BLOCK, _INDENT = 1.5, 0.1  # of the type size: MuPDF's measures of when a line begins a new block


def take_vectors(blocks: list[dict[str, Any]], turn: Any = None) -> list[Vector]:
    """The visible vectors among the blocks of a text page, which are removed; text blocks parted by them are joined again.

    Args:
        turn: the page's rotation matrix, where it is rotated.
    """
    drawn: list[Vector] = []
    kept: list[dict[str, Any]] = []
    parted = False
    for block in blocks:
        if block["type"] != _TEXT:
            parted = True
            if block.get("color", _WHITE) != _WHITE and block.get("alpha"):
                x0, y0, x1, y1 = block["bbox"] if turn is None else pymupdf.Rect(block["bbox"]) * turn
                drawn.append((x0, y0, x1, y1, block["stroked"], block["isrect"]))
            continue
        if parted and kept and block["lines"] and kept[-1]["lines"] and _continues(kept[-1]["lines"][-1], block["lines"][0]):
            kept[-1]["lines"] += block["lines"]
        else:
            kept.append(block)
        parted = False
    if len(kept) < len(blocks):
        blocks[:] = kept
    return drawn


def _continues(above: dict[str, Any], line: dict[str, Any]) -> bool:
    """Whether MuPDF would have put a line into the block of the line before it, had it met no vectors in between."""
    if above["dir"] != line["dir"] or not above["spans"] or not line["spans"]:
        return False
    last, first = above["spans"][-1], line["spans"][0]
    across, down = line["dir"]
    dx, dy = first["origin"][0] - last["origin"][0], first["origin"][1] - last["origin"][1]
    step, size = abs(dy * across - dx * down), first["size"]
    indent = line["bbox"][0] - above["bbox"][0]
    return step <= _NEW_BLOCK * size and not (step > 0.8 * size and indent > _INDENT * size)


def read_drawings(page: Any) -> list[Vector]:
    """The visible vectors of a page, exactly. 0.5 ms a page and more.

    MuPDF's text page gives the box of a stroke with room for the sharpest corner that it might have: ten times its width.
    """
    turn = page.rotation_matrix if page.rotation else None
    found: list[Vector] = []
    for path in page.get_cdrawings():
        stroked = "s" in path["type"] and path.get("color") != (1.0, 1.0, 1.0)
        if not stroked and path.get("fill") in (None, (1.0, 1.0, 1.0)):
            continue
        for item in path["items"]:
            box, upright = _item_box(item)
            x0, y0, x1, y1 = box if turn is None else pymupdf.Rect(box) * turn
            found.append((x0, y0, x1, y1, stroked, upright))
    return found


def _item_box(item: Any) -> tuple[tuple[float, float, float, float], bool]:
    """The box of a part of a path, and whether it is an upright line or rectangle."""
    kind, first = item[0], item[1]
    if kind == "re":
        return tuple(first), True
    points = first if kind == "qu" else item[1:]
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    box = min(xs), min(ys), max(xs), max(ys)
    upright = kind == "l" and (box[2] - box[0] < 0.5 or box[3] - box[1] < 0.5)
    return box, upright or (kind == "qu" and _is_upright(points))


def _is_upright(points: Any) -> bool:
    return all(abs(a[0] - b[0]) < 0.5 or abs(a[1] - b[1]) < 0.5 for a, b in itertools.pairwise(points))
