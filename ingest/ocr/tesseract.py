"""Tesseract, called directly: pixels become lines of words with their boxes, and a page's script and orientation.

It is run as a program with the picture on its standard input, one thread, and a time limit; nothing is written to disk.
Which language to read is decided in `tongue.py`, what lines become in `scan.py`.
Source: https://tesseract-ocr.github.io/tessdoc/ (command line), http://kba.github.io/hocr-spec/1.2/ (its output).
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import lxml.etree as _etree  # pyright: ignore[reportMissingModuleSource, reportMissingTypeStubs]  # lxml ships no types

from phidex.errors import InputError
from phidex.ingest.ocr.raster import Raster
from phidex.ingest.records import Box

PACKS: dict[str, tuple[str, ...]] = {
    "ar": ("ara",), "cs": ("ces",), "da": ("dan",), "de": ("deu",), "en": ("eng",), "es": ("spa",), "fi": ("fin",),
    "fr": ("fra",), "he": ("heb",), "hu": ("hun",), "it": ("ita",), "ja": ("jpn",), "ko": ("kor",), "nl": ("nld",),
    "no": ("nor",), "pl": ("pol",), "pt": ("por",), "ru": ("rus",), "sv": ("swe",), "th": ("tha",), "tr": ("tur",),
    "uk": ("ukr",), "zh": ("chi_sim", "chi_tra"),
}  # fmt: skip
"""Tesseract's language packs by ISO 639-1 code."""

etree: Any = _etree
_CALL_S = 90.0
_SLOW_HINT = "raise PHIDEX_INGEST__TIMEOUT_S, or set PHIDEX_INGEST__OCR=off to leave scans out"
_LINES = frozenset(("ocr_line", "ocr_textfloat", "ocr_header", "ocr_caption"))
_BOX = re.compile(r"bbox (-?\d+) (-?\d+) (-?\d+) (-?\d+)")
_NUMBERS = {name: re.compile(rf"{name} (-?[\d.]+)") for name in ("x_wconf", "x_size", "x_descenders")}
_BASELINE = re.compile(r"baseline (-?[\d.]+) (-?[\d.]+)")
_FULL_HEIGHT = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff]")  # Hangul, kana, Han
_OSD = re.compile(r"^(Rotate|Orientation confidence|Script|Script confidence): (\S+)", re.MULTILINE)


