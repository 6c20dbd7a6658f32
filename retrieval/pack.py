"""Hits -> the context that a model reads, within an exact token budget, with a ledger of what went in and what did not.

    hits --select--> chosen --place--> blocks --measure--> the prompt's own count; what is over falls out, weakest first

The parts are in `context/`; how blocks are written into a prompt, and who counts, is the caller's (`measure`, `count`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from phidex.errors import BudgetError
from phidex.retrieval.context.block import Context, PackedBlock, block_header, renumber, with_markers
from phidex.retrieval.context.ledger import Ledger, LedgerEntry
from phidex.retrieval.context.place import Number, Order, from_one, place_blocks
from phidex.retrieval.context.plan import MapPart, MapPlan
from phidex.retrieval.context.select import Selection, select_hits
from phidex.retrieval.count import CountEach
from phidex.retrieval.hit import Hit

__all__ = [
    "Context",
    "Ledger",
    "LedgerEntry",
    "MapPart",
    "MapPlan",
    "Measure",
    "Order",
    "PackedBlock",
    "block_header",
    "pack_context",
    "renumber",
    "with_markers",
]

_SPARE = 0.03  # of the room: what the sum over pieces may overstate before it is worth another look

Measure = Callable[[Sequence[PackedBlock]], int]
"""Blocks -> the tokens of the whole prompt that shows them."""


def pack_context(
    hits: Sequence[Hit],
    *,
    budget_tokens: int,
    reserve_tokens: int,
    prompt_tokens: int,
    count: CountEach,
    counted_by: str = "estimate",
    measure: Measure | None = None,
    room_tokens: int | None = None,
    history_tokens: int = 0,
    order: Order = "document",
    quota: float = 0.0,
    in_order: bool = False,
    numbers: Callable[[], Number] = from_one,
    sent: Mapping[str, int] | None = None,
) -> Context:
    """The context for a question.

    Args:
        hits: best first; with `in_order`, in document order.
        prompt_tokens: what everything but the context costs.
        count: weighs texts; the sum over pieces decides what is tried.
        measure: counts the whole rendered prompt: its word is final. Without it the sum over pieces is.
        room_tokens: an upper bound for the context, below what the budget leaves.
        history_tokens: of `prompt_tokens`, what earlier turns take.
        quota: see `select_hits`.
        in_order: all goes in until the first passage that does not fit.
        numbers: makes what gives blocks their markers, anew for each attempt; default: 1, 2, 3 in their order.
        sent: chunks that an earlier turn brought, with their markers; they are not sent again.

    Raises:
        BudgetError: question and reserve alone exceed the budget.
    """
    room = budget_tokens - reserve_tokens - prompt_tokens
    if room < 0:
        raise BudgetError(
            f"question ({prompt_tokens} tokens) and answer's reserve ({reserve_tokens}) exceed the budget of {budget_tokens}",
            hint="shorten the question, or raise PHIDEX_PACK__BUDGET_TOKENS",
        )
    before = sent or {}
    room = room if room_tokens is None else min(room, room_tokens)
    hits = list({hit.chunk.id: hit for hit in hits}.values())
    fresh = [hit for hit in hits if hit.chunk.id not in before]
    selection = select_hits(fresh, room, count, quota=quota, in_order=in_order)
    may_refill = True
    while True:
        blocks, tokens = place_blocks(selection.by_rank(), selection.costs, order, numbers()), selection.used
        if measure is None or not blocks:
            break
        tokens = max(0, measure(blocks) - prompt_tokens)  # of the whole, seams and fences included
        spare = room - tokens
        if spare < 0:
            selection.drop(max(1, -spare * selection.used // max(tokens, 1)))  # in tokens of the pieces
        elif may_refill and spare > room * _SPARE and "budget" in selection.status.values():
            may_refill = False
            selection = select_hits(fresh, room + spare, count, quota=quota, in_order=in_order)
        else:
            break
    markers = {chunk.id: block.marker for block in blocks for chunk in block.chunks}
    ledger = Ledger(
        budget_tokens,
        reserve_tokens,
        prompt_tokens,
        tokens,
        counted_by,
        _entries(hits, selection, markers, before),
        history_tokens,
    )
    return Context(blocks, ledger)


def _entries(
    hits: Sequence[Hit], selection: Selection, markers: Mapping[str, int], before: Mapping[str, int]
) -> tuple[LedgerEntry, ...]:
    return tuple(
        LedgerEntry(
            chunk_id=hit.chunk.id,
            source_id=hit.source.id,
            place=f"{hit.source.title}, {hit.chunk.locator}",
            tokens=selection.costs.get(hit.chunk.id, hit.chunk.token_count),
            status="sent" if hit.chunk.id in before else selection.status[hit.chunk.id],
            marker=before.get(hit.chunk.id, markers.get(hit.chunk.id, 0)),
            language=hit.chunk.language,
            source=hit.source.title,
            why=selection.why.get(hit.chunk.id, ""),
        )
        for hit in hits
    )
