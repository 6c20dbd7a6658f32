"""Hits come with what belongs to them: neighbours, section, document; class and imports, captions, what was said."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from qdrant_client import QdrantClient
from tests.retrieval.shelf import Stepping, source

from phidex.ingest.records import Chunk, LineLocator, Locator, Modality, PageLocator, Source, TimeLocator
from phidex.retrieval.collection import Collection
from phidex.retrieval.expand import Expand, expand
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.server import ServerStore

MANUAL, OTHER, CODE, FILM = source("manual"), source("other"), source("code.py"), source("film")


def chunk(of: Source, order: int, text: str, *heading: str, **fields: Any) -> Chunk:
    place: Locator = fields.pop("locator", PageLocator(order + 1))
    modality: Modality = fields.pop("modality", "text")
    identity = str(uuid.uuid5(uuid.UUID(of.id), f"{order} {text}"))
    return Chunk(identity, of.id, place, text, modality, "en", order, heading, 10, **fields)


PAGES = [
    chunk(MANUAL, 0, "cover"),
    chunk(MANUAL, 1, "intro one", "Intro"),
    chunk(MANUAL, 2, "intro two", "Intro"),
    chunk(MANUAL, 3, "pump one", "Pump"),
    chunk(MANUAL, 4, "Table 1: Speeds", "Pump"),
    chunk(MANUAL, 5, "| rpm | 300 |", "Pump", modality="table"),
    chunk(MANUAL, 6, "pump parts", "Pump", "Parts"),
    chunk(MANUAL, 7, "intro again", "Intro"),
]
NOTES = [chunk(OTHER, order, f"note {order}") for order in range(5)]


def part(order: int, symbol: str, text: str) -> Chunk:
    return chunk(CODE, order, text, symbol, symbol=symbol, modality="code", locator=LineLocator("code.py", order, order))


LINES = [
    chunk(CODE, 0, "import os", modality="code", locator=LineLocator("code.py", 0, 0)),
    part(1, "Store", "class Store:"),
    part(2, "Store.open", "def open"),
    part(3, "Store.close", "def close, one"),
    part(4, "Store.close", "def close, two"),
    part(5, "other", "def other"),
]


def moment(order: int, modality: Modality, start_s: float) -> Chunk:
    return chunk(FILM, order, f"{modality} {start_s:g}", modality=modality, locator=TimeLocator(start_s, start_s + 5))


SHOW = [moment(order, "speech", 20.0 * order) for order in range(6)] + [moment(6, "frame", 61.0)]


@pytest.fixture(scope="module")
def collection() -> Collection:
    made = Collection.create(ServerStore(client=QdrantClient(":memory:")), "x", lambda: None)
    for of, chunks in ((MANUAL, PAGES), (OTHER, NOTES), (CODE, LINES), (FILM, SHOW)):
        made.replace(of, "v", chunks)
    return made


def hits(*chunks: Chunk) -> list[Hit]:
    owners = {of.id: of for of in (MANUAL, OTHER, CODE, FILM)}
    return [Hit(one, owners[one.source_id], 1.0 / rank, {"lexical": LegRank(rank, 9.0)}) for rank, one in enumerate(chunks, 1)]


def added(collection: Collection, how: Expand, *chunks: Chunk, **named: int) -> list[tuple[str, str]]:
    """Relation and text of what is added, in order."""
    before = hits(*chunks)
    after = expand(before, collection, how=how, **{"budget_tokens": 4000, **named})  # pyright: ignore[reportArgumentType]
    assert after[: len(before)] == before
    assert all(one.score >= two.score for one, two in pairwise(after))
    assert len({hit.chunk.id for hit in after}) == len(after)
    return [(next(iter(hit.why)), hit.chunk.text) for hit in after[len(before) :]]


def test_neighbours(collection: Collection) -> None:
    assert added(collection, "neighbours", PAGES[2]) == [("neighbour", "intro one"), ("neighbour", "pump one")]
    assert added(collection, "neighbours", PAGES[0]) == [("neighbour", "intro one")]
    assert added(collection, "neighbours", NOTES[2], reach=2) == [
        ("neighbour", "note 1"),
        ("neighbour", "note 3"),
        ("neighbour", "note 0"),
        ("neighbour", "note 4"),
    ]


def test_what_is_near_the_best_hit_comes_first_and_says_to_which_it_belongs(collection: Collection) -> None:
    after = expand(hits(NOTES[4], PAGES[0]), collection, how="neighbours")[2:]
    assert [(hit.chunk.text, hit.why) for hit in after] == [
        ("note 3", {"neighbour": LegRank(1, 1.0)}),
        ("intro one", {"neighbour": LegRank(2, 1.0)}),
    ]


def test_only_the_best_hits_are_expanded_and_a_lower_one_that_belongs_to_them_moves_up(collection: Collection) -> None:
    before = hits(NOTES[2], PAGES[0], NOTES[3], NOTES[0])
    after = expand(before, collection, how="neighbours", leading=1)
    assert [hit.chunk.text for hit in after] == ["note 2", "note 1", "note 3", "cover", "note 0"]
    assert after[2].why == {"lexical": LegRank(3, 9.0), "neighbour": LegRank(1, 1.0)}
    assert [hit.score for hit in after] == sorted({hit.score for hit in after}, reverse=True)


def test_a_section_reaches_as_far_as_its_heading(collection: Collection) -> None:
    assert added(collection, "section", PAGES[3]) == [
        ("section", "Table 1: Speeds"),
        ("section", "| rpm | 300 |"),
        ("section", "pump parts"),
    ]
    assert added(collection, "section", PAGES[7]) == []
    assert added(collection, "section", PAGES[0]) == [("neighbour", "intro one")]


def test_a_document_that_fits_comes_whole(collection: Collection) -> None:
    assert [text for _, text in added(collection, "document", NOTES[2])] == ["note 0", "note 1", "note 3", "note 4"]
    some = added(collection, "document", PAGES[3], NOTES[2], budget_tokens=60)
    assert ("document", "note 0") in some
    assert ("section", "Table 1: Speeds") in some
    assert not any(relation == "document" and "intro" in text for relation, text in some)


def test_nothing_exceeds_its_budget(collection: Collection) -> None:
    assert len(added(collection, "section", PAGES[3], budget_tokens=25)) == 2
    assert added(collection, "section", PAGES[3], budget_tokens=9) == []
    assert added(collection, "off", PAGES[3]) == []
    assert expand([], collection, how="document") == []


def test_a_function_comes_with_its_class_and_imports(collection: Collection) -> None:
    found = added(collection, "neighbours", LINES[4], reach=0)
    assert found == [("class", "class Store:"), ("imports", "import os"), ("symbol", "def close, one")]
    assert added(collection, "neighbours", LINES[5], reach=0) == [("imports", "import os")]


def test_a_table_comes_with_its_caption(collection: Collection) -> None:
    assert added(collection, "neighbours", PAGES[5])[0] == ("caption", "Table 1: Speeds")


def test_a_frame_comes_with_what_was_said(collection: Collection) -> None:
    assert added(collection, "neighbours", SHOW[6], reach=0) == [("said", "speech 60"), ("said", "speech 80")]


def test_requests_do_not_grow_with_the_hits(collection: Collection) -> None:
    def requests(chunks: Sequence[Chunk]) -> int:
        asked: list[str] = []
        watched = Collection(Stepping(collection.store, asked.append), "x", collection.meta)  # type: ignore[arg-type]
        expand(hits(*chunks), watched, how="section")
        return len(asked)

    assert requests([PAGES[3], PAGES[1], NOTES[0], NOTES[1], NOTES[4]]) == requests([PAGES[3], NOTES[1]])


def test_a_version_that_is_being_written_is_not_seen() -> None:
    made = Collection.create(ServerStore(client=QdrantClient(":memory:")), "x", lambda: None)
    made.replace(OTHER, "v1", NOTES)

    def broken() -> Any:
        yield from [replace(one, id=str(uuid.uuid5(uuid.UUID(one.id), "new")), text=f"new {one.order}") for one in NOTES]
        assert added(made, "neighbours", NOTES[2]) == [("neighbour", "note 1"), ("neighbour", "note 3")]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        made.replace(OTHER, "v2", broken())
    assert added(made, "document", NOTES[2])[0] == ("document", "note 0")
