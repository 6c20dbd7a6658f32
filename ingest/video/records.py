"""The records of a recording's pictures: what was shown, when, and what stands on it.

    recording -> Recording (Keyframe: Span, Picture, Word)          times in seconds from the start of picture or sound

All are frozen and can be pickled. Boxes are in pixels of the keyframe's picture, origin top left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from phidex.ingest.records import Box, Picture


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds; the end is the start of what came next."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TextBox:
    """A line of text on a picture, and where: `box` in pixels."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A slide or scene: one picture, however often it was shown.

    Args:
        spans: when it was shown, ascending, not touching one another.
        at_s: the time at which the picture was taken; inside one of the spans.
        picture: the whole frame as people see it (turned upright), at full resolution.
        text: what stands on it, in reading order, a line a line; "" where there is none or nothing was recognised.
        boxes: the lines of `text` with their boxes.
        masked: where something moves all the time (a webcam inset); not read.
        builds: seconds at which something was added to it (bullets that appear one by one), ascending.
        kind: "camera" where all of the picture moves (a person, a film), otherwise "slide".
        language: ISO 639-1 code of the text as recognised; "" without text.
        continues: whether it shows more of the page that the keyframe before began to show (scrolled on): no start of a slide.
    """

    spans: tuple[Span, ...]
    at_s: float
    picture: Picture
    text: str = ""
    boxes: tuple[TextBox, ...] = ()
    masked: tuple[Box, ...] = ()
    builds: tuple[float, ...] = ()
    kind: Literal["slide", "camera"] = "slide"
    language: str = ""
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """What can be seen in a recording.

    Args:
        duration_s: as far as it could be read: a header that claims more is not believed.
        width, height: of the picture as shown, in pixels; 0 without video.
        keyframes: ascending by the start of their first span; every second that could be read lies in at least one.
        lost: what could not be read and from when, in sentences for people.
        subtitle_languages: of the subtitle streams inside the file, in their order; "" where it is not said.
        zero_s: the container's time at which picture or sound begins; all times of these records count from it.
        lacks_tesseract: text was left unread because recognition, or a language's pack, is not installed.
    """

    duration_s: float
    width: int
    height: int
    has_video: bool
    has_audio: bool
    keyframes: tuple[Keyframe, ...] = ()
    lost: tuple[str, ...] = ()
    subtitle_languages: tuple[str, ...] = ()
    zero_s: float = 0.0
    lacks_tesseract: bool = False

    @property
    def starts(self) -> tuple[float, ...]:
        """When a slide or scene begins, in seconds, ascending; a page that is scrolled on begins once."""
        return tuple(sorted(span.start_s for frame in self.keyframes if not frame.continues for span in frame.spans))
