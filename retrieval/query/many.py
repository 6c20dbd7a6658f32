"""One question searched in several wordings (its parts, translations, guessed answers), and their hits fused into one list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from phidex.retrieval.hit import Hit, LegRank

_K = 2.0  # as small as in the fusion of legs: the first of a list counts for much more than its tenth


def fuse_lists(lists: Sequence[Sequence[Hit]], limit: int, *, weights: Sequence[float] | None = None) -> list[Hit]:
    """The best `limit` hits of several searches by reciprocal rank, best first.

    A hit's reasons are those of the list where it stands best, and in which lists it stands: "question" for the first, then
    "wording 2" and so on, with its rank and score there. A single list stays as it is.

    Args:
        lists: best first; that of the question itself before the others.
        weights: what each list counts; default: all the same.

    Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion (SIGIR 2009), with a smaller k.
    """
    if len(lists) == 1:
        return list(lists[0][:limit])
    shares = weights or [1.0] * len(lists)
    scores: dict[str, float] = {}
    best: dict[str, tuple[int, Hit]] = {}
    places: dict[str, dict[str, LegRank]] = {}
    for number, (hits, weight) in enumerate(zip(lists, shares, strict=True), 1):
        name = "question" if number == 1 else f"wording {number}"
        for rank, hit in enumerate(hits, 1):
            identity = hit.chunk.id
            if name in places.setdefault(identity, {}):
                continue
            scores[identity] = scores.get(identity, 0.0) + weight / (_K + rank)
            places[identity][name] = LegRank(rank, hit.score)
            if identity not in best or rank < best[identity][0]:
                best[identity] = (rank, hit)
    order = sorted(scores, key=lambda identity: (-scores[identity], best[identity][0]))
    return [
        replace(best[identity][1], score=scores[identity], why={**best[identity][1].why, **places[identity]})
        for identity in order[:limit]
    ]


def interleave(lists: Sequence[Sequence[Hit]], limit: int) -> list[Hit]:
    """The best of each list in turn, each hit once: for the parts of a question, each of which must be answered.

    A hit found for two parts would otherwise push out the only evidence of a third.
    """
    taken: dict[str, Hit] = {}
    depth = max((len(hits) for hits in lists), default=0)
    for rank in range(depth):
        for number, hits in enumerate(lists, 1):
            if rank < len(hits) and hits[rank].chunk.id not in taken and len(taken) < limit:
                hit = hits[rank]
                why = {**hit.why, f"part {number}": LegRank(rank + 1, hit.score)}
                taken[hit.chunk.id] = replace(hit, score=1.0 / (len(taken) + 1), why=why)
    return list(taken.values())


def search_many(
    ask: Callable[[str], Sequence[Hit]], question: str, *, wordings: Sequence[str] = (), parts: Sequence[str] = (), limit: int
) -> list[Hit]:
    """The best hits for a question, its other wordings and its parts, best first.

    Args:
        ask: searches one text; called once for each.
        wordings: other texts that ask for the same: their hits compete.
        parts: questions that must each be answered: their hits alternate with those of the whole.
    """
    others = [text for text in dict.fromkeys(wordings) if text != question]
    whole = fuse_lists([ask(question), *(ask(text) for text in others)], limit)
    apart = [ask(text) for text in dict.fromkeys(parts) if text != question]
    return interleave([whole, *apart], limit) if apart else whole
