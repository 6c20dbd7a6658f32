"""Lines of a PDF page with box and style, from PyMuPDF's text page. No structure yet: that is `layout`'s.

This is the inner loop of the ingest: one pass over spans, no image data, styles looked up once a font.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pymupdf as _pymupdf

from phidex.ingest.clean import clean_line, clean_text, close_cjk, count_unreadable
from phidex.ingest.pdf.bidi import is_mixed, order_logically
from phidex.ingest.pdf.regions import Regions
from phidex.ingest.pdf.rulings import Vector
from phidex.ingest.pdf.vectors import COLLECT, take_vectors
from phidex.ingest.records import Box

pymupdf: Any = _pymupdf  # its own types are incomplete
_FLAGS: int = pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES
_BOLD_FLAG, _MONO_FLAG = 16, 8
# Flags of the font descriptor are often unset (XeTeX leaves them 0), so names count too.
_BOLD_NAME = re.compile(r"bold|black|heavy|demi|cmbx|sfbx|ecbx|\bbx\d", re.IGNORECASE)
_MONO_NAME = re.compile(
    r"mono(?!type)|courier|consol|typewriter|menlo|inconsolata|cmtt|cmsltt|sftt|ectt|tctt|lmtt|txtt|[a-z]code\b|fixed|terminal",
    re.IGNORECASE,
)
_MATH_NAME = re.compile(
    r"cmmi|cmsy|cmex|cmbsy|msam|msbm|math|eu(?:fm|sm|ex)\d|rsfs|stmary|esint|[tp]xs?(?:mi|sy|ex)|mt(?:mi|sy|ex)|symbol(?!a)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_MATH_SHARE = 0.35  # of a line's characters that stand in fonts for mathematics, where it is a formula
_FAR = 1e5  # points beyond the page's corner at which a box is no longer believed
_OVERPRINT = 0.15  # of the type size: the most by which text printed twice to look bold is set off
_FLAT = 0.3  # of the type size: lines less high are given its height
_GARBLED_SHARE = 0.3
_LEADER = re.compile(r"(?:\s?[.·…_]){4,}\s*")


@dataclass(slots=True)
class Stretch:
    """Text at one height of a page.

    Args:
        text: cleaned; a trailing soft hyphen is kept as the sign of a divided word.
        x0, y0, x1, y1: its box in points on the page as shown.
        size: font size of its longest run, in points.
        bold, mono: whether all of its visible text is.
        group: number of MuPDF's block on the page.
        upright: whether it runs horizontally on the page as shown.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    mono: bool
    group: int
    upright: bool


@dataclass(slots=True)
class Line(Stretch):
    """One line, or the piece of it that stands apart (a table cell, a number in the margin).

    Args:
        math: whether it reads like a formula: much of it in fonts for mathematics, and hardly a word.
    """

    math: bool = False


@dataclass(slots=True)
class Insert:
    """What stands among the paragraphs of a page without being one: a table or a figure.

    Args:
        lines: the lines of text that belong to it, and no longer to the page.
    """

    kind: ClassVar[Literal["table", "figure"]]
    box: Box
    lines: list[Line]

    def describe(self) -> tuple[str, list[int], list[Box]]:
        """Its text, the offsets at which parts of it start, and where each part stands."""
        raise NotImplementedError


@dataclass(slots=True)
class Page:
    """The lines of one page, and its size in points as shown.

    Args:
        garbled: how many of its characters stand for none (`clean.count_unreadable`).
        vectors, images: its vector graphics and the boxes of its images, where they were asked for (`evidence`).
        inserts: the tables and figures found on it.
        regions: what a layout model sees on it, where one was asked.
    """

    index: int
    width: float
    height: float
    lines: list[Line]
    garbled: int = 0
    vectors: list[Vector] = field(default_factory=list[Vector])
    images: list[Box] = field(default_factory=list[Box])
    inserts: list[Insert] = field(default_factory=list[Insert])
    regions: Regions | None = None

    @property
    def is_garbled(self) -> bool:
        """Whether its fonts do not say which letters they show, so that its text is no use; a picture of it may be."""
        return self.garbled > 0 and self.garbled > _GARBLED_SHARE * sum(len(line.text) for line in self.lines)


