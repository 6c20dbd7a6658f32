"""Stays become slides: what came and went, what was added and what was shown before is told apart, looking a little back.

    Stay ... -> Show: a slide's picture with the stretches of time in which it was shown

Popups that go again, and flashes that lasted, leave no trace; builds become one slide with its last state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from phidex.ingest.video.blocks import CHANGED, Blocks, bounds, difference, grown, has_ink, is_blank, is_spot, parts, share
from phidex.ingest.video.changes import Frame, Stay
from phidex.ingest.video.decode import Gray

_POPUP_S = 10.0  # what lies over a part of the picture for so long at most, is none of its content
_GLANCE_S = 2.0  # likewise over all of it
_BLANK_S = 8.0  # likewise an empty picture
_PATCH, _WINDOW, _FILLED = 0.22, 0.6, 0.65  # of the picture: a notice; a larger window, and how much of it changed
_PARTIAL = 0.35  # of the blocks
_TRIFLE = 0.02  # of the blocks: a figure that counts, a mark that is set
_BACK = 0.01  # of the blocks may differ, where the picture is that of before
_MEMORY_S = 15.0  # how long a popup's place is remembered
_WITHIN = 0.9  # of the changed blocks lie where the popup was
_SAME = 0.006  # of the blocks may differ, where a slide is shown again
_POINTERS = 2  # one where it was, one where it is
_SAME_MOST = 14.0  # and none by more than this


@dataclass(slots=True)
class Show:
    """A slide or scene, shown from `start_s` to `end_s`; `best` is its frame."""

    start_s: float
    end_s: float
    is_camera: bool
    continues: bool
    small: Gray
    ignored: Blocks
    moving: Blocks
    best: Frame | None
    builds: list[float] = field(default_factory=list[float])


class Judge:
    """Takes stays in order, and gives back shows that nothing to come can change."""

    def __init__(self) -> None:
        self._stays: list[Stay] = []
        self._popups: list[tuple[float, Blocks]] = []  # when and where something partial appeared

    def feed(self, stay: Stay) -> Iterator[Show]:
        """Go on by one stay that has ended."""
        self._stays.append(stay)
        self._join()
        while len(self._stays) > 2 and stay.end_s - self._stays[1].start_s > _MEMORY_S:
            yield _show(self._stays.pop(0))

    def finish(self) -> Iterator[Show]:
        """What is left."""
        for index in range(len(self._stays) - 1, 0, -1):
            before, stay = self._stays[index - 1 : index + 1]
            if stay.how == "build" and before.how != "camera":
                self._stays[index - 1 : index + 1] = [_joined(before, stay, build=True)]
        while self._stays:
            yield _show(self._stays.pop(0))

    def _join(self) -> None:
        """Join the newest stay with those before where it is none of its own."""
        if len(self._stays) > 2 and self._is_interruption(self._stays[-2], self._stays[-3], self._stays[-1]):
            interruption = self._stays.pop(-2)
            back = self._stays.pop()
            self._stays[-1] = _joined(self._stays[-1], back, build=False)
            self._remember(interruption)
        if len(self._stays) < 2:
            return
        before, newest = self._stays[-2:]
        if newest.how == "build" and before.how != "camera":
            if newest.end_s - newest.start_s <= _POPUP_S:
                return  # it may go again: judged when the next comes
            self._stays[-2:] = [_joined(before, newest, build=True)]
        elif self._was_popup(newest, before) or self._is_trifle(newest, before):
            self._stays[-2:] = [_joined(before, newest, build=False)]

    def _is_interruption(self, stay: Stay, before: Stay, after: Stay) -> bool:
        """Whether the picture is back to what it was before the stay, which was short; if not, a short build is joined now."""
        lasted_s = stay.end_s - stay.start_s
        limit_s = _POPUP_S if _is_patch(stay) else _BLANK_S if is_blank(stay.small, stay.ignored) else _GLANCE_S
        still = "camera" not in (before.how, stay.how, after.how) and before.small.shape == after.small.shape
        ignored = before.ignored | after.ignored if still else before.ignored
        if lasted_s <= limit_s and still and share(difference(before.small, after.small) > CHANGED, ignored) <= _BACK:
            return True
        if stay.how == "build" and before.how != "camera":
            self._remember(stay)
            self._stays[-3:-1] = [_joined(before, stay, build=True)]
        return False

    def _is_trifle(self, stay: Stay, before: Stay) -> bool:
        """Whether too little changed for another slide."""
        return stay.how == "change" and before.how != "camera" and stay.changed.mean() <= _TRIFLE

    def _remember(self, stay: Stay) -> None:
        if stay.changed.mean() < _PARTIAL:
            self._popups = [*self._popups[-7:], (stay.start_s, grown(stay.changed))]

    def _was_popup(self, stay: Stay, before: Stay) -> bool:
        """Whether what changed lies where something had appeared a little before."""
        if stay.how != "change" or before.how == "camera" or stay.changed.mean() >= _PARTIAL:
            return False
        count = np.count_nonzero(stay.changed)
        return any(
            stay.start_s - start_s <= _MEMORY_S
            and blocks.shape == stay.changed.shape
            and np.count_nonzero(stay.changed & blocks) >= _WITHIN * count
            for start_s, blocks in self._popups
        )


def _is_patch(stay: Stay) -> bool:
    """Whether what changed is no more than a window over the picture, or something added to it."""
    if stay.how == "build" or not stay.changed.any():
        return True
    top, left, bottom, right = bounds(stay.changed)
    area = (bottom - top) * (right - left)
    size, filled = area / stay.changed.size, float(np.count_nonzero(stay.changed)) / area
    return size <= _PATCH or (size <= _WINDOW and filled >= _FILLED)


def _joined(first: Stay, second: Stay, *, build: bool) -> Stay:
    """One stay of two; a build shows as its second."""
    if build:
        best = second.best or first.best
    else:
        best = max((one for one in (second.best, first.best) if one), key=lambda one: one.sharpness, default=None)
    builds = [*first.builds, *([second.start_s] if build else []), *second.builds]
    return Stay(
        first.start_s,
        second.end_s,
        first.how,
        second.small,
        second.ignored,
        first.moved + second.moved,
        first.changed,
        best,
        second.spare or first.spare,
        builds,
        first.seen + second.seen,
    )


def _show(stay: Stay) -> Show:
    return Show(
        stay.start_s,
        stay.end_s,
        stay.how == "camera",
        stay.how == "scroll",
        stay.small,
        stay.ignored,
        stay.moving,
        stay.best or stay.spare,
        stay.builds,
    )


def is_same(one: Gray, one_ignored: Blocks, other: Gray, other_ignored: Blocks) -> bool:
    """Whether two stays, at any distance, show the same slide."""
    if one.shape != other.shape:
        return False
    ignored = one_ignored | other_ignored
    if ignored.mean() > 0.5:
        return False
    apart = np.where(ignored, 0.0, difference(one, other))
    forgiven = np.zeros_like(ignored)
    spots = [part for part in parts(apart > CHANGED) if is_spot(part) and (not has_ink(one, part) or not has_ink(other, part))]
    for part in spots[:_POINTERS]:  # a pointer on plain ground; a figure that differs is ink in both
        forgiven |= part
    apart[forgiven] = 0.0
    return share(apart > CHANGED, ignored) <= _SAME and float(apart.max()) <= _SAME_MOST
