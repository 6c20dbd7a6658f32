"""Sentence borders in every script we support, by punctuation alone: no model, no word lists beyond common abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A stop that ends a sentence: with white space after it (alphabetic scripts) or by itself (CJK full stops).
_END = re.compile(
    r"""(?:
          [.!?\u2026\u061f\u06d4\u0589\u0964\u0965\u104b\u17d4]+ ["'\u2019\u201d\u00bb)\]}]* (?=\s)   # . ! ? … ؟ ۔ । ។
        | [\u3002\uff01\uff1f\uff0e\uff61]+ ["'\u2019\u201d\u300d\u300f\uff09)\]]*                     # 。！？
        | \n
    )\s*""",
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:\w|\d\d|e\.g|i\.e|etc|vs|cf|al|dr|mr|mrs|ms|st|no|nr|fig|sec|ch|pp?|vol|z\.b|d\.h|bzw|usw|ca|abb|s\.a|p\.ex|"
    r"т\.е|т\.д|т\.п|рис|стр)\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 6
_THAI = re.compile(r"[\u0e00-\u0eff]")
_THAI_GAP = re.compile(r"(?<=[\u0e00-\u0eff])\s+")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of `text[start:end]`, in order; together they cover all of it but white space.

    >>> [ "Dr. No left. He ran."[a:b] for a, b in sentence_spans("Dr. No left. He ran.") ]
    ['Dr. No left.', 'He ran.']
    """
    end = len(text) if end is None else end
    begin = start
    ends = _END if not _THAI.search(text, start, end) else re.compile(f"{_THAI_GAP.pattern}|{_END.pattern}", re.VERBOSE)
    for match in ends.finditer(text, start, end):
        if _continues(text, match, end):
            continue
        yield from _trimmed(text, begin, match.end())
        begin = match.end()
    yield from _trimmed(text, begin, end)


def _continues(text: str, match: re.Match[str], end: int) -> bool:
    """Whether the stop is inside a sentence: an abbreviation, or lower case follows."""
    if match.end() >= end or "\n" in match.group():
        return False
    if text[match.end()].islower():
        return True
    return (
        match.group().rstrip() == "." and _ABBREVIATION.search(text, max(0, match.start() - 6), match.start() + 1) is not None
    )


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        left = start + len(piece) - len(piece.lstrip())
        yield left, left + len(stripped)
