"""Samples of a recording, about two a second, taken only where something may happen.

    Film.groups -> I-frames of a group and the next alike? -> its I-frame, or frames of the whole group -> (time, small, shot)

What moves all the time is left out of the comparison: blocks that differ between most of the I-frames around. What appears and
is gone within one group (12 s at most) is passed over, and so is the rest of a group that has become what the next begins with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from phidex.ingest.video.blocks import CHANGED, SIDE, Blocks, difference, share
from phidex.ingest.video.decode import GROUP_S, Film, Gray, Group, Shot, Shrinker
from phidex.ingest.video.masks import fill

STEP_S = 0.5
"""From one sample to the next, where a group is looked into."""

_SLACK_S = 0.02
_AROUND = 6  # I-frames looked at on either side
_AHEAD_BYTES = 24 << 20  # of packets that wait; beyond, fewer I-frames are looked at
_ACTIVE = 6.0
_MOVING = 0.6  # of the pairs of I-frames around
_ALIKE = 0.01  # of the blocks that do not move may differ
_MOST_MASKED = 0.5
_ARRIVED_S = 1.0  # that a group has shown what its successor begins with; what follows in it is passed over


@dataclass(slots=True)
class _Waiting:
    group: Group
    small: Gray | None  # of its I-frame
    size: int


def samples(film: Film, beat: Callable[[float], None]) -> Iterator[tuple[float, Gray, Shot]]:
    """Time, small picture and frame of each sample, ascending.

    Args:
        beat: called with the time reached, for each group.
    """
    scanner = _Scanner(film)
    for group in film.groups():
        yield from scanner.feed(group)
        beat(group.start_s)
    yield from scanner.finish()


class _Scanner:
    def __init__(self, film: Film) -> None:
        self._film, self._shrink = film, Shrinker()
        self._waiting: deque[_Waiting] = deque()
        self._pairs: deque[Blocks] = deque(maxlen=2 * _AROUND + 1)  # where I-frames differed, up to the newest
        self._last_key: Gray | None = None
        self._last_s = -1e9
        self._decoded = False  # whether the group before was

    def feed(self, group: Group) -> Iterator[tuple[float, Gray, Shot]]:
        small = self._shrink(group.key.frame, self._film.turns) if group.key else None
        if small is not None:
            if self._last_key is not None and self._last_key.shape == small.shape:
                self._pairs.append(difference(small, self._last_key) > _ACTIVE)
            self._last_key = small
        self._waiting.append(_Waiting(group, small, sum(packet.size for packet in group.packets)))
        while len(self._waiting) > 1 and (
            len(self._waiting) > _AROUND + 1 or sum(one.size for one in self._waiting) > _AHEAD_BYTES
        ):
            yield from self._take()

    def finish(self) -> Iterator[tuple[float, Gray, Shot]]:
        while self._waiting:
            yield from self._take()

    def _take(self) -> Iterator[tuple[float, Gray, Shot]]:
        one = self._waiting.popleft()
        after = self._waiting[0].small if self._waiting else None
        moving = self._moving() if self._reaches(one) else None
        if moving is not None and _is_alike(one.small, after, moving):
            assert one.small is not None
            assert one.group.key is not None
            self._decoded = False
            yield from self._sample(one.group.key, one.small, is_key=True)
            return
        afresh = not (one.group.continues and self._decoded)
        self._decoded = True
        is_key = one.group.key is not None
        arrived_s: float | None = None
        for shot in self._film.frames(one.group, afresh=afresh):
            if self._is_due(shot.time_s, is_key=is_key):
                small = self._shrink(shot.frame, self._film.turns)
                yield from self._sample(shot, small, is_key=is_key)
                if moving is None or not _is_alike(small, after, moving):
                    arrived_s = None
                elif arrived_s is None:
                    arrived_s = shot.time_s
                elif shot.time_s - arrived_s >= _ARRIVED_S:
                    self._decoded = False
                    return
            is_key = False

    def _sample(self, shot: Shot, small: Gray, *, is_key: bool) -> Iterator[tuple[float, Gray, Shot]]:
        if self._is_due(shot.time_s, is_key=is_key):
            self._last_s = shot.time_s
            yield shot.time_s, small, shot

    def _is_due(self, time_s: float, *, is_key: bool) -> bool:
        """I-frames always are: encoders put them where a scene begins, and of a calm group there is no other."""
        return time_s > self._last_s if is_key else time_s - self._last_s >= STEP_S - _SLACK_S

    def _reaches(self, one: _Waiting) -> bool:
        """Whether the group ends where the next I-frame stands, soon enough for that to tell what happens in between."""
        if not self._waiting or self._waiting[0].small is None or not one.group.is_whole:
            return False
        return self._waiting[0].group.start_s - one.group.start_s <= GROUP_S + 0.5

    def _moving(self) -> Blocks | None:
        """What moves all the time; None where that is most of the picture, or no two I-frames could be compared."""
        if not self._pairs:
            return None
        shape = self._pairs[-1].shape
        pairs = [pair for pair in self._pairs if pair.shape == shape]
        moving = fill(np.mean(pairs, axis=0) > _MOVING) if len(pairs) > 2 else np.zeros_like(pairs[0])
        return moving if moving.mean() <= _MOST_MASKED else None


def _is_alike(one: Gray | None, other: Gray | None, moving: Blocks) -> bool:
    """Whether nothing but what always moves differs."""
    if one is None or other is None or one.shape != other.shape or moving.shape != tuple(side // SIDE for side in one.shape):
        return False
    return share(difference(one, other) > CHANGED, moving) <= _ALIKE
