"""A page as grey pixels: what Tesseract is given, turned upright and level, with the way back to where the page was.

pixels --turned, levelled--> Raster to read        Turn.to_page maps a box on it to the page as it is shown
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt
from PIL import Image

from phidex.ingest.records import Box

Gray = npt.NDArray[np.uint8]
"""uint8, (height, width), 0 is black."""

MAX_PIXELS = 40_000_000
"""Larger pictures are made smaller before they are read: A3 at 400 dpi has 31 megapixels."""

MOST_DPI = 300.0
"""More is of no use to Tesseract."""

_MAX_SKEW_DEGREES = 8.0
_LEVEL_DEGREES = 0.4  # Tesseract reads lines that are this level as well as level ones
_GUTTER_DPI = 50.0
_GUTTER_PT, _GUTTER_ROWS_PT, _GUTTER_BANDS = (
    8.0,
    48.0,
    3,
)  # its width, and how far down it is looked for: three times four lines
_GUTTER_SIDE = 0.12  # of the page's width that is inked on either side: bullets and line numbers are less
_DARKER = 48  # by which a pixel of ink differs at least from the paper around it
_BLANK_SHARE = 0.0002  # of all pixels
_MOST_IN_16_BITS = 16  # a side of the square whose white pixels 16 bits can count


@dataclass(frozen=True, slots=True)
class Turn:
    """How a page was turned to be read, both times against the clock; its size is that after the turn, in points."""

    width: float
    height: float
    quarter_turns: int = 0
    degrees: float = 0.0

    def to_page(self, box: Box) -> Box:
        """A box on the turned page as a box on the page before; upright around a slanted one."""
        x0, y0, x1, y1 = _slanted(box, self) if self.degrees else box
        match self.quarter_turns:
            case 1:  # what was the right edge is now the top
                return self.height - y1, x0, self.height - y0, x1
            case 2:
                return self.width - x1, self.height - y1, self.width - x0, self.height - y0
            case 3:
                return y0, self.width - x1, y1, self.width - x0
            case _:
                return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class Raster:
    """Grey pixels of a page, and how they were turned.

    Args:
        pixels: the page as it is to be read.
        dpi: pixels an inch, the same in both directions.
        quarter_turns: times the page was turned by 90 degrees against the clock.
        degrees: how far it was turned then, against the clock, about its centre.
    """

    pixels: Gray
    dpi: float
    quarter_turns: int = 0
    degrees: float = 0.0

    @property
    def width(self) -> float:
        """In points."""
        return self.pixels.shape[1] * 72 / self.dpi

    @property
    def height(self) -> float:
        """In points."""
        return self.pixels.shape[0] * 72 / self.dpi

    def is_blank(self) -> bool:
        """Whether there is nothing to read: specks at most."""
        small = _shrink(self.pixels, 4)
        return bool(np.count_nonzero(_ink(small)) < _BLANK_SHARE * small.size)

    def turned(self, quarter_turns: int) -> Raster:
        """Turned by 90 degrees against the clock so many times; only before it is made level."""
        turns = quarter_turns % 4
        if not turns:
            return self
        pixels = np.ascontiguousarray(np.rot90(self.pixels, turns))
        return Raster(pixels, self.dpi, (self.quarter_turns + turns) % 4)

    def levelled(self) -> Raster:
        """With its lines of text level, where they are askew by up to 8 degrees. About 30 ms; 0.1 s where it has to turn."""
        degrees = _skew(self.pixels, self.dpi)
        if abs(degrees) < _LEVEL_DEGREES:
            return self
        paper = int(np.median(self.pixels[::16, ::16]))
        picture = Image.fromarray(self.pixels).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=paper)
        return Raster(np.asarray(picture), self.dpi, self.quarter_turns, degrees)

    def has_columns(self) -> bool:
        """Whether a white gutter with type on both sides runs down a part of the page: columns, or a table."""
        factor = max(1, round(self.dpi / _GUTTER_DPI))
        inked = _ink(_shrink(self.pixels, factor))
        point = self.dpi / factor / 72  # pixels a point
        rows = max(1, round(_GUTTER_ROWS_PT * point))
        before: list[tuple[int, int]] = []
        streak = 0
        for top in range(0, inked.shape[0], rows):
            gaps = _gutters(inked[top : top + rows], round(_GUTTER_PT * point))
            going_on = [gap for gap in gaps if not before or any(gap[0] < end and start < gap[1] for start, end in before)]
            streak = streak + 1 if going_on and before else 1 if gaps else 0
            if streak >= _GUTTER_BANDS:
                return True
            before = going_on or gaps
        return False

    def band(self, height_points: float) -> Raster:
        """The stretch of this height with the most ink in lines: enough text to tell its language by."""
        rows = round(height_points * self.dpi / 72)
        if rows >= self.pixels.shape[0]:
            return self
        inked = _ink(_shrink(self.pixels, 4))
        changes = np.count_nonzero(inked[:, 1:] != inked[:, :-1], axis=1)  # letters change often, pictures and rules do not
        sums = np.concatenate(([0], np.cumsum(changes)))
        window = max(1, rows // 4)
        top = int(np.argmax(sums[window:] - sums[:-window])) * 4
        return Raster(self.pixels[top : top + rows], self.dpi)

    def to_pgm(self) -> bytes:
        """An image file that costs nothing to write and read."""
        height, width = self.pixels.shape
        return b"P5 %d %d 255\n" % (width, height) + self.pixels.tobytes()

    @property
    def turn(self) -> Turn:
        """The way back to the page."""
        return Turn(self.width, self.height, self.quarter_turns, self.degrees)


def gray_raster(picture: Image.Image, dpi: float) -> Raster:
    """The raster of a picture whose pixels have been read; transparent parts white, smaller where it is larger than needed."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        picture = Image.new("RGBA", seen.size, "white")
        picture.alpha_composite(seen)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        picture = Image.fromarray(((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8))
    gray = picture.convert("L")
    scale = min(1.0, (MAX_PIXELS / (gray.width * gray.height)) ** 0.5, MOST_DPI / dpi if dpi > 1.2 * MOST_DPI else 1.0)
    if scale < 1:
        width, height = max(1, round(gray.width * scale)), max(1, round(gray.height * scale))
        gray = gray.resize((width, height), Image.Resampling.BOX)
    return Raster(np.asarray(gray), dpi * scale)


def _shrink(pixels: Gray, factor: int) -> Gray:
    """The mean of each square of `factor` pixels, rounded down. 2 ms for A4 at 250 dpi."""
    height, width = (side // factor * factor for side in pixels.shape)
    if not height or not width:
        return pixels
    rows = pixels[0:height:factor, :width].astype(np.uint16 if factor <= _MOST_IN_16_BITS else np.uint32)
    for row in range(1, factor):  # whole rows at a time: ten times as fast as a mean over two axes
        rows += pixels[row:height:factor, :width]
    sums = rows[:, ::factor].copy()
    for column in range(1, factor):
        sums += rows[:, column::factor]
    return (sums // factor**2).astype(np.uint8)


def _gutters(inked: npt.NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """Where a band of rows is white over at least so many pixels, with type on both sides."""
    columns: npt.NDArray[np.bool_] = np.any(inked, axis=0)
    side = _GUTTER_SIDE * len(columns)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], columns, [True])).astype(np.int8)))
    total = int(np.count_nonzero(columns))
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        left = int(np.count_nonzero(columns[:start]))
        if end - start >= least and left >= side and total - left >= side:
            found.append((start, end))
    return found


