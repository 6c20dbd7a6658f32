"""Ranks of right answers -> recall@k and MRR@k. What counts as right is the benchmark's affair."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

Rank = int | None
"""The place of the first right answer, from 1; None where there is none."""


def first_rank(ranked: Iterable[str], gold: Collection[str]) -> Rank:
    """The place of the first of `ranked` that is in `gold`.

    >>> first_rank(["b", "a"], {"a"}), first_rank(["b"], {"a"})
    (2, None)
    """
    return next((rank for rank, name in enumerate(ranked, 1) if name in gold), None)


def distinct(ranked: Iterable[str]) -> list[str]:
    """Each name once, at its first place.

    >>> distinct(["a", "b", "a", "c"])
    ['a', 'b', 'c']
    """
    return list(dict.fromkeys(ranked))


def recall_at(ranks: Sequence[Rank], limit: int) -> float:
    """The share of questions with a right answer among the first `limit`.

    >>> recall_at([1, 7, None, 2], 5)
    0.5
    """
    return sum(rank is not None and rank <= limit for rank in ranks) / len(ranks) if ranks else 0.0


def mrr_at(ranks: Sequence[Rank], limit: int) -> float:
    """The mean of 1/rank, counting ranks beyond `limit` as 0.

    Source: Voorhees, The TREC-8 Question Answering Track Report (1999).

    >>> mrr_at([1, 2, None, 20], 10)
    0.375
    """
    return sum(1 / rank for rank in ranks if rank is not None and rank <= limit) / len(ranks) if ranks else 0.0


def scores(ranks: Sequence[Rank]) -> list[float]:
    """Recall@1, @5, @10 and MRR@10: the columns of every ranking table (`SCORES`)."""
    return [*(recall_at(ranks, limit) for limit in (1, 5, 10)), mrr_at(ranks, 10)]


SCORES = ("recall@1", "recall@5", "recall@10", "MRR@10")
