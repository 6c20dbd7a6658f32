"""What is shown from when to when: a state machine over samples whose moving parts are masked.

    (sample, moving blocks) -> Stay: a picture that stays, how it came about, and its best frame

A change counts once the picture has been still for a second, which flashes never are. What happened before it (a fade, a push,
a scroll) decides from when it counts. Whether a stay is a slide of its own is judged later, when what follows is known
(`slides.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from phidex.ingest.video.blocks import CHANGED, SIDE, Blocks, difference, grown, is_grown, parts, scrolled, share
from phidex.ingest.video.decode import Gray, Shot
from phidex.ingest.video.masks import Sample

How = Literal["start", "change", "build", "scroll", "camera"]

_STILL = 0.01  # of the blocks change from one sample of a still picture to the next, at most
_AWAY = 0.01  # of the blocks differ, where something else is shown; pointers cover less
_SETTLED_S = 1.0  # that a picture must be still to count
_SAFE_S = 0.5  # before the next change, a frame may show it already
_FRESH_S = 0.4  # after the last one, a frame may show the end of a fade
_AS_SHARP = 0.9  # of like frames the latest is taken
_CAMERA_S, _CAMERA = 3.0, 0.5  # so long without rest, with so much of the picture moving
_CAMERA_SAMPLES = 3  # in a row, up to the last
_ALL = 0.6  # of the picture moves, where nothing of it can be called still
_MOST_INSETS = 0.25  # of the picture moves, at most, where a camera's picture has ended
_NEAR_BLOCKS = 3  # around what moves: the wall behind a head, the frame of a speaker
_JUMP = 0.5  # of the height, by which a page is moved on at once
_JUMP_LIKENESS = 0.4
_PAGE = 0.7  # of the height, after which a scrolled page shows enough that is new
_RESTLESS = 24  # samples remembered while the picture is not still


@dataclass(slots=True)
class Frame:
    """A frame to show a stay by. `sharpness`: mean difference of neighbouring pixels, outside what moves."""

    shot: Shot
    sharpness: float


@dataclass(slots=True)
class Stay:
    """A picture that stays for a while.

    Args:
        how: how it came about; "build": the one before with something added.
        small: as it was last; `ignored`: what to leave out when it is compared.
        moved: for each block, how many of the `seen` samples found it moving.
        changed: blocks in which it differed from the one before.
        best: the sharpest frame at a safe distance from the next change.
        spare: any frame, where there is no better.
    """

    start_s: float
    end_s: float
    how: How
    small: Gray
    ignored: Blocks
    moved: npt.NDArray[np.int32]
    changed: Blocks
    best: Frame | None = None
    spare: Frame | None = None
    builds: list[float] = field(default_factory=list[float])
    seen: int = 1

    @property
    def moving(self) -> Blocks:
        """Where a webcam or clip was, for a good part of the time."""
        return self.moved * 4 > self.seen


class Watcher:
    """Takes samples in order, and gives back each stay once it has ended."""

    def __init__(self) -> None:
        self._stay: Stay | None = None
        self._before: Sample | None = None
        self._restless: deque[Sample] = deque(maxlen=_RESTLESS)  # since the picture is no longer that of the stay
        self._still_since: float | None = None
        self._waiting: deque[Frame] = deque()  # frames that a change may still follow too soon
        self._travel = 0

    def feed(self, sample: Sample) -> Iterator[Stay]:
        """Go on by one sample."""
        if self._stay is None or self._stay.small.shape != sample.small.shape:  # the first, or the size changed in the file
            yield from self._open(sample, sample.time_s, "start" if self._stay is None else "change")
            self._before = sample
            return
        before, self._before = self._before or sample, sample
        ignored = sample.ignored | before.ignored
        moved = share(difference(sample.small, before.small) > CHANGED, ignored)
        if moved > _STILL or sample.moving.mean() > (_MOST_INSETS if self._stay.how == "camera" else _ALL):
            self._still_since = None
        elif self._still_since is None:
            self._still_since = before.time_s
        away = self._differs(sample)
        if self._stay.how == "camera" or sample.moving.mean() > _ALL:
            self._restless.append(sample)
            yield from self._weigh(sample)
        elif share(away, sample.ignored | self._stay.ignored) <= _AWAY:
            self._settle(sample, moved)
        elif self._is_scroll(sample, before):
            yield from self._scroll(sample)
        else:
            self._restless.append(sample)
            yield from self._weigh(sample)

    def finish(self, end_s: float) -> Iterator[Stay]:
        """The last stay."""
        if self._stay is None:
            return
        if self._restless and self._still_since is not None and self._restless[0].time_s <= self._still_since:
            yield from self._accept(self._restless[-1])
        self._stay.end_s = max(end_s, self._stay.start_s)
        self._confirm(end_s + _SAFE_S)
        yield self._stay

    # The picture of the stay

    def _differs(self, sample: Sample) -> Blocks:
        assert self._stay is not None
        return (difference(sample.small, self._stay.small) > CHANGED) & ~(sample.ignored | self._stay.ignored)

    def _settle(self, sample: Sample, moved: float) -> None:
        """The stay goes on; small additions become a part of it."""
        assert self._stay is not None
        self._restless.clear()
        if moved <= _STILL:
            if self._still_since is not None and sample.time_s - self._still_since >= _SETTLED_S:
                self._stay.small, self._stay.ignored = sample.small, sample.ignored
            self._stay.moved += sample.moving
            self._stay.seen += 1
            self._offer(sample)

    def _offer(self, sample: Sample) -> None:
        self._confirm(sample.time_s)
        self._waiting.append(Frame(sample.shot, -1.0))
        assert self._stay is not None
        if self._stay.spare is None:
            self._stay.spare = self._waiting[-1]

    def _confirm(self, now_s: float) -> None:
        """Frames that nothing has followed for a while may be shown; the sharpest is kept, of like ones the latest."""
        assert self._stay is not None
        while self._waiting and now_s - self._waiting[0].shot.time_s >= _SAFE_S - 0.02:
            frame = self._waiting.popleft()
            frame.sharpness = sharpness(frame.shot.frame, self._stay.moving)
            if self._stay.best is None or frame.sharpness >= _AS_SHARP * self._stay.best.sharpness:
                self._stay.best = frame

    # Changes

    def _weigh(self, sample: Sample) -> Iterator[Stay]:
        """Whether the picture has been another one for long enough."""
        assert self._stay is not None
        first = self._restless[0]
        if self._still_since is not None and sample.time_s - max(self._still_since, first.time_s) >= _SETTLED_S - 0.02:
            yield from self._accept(sample)
        elif self._stay.how != "camera" and sample.time_s - first.time_s >= _CAMERA_S and self._still_since is None:
            latest = [*self._restless][-_CAMERA_SAMPLES:]
            if all((one.active | one.moving).mean() > _CAMERA for one in latest):
                start = self._turning_point(self._restless[-1])
                if self._stay.how == "start" and self._restless[0].time_s - self._stay.start_s <= _CAMERA_S:
                    self._stay.how = "camera"
                else:
                    yield from self._open(start, start.time_s, "camera")
        elif self._stay.how == "camera":
            self._offer(sample)

    def _accept(self, sample: Sample) -> Iterator[Stay]:
        """The picture is another one: a change, a build, the same page moved on, or a webcam's surroundings."""
        assert self._stay is not None
        stay, ignored = self._stay, sample.ignored | self._stay.ignored
        away = self._differs(sample)
        if stay.how != "camera":
            near = self._near(away, ignored)
            if share(away & ~near, ignored) <= _AWAY:
                stay.small = _patched(stay.small, sample.small, near)
                self._restless.clear()
                return
        start = self._turning_point(sample)
        how: How = "change"
        if stay.how != "camera" and is_grown(stay.small, sample.small, ignored):
            how = "build"
        elif stay.how != "camera" and scrolled(stay.small, sample.small, ignored, _JUMP, _JUMP_LIKENESS):
            how = "scroll"
        yield from self._open(sample, start.time_s, how, away)

    def _near(self, away: Blocks, ignored: Blocks) -> Blocks:
        """Blocks that belong to a webcam: connected to what moves, and close to it."""
        if not ignored.any():
            return np.zeros_like(away)
        around, beside = grown(ignored, _NEAR_BLOCKS), grown(ignored)
        return np.logical_or.reduce([np.zeros_like(away), *(part & around for part in parts(away) if (part & beside).any())])

    def _turning_point(self, sample: Sample) -> Sample:
        """The first of the restless samples from which on all are nearer to what is shown now than to what was."""
        assert self._stay is not None
        ignored = sample.ignored | self._stay.ignored
        if ignored.all():
            ignored = np.zeros_like(ignored)
        found, middle = sample, 0.0
        camera = self._stay.how == "camera"
        if camera:
            middle = 0.5 * float(difference(self._stay.small, sample.small)[~ignored].mean())
        for one in reversed(self._restless):
            to_new = float(difference(one.small, sample.small)[~ignored].mean())
            to_old = middle if camera else float(difference(one.small, self._stay.small)[~ignored].mean())
            if to_new > to_old:
                break
            found = one
        return found

    def _open(self, sample: Sample, start_s: float, how: How, changed: Blocks | None = None) -> Iterator[Stay]:
        """End the stay, and begin another."""
        if self._stay is not None:
            self._stay.end_s = start_s
            yield self._stay
        self._waiting.clear()
        everywhere = np.ones((sample.small.shape[0] // SIDE, sample.small.shape[1] // SIDE), np.bool_)
        self._stay = Stay(
            start_s,
            start_s,
            how,
            sample.small,
            sample.ignored,
            sample.moving.astype(np.int32),
            everywhere if changed is None else changed,
        )
        self._travel = 0
        for one in [*self._restless] or [sample]:
            since_s = start_s if how == "camera" or self._still_since is None else max(start_s, self._still_since)
            if one.time_s >= since_s + _FRESH_S:
                self._offer(one)
        if self._stay.spare is None:
            self._stay.spare = Frame(sample.shot, 0.0)
        self._restless.clear()

    # Scrolling

    def _is_scroll(self, sample: Sample, before: Sample) -> bool:
        """Whether the page moves on, all else being as it was."""
        assert self._stay is not None
        if self._stay.how == "camera" or not sample.shift or (self._restless and self._restless[-1] is not before):
            return False
        self._travel += sample.shift
        return True

    def _scroll(self, sample: Sample) -> Iterator[Stay]:
        """Follow the page; one that shows enough that is new is another stay."""
        assert self._stay is not None
        self._restless.clear()
        if abs(self._travel) >= _PAGE * sample.small.shape[0]:
            yield from self._open(sample, sample.time_s, "scroll")
            return
        self._stay.small = sample.small


def sharpness(frame: Any, moving: Blocks) -> float:
    """Mean difference of neighbouring pixels in every fourth row of a frame's luma, outside what moves. 0.3 ms for 720p."""
    plane = frame.planes[0]
    pixels = np.frombuffer(plane, np.uint8)
    if plane.line_size < plane.width or len(pixels) < plane.line_size * plane.height:
        return 0.0
    rows = pixels[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)[::4, : plane.width].astype(np.int16)
    apart: npt.NDArray[np.int16] = np.abs(np.diff(rows, axis=1))
    if moving.any() and (plane.width > plane.height) == (moving.shape[1] > moving.shape[0]):
        ys = np.array([row * moving.shape[0] // apart.shape[0] for row in range(apart.shape[0])])
        xs = np.array([column * moving.shape[1] // apart.shape[1] for column in range(apart.shape[1])])
        calm = ~moving[np.ix_(ys, xs)]
        return float(apart[calm].mean()) if calm.any() else 0.0
    return float(apart.mean())


def _patched(old: Gray, new: Gray, blocks: Blocks) -> Gray:
    """The old picture with some blocks of the new."""
    where = np.repeat(np.repeat(blocks, SIDE, axis=0), SIDE, axis=1)
    return np.where(where, new, old)
