"""The scans of one document: pixels become pages of lines such as `lines.py` reads from a PDF, so that layout goes on as ever.

    Raster -> upright, level -> Tesseract in the page's language -> Page;  after layout, boxes go back to where the page was

A page that cannot be read is remembered with its reason; the document goes on. Nothing here knows of PDF or image files.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from phidex.errors import InputError
from phidex.ingest.ocr.foreign import read_foreign
from phidex.ingest.ocr.raster import Raster, Turn
from phidex.ingest.ocr.script import line_text
from phidex.ingest.ocr.tesseract import PACKS, LacksTesseractError, Orientation, Tesseract, TextLine, Word, find_tesseract
from phidex.ingest.ocr.tongue import Tongue, Trial, find_tongue, language_probabilities, mean_confidence, script_of
from phidex.ingest.options import ParseOptions, file_limit_s
from phidex.ingest.pdf.lines import Fonts, Line, Page
from phidex.ingest.records import Anchor, Block

_FAITHFUL = 80.0  # mean confidence at which a page is taken to be in the language of the one before
_FALL = 8.0  # how much lower than the best page so far it may be
_CONTRADICTED = 0.3  # probability of another language at which the page is looked at anew
_AGREEMENT = 10.0  # points of confidence that the right language is worth: packs of near languages read each other's text well
_UNREADABLE = 40.0  # mean confidence of what is no text: pictures, patterns, scripts that are not known
_HOPELESS = 20.0  # mean confidence of a band of a page that is not worth reading whole
_PATIENCE = 2  # pages without text in a document after which unlikely scripts are no longer tried
_NOISE = 30.0  # confidence of a line that is a speck, a rule or a part of a picture
_DOUBTFUL_TURN = 3.0  # lead of an orientation below which both ways are tried
_CELL_GAP = 1.5  # of the type size: words further apart stand in cells of their own, as in `layout.py`
_CALL_SHARE = 0.75  # of the silence that a worker may keep: for one run of Tesseract
_FILE_SHARE = 0.9  # of a file's time: what is left is for layout and chunks
_SAME_SIZE = 0.2  # of the body's size: how much lines of the body are measured apart


@dataclass(slots=True)
class _Reading:
    """A page as one tongue reads it."""

    raster: Raster
    tongue: Tongue
    lines: list[TextLine]
    confidence: float

    @property
    def text(self) -> str:
        return " ".join(word.text for line in self.lines for word in line.words)


class Scans:
    """Reads the scanned pages of one document, in order; the language found stays until a page does not fit it.

    `lacks_tesseract` says whether a page was left because something is not installed.

    Args:
        size_bytes: of the file, on which depends how long it may take.
    """

    def __init__(self, options: ParseOptions, size_bytes: int = 0) -> None:
        self.lacks_tesseract = False
        self._until = time.monotonic() + _FILE_SHARE * file_limit_s(options.timeout_s, size_bytes)
        self._options = options
        self._tesseract: Tesseract | None = None
        self._tongue: Tongue | None = None
        self._best_confidence = 0.0
        self._body_size = 0.0
        self._turns: dict[int, Turn] = {}  # by page number
        self._textless: list[int] = []  # numbers of pages that show something else than text
        self._unread: dict[tuple[str, str], list[int]] = {}  # page numbers by reason and cure

    @property
    def language(self) -> str:
        """ISO 639-1 code of the page read last; "" before the first."""
        return self._tongue.language if self._tongue else ""

    def read(self, raster: Raster, index: int, fonts: Fonts) -> Page:
        """The page's lines, upright and level; without any where it is blank or cannot be read."""
        page = Page(index, raster.width, raster.height, [])
        if raster.is_blank():
            return page
        try:
            reading = self._read(raster)
        except InputError as exc:
            self.lacks_tesseract |= isinstance(exc, LacksTesseractError)
            self.leave(index, exc.message, exc.hint)
            return page
        if reading is None:
            self._textless.append(index + 1)
            return page
        turn = reading.raster.turn
        page = Page(index, turn.width, turn.height, self._lines(reading, fonts))
        if page.lines:
            self._turns[index + 1] = turn
        else:
            self._textless.append(index + 1)
        return page

    def leave(self, index: int, reason: str, cure: str = "") -> None:
        """Remember why a page was not read."""
        self._unread.setdefault((reason, cure), []).append(index + 1)

    def forget(self, index: int) -> None:
        """Take a page back out: its own text is used."""
        self._turns.pop(index + 1, None)

    @property
    def unread_pages(self) -> list[int]:
        """Numbers of the pages that `warnings` names."""
        return [number for numbers in self._unread.values() for number in numbers]

    def others(self, pages: Iterable[Page]) -> list[Page]:
        """The pages with text of their own. On the others, the pictures are the page."""
        return [page for page in pages if page.index + 1 not in self._turns]

    def place(self, blocks: Iterable[Block]) -> list[Block]:
        """The blocks with the boxes of turned pages where they stand on the page as shown."""
        return [
            replace(block, anchors=tuple(_placed(anchor, turn) for anchor in block.anchors))
            if block.page_number is not None
            and (turn := self._turns.get(block.page_number))
            and (turn.quarter_turns or turn.degrees)
            else block
            for block in blocks
        ]

    def warnings(self) -> list[str]:
        """The pages that were not read, with the reason and the cure."""
        return [
            f"{page_ranges(numbers)} could not be recognised: {reason}{f' ({cure})' if cure else ''}."
            for (reason, cure), numbers in self._unread.items()
        ]

    def error(self, path: Path) -> InputError | None:
        """Why nothing of the document was read, where a reason is known."""
        if not self._unread:
            if not self._textless:
                return None
            return InputError(
                f"{path.name} has no text of its own, and none could be recognised in its pictures.",
                hint="check that it is the right file; a sharper scan may help",
            )
        (reason, cure), _ = max(self._unread.items(), key=lambda entry: len(entry[1]))
        return InputError(f"{path.name} is a scan and could not be recognised: {reason}.", hint=cure)

    def _read(self, raster: Raster) -> _Reading | None:
        """The best reading: in the language so far where it fits, otherwise after looking at the page anew."""
        if self._tesseract is None:
            on_page = self._options.on_page
            beat = (lambda: on_page(0, 0)) if on_page else None
            self._tesseract = find_tesseract(beat, call_s=_CALL_SHARE * self._options.timeout_s, until=self._until)
        tesseract = self._tesseract
        known = _recognise(raster.levelled(), tesseract, self._tongue) if self._tongue else None
        if known is not None and self._is_clear(known) and not _is_contradicted(known):
            return known
        anew = self._look_anew(raster, tesseract, known)
        if anew is None or anew.confidence < _UNREADABLE:
            return None
        self._tongue = anew.tongue
        self._best_confidence = max(self._best_confidence, anew.confidence)
        return anew

    def _is_clear(self, reading: _Reading) -> bool:
        """Whether a page stands upright and is read about as well as the pages before it."""
        if sum(line.upright for line in reading.lines) * 2 < len(reading.lines):
            return False
        return reading.confidence >= min(_FAITHFUL, self._best_confidence - _FALL)

    def _look_anew(self, raster: Raster, tesseract: Tesseract, known: _Reading | None) -> _Reading | None:
        """The page read in the language and orientation that it shows itself; `known` where that is no better."""
        if known is not None and self._is_clear(known):  # it stands upright, in this script: only the language is in doubt
            orientation: Orientation | None = Orientation(0, _DOUBTFUL_TURN, script_of(known.tongue.language), 0.0)
        else:
            orientation = tesseract.orientation(raster, timeout_s=30)
        turns = [orientation.quarter_turns if orientation else 0]
        if turns[0] and orientation and orientation.turn_confidence < _DOUBTFUL_TURN:
            turns.append(0)
        best: tuple[Trial, Raster] | None = None
        for quarter_turns in turns:
            upright = raster.turned(quarter_turns).levelled()
            thorough = len(self._textless) < _PATIENCE
            trial = find_tongue(upright, tesseract, orientation, self._options.ocr_languages, thorough=thorough)
            if trial is not None and (best is None or trial.confidence > best[0].confidence):
                best = trial, upright
        if best is None or best[0].confidence < _HOPELESS:
            return known
        trial, upright = best
        if known is not None and known.tongue == trial.tongue and not upright.quarter_turns:
            return known
        reading = _recognise(upright, tesseract, trial.tongue)
        return known if known is not None and _merit(known) > _merit(reading) else reading

    def _lines(self, reading: _Reading, fonts: Fonts) -> list[Line]:
        """The lines as `lines.py` would give them; specks are left out."""
        kept = [line for line in reading.lines if _is_text(line)]
        sizes = self._sizes(kept)
        lines: list[Line] = []
        for line in kept:
            size = sizes[line.group]
            for words in _cells(line.words, size) if line.upright else [line.words]:
                text = line_text(words, reading.tongue.language)
                if not text:
                    continue
                fonts.sizes[size] = fonts.sizes.get(size, 0) + len(text)
                fonts.chars += len(text)
                x0, x1 = (line.box[0], line.box[2]) if len(words) == len(line.words) else _extent(words)
                lines.append(Line(text, x0, line.box[1], x1, line.box[3], size, False, False, line.group, line.upright))
        return lines

    def _sizes(self, lines: Sequence[TextLine]) -> dict[int, float]:
        """The type size of each paragraph; measured sizes near the body's are the body's."""
        measured: dict[int, list[float]] = {}
        for line in lines:
            measured.setdefault(line.group, []).append(line.size)
        if not measured:
            return {}
        letters = sorted((line.size, sum(len(word.text) for word in line.words)) for line in lines)
        half, body = sum(count for _, count in letters) / 2, letters[-1][0]
        for size, count in letters:
            half -= count
            if half <= 0:
                body = size
                break
        if abs(body - self._body_size) > _SAME_SIZE * self._body_size:
            self._body_size = round(body, 1)
        body = self._body_size
        return {
            group: body if abs(median(sizes) - body) <= _SAME_SIZE * body else round(2 * median(sizes)) / 2
            for group, sizes in measured.items()
        }


