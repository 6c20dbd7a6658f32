"""Hits that say the same: copies in other documents become one hit that names them all; the rest may be spread on request.

A copy is text of another document of which nine tenths of the three-word runs are the same: a page that a translation left as
it was, the same file in two folders. Only hits of nearly equal length and lexical score are compared, which keeps it cheap.
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from phidex.retrieval.hit import Copy, Hit
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.store import Indices

_ALIKE = 0.9  # of the runs of both
_NEAR = 0.15  # by how much lengths and lexical scores of copies differ at most
_RUN = 3  # words
_PROBES = 4
_PROBE_CHARS = 20
_MANY = 200  # hits, from which on copies are looked up by their marks and not one by one
_MARKS = 8
_MOST_OF_A_MARK = 16
_SPREAD = 300  # hits that are chosen from one by one; what stands behind them keeps its order
_WORD = re.compile(r"\w+")


def collapse(hits: Sequence[Hit]) -> list[Hit]:
    """Each text once, at the place of its best hit, which names the other places in `also`."""
    kept: list[_Kept] = []
    places: dict[int, list[_Kept]] = {}  # by the marks of their texts; only of many hits
    for hit in hits:
        new = _Kept(hit)
        marks = new.marks() if len(hits) > _MANY else []
        near = {id(other): other for mark in marks for other in places.get(mark, ())}.values() if marks else kept
        same = next((other for other in new.near(near) if new.is_copy_of(other)), None)
        if same is not None:
            same.copies.append(Copy(hit.source, hit.chunk.locator))
            continue
        kept.append(new)
        for mark in marks:
            if len(places.setdefault(mark, [])) < _MOST_OF_A_MARK:  # what more texts share is a header, and tells no copy
                places[mark].append(new)
    return [replace(one.hit, also=(*one.hit.also, *one.copies)) if one.copies else one.hit for one in kept]


def diversify(hits: Sequence[Hit], limit: int, diversity: float) -> list[Hit]:
    """The best `limit` hits, the first 300 chosen one by one: each for its score and for what it adds to those before it.

    Source: Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking (SIGIR 1998); likeness is the cosine of the sets
    of terms.

    Args:
        diversity: the weight of likeness, in [0, 1]; 0 leaves the order as it is.
    """
    if not hits:
        return []
    hits, behind = hits[:_SPREAD], hits[_SPREAD:]
    top, last = max(hit.score for hit in hits), min(hit.score for hit in hits)
    worth = [(hit.score - last) / (top - last) if top > last else 1.0 for hit in hits]
    terms = [query_vector(hit.chunk.text).indices for hit in hits]
    likeness = [0.0] * len(hits)
    left = list(range(len(hits)))
    chosen: list[int] = []
    while left and len(chosen) < limit:
        best = max(left, key=lambda at: ((1 - diversity) * worth[at] - diversity * likeness[at], -at))
        left.remove(best)
        chosen.append(best)
        for at in left:
            likeness[at] = max(likeness[at], _cosine(terms[at], terms[best]))
    return [*(hits[at] for at in chosen), *behind][:limit]


class _Kept:
    """A hit that others may be copies of, with what tells it: made when first asked for, since most pairs differ at once."""

    def __init__(self, hit: Hit) -> None:
        self.hit = hit
        self.copies: list[Copy] = []
        self.source, self.length = hit.source.id, len(hit.chunk.text)
        self.lexical = place.score if (place := hit.why.get("lexical")) else None

    @cached_property
    def text(self) -> str:
        """Without case."""
        return self.hit.chunk.text.casefold()

    @cached_property
    def runs(self) -> set[tuple[str, ...]]:
        """Of words; of a text of few words, the whole of it."""
        words = _WORD.findall(self.text)
        return set(zip(*(words[at:] for at in range(_RUN)), strict=False)) if len(words) >= 4 * _RUN else {tuple(words)}

    @cached_property
    def probes(self) -> list[str]:
        """Pieces of the text, one of which any copy has, without the white space around them."""
        places = (len(self.text) * share // (_PROBES + 1) for share in range(1, _PROBES + 1))
        return [self.text[at : at + _PROBE_CHARS].strip() for at in places]

    def marks(self) -> list[int]:
        """The least hashes of the runs: texts that share nine tenths of their runs nearly always share one of these.

        Source: Broder, On the Resemblance and Containment of Documents (1997).
        """
        return heapq.nsmallest(_MARKS, (zlib.crc32(" ".join(run).encode()) for run in self.runs))

    def near(self, others: Iterable[_Kept]) -> Iterator[_Kept]:
        """Those of other documents with nearly the length and the score."""
        source, (low, high) = self.source, _range(self.length)
        scores = None if self.lexical is None else _range(self.lexical)
        for other in others:
            if low <= other.length <= high and other.source != source:
                score = other.lexical
                if scores is None or score is None or scores[0] <= score <= scores[1]:
                    yield other

    def is_copy_of(self, other: _Kept) -> bool:
        """Whether two texts are the same but for a tenth of their runs of words; most pairs are told apart by a few probes."""
        text = other.text
        if self.text == text:
            return True
        if not any(map(text.__contains__, self.probes)):
            return False
        return len(self.runs & other.runs) >= _ALIKE * max(len(self.runs), len(other.runs), 1)


def _range(value: float) -> tuple[float, float]:
    """All numbers that differ from it by no more than the share of the greater."""
    return (1 - _NEAR) * value, value / (1 - _NEAR)


def _cosine(one: Indices, other: Indices) -> float:
    if not len(one) or not len(other):
        return 0.0
    return len(np.intersect1d(one, other, assume_unique=True)) / float(np.sqrt(len(one) * len(other)))
