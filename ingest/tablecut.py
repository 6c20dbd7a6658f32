"""Where a table in Markdown that is too long for a chunk is cut: between its rows, behind its header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil

from phidex.ingest.tokens import Ruler

_DELIMITER = re.compile(r"\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)*\|?\s*")
_HEADER_LINES = 6  # a title, a blank line and the header come to fewer


def header_end(text: str) -> int:
    """Where the rows of a table begin, behind its header and the line below that; 0 when it has none.

    >>> text = "| a | b |\\n| --- | --- |\\n| 1 | 2 |"
    >>> text[header_end(text):]
    '| 1 | 2 |'
    """
    end = 0
    for line in text.split("\n", _HEADER_LINES)[:_HEADER_LINES]:
        start, end = end, end + len(line) + 1
        if start and _DELIMITER.fullmatch(line) and "|" in line:
            return min(end, len(text))
    return 0


def row_spans(ruler: Ruler, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    """Stretches of whole lines of `ruler.text[start:end]`, of about equal size, none with more than `limit` tokens.

    A line that is longer by itself is a stretch of its own, for the caller to cut.
    """
    lines: list[tuple[int, int]] = []
    at = start
    for line in ruler.text[start:end].split("\n"):
        if line:
            lines.append((at, at + len(line)))
        at += len(line) + 1
    if not lines:
        return
    target = ceil(ruler.count(start, end) / ceil(ruler.count(start, end) / limit)) if ruler.count(start, end) else limit
    first, last = lines[0]
    for a, b in lines[1:]:
        if ruler.count(first, b) > limit or ruler.count(first, last) + ruler.count(a, b) // 2 >= target:
            yield first, last
            first = a
        last = b
    yield first, last