def _ink(pixels: Gray) -> npt.NDArray[np.bool_]:
    """Where there is ink: darker than the paper, or lighter where the paper is dark."""
    paper = int(np.median(pixels))
    return pixels < paper - _DARKER if paper >= 96 else pixels > paper + _DARKER


def _skew(pixels: Gray, dpi: float) -> float:
    """By how many degrees, against the clock, the page must be turned for its lines to be level.

    Lines of text that are level fill few rows of pixels, and these fully: the sum of squares over rows is largest then.
    """
    factor = max(1, round(dpi / 60))
    inked = _ink(_shrink(pixels, factor))
    inked[1:] &= ~inked[:-1]  # upper edges only: pictures and black bars count for little
    ys, xs = np.nonzero(inked)
    if len(ys) < 200:
        return 0.0
    if len(ys) > 30_000:
        chosen = np.linspace(0, len(ys) - 1, 30_000).astype(np.intp)
        ys, xs = ys[chosen], xs[chosen]
    best = 0.0
    for reach, step in ((_MAX_SKEW_DEGREES, 0.5), (0.5, 0.1)):
        angles = np.arange(best - reach, best + reach + step / 2, step)
        best = float(max(angles, key=lambda angle: _sharpness(xs, ys, float(angle))))
    return best if _sharpness(xs, ys, best) > 1.1 * _sharpness(xs, ys, 0.0) else 0.0


def _sharpness(xs: npt.NDArray[np.intp], ys: npt.NDArray[np.intp], degrees: float) -> float:
    rows = ys - xs * np.tan(radians(degrees))
    counts = np.bincount((rows - rows.min()).astype(np.intp))
    return float(np.square(counts, dtype=np.float64).sum())


def _slanted(box: Box, turn: Turn) -> Box:
    """The upright box around `box` once the page's turn by some degrees about its centre is undone."""
    turn_cos, turn_sin = cos(radians(turn.degrees)), sin(radians(turn.degrees))
    centre_x, centre_y = turn.width / 2, turn.height / 2
    corners = [
        (
            centre_x + (x - centre_x) * turn_cos - (y - centre_y) * turn_sin,
            centre_y + (x - centre_x) * turn_sin + (y - centre_y) * turn_cos,
        )
        for x in (box[0], box[2])
        for y in (box[1], box[3])
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