class SlowPageError(InputError):
    """A page took longer than its time limit."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as recognised, or a part of one: Tesseract takes the words of some scripts apart.

    Args:
        box: in points of the raster.
        confidence: 0 to 100.
        spaced: whether a space stands between it and the word before.
    """

    text: str
    box: Box
    confidence: float
    spaced: bool = True


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of words in logical order.

    Args:
        box: around its type from ascenders to descenders, in points of the raster.
        size: height of its type from ascenders to descenders, in points: near the font's size.
        group: number of its paragraph on the page.
        upright: whether it runs horizontally.
    """

    words: tuple[Word, ...]
    box: Box
    size: float
    group: int
    upright: bool = True


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a page stands and what script it is in.

    Args:
        quarter_turns: times that it must be turned by 90 degrees against the clock to stand upright.
        turn_confidence, script_confidence: by how much the best guess leads; below 1 it is a guess.
    """

    quarter_turns: int
    turn_confidence: float
    script: str
    script_confidence: float


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The installed program and its language packs.

    Args:
        on_call: called before each run of the program: one takes a second, a page several.
        call_s: seconds after which a run is ended.
        until: the time of `time.monotonic` at which all of them are.
    """

    program: str
    packs: frozenset[str]
    on_call: Callable[[], None] | None = None
    call_s: float = _CALL_S
    until: float = math.inf

    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages that it can read."""
        return frozenset(language for language, packs in PACKS.items() if self.packs.intersection(packs))

    def read(
        self, raster: Raster, packs: str, *, is_one_block: bool = False, page_mode: str = "", timeout_s: float = math.inf
    ) -> list[TextLine]:
        """The lines on a raster in reading order. About 1.2 s of CPU for a page of 2,700 letters.

        Args:
            packs: one or several, as Tesseract takes them ("ara+eng").
            is_one_block: take the raster for one column of text.
            page_mode: Tesseract's `--psm`, where the caller knows what it shows; otherwise by its columns.
            timeout_s: a lower limit than `call_s`.

        Raises:
            SlowPageError: it took longer than it may.
            InputError: Tesseract failed.
        """
        # Looking for columns where there are none, Tesseract finds some between the words of Korean and Thai.
        page_mode = page_mode or ("6" if is_one_block else "3" if raster.has_columns() else "4")
        output = self._run(raster, ["-l", packs, "--psm", page_mode, "hocr", "txt"], timeout_s)
        return _parse(output, 72 / raster.dpi)

    def orientation(self, raster: Raster, timeout_s: float = math.inf) -> Orientation | None:
        """How the page stands, and its script; None where there is too little text to tell. About 0.5 s of CPU.

        Raises:
            SlowPageError: it took longer than it may.
        """
        if "osd" not in self.packs:
            return None
        try:
            output = self._run(raster, ["-l", "osd", "--psm", "0"], timeout_s)
        except SlowPageError:
            raise
        except InputError:  # too few characters is an error to Tesseract
            return None
        found = dict(_OSD.findall(output.decode("utf-8", "replace")))
        if len(found) < 4:
            return None
        clockwise = int(found["Rotate"])
        return Orientation(
            -clockwise // 90 % 4,
            float(found["Orientation confidence"]),
            found["Script"],
            float(found["Script confidence"]),
        )

    def _run(self, raster: Raster, arguments: Sequence[str], timeout_s: float) -> bytes:
        if self.on_call:
            self.on_call()
        left_s = self.until - time.monotonic()
        limit_s = min(timeout_s, self.call_s, left_s)
        if limit_s <= 0:
            raise SlowPageError("the time for its file was used up", hint=_SLOW_HINT)
        command = [self.program, "-", "-", "--dpi", str(round(raster.dpi)), *arguments]
        try:
            done = subprocess.run(
                command, input=raster.to_pgm(), capture_output=True, timeout=limit_s, env=_environment(), check=False
            )
        except subprocess.TimeoutExpired as exc:
            slow = "the time for its file was used up"
            if limit_s < left_s:
                slow = f"recognising its text took longer than {limit_s:g} s"
            raise SlowPageError(slow, hint=_SLOW_HINT) from exc
        except OSError as exc:
            raise InputError(f"Tesseract cannot be run: {exc.strerror}", hint=install_hint()) from exc
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
            raise InputError(
                f"Tesseract failed: {lines[-1]}", hint="check the picture, and that `tesseract --list-langs` works"
            )
        return done.stdout


class LacksTesseractError(InputError):
    """Tesseract, or a language pack that is needed, is not installed: the same page may be read another time."""


def installed() -> str:
    """What is installed, in a few letters: another text once a pack is added or removed; "none" without Tesseract."""
    try:
        packs = sorted(find_tesseract().packs)
    except InputError:
        return "none"
    return hashlib.sha256(" ".join(packs).encode()).hexdigest()[:8]


def find_tesseract(on_call: Callable[[], None] | None = None, *, call_s: float = _CALL_S, until: float = math.inf) -> Tesseract:
    """The installed Tesseract. Looked for anew for each document, so that what is installed meanwhile is seen.

    Raises:
        InputError: there is none; the hint says how to install it.
    """
    program = shutil.which("tesseract")
    if program is None:
        raise LacksTesseractError("Tesseract, which reads scans, is not installed", hint=install_hint("eng"))
    return Tesseract(program, _packs(program, os.environ.get("TESSDATA_PREFIX", "")), on_call, call_s, until)


def install_hint(*packs: str) -> str:
    """The command that installs Tesseract and language packs on this system.

    >>> install_hint("chi_sim").split()[-1] in ("tesseract-ocr-chi-sim", "tesseract-lang")
    True
    """
    if sys.platform == "darwin":
        return "brew install tesseract tesseract-lang"
    names = " ".join(f"tesseract-ocr-{pack.replace('_', '-')}" for pack in packs)
    return f"apt install {names or 'tesseract-ocr'}"


