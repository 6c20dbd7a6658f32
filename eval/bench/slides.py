"""Text on slides in 23 languages: how many of its words are found on the keyframes of a recording of them.

Slides with real sentences (`scans.py`) in themes and fonts that people use, coded as recordings are, a webcam in a corner. The
language is not told. Where a language is written without spaces, its characters count instead of words.
"""

from __future__ import annotations

import random
import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av as _av
import numpy as np

from phidex.eval.bench.options import Options
from phidex.eval.bench.scans import LATIN, OTHERS, debian_tree, paragraphs
from phidex.eval.bench.screen import Person, Slide, draw_slide, paste, to_frame, to_planes, words_of
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.options import DEFAULT
from phidex.ingest.video.keyframes import find_keyframes
from phidex.ingest.video.lettering import read_text

av: Any = _av  # its encoders' options are not in its types
ENGLISH_BAR, OTHER_BAR = 95.0, 90.0
_UNSPACED = ("ja", "th", "zh", "zh-TW")
_FACES = {"ar": "NotoSansArabic", "he": "NotoSansHebrew", "th": "NotoSansThai"}
_BUILT_IN = ("ja", "ko", "zh", "zh-TW")
_SLIDE_S, _RATE = 6, 10


@dataclass(frozen=True, slots=True)
class Result:
    """One language: recall in percent, words that stand nowhere on a slide, CPU seconds a slide."""

    language: str
    words: int
    recall: float
    extra: float
    cpu_s: float


def make_slides(language: str, cache: Path, count: int) -> list[Slide]:
    """Slides with sentences of a language, in several themes."""
    chance = random.Random(f"slides {language}")
    texts = [text for text in paragraphs(language, cache) if len(text) < 800]
    slides: list[Slide] = []
    for number in range(count):
        most = (26, 38) if language in _UNSPACED[:1] + _UNSPACED[2:] or language == "ko" else (44, 76)
        title, *bullets = [
            cut(text, most[1 if row else 0], spaced=language not in _UNSPACED)
            for row, text in enumerate(chance.sample(texts, 5))
        ]
        theme = ("light", "dark", "beige", "corporate", "blue", "plain")[number % 6]
        slides.append(Slide(title, tuple(bullets), theme, language, number + 1))
    return slides


def cut(text: str, most: int, *, spaced: bool) -> str:
    """The beginning of a text, whole words where there are any.

    >>> cut("one two three", 9, spaced=True)
    'one two'
    """
    if len(text) <= most:
        return text
    return text[:most].rpartition(" ")[0] or text[:most] if spaced else text[:most]


def record(slides: Sequence[Slide], path: Path, cache: Path) -> None:
    """A recording that shows each slide for some seconds."""
    person = Person(240, 176, seed=len(slides))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"crf": "26", "preset": "veryfast"}
        for slide in slides:
            face, folder = "", ""
            if slide.language not in _BUILT_IN:
                face = f"{_FACES.get(slide.language, 'NotoSans')}-Regular.ttf"
                folder = str(debian_tree("fonts-noto-core", cache) / "usr/share/fonts/truetype/noto")
            planes = to_planes(draw_slide(slide, 1280, 720, face=face, folder=folder))
            for number in range(_SLIDE_S * _RATE):
                shown = paste(planes, person.at(number / _RATE), 1280 - 256, 720 - 192)
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(to_frame(shown)), format="yuv420p"))
                )
        container.mux(stream.encode(None))


def units(texts: Sequence[str], language: str) -> Counter[str]:
    """Words, or characters where there are no spaces between words.

    >>> sorted(units(["Ab, ab 漢字"], "en").items())
    [('ab', 2), ('漢字', 1)]
    """
    if language in _UNSPACED:
        return Counter(char for text in texts for char in text if char.isalnum())
    return Counter(words_of(texts))


def measure(language: str, folder: Path, cache: Path, count: int) -> Result:
    """One language's recording, read."""
    slides = make_slides(language, cache, count)
    path = folder / f"{language}.mp4"
    record(slides, path, cache)
    recording = find_keyframes(path)
    started = _cpu_seconds()
    frames = read_text(recording, DEFAULT).keyframes
    cpu_s = (_cpu_seconds() - started) / max(1, len(frames))
    truth, found, extra = 0, 0, 0
    for number, slide in enumerate(slides):
        middle_s = (number + 0.5) * _SLIDE_S
        shown = next((frame for frame in frames if any(span.start_s <= middle_s < span.end_s for span in frame.spans)), None)
        wanted, read = units([slide.text()], language), units([shown.text if shown else ""], language)
        truth += wanted.total()
        found += (wanted & read).total()
        extra += (read - wanted).total()
    return Result(language, truth, 100 * found / truth, extra / len(slides), cpu_s)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def report(results: Sequence[Result], count: int) -> Outcome:
    """A row a language, and English and the worst of the others against their bars."""
    rows: list[list[Cell]] = [[one.language, one.words, one.recall, one.extra, one.cpu_s] for one in results]
    checks = [Check("English", one.recall, ">=", ENGLISH_BAR, "%") for one in results if one.language == "en"]
    others = [one for one in results if one.language != "en"]
    if others:
        worst = min(others, key=lambda one: one.recall)
        checks.append(Check(f"others, the worst ({worst.language})", worst.recall, ">=", OTHER_BAR, "%"))
    columns = ("language", "words", "recall %", "extra words a slide", "CPU s a slide")
    notes = ["the extra words are the footer, which the truth lacks, and what was misread; ja, th, zh: characters"]
    return Outcome(
        "slides",
        f"words found on {count} slides a language, language not told",
        [Table("Recall", columns, rows)],
        checks,
        notes,
    )


def run(options: Options) -> Outcome:
    """The benchmark; about 4 minutes of CPU."""
    count = 6 if options.full else 4
    folder = options.cache / "slides"
    folder.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    for language in (*LATIN, *OTHERS):
        results.append(measure(language, folder, options.cache, count))
        options.say(f"{language}: {results[-1].recall:.2f}%, {results[-1].cpu_s:.2f} CPU s a slide")
    return report(results, count)
