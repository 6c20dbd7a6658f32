"""Where a recording moves all the time (a webcam, a clip on a slide), found by looking 10 s back and 10 s ahead.

    samples -> (sample, moving blocks), 10 s later

Only what moved before and goes on moving counts, so that a camera shot to come does not hide the end of a slide. Activity is
measured against the picture 1 s and 2 s before, whatever the samples' distance: neighbouring samples differ too little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from phidex.ingest.video.blocks import SIDE, Blocks, bounds, difference, grown, parts, scrolled
from phidex.ingest.video.decode import Gray, Shot

_WINDOW_S = 10.0
_LEAST_SAMPLES = 3  # on either side, however far they reach
_MOST_SAMPLES = 64
_LAGS_S = (1.0, 2.0)
_LEAST_WEIGHT_S = 0.05
_ACTIVE = 6.0  # mean difference of a block
_MOVING, _RESTLESS = 0.3, 0.06  # of the time on either side
_BUSY = 0.05  # of the blocks are active, where it is worth looking for a scroll
_SCROLL_STEP, _SCROLL_GAP_S = 0.35, 1.5  # of the height, in half a second: pushes are faster; between two samples
_INSETS = 0.2  # of the picture may be webcams
_PART_BLOCKS = 4  # a part with fewer is no webcam
_BOX_SHARE = 0.3  # of the picture: a larger part is taken as it is, not as a rectangle
_KEPT_S = 30.0  # that a webcam's place is remembered when it comes to rest


@dataclass(slots=True)
class Sample:
    """A picture at a time.

    Args:
        weight_s: time since the sample before.
        active: blocks that differ from 1 s or 2 s before.
        restless: blocks that differ from both, and these from one another: a single change, a flash and a fade do not do that.
        shift: pixels by which a page was scrolled since the sample before.
        moving: where a webcam or clip is, once that is known; `ignored`: with the places where one was a little while ago.
    """

    time_s: float
    small: Gray
    shot: Shot
    weight_s: float
    active: Blocks
    restless: Blocks
    shift: int = 0
    moving: Blocks = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    ignored: Blocks = field(default_factory=lambda: np.zeros((0, 0), np.bool_))


class Mover:
    """Takes samples in the order of their times, and gives them back when what follows is known."""

    def __init__(self) -> None:
        self._past: deque[Sample] = deque()
        self._ahead: deque[Sample] = deque()
        self._kept: list[tuple[float, Blocks]] = []
        self._raw: Blocks | None = None
        self._filled: Blocks | None = None
        self._scrolled_s = -1e9

    def feed(self, time_s: float, small: Gray, shot: Shot) -> Iterator[Sample]:
        """Add a sample; gives back those that are known now."""
        self._ahead.append(self._sample(time_s, small, shot))
        while len(self._ahead) > _LEAST_SAMPLES and (
            time_s - self._ahead[0].time_s > _WINDOW_S or len(self._ahead) > _MOST_SAMPLES
        ):
            yield self._settle()

    def finish(self) -> Iterator[Sample]:
        """What is left at the end."""
        while self._ahead:
            yield self._settle()

    def _sample(self, time_s: float, small: Gray, shot: Shot) -> Sample:
        nothing = np.zeros((small.shape[0] // SIDE, small.shape[1] // SIDE), np.bool_)
        before = self._earlier(time_s, 0.0)
        if not before or before[-1].small.shape != small.shape:
            self._past.clear()
            return Sample(time_s, small, shot, _LEAST_WEIGHT_S, nothing, nothing)
        last = before[-1]
        near, far = ([one for one in self._earlier(time_s, lag_s) if one.small.shape == small.shape] for lag_s in _LAGS_S)
        one = near[-1] if near else last
        two = far[-1] if far else one
        if two is one and near and len(near) > 1:
            two = near[-2]
        from_one = difference(small, one.small) > _ACTIVE
        from_two = difference(small, two.small) > _ACTIVE if two is not one else from_one
        between = difference(one.small, two.small) > _ACTIVE if two is not one else nothing
        active, restless = from_one | from_two, from_one & from_two & between
        known = self._filled if self._filled is not None and self._filled.shape == nothing.shape else nothing
        shift = 0
        if active.mean() > _BUSY and time_s - last.time_s <= _SCROLL_GAP_S:
            reach = _SCROLL_STEP * max(1.0, (time_s - last.time_s) / 0.5)
            shift = scrolled(last.small, small, known if known.mean() <= _INSETS else nothing, min(reach, 0.6))
        if shift:
            self._scrolled_s = time_s
        if time_s - self._scrolled_s <= _LAGS_S[1] + 0.1:  # what a scroll moves is no webcam
            active, restless = active & known, restless & known
        weight_s = min(_WINDOW_S, max(_LEAST_WEIGHT_S, time_s - last.time_s))
        return Sample(time_s, small, shot, weight_s, active, restless, shift)

    def _earlier(self, time_s: float, lag_s: float) -> list[Sample]:
        """The last two samples, at most, that are so much older."""
        found: list[Sample] = []
        for samples in (self._ahead, self._past):
            for sample in reversed(samples):
                if sample.time_s <= time_s - lag_s + 0.05:
                    found.append(sample)
                    if len(found) == 2:
                        return found[::-1]
        return found[::-1]

    def _settle(self) -> Sample:
        """The oldest sample of those ahead, with what moves around it."""
        sample = self._ahead.popleft()
        before, behind = ([one for one in some if one.small.shape == sample.small.shape] for some in (self._past, self._ahead))
        past = [one for one in before if sample.time_s - one.time_s <= _WINDOW_S]
        past = past if len(past) >= _LEAST_SAMPLES else before[-_LEAST_SAMPLES:]
        ahead = [one for index, one in enumerate(behind) if index < _LEAST_SAMPLES or one.time_s - sample.time_s <= _WINDOW_S]
        sides = [side for side in (([*past, sample] if past else []), ahead) if side]
        moving = np.ones_like(sample.active) if sides else np.zeros_like(sample.active)
        for side in sides:
            weights = [one.weight_s for one in side]  # a change, seen in four samples, must not count for more among few
            moving &= np.average([one.active for one in side], axis=0, weights=weights) > _MOVING
            moving &= np.average([one.restless for one in side], axis=0, weights=weights) > _RESTLESS
        sample.moving = self._insets(moving)
        sample.ignored = self._with_kept(sample.time_s, sample.moving)
        self._past.append(replace(sample, shot=Shot(sample.time_s, None)))  # frames are large
        while len(self._past) > _LEAST_SAMPLES and (
            sample.time_s - self._past[0].time_s > _WINDOW_S or len(self._past) > _MOST_SAMPLES
        ):
            self._past.popleft()
        return sample

    def _insets(self, moving: Blocks) -> Blocks:
        if self._raw is not None and self._filled is not None and np.array_equal(moving, self._raw):
            return self._filled
        self._raw, self._filled = moving, fill(moving)
        return self._filled

    def _with_kept(self, time_s: float, moving: Blocks) -> Blocks:
        """With the places of webcams that were there a little while ago."""
        self._kept = [(at, blocks) for at, blocks in self._kept if time_s - at <= _KEPT_S and blocks.shape == moving.shape]
        if not moving.any():
            return moving if not self._kept else np.logical_or.reduce([blocks for _, blocks in self._kept])
        if moving.mean() <= _BOX_SHARE:
            same = [index for index, (_, blocks) in enumerate(self._kept) if np.array_equal(blocks, moving)]
            for index in reversed(same):
                del self._kept[index]
            self._kept = [*self._kept[-7:], (time_s, moving)]
        return np.logical_or.reduce([moving, *(blocks for _, blocks in self._kept)])


def fill(moving: Blocks) -> Blocks:
    """What moves, made the rectangles that webcams are, with a margin of one block; specks are left out."""
    if not moving.any():
        return moving
    found = np.zeros_like(moving)
    for part in parts(~grown(~grown(moving))):
        count = int(np.count_nonzero(part))
        if count < _PART_BLOCKS:
            continue
        top, left, bottom, right = bounds(part)
        if (bottom - top) * (right - left) <= _BOX_SHARE * moving.size:
            found[top:bottom, left:right] = True
        else:
            found |= part
    return grown(found)
