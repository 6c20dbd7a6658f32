"""Ruling lines of a PDF page, from its vector graphics: joined, and gathered into the frames that may hold a table.

Thin rectangles and strokes count as lines, so do the four sides of a stroked rectangle. Nothing is rendered; text is not
looked at: whether a frame holds a table is decided in `tables`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phidex.ingest.pdf.connected import leader
from phidex.ingest.records import Box

Vector = tuple[float, float, float, float, bool, bool]
"""A piece of vector graphics: its box, whether it is stroked, and whether it is an upright rectangle or line."""

_THIN = 3.0  # points: what is no thicker is a line
THICK = 6.5
"""Points: a stroke whose box is no thicker is taken for a line, for its box has room for its corners."""

_SHORT = 5.0  # points: what is shorter is a dash or a dot
_NEAR = 2.5  # points by which ends may miss each other
_ALIGNED = 1.2  # points by which pieces of one line may be off
_MAX_LINES = 1_500  # a page with more is a drawing


@dataclass(slots=True)
class Rulings:
    """Horizontal and vertical lines, each as a thin box; sorted by y, and by x."""

    across: list[Box] = field(default_factory=list[Box])
    down: list[Box] = field(default_factory=list[Box])

    def within(self, box: Box) -> Rulings:
        """Those whose middle lies in the box, with a little room around it, cut to it."""
        x0, y0, x1, y1 = box[0] - _NEAR, box[1] - _NEAR, box[2] + _NEAR, box[3] + _NEAR
        across = [
            (max(a, x0), b, min(c, x1), d)
            for a, b, c, d in self.across
            if y0 <= (b + d) / 2 <= y1 and min(c, x1) - max(a, x0) > _SHORT
        ]
        down = [
            (a, max(b, y0), c, min(d, y1))
            for a, b, c, d in self.down
            if x0 <= (a + c) / 2 <= x1 and min(d, y1) - max(b, y0) > _SHORT
        ]
        return Rulings(across, down)


def read_rulings(vectors: Iterable[Vector]) -> Rulings:
    """The lines among the vectors of a page; none when there are so many that they draw something."""
    across: list[Box] = []
    down: list[Box] = []
    for x0, y0, x1, y1, stroked, upright in vectors:
        if not upright:
            continue
        width, height = x1 - x0, y1 - y0
        thin = height if height < width else width
        if stroked and _THIN < thin <= THICK and width + height > 3 * thin:
            half = thin / 2
            x0, y0, x1, y1 = x0 + half, y0 + half, x1 - half, y1 - half
            width, height = x1 - x0, y1 - y0
        if height <= _THIN:
            if width > _SHORT or width > height:
                across.append((x0, y0, x1, y1))
            else:
                down.append((x0, y0, x1, y1))
        elif width <= _THIN:
            down.append((x0, y0, x1, y1))
        elif stroked:
            across += [(x0, y0, x1, y0 + 1), (x0, y1 - 1, x1, y1)]
            down += [(x0, y0, x0 + 1, y1), (x1 - 1, y0, x1, y1)]
    if len(across) + len(down) > _MAX_LINES:
        return Rulings()
    turned = [(b, a, d, c) for a, b, c, d in down]
    return Rulings(
        [box for box in _joined(across) if box[2] - box[0] > _SHORT],
        [(b, a, d, c) for a, b, c, d in _joined(turned) if c - a > _SHORT],
    )


def _joined(lines: list[Box]) -> list[Box]:
    """Horizontal lines with those pieces put together that continue or cover each other; sorted by y."""
    rows: list[list[Box]] = []
    for line in sorted(lines, key=lambda line: line[1] + line[3]):
        middle = (line[1] + line[3]) / 2
        if rows and middle - (rows[-1][0][1] + rows[-1][0][3]) / 2 <= _ALIGNED:
            rows[-1].append(line)
        else:
            rows.append([line])
    joined: list[Box] = []
    for row in rows:
        row.sort()
        x0, y0, x1, y1 = row[0]
        for a, b, c, d in row[1:]:
            if a <= x1 + _NEAR:
                x1, y0, y1 = max(x1, c), min(y0, b), max(y1, d)
            else:
                joined.append((x0, y0, x1, y1))
                x0, y0, x1, y1 = a, b, c, d
        joined.append((x0, y0, x1, y1))
    return joined


def frames(rulings: Rulings) -> tuple[list[Box], list[Box]]:
    """The boxes of lines that touch, horizontal with vertical ones, largest first; and the horizontal lines that touch none."""
    across, down = rulings.across, rulings.down
    owner = list(range(len(across) + len(down)))
    touched: set[int] = set()
    for i, (ax0, ay0, ax1, ay1) in enumerate(across):
        for j, (bx0, by0, bx1, by1) in enumerate(down, len(across)):
            if ax0 - _NEAR <= bx1 and bx0 <= ax1 + _NEAR and by0 - _NEAR <= ay1 and ay0 <= by1 + _NEAR:
                owner[leader(owner, i)] = leader(owner, j)
                touched |= {i, j}
    lines = across + down
    groups: dict[int, list[Box]] = defaultdict(list)
    for index in touched:
        groups[leader(owner, index)].append(lines[index])
    boxes = sorted((_frame(group) for group in groups.values()), key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
    return boxes, [line for index, line in enumerate(across) if index not in touched]


def _frame(lines: Sequence[Box]) -> Box:
    """The box around lines; a line or two that stick out beyond the sides of a frame are not counted."""
    x0, y0, x1, y1 = around(lines)
    across = [line for line in lines if line[2] - line[0] > line[3] - line[1]]
    sides = [line for line in lines if line[3] - line[1] > 0.8 * (y1 - y0)]
    if len(sides) > 1 and len(across) > 2:
        left, right = min(line[0] for line in sides), max(line[2] for line in sides)
        if 0 < sum(line[0] < left - 2 * _NEAR for line in across) <= 0.34 * len(across):
            x0 = left
        if 0 < sum(line[2] > right + 2 * _NEAR for line in across) <= 0.34 * len(across):
            x1 = right
    return x0, y0, x1, y1


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of `boxes`.

    >>> around([(0, 0, 1, 1), (2, -1, 3, 0)])
    (0, -1, 3, 1)
    """
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def positions(values: Iterable[float], near: float = _NEAR) -> list[float]:
    """The values with those that lie within `near` of each other put together; ascending.

    >>> positions([10.0, 1.0, 11.0])
    [1.0, 10.5]
    """
    groups: list[list[float]] = []
    for value in sorted(values):
        if groups and value - groups[-1][-1] <= near:
            groups[-1].append(value)
        else:
            groups.append([value])
    return [sum(group) / len(group) for group in groups]