@lru_cache(maxsize=4)
def _listed(program: str, _prefix: str, _stamp: int) -> frozenset[str]:
    done = subprocess.run([program, "--list-langs"], capture_output=True, timeout=30, env=_environment(), check=False)
    return frozenset(done.stdout.decode("utf-8", "replace").split("\n")[1:]) - {""}


def _packs(program: str, prefix: str) -> frozenset[str]:
    """The packs that are there; asked of the program once, and again when its folders of data change."""
    folders = [Path(prefix)] if prefix else [*Path("/usr/share/tesseract-ocr").glob("*/tessdata"), Path("/usr/share/tessdata")]
    stamp = sum(folder.stat().st_mtime_ns for folder in folders if folder.is_dir())
    try:
        return _listed(program, prefix, stamp)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise InputError("Tesseract is installed and does not answer", hint="run `tesseract --list-langs`") from exc


def _environment() -> dict[str, str]:
    """Of the child: one thread, since its threads cost more than they gain, and pages are read side by side anyway."""
    return {**os.environ, "OMP_THREAD_LIMIT": "1"}


def _parse(output: bytes, scale: float) -> list[TextLine]:
    """The lines of an hOCR page with the plain text behind it, their boxes multiplied by `scale`.

    The plain text alone tells where spaces stand.
    """
    page, end, plain = output.rpartition(b"\n  </div>")
    root = etree.fromstring(page + end + b"</body></html>", etree.XMLParser(recover=True, huge_tree=True)) if page else None
    if root is None:
        raise InputError("Tesseract's output cannot be read", hint="check that `tesseract --version` is 4 or newer")
    spaced = {"".join(line.split()): line for line in plain.decode("utf-8", "replace").splitlines()}
    lines: list[TextLine] = []
    groups: dict[str, int] = {}
    for element in root.iter("{*}span"):
        if element.get("class") not in _LINES:
            continue
        words = _words(element, spaced, scale)
        if words:
            group = groups.setdefault(element.getparent().get("id"), len(groups))
            lines.append(_line(element.get("title", ""), words, group, scale))
    return lines


def _words(line: Any, spaced: dict[str, str], scale: float) -> tuple[Word, ...]:
    """The words of an hOCR line; `spaced` are the lines of the plain text by what remains of them without white space."""
    found = [("".join("".join(element.itertext()).split()), element.get("title", "")) for element in line]
    plain = spaced.get("".join(text for text, _ in found), "")
    at = 0
    words: list[Word] = []
    for text, title in found:
        if not text:
            continue
        start = plain.find(text, at) if plain else -1
        words.append(Word(text, _box(title, scale), _number("x_wconf", title, 0.0), start != at or not plain))
        at = start + len(text)
    return tuple(words)


def _line(title: str, words: tuple[Word, ...], group: int, scale: float) -> TextLine:
    """A line whose box is as high as its type, also where no letter of it has an ascender or descender."""
    x0, y0, x1, y1 = _box(title, scale)
    found = _BASELINE.search(title)
    slope, offset = (float(found[1]), float(found[2]) * scale) if found else (0.0, 0.0)
    if "textangle" in title or abs(slope) > 1:
        return TextLine(words, (x0, y0, x1, y1), x1 - x0, group, upright=False)
    if any(_FULL_HEIGHT.search(word.text) for word in words):  # such type is as high as it looks; Tesseract's measure is not
        return TextLine(words, (x0, y0, x1, y1), y1 - y0, group)
    size = _number("x_size", title, (y1 - y0) / scale) * scale
    below = abs(_number("x_descenders", title, 0.0)) * scale
    if found:
        base = y1 + offset + slope * (x1 - x0) / 2
        y0, y1 = min(y0, base - (size - below)), max(y1, base + below)
    return TextLine(words, (x0, y0, x1, y1), size, group)


def _box(title: str, scale: float) -> Box:
    found = _BOX.search(title)
    x0, y0, x1, y1 = (int(number) * scale for number in found.groups()) if found else (0.0, 0.0, 0.0, 0.0)
    return x0, y0, x1, y1


def _number(name: str, title: str, default: float) -> float:
    found = _NUMBERS[name].search(title)
    return float(found[1]) if found else default
