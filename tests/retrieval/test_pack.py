"""Packing: the budget holds, nothing comes twice, and the ledger tells all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import BudgetError
from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.retrieval.count import estimate_tokens, load_counter
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, pack_context, renumber

SOURCES = {
    name: Source(name, f"file:///{name}.pdf", "pdf", name.upper(), "0" * 64, "en", "application/pdf", 9)
    for name in ("a", "b", "c")
}


def hit(source: str, order: int, text: str = "", score: float = 1.0) -> Hit:
    text = text or f"Passage {order} of {source}. " * 5
    chunk = Chunk(f"{source}-{order}", source, PageLocator(order + 1), text, "text", "en", order, ("Part",))
    return Hit(chunk, SOURCES[source], score, {})


def pack(*hits: Hit, budget: int = 2000, reserve: int = 100, prompt: int = 50) -> Context:
    return pack_context(hits, budget_tokens=budget, reserve_tokens=reserve, prompt_tokens=prompt, count=load_counter(None))


hits = st.lists(
    st.builds(hit, st.sampled_from(list(SOURCES)), st.integers(0, 20), st.text(max_size=80)),
    max_size=25,
    unique_by=lambda h: h.chunk.id,
)


@given(hits, st.integers(256, 4000))
def test_the_budget_holds_and_every_hit_is_accounted_for(found: list[Hit], budget: int) -> None:
    context = pack(*found, budget=budget)
    ledger = context.ledger
    assert ledger.free_tokens >= 0
    assert ledger.context_tokens == sum(block.tokens for block in context.blocks)
    assert [entry.chunk_id for entry in ledger.entries] == [h.chunk.id for h in found]
    packed = {chunk.id for block in context.blocks for chunk in block.chunks}
    assert packed == {entry.chunk_id for entry in ledger.entries if entry.status == "packed"}
    rendered = sum(estimate_tokens(f"{block.header}\n{block.text}\n") for block in context.blocks)
    assert rendered <= ledger.context_tokens


@given(hits)
def test_markers_run_from_one_and_sources_keep_document_order(found: list[Hit]) -> None:
    context = pack(*found, budget=30_000)
    assert [block.marker for block in context.blocks] == list(range(1, len(context.blocks) + 1))
    for source in SOURCES:
        orders = [chunk.order for block in context.blocks if block.source.id == source for chunk in block.chunks]
        assert orders == sorted(orders)


def test_neighbours_become_one_block() -> None:
    context = pack(hit("a", 3), hit("b", 7), hit("a", 4), hit("a", 9))
    assert [[chunk.id for chunk in block.chunks] for block in context.blocks] == [["a-3", "a-4"], ["a-9"], ["b-7"]]
    assert context.blocks[0].header == "A | p. 4 to p. 5 | Part"


def test_equal_texts_count_once() -> None:
    context = pack(hit("a", 1, "The same  words."), hit("b", 1, "The same words."))
    assert [entry.status for entry in context.ledger.entries] == ["packed", "duplicate"]


def test_a_hit_that_does_not_fit_leaves_room_for_a_smaller_one() -> None:
    context = pack(hit("a", 1), hit("b", 1, "long words " * 400), hit("c", 1), budget=400)
    assert [entry.status for entry in context.ledger.entries] == ["packed", "budget", "packed"]


def test_a_question_over_the_budget_is_an_error() -> None:
    with pytest.raises(BudgetError, match="exceed the budget"):
        pack(budget=256, reserve=200, prompt=100)


def test_renumbering_keeps_blocks_and_ledger_together() -> None:
    context = pack(hit("a", 1), hit("b", 1), hit("c", 1))
    moved = renumber(context, [3])
    assert [block.source.id for block in moved.blocks] == ["c", "a", "b"]
    assert {entry.source_id: entry.marker for entry in moved.ledger.entries} == {"c": 1, "a": 2, "b": 3}
    assert moved.block(1) is moved.blocks[0]
    assert moved.block(4) is None


def test_the_ledger_is_json_ready() -> None:
    ledger = pack(hit("a", 1)).ledger.to_dict()
    assert ledger["packed"][0]["place"] == "A, p. 2"
    assert ledger["left_out"] == []
