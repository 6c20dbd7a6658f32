"""The text on keyframes, by Tesseract: in the language that the slides themselves show, webcams painted over.

    Recording of keyframes -> the same with text and boxes (pixels of each picture)

The language is found on several slides together, since one has often too few words to tell it by, and stays until a slide does
not fit it. About 0.2 to 0.5 s of CPU a slide.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from phidex.errors import InputError
from phidex.ingest.ocr.foreign import read_foreign
from phidex.ingest.ocr.raster import Gray, Raster
from phidex.ingest.ocr.script import line_text
from phidex.ingest.ocr.tesseract import PACKS, LacksTesseractError, SlowPageError, Tesseract, TextLine, find_tesseract
from phidex.ingest.ocr.tongue import Tongue, find_tongue, language_probabilities, mean_confidence
from phidex.ingest.options import ParseOptions
from phidex.ingest.video.damage import clock
from phidex.ingest.video.records import Keyframe, Recording, TextBox

_SLIDE_INCHES = 13.333  # the width of a slide of 16:9
_PAGE_MODE = "3"  # columns and all; "11" (sparse text) finds as much and loses the order
_ONE_COLUMN = {"kor": "4"}  # packs with which Tesseract takes the gaps between words for columns
_LEAST_WIDTH = 1000  # narrower pictures are read at twice their size
_DARK = 112  # the middle grey of a picture with light letters on dark
_MONTAGE = 6  # slides that the language is found on
_BAND_POINTS = 150.0  # what `find_tongue` looks at
_READABLE, _CAMERA_READABLE = 45.0, 65.0  # mean confidence of what is text
_DOUBTFUL = 75.0  # mean confidence below which another language is tried
_CONTRADICTED, _LEAST_LETTERS = 0.6, 80  # probability of another language; letters that it takes to say so
_NOISE, _SHORT_NOISE = 35.0, 60.0  # confidence of a line that is a speck, or a part of a picture
_PATIENCE = 3  # pictures without text after which unlikely scripts are no longer tried
_CALL_SHARE = 0.75  # of the silence that a worker may keep


def read_text(recording: Recording, options: ParseOptions, on_frame: Callable[[int, int], None] | None = None) -> Recording:
    """The recording with the text of its keyframes; as it is where recognition is off. What fails is told in `lost`.

    Args:
        on_frame: called with keyframes read and keyframes in all.
    """
    if options.ocr == "off" or not recording.keyframes:
        return recording
    count = len(recording.keyframes)
    done = 0

    def beat() -> None:
        if on_frame:
            on_frame(done, count)

    try:
        tesseract = find_tesseract(beat, call_s=_CALL_SHARE * options.timeout_s)
    except InputError as exc:
        return _without(recording, exc, isinstance(exc, LacksTesseractError))
    reader = _Reader(tesseract, options.ocr_languages)
    read: list[Keyframe] = []
    lost: list[str] = []
    for index, frame in enumerate(recording.keyframes):
        try:
            reader.prepare(recording.keyframes[index : index + _MONTAGE])
            read.append(reader.read(frame))
        except LacksTesseractError as exc:
            rest = (*read, *recording.keyframes[index:])
            return _without(replace(recording, keyframes=rest), exc, lacks=True)
        except SlowPageError:
            lost.append(f"The text shown at {clock(frame.at_s)} was left unread: it took too long.")
            read.append(frame)
        except InputError as exc:
            return _without(replace(recording, keyframes=(*read, *recording.keyframes[index:])), exc, lacks=False)
        done = index + 1
        beat()
    return replace(recording, keyframes=tuple(read), lost=(*recording.lost, *lost))


def _without(recording: Recording, exc: InputError, lacks: bool) -> Recording:
    cure = f" ({exc.hint})" if exc.hint else ""
    said = f"The text on the pictures was not read: {exc.message}{cure}."
    return replace(recording, lost=(*recording.lost, said), lacks_tesseract=recording.lacks_tesseract or lacks)


@dataclass(frozen=True, slots=True)
class _Reading:
    lines: list[TextLine]
    tongue: Tongue
    confidence: float

    @property
    def text(self) -> str:
        return " ".join(word.text for line in self.lines for word in line.words)


class _Reader:
    def __init__(self, tesseract: Tesseract, allowed: Sequence[str]) -> None:
        self._tesseract, self._allowed = tesseract, allowed
        self._tongue: Tongue | None = None
        self._textless = 0  # pictures that no language was found on

    def prepare(self, frames: Sequence[Keyframe]) -> None:
        """Find the language on the frames to come, where it is not known yet."""
        if self._tongue is None:
            self._tongue = self._find([picture_raster(frame) for frame in frames if frame.kind == "slide"])

    def read(self, frame: Keyframe) -> Keyframe:
        """The frame with its text."""
        raster = picture_raster(frame)
        if raster.is_blank():
            return frame
        tongue = self._tongue or self._find([raster])
        if tongue is None:
            return frame
        reading = self._recognise(raster, tongue)
        if reading.confidence < _DOUBTFUL or self._is_contradicted(reading):
            other = self._find([raster])
            if other is not None and other != reading.tongue:
                again = self._recognise(raster, other)
                if again.confidence > reading.confidence + (0 if self._is_contradicted(reading) else 5):
                    reading = again
        if reading.confidence < (_CAMERA_READABLE if frame.kind == "camera" else _READABLE):
            return frame
        self._tongue = reading.tongue
        return _lettered(frame, reading, raster)

    def _find(self, rasters: Sequence[Raster]) -> Tongue | None:
        """The language of some slides together; None where none has text."""
        rasters = [raster for raster in rasters if not raster.is_blank()]
        if not rasters:
            return None
        width = max(raster.pixels.shape[1] for raster in rasters)
        rows = [np.pad(raster.pixels, ((0, 0), (0, width - raster.pixels.shape[1])), constant_values=255) for raster in rasters]
        pixels = np.concatenate(rows)
        montage = Raster(pixels, max(rasters[0].dpi, pixels.shape[0] * 72 / _BAND_POINTS))  # all of it is looked at
        orientation = self._tesseract.orientation(montage, timeout_s=30)
        if orientation is not None:
            orientation = replace(orientation, quarter_turns=0)  # recordings are upright
        trial = find_tongue(montage, self._tesseract, orientation, self._allowed, thorough=self._textless < _PATIENCE)
        if trial is not None and trial.confidence >= _READABLE:
            return trial.tongue
        self._textless += 1
        return None

    def _recognise(self, raster: Raster, tongue: Tongue) -> _Reading:
        lines = self._tesseract.read(raster, tongue.packs, page_mode=_ONE_COLUMN.get(tongue.packs, _PAGE_MODE))
        lines = [line for line in read_foreign(lines, raster, tongue.packs, self._tesseract) if _is_text(line)]
        return _Reading(lines, tongue, mean_confidence(lines))

    def _is_contradicted(self, reading: _Reading) -> bool:
        text = reading.text
        if sum(map(str.isalpha, text)) < _LEAST_LETTERS:
            return False
        found = language_probabilities(text)
        likeliest = max(found, key=lambda language: found[language], default="")
        return likeliest in PACKS and likeliest != reading.tongue.language and found[likeliest] >= _CONTRADICTED


def picture_raster(frame: Keyframe) -> Raster:
    """The keyframe as Tesseract reads it best: grey, dark on light, what moves painted over, small ones enlarged."""
    image = Image.open(io.BytesIO(frame.picture.data)).convert("L")
    pixels = np.asarray(image).copy()
    paper = int(np.median(pixels[::4, ::4]))
    for x0, y0, x1, y1 in frame.masked:
        pixels[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1] = paper
    if paper < _DARK:
        pixels = 255 - pixels
    if image.width < _LEAST_WIDTH:
        pixels = np.asarray(Image.fromarray(pixels).resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC))
    gray: Gray = np.ascontiguousarray(pixels)
    return Raster(gray, gray.shape[1] / _SLIDE_INCHES)


def _lettered(frame: Keyframe, reading: _Reading, raster: Raster) -> Keyframe:
    scale = raster.dpi / 72 * frame.picture.width / raster.pixels.shape[1]
    boxes: list[TextBox] = []
    for line in reading.lines:
        text = line_text(line.words, reading.tongue.language).strip()
        if text:
            x0, y0, x1, y1 = (round(edge * scale, 1) for edge in line.box)
            boxes.append(TextBox(text, (x0, y0, x1, y1)))
    text = "\n".join(box.text for box in boxes)
    return replace(frame, text=text, boxes=tuple(boxes), language=reading.tongue.language if text else "")


def _is_text(line: TextLine) -> bool:
    letters = sum(char.isalnum() for word in line.words for char in word.text)
    return letters > 0 and mean_confidence([line]) >= (_NOISE if letters > 2 else _SHORT_NOISE)
