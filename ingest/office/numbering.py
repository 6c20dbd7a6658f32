"""The labels that Word counts up in front of list items and headings: "3.", "2.1", "(b)", "iv."."""

from __future__ import annotations

import re
from dataclasses import dataclass

from phidex.ingest.office.package import Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
_PLACE = re.compile(r"%(\d)")
_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
)
_ROMAN_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii")


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of a list is counted: first number, format, and pattern ("%1.%2")."""

    start: int = 1
    style: str = "bullet"
    pattern: str = ""


class Numbering:
    """The lists of one document, counting as its paragraphs are met in order.

    Args:
        root: the root of the numbering part; None where there is none.
    """

    def __init__(self, root: Element | None) -> None:
        abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, _Level]]] = {}
        self._counts: dict[str, list[int]] = {}
        if root is None:
            return
        for element in root.iterchildren(f"{W}abstractNum"):
            abstract[element.get(f"{W}abstractNumId", "")] = {
                _number(level.get(f"{W}ilvl")): _level(level) for level in element.iterchildren(f"{W}lvl")
            }
        for element in root.iterchildren(f"{W}num"):
            identity = value_of(element, "abstractNumId")
            levels = dict(abstract.get(identity, {}))
            shared = identity
            for override in element.iterchildren(f"{W}lvlOverride"):
                index = _number(override.get(f"{W}ilvl"))
                shared = f"{identity}/{element.get(f'{W}numId')}"  # counts on its own
                if (level := override.find(f"{W}lvl")) is not None:
                    levels[index] = _level(level)
                elif start := value_of(override, "startOverride"):
                    old = levels.get(index, _Level())
                    levels[index] = _Level(_number(start), old.style, old.pattern)
            self._lists[element.get(f"{W}numId", "")] = (shared, levels)

    def next_label(self, list_id: str, level: int) -> str:
        """The label of the list's next paragraph; "" for a bullet, and for a list that is not defined."""
        shared, levels = self._lists.get(list_id, ("", {}))
        level = min(max(level, 0), _LEVELS - 1)
        if level not in levels:
            return ""
        counts = self._counts.setdefault(shared, [0] * _LEVELS)
        for index in range(level):  # a level that was skipped counts as begun
            counts[index] = counts[index] or levels.get(index, _Level()).start
        counts[level] = counts[level] + 1 if counts[level] else levels[level].start
        counts[level + 1 :] = [0] * (_LEVELS - level - 1)
        own = levels[level]
        if own.style in ("bullet", "none"):
            return ""

        def counted(match: re.Match[str]) -> str:
            index = int(match[1]) - 1
            return format_count(counts[index], levels.get(index, _Level()).style) if 0 <= index < _LEVELS else ""

        return _PLACE.sub(counted, own.pattern).strip()


def format_count(count: int, style: str) -> str:
    """A number as a list counts it.

    >>> format_count(4, "lowerRoman"), format_count(28, "upperLetter"), format_count(7, "decimalZero")
    ('iv', 'BB', '07')
    """
    match style:
        case "lowerLetter" | "upperLetter":
            letters = chr(97 + (count - 1) % 26) * ((count - 1) // 26 + 1) if 0 < count < 26 * 40 else str(count)
            return letters if style == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman":
            roman = _roman(count)
            return roman if style == "lowerRoman" else roman.upper()
        case "decimalZero":
            return f"{count:02d}"
        case _:
            return str(count)


def value_of(element: Element | None, child: str) -> str:
    """The `w:val` of a child element; "" where either is missing."""
    found = element.find(f"{W}{child}") if element is not None else None
    return found.get(f"{W}val", "") if found is not None else ""


def _level(element: Element) -> _Level:
    start = value_of(element, "start")
    return _Level(_number(start) if start else 1, value_of(element, "numFmt") or "decimal", value_of(element, "lvlText"))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0


def _roman(count: int) -> str:
    if not 0 < count < 4000:
        return str(count)
    letters = ""
    for value, sign in _ROMAN:
        while count >= value:
            letters += sign
            count -= value
    return letters + _ROMAN_ONES[count]
