"""The keyframes of a recording: each slide or scene once, as one sharp picture, with all the times at which it was shown.

    Film -> scan.samples -> masks.Mover -> changes.Watcher -> slides.Judge -> Keyframe

One pass over the file in bounded memory: of a recording of hours, only the chosen pictures stay (JPEG). Their text is read by
`lettering.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phidex.ingest.records import Box, Picture
from phidex.ingest.video.blocks import SIDE, Blocks, bounds, parts
from phidex.ingest.video.changes import Watcher
from phidex.ingest.video.damage import Damage
from phidex.ingest.video.decode import Film, Gray
from phidex.ingest.video.masks import Mover
from phidex.ingest.video.probe import import_av
from phidex.ingest.video.records import Keyframe, Recording, Span
from phidex.ingest.video.scan import samples
from phidex.ingest.video.slides import Judge, Show, is_same

JPEG_QUALITY = 90
_MOST_BYTES = 128 << 20  # of pictures; beyond, they are made smaller
_SMALL_WIDTH = 640
_MOST_KNOWN = 2_000  # slides that a later one is compared with

OnTime = Callable[[int, int], None]
"""Called with seconds done and seconds in all."""


def find_keyframes(path: Path, on_time: OnTime | None = None) -> Recording:
    """What is shown in a recording, without the text on it. 720p at 25 fps: some 150 to 300 seconds of video a CPU second.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be opened, or holds neither picture nor sound.
    """
    damage, gallery = Damage(), _Gallery()
    with Film(path, damage) as film:
        claimed_s = film.streams.duration_s

        def beat(time_s: float) -> None:
            if on_time:
                on_time(int(time_s), max(int(claimed_s), int(time_s)))

        for show in shows(film, beat):
            gallery.add(show, film.turns)
        streams, end_s = film.streams, film.end_s
        width, height = (streams.height, streams.width) if film.turns % 2 else (streams.width, streams.height)
    if streams.has_video:
        damage.check_end("picture", end_s, claimed_s)
    return Recording(
        duration_s=round(end_s if streams.has_video else claimed_s, 3),
        width=width,
        height=height,
        has_video=streams.has_video and bool(gallery.keyframes),
        has_audio=streams.has_audio,
        keyframes=tuple(gallery.keyframes),
        lost=damage.sentences(),
        subtitle_languages=tuple(one.language for one in streams.subtitles),
        zero_s=streams.zero_s,
    )


def shows(film: Film, beat: Callable[[float], None]) -> Iterator[Show]:
    """What is shown, one after another, as it becomes known."""
    mover, watcher, judge = Mover(), Watcher(), Judge()
    for time_s, small, shot in samples(film, beat):
        for sample in mover.feed(time_s, small, shot):
            for stay in watcher.feed(sample):
                yield from judge.feed(stay)
    for sample in mover.finish():
        for stay in watcher.feed(sample):
            yield from judge.feed(stay)
    for stay in watcher.finish(film.end_s):
        yield from judge.feed(stay)
    yield from judge.finish()


@dataclass(slots=True)
class _Known:
    small: Gray
    ignored: Blocks
    sharpness: float
    index: int


class _Gallery:
    """The keyframes so far; a slide that is shown again is the same one."""

    def __init__(self) -> None:
        self.keyframes: list[Keyframe] = []
        self._known: list[_Known] = []
        self._size = 0

    def add(self, show: Show, turns: int) -> None:
        """Add what was shown."""
        if show.best is None:
            return
        span = Span(round(show.start_s, 3), round(show.end_s, 3))
        known = None if show.is_camera else self._find(show)
        if known is not None:
            again = self.keyframes[known.index]
            if again.spans[-1].end_s >= span.start_s - 0.001:
                spans = (*again.spans[:-1], Span(again.spans[-1].start_s, span.end_s))
            else:
                spans = (*again.spans, span)
            self.keyframes[known.index] = replace(again, spans=spans)
            return
        picture = self._picture(show, turns)
        keyframe = Keyframe(
            spans=(span,),
            at_s=round(show.best.shot.time_s, 3),
            picture=picture,
            masked=() if show.is_camera else _boxes(show.moving, picture),
            builds=tuple(round(at, 3) for at in show.builds),
            kind="camera" if show.is_camera else "slide",
            continues=show.continues,
        )
        self.keyframes.append(keyframe)
        if not show.is_camera and len(self._known) < _MOST_KNOWN:
            self._known.append(_Known(show.small, show.ignored, show.best.sharpness, len(self.keyframes) - 1))

    def _find(self, show: Show) -> _Known | None:
        for known in reversed(self._known):
            if is_same(known.small, known.ignored, show.small, show.ignored):
                return known
        return None

    def _picture(self, show: Show, turns: int) -> Picture:
        assert show.best is not None
        longest = _SMALL_WIDTH if self._size > _MOST_BYTES else 0
        picture = to_picture(show.best.shot.frame, turns, longest)
        self._size += len(picture.data)
        return picture


def to_picture(frame: Any, turns: int, longest: int = 0) -> Picture:
    """A frame as a JPEG, turned upright; `longest`: of its sides, in pixels, 0 for as it is. 4 ms for 720p."""
    pixels = (
        import_av().video.reformatter.VideoReformatter().reformat(frame, format="rgb24").to_ndarray()
    )  # to_image: 20 times as long
    image = Image.fromarray(np.rot90(pixels, turns) if turns else pixels)
    scale = min(1.0, longest / max(image.size)) if longest else 1.0
    if scale < 1:
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    return encode_picture(image)


def encode_picture(image: Image.Image) -> Picture:
    """A JPEG that keeps letters legible: full colour resolution."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return Picture(file.getvalue(), "image/jpeg", image.width, image.height)


def _boxes(moving: Blocks, picture: Picture) -> tuple[Box, ...]:
    """What moves, in pixels of the picture."""
    x, y = picture.width / (moving.shape[1] * SIDE), picture.height / (moving.shape[0] * SIDE)
    found: list[Box] = []
    for part in parts(moving):
        top, left, bottom, right = (SIDE * edge for edge in bounds(part))
        found.append((left * x, top * y, min(right * x, picture.width), min(bottom * y, picture.height)))
    return tuple(sorted(found))