@dataclass(slots=True)
class Fonts:
    """What is known of the fonts of one document, gathered while its lines are read."""

    styles: dict[str, int] = field(default_factory=dict[str, int])
    sizes: dict[float, int] = field(default_factory=dict[float, int])  # characters by size
    mono_chars: int = 0
    chars: int = 0
    garbled_chars: int = 0

    def style(self, name: str, flags: int) -> int:
        """1 for bold, plus 2 for monospaced, plus 4 for mathematics; remembered by the font's name."""
        bold = bool(flags & _BOLD_FLAG) or _BOLD_NAME.search(name) is not None
        mono = bool(flags & _MONO_FLAG) or _MONO_NAME.search(name) is not None
        self.styles[name] = code = bold + 2 * mono + 4 * (_MATH_NAME.search(name) is not None)
        return code

    @property
    def body_size(self) -> float:
        """The size in which most characters are set."""
        return max(self.sizes, key=lambda size: self.sizes[size]) if self.sizes else 10.0

    @property
    def body_is_mono(self) -> bool:
        """Whether the document is typewritten, so that a monospaced line means nothing."""
        return self.mono_chars > 0.6 * self.chars


def read_page(page: Any, fonts: Fonts, *, vectors: bool = False) -> Page:
    """The lines of a `pymupdf.Page` in MuPDF's order. About 2 ms a page of 50 lines, most of it MuPDF's own.

    Args:
        vectors: also read the boxes of vector graphics; they come with the text, nearly for nothing.
    """
    rect = page.rect
    width, height = rect.width, rect.height
    turn = page.rotation_matrix if page.rotation else None
    lines: list[Line] = []
    seen: dict[str, Line] = {}
    mixed: list[tuple[Line, int]] = []
    garbled = fonts.garbled_chars
    textpage = page.get_textpage(flags=_FLAGS | COLLECT if vectors else _FLAGS)
    blocks: list[dict[str, Any]] = textpage.extractDICT()["blocks"]
    drawn = take_vectors(blocks, turn) if vectors else []
    for group, block in enumerate(blocks):
        for number, raw in enumerate(block["lines"]):
            line = _read_line(raw, group, fonts)
            if line is None:
                continue
            if not line.text.isascii() and line.upright and is_mixed(line.text):
                mixed.append((line, number))
            if turn is not None:
                _turn(line, turn)
            inside = 0 < line.x1 < _FAR and 0 < line.y1 < _FAR and -_FAR < line.x0 < width and -_FAR < line.y0 < height
            if not inside and not _is_mended(line, width, height):
                continue
            twin = seen.get(line.text)
            if twin is None or not _is_overprint(line, twin):
                seen[line.text] = line
                lines.append(line)
    if mixed:
        _reorder(mixed, textpage)
    if not lines:
        lines = _read_plain(textpage.extractText(), width, height, fonts)
    return Page(page.number, width, height, lines, fonts.garbled_chars - garbled, drawn)


def _is_mended(line: Line, width: float, height: float) -> bool:
    """Whether a line whose box is odd stands on the page; its box is then moved to where the page is.

    A box of infinite or undefined size, which a broken matrix makes, counts as the whole page.
    """
    if not all(-_FAR < edge < _FAR for edge in (line.x0, line.y0, line.x1, line.y1)):
        if line.x1 < 0 or line.y1 < 0 or line.x0 > width or line.y0 > height:
            return False
        line.x0, line.y0 = (edge if -_FAR < edge < _FAR else 0.0 for edge in (line.x0, line.y0))
        line.x1 = line.x1 if -_FAR < line.x1 < _FAR else max(width, line.x0)
        line.y1 = line.y1 if -_FAR < line.y1 < _FAR else max(height, line.y0)
        line.size = line.size if 0 < line.size < _FAR else 10.0
    return line.x1 > 0 and line.y1 > 0 and line.x0 < width and line.y0 < height


