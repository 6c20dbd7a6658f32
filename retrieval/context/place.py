"""Chosen passages -> blocks, and the order in which a model reads them. The order changes neither the set nor its cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Literal

from phidex.ingest.records import Chunk
from phidex.retrieval.context.block import PackedBlock
from phidex.retrieval.hit import Hit

Order = Literal["document", "rank", "edges", "reverse"]
"""document: by source and place, the same for every question; rank: best first; edges: best first and last, the weakest in the
middle; reverse: best last."""

Number = Callable[[Sequence[Chunk]], int]
"""The marker of a block, by its chunks; called once a block, in the order of the blocks."""


def from_one() -> Number:
    """Markers 1, 2, 3 … in the order of the blocks."""
    numbers = count(1)
    return lambda _: next(numbers)


_BLOCK_TOKENS = 1_200  # of the chunker; a longer run is cut: a marker should lead to a place, not to a chapter


@dataclass(frozen=True, slots=True)
class _Group:
    hits: tuple[Hit, ...]
    rank: int  # of its best hit


def canonical(hit: Hit) -> tuple[str, str, int]:
    """What places are sorted by, whatever the question: source, then position in it."""
    return hit.source.uri, hit.source.id, hit.chunk.order


def place_blocks(taken: Sequence[Hit], costs: Mapping[str, int], order: Order, number: Number) -> tuple[PackedBlock, ...]:
    """The blocks of chosen hits, in the order asked for.

    Args:
        taken: best first.
        costs: tokens by chunk id.
    """
    ranks = {hit.chunk.id: rank for rank, hit in enumerate(taken)}
    groups = [_Group(tuple(run), min(ranks[hit.chunk.id] for hit in run)) for run in _runs(sorted(taken, key=canonical))]
    return tuple(
        PackedBlock(
            number([hit.chunk for hit in group.hits]),
            group.hits[0].source,
            tuple(hit.chunk for hit in group.hits),
            sum(costs[hit.chunk.id] for hit in group.hits),
        )
        for group in _arranged(groups, order)
    )


def _runs(hits: Sequence[Hit]) -> Iterator[list[Hit]]:
    """Neighbours of one source, up to the length of a block: cut by their own lengths alone, alike for every question."""
    for _, of_source in groupby(hits, key=lambda hit: hit.source.id):
        run: list[Hit] = []
        tokens = 0
        for hit in of_source:
            cost = hit.chunk.token_count or len(hit.chunk.text) // 4
            if run and (hit.chunk.order != run[-1].chunk.order + 1 or tokens + cost > _BLOCK_TOKENS):
                yield run
                run, tokens = [], 0
            run.append(hit)
            tokens += cost
        yield run


def _arranged(groups: Sequence[_Group], order: Order) -> Sequence[_Group]:
    ranked = sorted(groups, key=lambda group: group.rank)
    match order:
        case "document":
            return groups
        case "rank":
            return ranked
        case "reverse":
            return ranked[::-1]
        case "edges":
            return [*ranked[::2], *ranked[1::2][::-1]]
