"""Arithmetic on small grey pictures (`decode.Shrinker`): differences by blocks of 10 x 10 pixels, shifts, what is new or lost.

Nothing here knows of time. Shares are of blocks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from phidex.ingest.video.decode import Gray

Blocks = npt.NDArray[np.bool_]
"""bool, (height / 10, width / 10)."""

SIDE = 10
CHANGED = 8.0
"""Mean difference of a block, of 255, above which it shows something else."""

_INK = 24  # by which a pixel differs from the middle of its block, where something is drawn
_OTHER = 28  # by which a pixel differs between two pictures, where noise cannot explain it
_LOST_PIXELS, _LOST_SHARE = 4, 0.2  # of a block's ink: fewer are noise
_SPOT, _MOST_GONE = 2, 0.5  # blocks a side of what a pointer covers; of what changed, that may have lost something
_LEAST_OVERLAP = 0.25  # of the height, that a shifted picture shares with itself
_EXPLAINED = 0.55  # what a shift leaves of the difference, at most
_DRAWN = 0.5  # of what is drawn on the whole, on the part that a shifted picture shares with itself
_STRIPS, _TRIED = 40, 3  # that rows are compared in; likely shifts that are looked at in full


def difference(a: Gray, b: Gray) -> npt.NDArray[np.float32]:
    """Mean absolute difference of each block, 0 to 255. 0.1 ms."""
    apart = np.maximum(a, b) - np.minimum(a, b)
    return _means(apart)


def _means(pixels: Gray) -> npt.NDArray[np.float32]:
    height, width = pixels.shape
    rows = pixels.reshape(height // SIDE, SIDE, width).sum(axis=1, dtype=np.uint16)
    return rows.reshape(height // SIDE, width // SIDE, SIDE).sum(axis=2, dtype=np.uint32).astype(np.float32) / SIDE**2


def share(changed: Blocks, ignored: Blocks) -> float:
    """The share of the blocks that are not ignored."""
    counted = ignored.size - int(np.count_nonzero(ignored))
    return float(np.count_nonzero(changed & ~ignored)) / counted if counted else 0.0


def grown(blocks: Blocks, by: int = 1) -> Blocks:
    """With their neighbours up to so many blocks away."""
    for _ in range(by):
        wider = blocks.copy()
        wider[1:] |= blocks[:-1]
        wider[:-1] |= blocks[1:]
        sides = wider.copy()
        sides[:, 1:] |= wider[:, :-1]
        sides[:, :-1] |= wider[:, 1:]
        blocks = sides
    return blocks


def parts(blocks: Blocks) -> list[Blocks]:
    """The connected parts, diagonals included."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(blocks), strict=True)}
    found: list[Blocks] = []
    while left:
        part, front = np.zeros_like(blocks), [left.pop()]
        while front:
            y, x = front.pop()
            part[y, x] = True
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front.extend(near)
        found.append(part)
    return found


def bounds(blocks: Blocks) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (both last ones not included) of blocks of which there is one at least."""
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def is_grown(old: Gray, new: Gray, ignored: Blocks) -> bool:
    """Whether the new picture is the old one with something added: all that was drawn is still there.

    A few blocks may differ, and spots no larger than a pointer or the number of a page.
    """
    changed = (difference(old, new) > CHANGED) & ~ignored
    apart = np.maximum(old, new) - np.minimum(old, new) > _OTHER
    ink = _ink(old)
    drawn = _counts(ink)
    lost = _counts(apart & ink)
    gone = (lost >= _LOST_PIXELS) & (lost > _LOST_SHARE * drawn) & ~ignored
    large = sum(int(np.count_nonzero(part)) for part in parts(gone) if not is_spot(part))
    if large > max(2, 0.04 * int(np.count_nonzero(changed))) or np.count_nonzero(gone) > _MOST_GONE * np.count_nonzero(changed):
        return False
    gained = int((_counts(apart & _ink(new)) * ~ignored).sum())
    return gained > 0 or not gone.any()


def is_spot(part: Blocks) -> bool:
    """Whether a connected part is no larger than a pointer or the number of a page."""
    top, left, bottom, right = bounds(part)
    return bottom - top <= _SPOT and right - left <= _SPOT


def _ink(picture: Gray) -> Blocks:
    """Pixels that differ from the middle of the blocks around them."""
    height, width = picture.shape
    blocks = (
        picture.reshape(height // SIDE, SIDE, width // SIDE, SIDE).swapaxes(1, 2).reshape(height // SIDE, width // SIDE, -1)
    )
    middle = np.median(blocks, axis=2).astype(np.int16)
    around = np.repeat(np.repeat(middle, SIDE, axis=0), SIDE, axis=1)
    return np.abs(picture.astype(np.int16) - around) > _INK


def _counts(pixels: Blocks) -> npt.NDArray[np.uint32]:
    return np.rint(_means(pixels.astype(np.uint8)) * SIDE**2).astype(np.uint32)


def has_ink(picture: Gray, blocks: Blocks) -> bool:
    """Whether something is drawn in any of these blocks."""
    return bool(((_counts(_ink(picture)) > 3) & blocks).any())


def is_blank(picture: Gray, ignored: Blocks) -> bool:
    """Whether nothing is drawn: one colour, or a smooth course of colours."""
    return int(np.count_nonzero((_counts(_ink(picture)) > 3) & ~ignored)) <= 2


def scrolled(old: Gray, new: Gray, ignored: Blocks, most: float, likeness: float = 0.9) -> int:
    """By how many pixels the changed part of the picture moved up (or down, negative); 0 where a shift does not explain it.

    Args:
        most: of the picture's height.
        likeness: what may be left of what is drawn; two pages that have nothing in common leave 1.5.
    """
    changed = (difference(old, new) > CHANGED) & ~ignored
    if not changed.any():
        return 0
    top, left, bottom, right = (SIDE * edge for edge in bounds(changed))
    if bottom - top < 4 * SIDE or right - left < 4 * SIDE:
        return 0
    calm = np.repeat(np.repeat(~ignored, SIDE, axis=0), SIDE, axis=1)[top:bottom, left:right]
    a, b = (_softened(np.where(calm, picture[top:bottom, left:right], 0)) for picture in (old, new))
    height = bottom - top
    reach = min(round(most * old.shape[0]), round((1 - _LEAST_OVERLAP) * height))
    strips = np.linspace(0, right - left, _STRIPS + 1).astype(int)[:-1]
    rows_a, rows_b = (np.add.reduceat(part, strips, axis=1, dtype=np.int32) for part in (a, b))
    apart: list[tuple[float, int]] = []
    for shift in range(1, reach + 1):
        apart.append((float(np.abs(rows_a[shift:] - rows_b[: height - shift]).mean()), shift))
        apart.append((float(np.abs(rows_b[shift:] - rows_a[: height - shift]).mean()), -shift))
    still, paper = float(np.abs(a - b).mean()), np.int16(np.median(a))
    drawn = float(np.abs(a - paper).mean())
    for _, shift in sorted(apart)[:_TRIED]:
        one, two = (a, b) if shift > 0 else (b, a)
        one, two = one[abs(shift) :], two[: height - abs(shift)]
        left, there = float(np.abs(one - two).mean()), float(np.abs(two - paper).mean())
        if left < _EXPLAINED * still and left < likeness * there and there > _DRAWN * drawn:
            return shift
    return 0


def _softened(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Blurred a little from row to row: pages move by parts of these pixels."""
    soft = pixels.astype(np.int16) * 2
    soft[1:-1] = (soft[1:-1] + pixels[:-2] + pixels[2:]) // 2
    return soft