def _is_overprint(line: Line, twin: Line) -> bool:
    """Whether `line` is the same text as `twin`, printed over it to look bold or shadowed."""
    near = _OVERPRINT * line.size
    return abs(line.x0 - twin.x0) < near and abs(line.y0 - twin.y0) < near and abs(line.x1 - twin.x1) < 2 * near


def _read_plain(text: str, width: float, height: float, fonts: Fonts) -> list[Line]:
    """The text of a page on which MuPDF knows no boxes, since its font has no height: lines that fill the page."""
    lines: list[Line] = []
    parts = text.split("\n")
    if all(len(part) < 2 for part in parts):  # every character is a line of its own, spaces too
        parts = ["".join(parts)]
    for raw in parts:
        unreadable = count_unreadable(raw)
        shown = clean_line(raw) or "\ufffd" * unreadable
        if shown:
            fonts.garbled_chars += unreadable
            lines.append(Line(shown, 0.0, 0.0, width, height, 10.0, bold=False, mono=False, group=len(lines), upright=False))
    return lines


def _reorder(mixed: list[tuple[Line, int]], textpage: Any) -> None:
    """Put lines of two directions into logical order; reads the page once more, by characters."""
    blocks: list[dict[str, Any]] = textpage.extractRAWDICT()["blocks"]
    take_vectors(blocks)
    for line, number in mixed:
        spans = blocks[line.group]["lines"][number]["spans"]
        chars = [(char["c"], char["bbox"][0]) for span in spans for char in span["chars"]]
        line.text = clean_line(order_logically(chars)) or line.text


def _read_line(raw: dict[str, Any], group: int, fonts: Fonts) -> Line | None:
    """One line, or None when it has no visible text."""
    spans = raw["spans"]
    styles = fonts.styles
    count = bold = mono = math = longest = 0
    size = 0.0
    for span in spans:
        part = span["text"]
        if part == " ":
            continue
        length = len(part)
        style = styles.get(span["font"])
        if style is None:
            style = fonts.style(span["font"], span["flags"])
        if length > longest:
            longest, size = length, span["size"]
        count += length
        if style:
            bold += length if style & 1 else 0
            mono += length if style & 2 else 0
            math += length if style & 4 else 0
    joined = "".join([span["text"] for span in spans])
    if "\ufffd" in joined or not joined.isprintable():
        fonts.garbled_chars += count_unreadable(joined)
    text = _line_text(joined, is_mono=bool(mono) and mono >= count)
    if not text:
        return None
    size = round(size, 1)
    fonts.sizes[size] = fonts.sizes.get(size, 0) + count
    fonts.chars += count
    fonts.mono_chars += mono
    x0, y0, x1, y1 = raw["bbox"]
    if y1 - y0 < _FLAT * size and raw["dir"][0] > 0.9:  # the font says that it has no height
        y0 = y1 - size
    formula = math > _MATH_SHARE * count and len(_WORD.findall(text)) < 2
    return Line(text, x0, y0, x1, y1, size, bold >= count, mono >= count, group, raw["dir"][0] > 0.9, formula)


def _line_text(raw: str, *, is_mono: bool) -> str:
    """The cleaned text of a line; white space inside code is kept, a dot leader becomes one ellipsis."""
    if is_mono:
        return clean_text(raw).rstrip().expandtabs(8) if not raw.isspace() else ""
    if raw.isascii():
        text = clean_line(raw)
    else:
        divided = raw.rstrip().endswith("\u00ad")
        text = close_cjk(clean_line(raw))
        if divided and text:
            text += "\u00ad"
    if ". ." in text or "...." in text or "···" in text:
        text = _LEADER.sub(" … ", text).strip()
    return text


def _turn(line: Line, matrix: Any) -> None:
    """Move a line's box from the unrotated page to the page as shown; note whether it still runs horizontally."""
    box = pymupdf.Rect(line.x0, line.y0, line.x1, line.y1) * matrix
    line.x0, line.y0, line.x1, line.y1 = box.x0, box.y0, box.x1, box.y1
    along = pymupdf.Point(1, 0) if line.upright else pymupdf.Point(0, 1)
    line.upright = abs((along * matrix - pymupdf.Point(0, 0) * matrix).x) > 0.5
