"""Two ranked lists -> one, weighted by how sure the lexical leg is.

Each leg's scores are scaled to [0, 1] over its candidates. The lexical leg counts `2 * spread**2` against the dense leg's 1,
where spread is how far its best score stands above its twentieth: high when the question uses the document's words, low when
people reword and every passage matches a little. Chosen by measurement among rank fusion and fixed weights (eval/LOG.md): fixed
weights lose the dense leg's finds on reworded questions or the lexical leg's on literal ones; this keeps both.

A list holds any keys that can be compared, each with its score, best first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_SPREAD_RANK = 20
_LEXICAL_WEIGHT = 2.0

K = TypeVar("K", int, str)
Ranked = Sequence[tuple[K, float]]


def fuse(lexical: Ranked[K], dense: Ranked[K], limit: int) -> list[tuple[K, float]]:
    """The best of both lists as one, scores in [0, 3]; with one list empty, the other with scores in [0, 1].

    >>> [key for key, _ in fuse([("a", 9.0), ("b", 1.0)], [("b", 0.5), ("c", 0.4)], 10)]
    ['a', 'b', 'c']
    """
    total = dict(_scaled(dense, 1.0))
    for key, value in _scaled(lexical, _LEXICAL_WEIGHT * spread(lexical) ** 2 if dense else 1.0):
        total[key] = total.get(key, 0.0) + value
    least = sorted(total.values(), reverse=True)[:limit][-1] if total else 0.0
    best = sorted([(-score, key) for key, score in total.items() if score >= least])
    return [(key, -score) for score, key in best[:limit]]


def spread(hits: Ranked[K]) -> float:
    """How far the best score stands above the twentieth, as a share of it, in [0, 1].

    >>> spread([("a", 10.0), *((str(i), 4.0) for i in range(30))])
    0.6
    """
    if not hits or hits[0][1] <= 0:
        return 0.0
    last = min(len(hits), _SPREAD_RANK)  # a short list, of a small collection, would have gone on falling
    twentieth = hits[last - 1][1] * last / _SPREAD_RANK
    return 1.0 - twentieth / hits[0][1]


def _scaled(hits: Ranked[K], weight: float) -> list[tuple[K, float]]:
    """Scores from `weight` for the best down to nearly 0 for the last, so that being found at all counts for something."""
    if not hits:
        return []
    worst = hits[-1][1]
    span = hits[0][1] - worst
    if span <= 0:
        return [(key, weight) for key, _ in hits]
    base, slope = 0.001 * weight, 0.999 * weight / span
    return [(key, base + slope * (score - worst)) for key, score in hits]
