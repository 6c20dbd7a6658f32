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
_LINE_START = re.compile(r"^(\s*)(?:([-+])(?=[\s-]|$)|(\d{1,9})([.)])(?=\s|$))")
_SKIPPED = frozenset(("script", "style", "template", "noscript", "textarea", "svg", "math", "head"))
_MARGINS = frozenset(("nav", "header", "footer", "aside", "form", "menu", "button", "select"))
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
    lengths: list[int] = field(default_factory=list[int])  # characters each stands before; 0 in the page's margins

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

    def make(self, line: int, listing: str = "", *, length: int = 0) -> str:
        """A new mark."""
        index = len(self.entries)
        self.entries.append((line, listing))
        self.lengths.append(length)
        digits = (index // _BASE // _BASE % _BASE, index // _BASE % _BASE, index % _BASE)
        return "".join(chr(self.offset + digit) for digit in digits)

    def entry(self, mark: str) -> tuple[int, str]:
        """What a mark stands for; line 0 for one that was never made."""
        index = self._index(mark)
        return self.entries[index] if index < len(self.entries) else (0, "")

    def kept(self, text: str) -> float:
        """The share of all marked characters, those in the page's margins apart, whose marks are in `text`."""
        found = {self._index(mark) for mark in re.findall(self.pattern, text)}
        kept = sum(length for index, length in enumerate(self.lengths) if index in found)
        return kept / max(sum(self.lengths), 1)

    def _index(self, mark: str) -> int:
        a, b, c = (ord(char) - self.offset for char in mark)
        return (a * _BASE + b) * _BASE + c

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
    hidden = 0  # depth inside elements whose text is not shown, or done already
    margin = 0  # depth inside navigation and the like
    is_open = False  # whether the current run of text has its mark

    def mark(text: str) -> str:
        nonlocal line, is_open
        if hidden:
            line += text.count("\n")
            return text
        marked, line, is_open = _mark_lines(text, line, marks, is_open=is_open, counts=not margin)
        return marked

    walk: Any = etree.iterwalk(body, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        skips = not isinstance(element.tag, str) or element.tag in _SKIPPED or element.tag == "pre"
        is_open = is_open and (element.tag in _INLINE or not isinstance(element.tag, str))
        if event == "start":
            line = max(line, element.sourceline or 0)
            hidden += skips
            margin += element.tag in _MARGINS
            element.text = mark(element.text) if element.text else None
            continue
        hidden -= skips and event == "end"
        margin -= element.tag in _MARGINS and event == "end"
        if element.tail and element is not body:
            element.tail = mark(element.tail)


def _mark_lines(text: str, line: int, marks: Marks, *, is_open: bool, counts: bool) -> tuple[str, int, bool]:
    """`text` shielded, with a mark before each line that is not blank, the first one only where none is open yet.

    Also the line on which it ends, and whether a mark is open now.
    """
    parts: list[str] = []
    for number, part in enumerate(text.split("\n")):
        shielded = marks.shield(part)
        is_open = is_open and number == 0
        if part.strip() and not is_open:
            shielded = marks.make(line + number, length=len(part) * counts) + shielded.lstrip()
            if number == 0 and part[0].isspace():
                shielded = " " + shielded
            is_open = True
        parts.append(shielded)
    return "\n".join(parts), line + len(parts) - 1, is_open


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
        pre.text = marks.make(line, listing, length=len(listing)) + marks.shield(" ".join(listing.split())) + marks.end
