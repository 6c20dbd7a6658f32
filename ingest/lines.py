"""Lines of a PDF page with box and style, from PyMuPDF's text page. No structure yet: that is `layout`'s.

This is the inner loop of the ingest: one pass over spans, no image data, styles looked up once a font.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pymupdf as _pymupdf

from phidex.ingest.bidi import is_mixed, order_logically
from phidex.ingest.clean import clean_line, clean_text, close_cjk

pymupdf: Any = _pymupdf  # its own types are incomplete
_FLAGS: int = pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES
_BOLD_FLAG, _MONO_FLAG = 16, 8
# Flags of the font descriptor are often unset (XeTeX leaves them 0), so names count too.
_BOLD_NAME = re.compile(r"bold|black|heavy|demi|cmbx|sfbx|ecbx|\bbx\d", re.IGNORECASE)
_MONO_NAME = re.compile(
    r"mono(?!type)|courier|consol|typewriter|menlo|inconsolata|cmtt|cmsltt|sftt|ectt|tctt|lmtt|txtt|[a-z]code\b|fixed|terminal",
    re.IGNORECASE,
)
_LEADER = re.compile(r"(?:\s?[.·…_]){4,}\s*")


@dataclass(slots=True)
class Line:
    """One line, or the piece of it that stands apart (a table cell, a number in the margin).

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
class Page:
    """The lines of one page, and its size in points as shown."""

    index: int
    width: float
    height: float
    lines: list[Line]


@dataclass(slots=True)
class Fonts:
    """What is known of the fonts of one document, gathered while its lines are read."""

    styles: dict[str, int] = field(default_factory=dict[str, int])
    sizes: dict[float, int] = field(default_factory=dict[float, int])  # characters by size
    mono_chars: int = 0
    chars: int = 0

    def style(self, name: str, flags: int) -> int:
        """1 for bold plus 2 for monospaced; remembered by the font's name."""
        bold = bool(flags & _BOLD_FLAG) or _BOLD_NAME.search(name) is not None
        mono = bool(flags & _MONO_FLAG) or _MONO_NAME.search(name) is not None
        self.styles[name] = code = bold + 2 * mono
        return code

    @property
    def body_size(self) -> float:
        """The size in which most characters are set."""
        return max(self.sizes, key=lambda size: self.sizes[size]) if self.sizes else 10.0

    @property
    def body_is_mono(self) -> bool:
        """Whether the document is typewritten, so that a monospaced line means nothing."""
        return self.mono_chars > 0.6 * self.chars


def read_page(page: Any, fonts: Fonts) -> Page:
    """The lines of a `pymupdf.Page` in MuPDF's order. About 2 ms a page of 50 lines, most of it MuPDF's own."""
    rect = page.rect
    width, height = rect.width, rect.height
    turn = page.rotation_matrix if page.rotation else None
    lines: list[Line] = []
    mixed: list[tuple[Line, int]] = []
    textpage = page.get_textpage(flags=_FLAGS)
    blocks: list[dict[str, Any]] = textpage.extractDICT()["blocks"]
    for group, block in enumerate(blocks):
        for number, raw in enumerate(block["lines"]):
            line = _read_line(raw, group, fonts)
            if line is None:
                continue
            if not line.text.isascii() and line.upright and is_mixed(line.text):
                mixed.append((line, number))
            if turn is not None:
                _turn(line, turn)
            if line.x1 > 0 and line.y1 > 0 and line.x0 < width and line.y0 < height:
                lines.append(line)
    if mixed:
        _reorder(mixed, textpage)
    return Page(page.number, width, height, lines)


def _reorder(mixed: list[tuple[Line, int]], textpage: Any) -> None:
    """Put lines of two directions into logical order; reads the page once more, by characters."""
    blocks: list[dict[str, Any]] = textpage.extractRAWDICT()["blocks"]
    for line, number in mixed:
        spans = blocks[line.group]["lines"][number]["spans"]
        chars = [(char["c"], char["bbox"][0]) for span in spans for char in span["chars"]]
        line.text = clean_line(order_logically(chars)) or line.text


def _read_line(raw: dict[str, Any], group: int, fonts: Fonts) -> Line | None:
    """One line, or None when it has no visible text."""
    spans = raw["spans"]
    styles = fonts.styles
    parts: list[str] = []
    count = bold = mono = longest = 0
    size = 0.0
    for span in spans:
        part = span["text"]
        parts.append(part)
        if part == " ":
            continue
        length = len(part)
        font = span["font"]
        style = styles[font] if font in styles else fonts.style(font, span["flags"])
        if length > longest:
            longest, size = length, span["size"]
        count += length
        if style:
            bold += length if style & 1 else 0
            mono += length if style & 2 else 0
    text = _line_text("".join(parts), is_mono=bool(mono) and mono >= count)
    if not text:
        return None
    size = round(size, 1)
    fonts.sizes[size] = fonts.sizes.get(size, 0) + count
    fonts.chars += count
    fonts.mono_chars += mono
    x0, y0, x1, y1 = raw["bbox"]
    return Line(text, x0, y0, x1, y1, size, bold >= count, mono >= count, group, raw["dir"][0] > 0.9)


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
