"""Where the topic of what is said changes, by its words alone: in every language, without a model.

Source: Hearst, TextTiling (Computational Linguistics 23:1, 1997): words on both sides of a gap are compared; a topic ends
where they have least in common between two peaks. Words that are everywhere count little (IDF over the stretches themselves).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log, sqrt

_WINDOW_TERMS = 90  # on each side of a gap
_LEAST_TERMS = 240  # fewer have no topics to tell apart
_DEPTH = 1.0  # standard deviations above the mean that a valley must be deep
_LEAST_DEPTH = 0.12
_STEM = 5  # letters of a word that count: inflections fall together
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_TERM = re.compile(rf"[{_SPACELESS}]+|[^\W\d_{_SPACELESS}]{{3,}}")


def topic_changes(texts: Sequence[str]) -> set[int]:
    """Indexes of the texts with which another topic begins; never 0.

    Args:
        texts: turns or sentences, in order.
    """
    counts = [Counter(terms_of(text)) for text in texts]
    if sum(count.total() for count in counts) < _LEAST_TERMS:
        return set()
    spread = Counter(term for count in counts for term in count)
    weights = {term: log(len(texts) / number) for term, number in spread.items() if number > 1}  # others bind nothing
    alike = [_alike(counts, gap, weights) for gap in range(1, len(texts))]
    depths = [_depth(alike, at) for at in range(len(alike))]
    mean = sum(depths) / len(depths)
    deviation = sqrt(sum((depth - mean) ** 2 for depth in depths) / len(depths))
    limit = max(mean + _DEPTH * deviation, _LEAST_DEPTH)
    found: set[int] = set()
    for at in sorted(range(len(depths)), key=lambda at: -depths[at]):
        if depths[at] > limit and all(_apart(counts, at + 1, other) for other in found):
            found.add(at + 1)
    return found


def terms_of(text: str) -> list[str]:
    """The beginnings of a text's words; of scripts without spaces, pairs of characters.

    >>> terms_of("Meetings, meeting 日本語")
    ['meeti', 'meeti', '日本', '本語']
    """
    terms: list[str] = []
    for run in _TERM.findall(text.casefold()):
        if re.match(f"[{_SPACELESS}]", run):
            terms += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        else:
            terms.append(run[:_STEM])
    return terms


def cosine(one: Counter[str], other: Counter[str], weights: dict[str, float]) -> float:
    """How much two bags of terms have in common, 0 to 1, each term counted once by its weight."""
    shared = sum(weights.get(term, 0.0) ** 2 for term in one.keys() & other.keys())
    if not shared:
        return 0.0
    lengths = (sum(weights.get(term, 0.0) ** 2 for term in bag) for bag in (one, other))
    return shared / sqrt(next(lengths) * next(lengths))


def _alike(counts: Sequence[Counter[str]], gap: int, weights: dict[str, float]) -> float:
    return cosine(_window(reversed(counts[:gap])), _window(counts[gap:]), weights)


def _window(counts: Iterable[Counter[str]]) -> Counter[str]:
    window: Counter[str] = Counter()
    for count in counts:
        window += count
        if window.total() >= _WINDOW_TERMS:
            break
    return window


def _depth(alike: Sequence[float], at: int) -> float:
    """How far a valley lies below the peaks on its two sides."""
    left = right = alike[at]
    for value in reversed(alike[:at]):
        if value < left:
            break
        left = value
    for value in alike[at + 1 :]:
        if value < right:
            break
        right = value
    return left + right - 2 * alike[at]


def _apart(counts: Sequence[Counter[str]], one: int, other: int) -> bool:
    first, last = sorted((one, other))
    return sum(count.total() for count in counts[first:last]) >= _WINDOW_TERMS
