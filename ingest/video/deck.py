"""Which page of a slide deck each keyframe shows: by the words on both, then by their order.

texts of keyframes, texts of pages -> the best way through the pages -> a page for each keyframe, or None
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path

from phidex.errors import PhidexError
from phidex.ingest.options import ParseOptions
from phidex.ingest.video.topics import cosine, terms_of

_LEAST = 0.25  # of their words in common
_NEXT, _ON, _BACK = 0.08, 0.04, 0.0  # added for the next page, one further on, one before
_NOTHING = 0.2  # what it is worth that a keyframe shows no page


def deck_pages(deck: Path, options: ParseOptions) -> tuple[list[str], str]:
    """The text of each page, by page index; and, where the deck cannot be read, why."""
    from phidex.ingest.parse import parse_file

    try:
        parsed = parse_file(deck, None, options)
    except PhidexError as exc:
        return [], f"{deck.name} was not matched to it: {exc.message}"
    pages = [""] * max(parsed.page_count, *(block.page_number or 0 for block in parsed.blocks), 0)
    for block in parsed.blocks:
        if block.page_number:
            pages[block.page_number - 1] += f"{block.text}\n"
    return pages, ""


def match_pages(shown: Sequence[str], pages: Sequence[str]) -> list[int | None]:
    """The page number, from 1, that each keyframe shows, in order of time; None where none has words like its.

    >>> match_pages(["Costs rise again", "Risks and owners"], ["Welcome all", "Costs rise again", "Risks and owners"])
    [2, 3]
    """
    bags = [Counter(terms_of(text)) for text in pages]
    spread = Counter(term for bag in bags for term in bag)
    weights = {term: log(1 + len(pages) / number) for term, number in spread.items()}
    alike: list[list[float]] = []
    for text in shown:
        bag = Counter(terms_of(text))
        known = weights | {term: log(1 + len(pages)) for term in bag if term not in weights}
        alike.append([cosine(bag, page, known) for page in bags])
    return _best_way(alike, len(pages))


def _best_way(alike: Sequence[Sequence[float]], count: int) -> list[int | None]:
    """Pages that are most like the keyframes, where going on is better than going back (Viterbi)."""
    states = [*range(count), None]
    scores: dict[int | None, float] = dict.fromkeys(states, 0.0)
    ways: list[dict[int | None, int | None]] = []
    for row, of_one in enumerate(alike):
        nows: dict[int | None, float] = {}
        way: dict[int | None, int | None] = {}
        for state in states:
            own = _NOTHING if state is None else of_one[state] if of_one[state] >= _LEAST else -1.0
            before = max(states, key=lambda last: scores[last] + (_step(last, state) if row else 0.0))
            nows[state] = scores[before] + (_step(before, state) if row else 0.0) + own
            way[state] = before
        scores = nows
        ways.append(way)
    found: list[int | None] = []
    state = max(states, key=lambda last: scores[last])
    for way in reversed(ways):
        found.append(None if state is None else state + 1)
        state = way[state]
    return found[::-1]


def _step(last: int | None, state: int | None) -> float:
    if last is None or state is None:
        return _BACK
    return _NEXT if state == last + 1 else _ON if state > last else _BACK
