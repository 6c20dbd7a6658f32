"""Marks in the text of an HTML tree that survive the extraction of its main content and tell source lines.

A mark is three symbols in front of a piece of text that spell an index. The same alphabet stands in for characters that
Markdown would read as markup, so that text stays text. Private-use characters would be the natural choice, but
trafilatura drops all that is not printable: the symbols come from printable blocks hardly ever used, the first one that the
document itself does not use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import lxml.etree as _etree  # pyright: ignore[reportMissingTypeStubs]  # lxml ships none

etree: Any = _etree
_ALPHABETS = (0x1D000, 0x1D800, 0x2800)  # Byzantine music, SignWriting, Braille: symbols, 246 or more assigned in a row
_BASE = 200
_SPECIAL = "<>&*_`~[]\\#=|$-+.)!:"
_END = 241
_LINE_START = re.compile(r"^(\s*)(?:([-+])(?=[\s-])|(\d{1,9})([.)])(?=\s))")
_SKIPPED = frozenset(("script", "style", "template", "noscript", "textarea", "svg", "math", "head"))
_BLOCKS = frozenset(
    (
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "li",
        "td",
        "th",
        "blockquote",
        "dt",
        "dd",
        "div",
        "section",
        "article",
        "main",
        "figcaption",
        "caption",
        "summary",
        "address",
    )
)
_INLINE = frozenset(
    (
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "dfn",
        "em",
        "i",
        "kbd",
        "label",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "var",
    )
)


@dataclass(slots=True)
class Marks:
    """The alphabet in use and what each mark stands for: a source line (1-based), and the text of a listing."""

    offset: int
    entries: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @classmethod
    def unused_in(cls, text: str) -> Marks:
        """Marks in an alphabet that `text` does not use."""
        for offset in _ALPHABETS:
            if not re.search(f"[{chr(offset)}-{chr(offset + 245)}]", text):
                return cls(offset)
        return cls(_ALPHABETS[0])

    @property
    def digits(self) -> str:
        """The symbols that marks are made of, as a range of a regular expression."""
        return f"{chr(self.offset)}-{chr(self.offset + _BASE - 1)}"

    @property
    def pattern(self) -> str:
        """A regular expression that matches one mark, without groups."""
        return f"[{self.digits}]{{3}}"

    @property
    def end(self) -> str:
        """The symbol that closes a listing."""
        return chr(self.offset + _END)

    def make(self, line: int, listing: str = "") -> str:
        """A new mark."""
        index = len(self.entries)
        self.entries.append((line, listing))
        digits = (index // _BASE // _BASE % _BASE, index // _BASE % _BASE, index % _BASE)
        return "".join(chr(self.offset + digit) for digit in digits)

    def entry(self, mark: str) -> tuple[int, str]:
        """What a mark stands for; line 0 for one that was never made."""
        a, b, c = (ord(char) - self.offset for char in mark)
        index = (a * _BASE + b) * _BASE + c
        return self.entries[index] if index < len(self.entries) else (0, "")

    def shield(self, text: str) -> str:
        """`text` with stand-ins for what Markdown would take for markup."""
        chars = {ord(char): chr(self.offset + _BASE + n) for n, char in enumerate(_SPECIAL[:14])}
        return _LINE_START.sub(self._shield_start, text).translate(chars)

    def _shield_start(self, match: re.Match[str]) -> str:
        sign = match[2] or match[4]
        return f"{match[1]}{match[3] or ''}{chr(self.offset + _BASE + _SPECIAL.index(sign))}"

    def unshield(self, text: str) -> str:
        """`text` with the characters that stand-ins stand for."""
        return text.translate({self.offset + _BASE + n: char for n, char in enumerate(_SPECIAL)})


def annotate(body: Any, marks: Marks) -> None:
    """Put marks and stand-ins into the text below `body`, in place; listings become one marked line."""
    for pre in list(body.iter("pre")):
        _fold_listing(pre, marks)
    line: int = body.sourceline or 1
    depth = 0  # inside elements whose text is not shown, or done already
    walk: Any = etree.iterwalk(body, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        hidden = not isinstance(element.tag, str) or element.tag in _SKIPPED or element.tag == "pre"
        if event == "start":
            line = max(line, element.sourceline or 0)
            depth += hidden
            if not depth and element.text:
                line = _mark_text(element, line, marks)
            elif not depth and element.tag in _BLOCKS and len(element) and element[0].tag in _INLINE:
                element.text = marks.make(line)
            elif element.text:
                line += element.text.count("\n")
        else:
            depth -= hidden and event == "end"
            if element.tail and element is not body:
                text, line = _mark_lines(element.tail, line, marks)
                element.tail = text if not depth else element.tail


def _mark_text(element: Any, line: int, marks: Marks) -> int:
    """Mark an element's own text; the line on which it ends."""
    starts_block = element.tag in _BLOCKS and element.text.strip()
    text, end = _mark_lines(element.text, line, marks)
    if starts_block:
        lead = len(element.text) - len(element.text.lstrip())
        text = marks.make(line + element.text[:lead].count("\n")) + text.lstrip()
    element.text = text
    return end


def _mark_lines(text: str, line: int, marks: Marks) -> tuple[str, int]:
    """`text` shielded, with a mark before each of its further lines that is not blank, and the line on which it ends."""
    first, *rest = text.split("\n")
    parts = [marks.shield(first)]
    for part in rest:
        line += 1
        parts.append((marks.make(line) if part.strip() else "") + marks.shield(part))
    return "\n".join(parts), line


def _fold_listing(pre: Any, marks: Marks) -> None:
    """Replace a listing by one line: a mark that remembers it, its text, the end symbol."""
    for line_break in pre.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    listing = "".join(pre.itertext()).strip("\n")
    tail = pre.tail
    line = pre.sourceline or 1
    pre.clear()
    pre.tail = tail
    if listing.strip():
        pre.text = marks.make(line, listing) + marks.shield(" ".join(listing.split())) + marks.end