def page_ranges(numbers: Sequence[int]) -> str:
    """Page numbers as people write them.

    >>> page_ranges([2, 3, 4, 9])
    'Pages 2-4, 9'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    listed = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:20])
    return f"Page{'s' if len(numbers) > 1 else ''} {listed}{' …' if len(runs) > 20 else ''}"


def _is_contradicted(reading: _Reading) -> bool:
    """Whether the text looks like another language than the one it was read in."""
    probabilities = language_probabilities(reading.text)
    likeliest = max(probabilities, key=lambda language: probabilities[language])
    return likeliest in PACKS and likeliest != reading.tongue.language and probabilities[likeliest] >= _CONTRADICTED


def _merit(reading: _Reading) -> float:
    return reading.confidence - (_AGREEMENT if _is_contradicted(reading) else 0.0)


def _recognise(raster: Raster, tesseract: Tesseract, tongue: Tongue) -> _Reading:
    lines = read_foreign(tesseract.read(raster, tongue.packs), raster, tongue.packs, tesseract)
    return _Reading(raster, tongue, lines, mean_confidence(lines))


def _is_text(line: TextLine) -> bool:
    """Whether a line is type rather than a speck, a rule or a part of a picture."""
    confidence = mean_confidence([line])
    letters = sum(char.isalnum() for word in line.words for char in word.text)
    return confidence >= (_NOISE if letters > 2 else 2 * _NOISE) and letters > 0


def _cells(words: Sequence[Word], size: float) -> list[list[Word]]:
    """The words of a line, parted where a gap is so wide that another cell of a table begins."""
    cells = [[words[0]]]
    for before, word in pairwise(words):
        gap = max(word.box[0] - before.box[2], before.box[0] - word.box[2])
        if gap > _CELL_GAP * size:
            cells.append([])
        cells[-1].append(word)
    return cells


def _extent(words: Sequence[Word]) -> tuple[float, float]:
    return min(word.box[0] for word in words), max(word.box[2] for word in words)


def _placed(anchor: Anchor, turn: Turn) -> Anchor:
    if anchor.box is None:
        return anchor
    x0, y0, x1, y1 = turn.to_page(anchor.box)
    return replace(anchor, box=(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)))
