"""Hits that say the same: copies in other documents become one hit that names them all; the rest may be spread on request.

A copy is text of another document of which nine tenths of the three-word runs are the same: a page that a translation left as
it was, the same file in two folders. Only hits of nearly equal length and lexical score are compared, which keeps it cheap.
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace

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
    kept: list[Hit] = []
    plain: dict[str, str] = {}

    def text_of(hit: Hit) -> str:
        found = plain.get(hit.chunk.id)
        if found is None:
            found = plain[hit.chunk.id] = " ".join(hit.chunk.text.split()).casefold()
        return found

    places: dict[int, list[int]] = {}  # of kept hits, by the marks of their texts; only of many hits
    for hit in hits:
        marks = _marks(text_of(hit)) if len(hits) > _MANY else []
        near = sorted({at for mark in marks for at in places.get(mark, ())}) if marks else range(len(kept))
        same = (at for at in near if _may_be_copy(hit, kept[at]) and _is_copy(text_of(hit), text_of(kept[at])))
        at = next(same, None)
        if at is None:
            for mark in marks:
                if len(places.setdefault(mark, [])) < _MOST_OF_A_MARK:  # what more texts share is a header, and tells no copy
                    places[mark].append(len(kept))
            kept.append(hit)
        else:
            kept[at] = replace(kept[at], also=(*kept[at].also, Copy(hit.source, hit.chunk.locator)))
    return kept


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


def _may_be_copy(one: Hit, other: Hit) -> bool:
    """What costs nothing to ask."""
    if one.source.id == other.source.id or not _near(len(one.chunk.text), len(other.chunk.text)):
        return False
    mine, yours = one.why.get("lexical"), other.why.get("lexical")
    return mine is None or yours is None or _near(mine.score, yours.score)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _NEAR * max(one, other)


def _is_copy(one: str, other: str) -> bool:
    """Whether two texts are the same but for a tenth of their runs of words; most pairs are told apart by a few probes."""
    if one == other:
        return True
    probes = (len(one) * share // (_PROBES + 1) for share in range(1, _PROBES + 1))
    if not any(one[at : at + _PROBE_CHARS] in other for at in probes):
        return False
    mine, yours = _runs(one), _runs(other)
    return len(mine & yours) >= _ALIKE * max(len(mine), len(yours), 1)


def _runs(text: str) -> set[tuple[str, ...]]:
    """Runs of words; of a text of few words, the whole of it."""
    words = _WORD.findall(text)
    if len(words) < 4 * _RUN:
        return {tuple(words)}
    return {tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)}


def _marks(text: str) -> list[int]:
    """The least hashes of a text's runs: texts that share nine tenths of their runs nearly always share one of these.

    Source: Broder, On the Resemblance and Containment of Documents (1997).
    """
    return heapq.nsmallest(_MARKS, (zlib.crc32(" ".join(run).encode()) for run in _runs(text)))


def _cosine(one: Indices, other: Indices) -> float:
    if not len(one) or not len(other):
        return 0.0
    return len(np.intersect1d(one, other, assume_unique=True)) / float(np.sqrt(len(one) * len(other)))
