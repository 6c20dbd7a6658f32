"""Two ranked lists -> one, weighted by how sure the lexical leg is.

Each leg's scores are scaled to [0, 1] over its candidates. The lexical leg counts `2 * spread**2` against the dense leg's 1,
where spread is how far its best score stands above its twentieth: high when the question uses the document's words, low when
people reword and every passage matches a little. Chosen by measurement among rank fusion and fixed weights (eval/LOG.md): fixed
weights lose the dense leg's finds on reworded questions or the lexical leg's on literal ones; this keeps both.
"""

from __future__ import annotations

from collections.abc import Sequence

from phidex.retrieval.store import Scored

_SPREAD_RANK = 20
_LEXICAL_WEIGHT = 2.0


def fuse(lexical: Sequence[Scored], dense: Sequence[Scored]) -> list[Scored]:
    """Both lists as one, best first, scores in [0, 3]; with one list empty, the other with scores in [0, 1].

    >>> [hit.id for hit in fuse([Scored("a", 9.0), Scored("b", 1.0)], [Scored("b", 0.5), Scored("c", 0.4)])]
    ['a', 'b', 'c']
    """
    weight = _LEXICAL_WEIGHT * spread(lexical) ** 2 if dense else 1.0
    total: dict[str, float] = {}
    for hits, share in ((lexical, weight), (dense, 1.0)):
        for hit_id, value in _scaled(hits):
            total[hit_id] = total.get(hit_id, 0.0) + share * value
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return [Scored(hit_id, score) for hit_id, score in ranked]


def spread(hits: Sequence[Scored]) -> float:
    """How far the best score stands above the twentieth, as a share of it, in [0, 1].

    >>> spread([Scored("a", 10.0), *(Scored(str(i), 4.0) for i in range(30))])
    0.6
    """
    if not hits or hits[0].score <= 0:
        return 0.0
    last = min(len(hits), _SPREAD_RANK)  # a short list, of a small collection, would have gone on falling
    twentieth = hits[last - 1].score * last / _SPREAD_RANK
    return 1.0 - twentieth / hits[0].score


def _scaled(hits: Sequence[Scored]) -> list[tuple[str, float]]:
    """Scores from 1 for the best down to nearly 0 for the last, so that being found at all counts for something."""
    if not hits:
        return []
    best, worst = hits[0].score, hits[-1].score
    span = best - worst
    return [(hit.id, 0.001 + 0.999 * ((hit.score - worst) / span if span > 0 else 1.0)) for hit in hits]
