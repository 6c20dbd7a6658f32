"""Where shapes stand on a slide: their boxes in points, through groups, and the order in which people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from phidex.ingest.office.package import Element
from phidex.ingest.records import Box

POINT = 1 / 12700
"""Points of one EMU."""

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_NUMBER = re.compile(r"-?\d{1,12}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A shape with its box and the role of its placeholder ("title", "body", "ftr"; "" for a shape of its own)."""

    shape: Element
    box: Box
    role: str = ""
    is_title: bool = False


@dataclass(frozen=True, slots=True)
class Transform:
    """From a group's own coordinates to points on the slide."""

    scale_x: float = POINT
    scale_y: float = POINT
    shift_x: float = 0.0
    shift_y: float = 0.0

    def apply(self, box: Box) -> Box:
        """The box on the slide."""
        x0, y0 = box[0] * self.scale_x + self.shift_x, box[1] * self.scale_y + self.shift_y
        x1, y1 = box[2] * self.scale_x + self.shift_x, box[3] * self.scale_y + self.shift_y
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def inside(self, group: Element) -> Transform:
        """The transform of what stands in a group."""
        place = next(group.iterfind(f"./*/{_A}xfrm"), None)
        outer, inner = _extent(place, "off", "ext"), _extent(place, "chOff", "chExt")
        if outer is None or inner is None or inner[2] == inner[0] or inner[3] == inner[1]:
            return self
        scale_x = (outer[2] - outer[0]) / (inner[2] - inner[0])
        scale_y = (outer[3] - outer[1]) / (inner[3] - inner[1])
        return Transform(
            self.scale_x * scale_x,
            self.scale_y * scale_y,
            (outer[0] - inner[0] * scale_x) * self.scale_x + self.shift_x,
            (outer[1] - inner[1] * scale_y) * self.scale_y + self.shift_y,
        )


def shape_box(shape: Element, transform: Transform) -> Box | None:
    """The shape's own box in points; None where it takes its place from a layout."""
    for child in shape:
        place = child if str(child.tag).endswith("}xfrm") else child.find(f"{_A}xfrm")
        box = _extent(place, "off", "ext")
        if box is not None:
            return transform.apply(box)
    return None


def reading_order(frames: Sequence[Frame]) -> list[Frame]:
    """The frames as people read them: cut again and again at the widest gap, between rows or between columns.

    >>> boxes = [(90, 50, 120, 90), (10, 60, 40, 200), (0, 0, 120, 30), (80, 100, 120, 200)]
    >>> [frame.shape for frame in reading_order([Frame(box[0], box) for box in boxes])]
    [0, 10, 90, 80]
    """
    if len(frames) < 2:
        return list(frames)
    rows, columns = _split(frames, 1), _split(frames, 0)
    _, parts = max(rows, columns, key=lambda split: split[0])
    if len(parts) > 1:
        return [frame for part in parts for frame in reading_order(part)]
    return sorted(frames, key=lambda frame: (round(frame.box[1]), frame.box[0]))


def _split(frames: Sequence[Frame], axis: int) -> tuple[float, list[list[Frame]]]:
    """The frames in groups that do not overlap along an axis (0: x, 1: y), in order, and the widest gap between two.

    Shapes may touch a little: text seldom fills its box.
    """
    parts: list[list[Frame]] = []
    end, widest = 0.0, -inf
    for frame in sorted(frames, key=lambda frame: frame.box[axis]):
        slack = min(4.0, (frame.box[axis + 2] - frame.box[axis]) / 4)
        if parts and frame.box[axis] < end - slack:
            parts[-1].append(frame)
            end = max(end, frame.box[axis + 2])
        else:
            widest = max(widest, frame.box[axis] - end) if parts else widest
            parts.append([frame])
            end = frame.box[axis + 2]
    return widest, parts


def _extent(place: Element | None, offset: str, extent: str) -> Box | None:
    """A box from an offset and an extent, in EMU."""
    if place is None:
        return None
    start, size = place.find(f"{_A}{offset}"), place.find(f"{_A}{extent}")
    if start is None or size is None:
        return None
    x, y, width, height = start.get("x", ""), start.get("y", ""), size.get("cx", ""), size.get("cy", "")
    if not all(_NUMBER.fullmatch(value) for value in (x, y, width, height)):
        return None
    return float(x), float(y), float(x) + float(width), float(y) + float(height)
