"""How near two places are: boxes by the area they share, lines by the lines they share, times by the seconds between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from phidex.ingest.records import Box, CellLocator, LineLocator, Locator, PageLocator, PartLocator, TimeLocator


def box_iou(first: Sequence[Box], second: Sequence[Box]) -> float:
    """The area that two sets of boxes share, of what they cover together, in [0, 1]; overlaps within a set count once.

    >>> box_iou([(0, 0, 2, 2)], [(1, 0, 3, 2)]) == 1 / 3
    True
    """
    edges_x = sorted({x for box in (*first, *second) for x in (box[0], box[2])})
    edges_y = sorted({y for box in (*first, *second) for y in (box[1], box[3])})
    shared = together = 0.0
    for left, right in pairwise(edges_x):
        for top, bottom in pairwise(edges_y):
            x, y, area = (left + right) / 2, (top + bottom) / 2, (right - left) * (bottom - top)
            inside = [any(box[0] < x < box[2] and box[1] < y < box[3] for box in boxes) for boxes in (first, second)]
            shared += area * all(inside)
            together += area * any(inside)
    return shared / together if together else 0.0


def span_overlap(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The lines that two stretches share, of what they cover together, in [0, 1]; both ends are included.

    >>> span_overlap((1, 10), (6, 15)), span_overlap((1, 3), (4, 6))
    (0.3333333333333333, 0.0)
    """
    shared = min(first[1], second[1]) - max(first[0], second[0]) + 1
    together = max(first[1], second[1]) - min(first[0], second[0]) + 1
    return max(0, shared) / together


def time_distance(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The seconds between two stretches; 0 where they touch.

    >>> time_distance((0, 10), (12.5, 20)), time_distance((0, 10), (5, 6))
    (2.5, 0.0)
    """
    return float(max(0.0, second[0] - first[1], first[0] - second[1]))


def touches(found: Locator, gold: Locator) -> bool:
    """Whether a place lies on a gold one: the same page (and a box of it, where both have boxes), a shared line, paragraph or
    second, the same cells."""
    match found, gold:
        case PageLocator(), PageLocator():
            if found.page_number != gold.page_number:
                return False
            return not (found.boxes and gold.boxes) or box_iou(found.boxes, gold.boxes) > 0
        case LineLocator(), LineLocator():
            return span_overlap((found.start_line, found.end_line), (gold.start_line, gold.end_line)) > 0
        case PartLocator(), PartLocator():
            return found.part == gold.part and found.start <= gold.end and gold.start <= found.end
        case TimeLocator(), TimeLocator():
            return time_distance((found.start_s, found.end_s), (gold.start_s, gold.end_s)) == 0
        case CellLocator(), CellLocator():
            return found.sheet == gold.sheet and found.cells == gold.cells
        case _:
            return False


def place_scores(found: Sequence[Locator], gold: Sequence[Locator]) -> dict[str, float]:
    """How near the nearest of some places comes to gold, by the kinds of place that there are: `box_iou`, `line_overlap` in
    [0, 1], `time_error_s`."""
    boxes = [
        box_iou(one.boxes, other.boxes) if one.page_number == other.page_number else 0.0
        for one in found
        for other in gold
        if isinstance(one, PageLocator) and isinstance(other, PageLocator) and other.boxes
    ]
    lines = [
        span_overlap((one.start_line, one.end_line), (other.start_line, other.end_line))
        for one in found
        for other in gold
        if isinstance(one, LineLocator) and isinstance(other, LineLocator)
    ]
    times = [
        time_distance((one.start_s, one.end_s), (other.start_s, other.end_s))
        for one in found
        for other in gold
        if isinstance(one, TimeLocator) and isinstance(other, TimeLocator)
    ]
    scores: dict[str, float] = {}
    if boxes:
        scores["box_iou"] = max(boxes)
    if lines:
        scores["line_overlap"] = max(lines)
    if times:
        scores["time_error_s"] = min(times)
    return scores
