"""What goes into a context beside the best: shares for languages and sources, orders, running text, the account."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.ingest.records import Chunk, Modality, PageLocator, Source
from phidex.retrieval.context.block import running_text
from phidex.retrieval.context.place import Order
from phidex.retrieval.count import load_counter
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock, pack_context

ORDERS: tuple[Order, ...] = get_args(Order)


def chunk(
    text: str,
    order: int = 0,
    *,
    source: str = "a",
    language: str = "en",
    heading: tuple[str, ...] = (),
    modality: Modality = "text",
) -> Chunk:
    return Chunk(f"{source}-{order}", source, PageLocator(order + 1), text, modality, language, order, heading)


def hit(source: str, order: int, *, language: str = "en", text: str = "") -> Hit:
    found = Source(source, f"file:///{source}.pdf", "pdf", source.upper(), "0" * 64, language, "application/pdf", 9)
    return Hit(chunk(text or f"Passage {order} of {source}. " * 5, order, source=source, language=language), found, 1.0, {})


def pack(hits: list[Hit], budget: int = 2_000, *, order: Order = "document", quota: float = 0.0) -> Context:
    return pack_context(
        hits, budget_tokens=budget, reserve_tokens=100, prompt_tokens=50, count=load_counter(None), order=order, quota=quota
    )


def mixed() -> list[Hit]:
    """A collection in which English and one manual lead by far; eleven other languages, each a source, stand behind it."""
    many = [hit("manual", 3 * at) for at in range(300)]
    few = [
        hit(f"other-{language}", 3 * at, language=language)
        for at in range(20)
        for language in ("ar", "de", "es", "fr", "hi", "it", "ja", "ko", "ru", "tr", "zh")
    ]
    return [*many[:150], *[one for pair in zip(many[150:], [*few, *few], strict=False) for one in pair]]


def test_without_shares_the_strongest_language_takes_all() -> None:
    assert [share.name for share in pack(mixed(), 5_000).ledger.by_language()] == ["en"]


def test_with_shares_no_language_and_no_source_starves() -> None:
    context = pack(mixed(), 10_000, quota=0.25)
    languages = {share.name: share.share for share in context.ledger.by_language()}
    assert len(languages) == 12
    assert languages["en"] > 0.5  # most of the room still goes by score
    assert min(languages.values()) > 0.01
    assert len(context.ledger.by_source()) == 12
    whys = Counter(entry.why for entry in context.ledger.entries if entry.status == "packed")
    assert whys["quota"] > 0
    assert whys["score"] > whys["quota"] / 2
    assert context.ledger.free_tokens >= 0
    assert context.ledger.counts()["quota"] > 0  # who gave way for them is told


def test_one_language_and_source_is_not_held_back() -> None:
    hits = [hit("a", 2 * at) for at in range(100)]
    with_shares, without = pack(hits, quota=0.5), pack(hits)
    assert [block.chunks for block in with_shares.blocks] == [block.chunks for block in without.blocks]


hits_in_all_orders = st.lists(
    st.builds(hit, st.sampled_from("abcd"), st.integers(0, 12)), max_size=30, unique_by=lambda one: one.chunk.id
)


@given(hits_in_all_orders, st.integers(300, 3_000))
def test_orders_change_neither_the_set_nor_its_tokens(found: list[Hit], budget: int) -> None:
    contexts = [pack(found, budget, order=order) for order in ORDERS]
    sets = [sorted([chunk.id for chunk in block.chunks] for block in context.blocks) for context in contexts]
    assert all(one == sets[0] for one in sets)
    assert len({context.ledger.context_tokens for context in contexts}) == 1
    for context in contexts:
        assert [block.marker for block in context.blocks] == list(range(1, len(context.blocks) + 1))


def test_each_order_is_what_it_says() -> None:
    hits = [hit("c", 0), hit("a", 9), hit("b", 0), hit("a", 0), hit("d", 0)]
    first = {order: [block.chunks[0].id for block in pack(hits, order=order).blocks] for order in ORDERS}
    assert first["rank"] == ["c-0", "a-9", "b-0", "a-0", "d-0"]
    assert first["reverse"] == first["rank"][::-1]
    assert first["document"] == ["a-0", "a-9", "b-0", "c-0", "d-0"]
    assert first["edges"] == ["c-0", "b-0", "d-0", "a-0", "a-9"]


@given(hits_in_all_orders, st.randoms())
def test_the_canonical_order_does_not_depend_on_the_ranks(found: list[Hit], chance: random.Random) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)
    one, other = ([(block.marker, block.chunks) for block in pack(hits, 50_000).blocks] for hits in (found, shuffled))
    assert one == other


def test_neighbours_run_on_without_what_they_share() -> None:
    text = running_text(
        [chunk("The harbour was rebuilt after the storm.", 0), chunk("rebuilt after the storm. It took a year.", 1)]
    )
    assert text == "The harbour was rebuilt after the storm.\n It took a year."


def test_a_table_in_parts_shows_its_header_once() -> None:
    head = "Table 3\n\n| place | depth |\n|---|---|\n"
    parts = [chunk(f"{head}| east | 3 |", 0, modality="table"), chunk(f"{head}| west | 4 |", 1, modality="table")]
    assert running_text(parts) == f"{head}| east | 3 |\n| west | 4 |"


def test_new_sections_bring_their_titles_once() -> None:
    parts = [
        chunk("One.", 0, heading=("Book", "First")),
        chunk("Two.", 1, heading=("Book", "First")),
        chunk("Three.", 2, heading=("Book", "Second")),
        chunk("Third\nFour.", 3, heading=("Book", "Third")),
    ]
    assert running_text(parts) == "One.\nTwo.\n## Second\nThree.\nThird\nFour."


def test_a_chapter_becomes_several_blocks() -> None:
    context = pack([hit("a", at, text=f"Passage {at} is long. " * 60) for at in range(20)], 30_000)
    assert [chunk.order for block in context.blocks for chunk in block.chunks] == list(range(20))
    assert len(context.blocks) > 3
    assert max(len(block.text) for block in context.blocks) < 4 * 1_200 + 100


def test_a_text_inside_its_neighbour_is_left_out() -> None:
    whole = "The harbour was rebuilt after the storm of 1953 by the town. It took a year."
    context = pack([hit("a", 4, text=whole), hit("a", 5, text="It took a year."), hit("b", 5, text="It took a year!")])
    assert [entry.status for entry in context.ledger.entries] == ["packed", "overlap", "packed"]


def test_the_whole_prompts_count_has_the_last_word() -> None:
    hits = [hit("a", 2 * at) for at in range(40)]
    measured: list[int] = []

    def measure(blocks: Sequence[PackedBlock]) -> int:
        tokens = 50 + sum(3 * block.tokens for block in blocks)  # pieces said a third of it
        measured.append(tokens)
        return tokens

    context = pack_context(
        hits, budget_tokens=2_000, reserve_tokens=100, prompt_tokens=50, count=load_counter(None), measure=measure
    )
    assert measured[-1] + 100 <= 2_000
    assert measured[-1] > 1_600  # and no more falls out than must
    assert context.ledger.context_tokens == measured[-1] - 50
    packed = [entry.chunk_id for entry in context.ledger.entries if entry.status == "packed"]
    assert packed == [one.chunk.id for one in hits[: len(packed)]]  # the weakest fell out


def test_room_that_the_pieces_overstated_is_used() -> None:
    hits = [hit("a", 2 * at) for at in range(100)]

    def measure(blocks: Sequence[PackedBlock]) -> int:
        return 50 + sum(block.tokens // 2 for block in blocks)

    context = pack_context(
        hits, budget_tokens=2_000, reserve_tokens=100, prompt_tokens=50, count=load_counter(None), measure=measure
    )
    assert context.ledger.context_tokens > 1_300


def test_the_account_as_json_and_in_a_line() -> None:
    hits = [*mixed()[:200], hit("manual", 0), hit("copy", 1, text=mixed()[0].chunk.text)]
    ledger = pack(hits, 3_000, quota=0.25).ledger
    data = json.loads(json.dumps(ledger.to_dict()))
    assert {"by_source", "by_language", "packed", "left_out", "reserve_tokens", "summary", "counts"} <= set(data)
    assert sum(share["share"] for share in data["by_language"]) == pytest.approx(1, abs=0.01)
    assert sum(share["tokens"] for share in data["by_source"]) == sum(entry["tokens"] for entry in data["packed"])
    assert len(data["packed"]) + len(data["left_out"]) == len(ledger.entries) == 201  # the same hit twice counts once
    assert all(entry["why"] for entry in data["packed"])
    assert all(entry["status"] in ("duplicate", "budget", "quota", "overlap") for entry in data["left_out"])
    assert "(100 kept for the answer)" in data["summary"]
    assert "1 duplicate" in data["summary"]
    assert "\n" not in data["summary"]
