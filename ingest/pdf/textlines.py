"""Words by line: what stands at one height of a table, in pieces that no wide gap parts; dot leaders are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Word = tuple[float, float, float, float, str] | tuple[Any, ...]
"""x0, y0, x1, y1, text and whatever else PyMuPDF's word lists hold."""

_LEADER = re.compile(r"[.·…‥]+|_{2,}")
_TRAILING = re.compile(r"(?:\s*[.·…‥]){2,}$")
_DOTS = 3  # as many may be the text of cells; more are leaders
_PIECE = 0.7  # of the type size: words further apart are not of one piece


@dataclass(slots=True)
class Piece:
    """Words of one line that stand together."""

    x0: float
    x1: float
    words: list[Word]


@dataclass(slots=True)
class TextLine:
    """What stands at one height of a table."""

    y0: float
    y1: float
    mid: float
    pieces: list[Piece]


def without_leaders(words: Iterable[Word]) -> list[Word]:
    """The words without dot leaders ("Total . . . . . 12")."""
    kept: list[Word] = []
    words = list(words)
    dots = sum(word[4] in ".·…‥" for word in words)
    for word in words:
        text = word[4]
        if not (text[0] in ".·…‥_" and _LEADER.fullmatch(text) and (len(text) > 1 or dots > _DOTS)):
            if text[-1] in ".·…‥" and (stripped := _TRAILING.sub("", text)) != text:
                word = (word[0], word[1], word[0] + (word[2] - word[0]) * len(stripped) / len(text), word[3], stripped)
            kept.append(word)
    return kept


def text_lines(words: Sequence[Word], em: float) -> list[TextLine]:
    """The words by height, from top to bottom; raised and lowered ones go with their line."""
    lines: list[list[Word]] = []
    mid = 0.0
    for word in sorted(words, key=lambda word: word[1] + word[3]):
        centre = (word[1] + word[3]) / 2
        if lines and centre - mid <= 0.45 * em:
            lines[-1].append(word)
            full = [w for w in lines[-1] if w[3] - w[1] > em]
            mid = sum((w[1] + w[3]) / 2 for w in full) / len(full) if full else mid
        else:
            lines.append([word])
            mid = centre
    return [_text_line(line, em) for line in _with_raised(lines, em)]


def _with_raised(lines: list[list[Word]], em: float) -> list[list[Word]]:
    """The lines, those of raised or lowered small words put into the line that they overlap most."""
    bands = [(min(word[1] for word in line), max(word[3] for word in line)) for line in lines]
    owner = list(range(len(lines)))
    for index, line in enumerate(lines):
        if any(word[3] - word[1] > 0.95 * em for word in line):
            continue
        top, bottom = bands[index]
        shares = {
            near: min(bottom, bands[near][1]) - max(top, bands[near][0])
            for near in (index - 1, index + 1)
            if 0 <= near < len(lines)
        }
        near = max(shares, key=lambda near: shares[near], default=index)
        if near != index and shares[near] > 0.4 * (bottom - top):
            owner[index] = near
    merged: dict[int, list[Word]] = {}
    for index, line in enumerate(lines):
        target = owner[index] if owner[owner[index]] == owner[index] else index
        merged.setdefault(target, []).extend(line)
    return [merged[index] for index in sorted(merged)]


def _text_line(words: list[Word], em: float) -> TextLine:
    words.sort(key=lambda word: word[0])
    pieces: list[Piece] = []
    for word in words:
        if pieces and (word[0] - pieces[-1].x1 < _PIECE * em or is_typed(pieces[-1].words[-1], word)):
            pieces[-1].words.append(word)
            pieces[-1].x1 = max(pieces[-1].x1, word[2])
        else:
            pieces.append(Piece(word[0], word[2], [word]))
    y0, y1 = min(word[1] for word in words), max(word[3] for word in words)
    tall = [word for word in words if word[3] - word[1] > em] or words
    return TextLine(y0, y1, sum(word[1] + word[3] for word in tall) / 2 / len(tall), pieces)


def is_typed(left: Word, right: Word) -> bool:
    """Whether two words are typewritten with one space between them: all characters are as wide as that space."""
    width = (right[2] - right[0]) / len(right[4])
    return abs((left[2] - left[0]) / len(left[4]) - width) < 0.05 and abs(right[0] - left[2] - width) < 0.3
