"""Search and collections over the real engine, with a tiny embedder of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from phidex.errors import ConfigError, InputError, NotFoundError, ServiceError
from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.engines import open_store
from phidex.retrieval.filters import Filters, page_range
from phidex.retrieval.hit import LegRank
from phidex.retrieval.search import SearchOptions, search
from phidex.retrieval.store import Floats, Store, Where
from phidex.settings import StoreSettings

CONCEPTS = (("car", "automobile", "vehicle"), ("cat", "feline", "kitten"), ("rain", "drizzle", "shower"))


class Concepts:
    """An embedder that knows three ideas in English: words of one idea have one vector."""

    identity = EmbedderIdentity("concepts", 3, "0", ("en",))

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        self.embedded += texts
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Floats:
        vector = np.array([sum(word in text.lower() for word in idea) + 0.01 for idea in CONCEPTS], dtype=np.float32)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data", StoreSettings(idle_s=5))
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> Concepts:
    return Concepts()


@pytest.fixture
def collection(store: Store) -> Collection:
    return Collection.create(store, "default", lambda: Concepts.identity)


def source(name: str, language: str = "en", kind: str = "pdf", tags: tuple[str, ...] = ()) -> Source:
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    return Source(identity, f"file:///{name}", kind, name, "0" * 64, language, "x/y", 3, tags=tags)  # type: ignore[arg-type]


def chunks(of: Source, *texts: str, language: str | None = None) -> list[Chunk]:
    return [
        Chunk(
            id=str(uuid.uuid5(uuid.UUID(of.id), text)),
            source_id=of.id,
            locator=PageLocator(order + 1, ((1.5, 2.25, 3.1, 4.7),)),
            text=text,
            modality="text",
            language=language or of.language,
            order=order,
            heading=("Top",),
            token_count=len(text.split()),
        )
        for order, text in enumerate(texts)
    ]


def ids(found: Sequence[object]) -> list[str]:
    return [hit.chunk.text for hit in found]  # type: ignore[attr-defined]


def test_a_hit_carries_its_chunk_source_and_reasons(collection: Collection, embedder: Concepts) -> None:
    manual = source("manual.pdf")
    written = chunks(manual, "The automobile stands in the yard.", "A kitten sleeps.", "Drizzle all day.")
    assert collection.replace(manual, "v1", written) == 3
    assert collection.pending() == 3
    assert next(iter(search(collection, "kitten", embedder=embedder))).why.keys() == {"lexical"}
    assert collection.embed_pending(embedder) == 3
    assert collection.pending() == 0
    (first, *_) = search(collection, "Where is the car?", embedder=embedder)
    assert first.chunk == written[0]
    assert first.source == manual
    assert first.why["dense"].rank == 1
    assert first.to_dict()["locator"]["boxes"] == [[1.5, 2.25, 3.1, 4.7]]


def test_text_in_a_language_the_model_does_not_know_gets_no_vector(collection: Collection, embedder: Concepts) -> None:
    book = source("buch.pdf", "de")
    collection.replace(book, "v1", chunks(book, "Das Auto steht im Hof.", "Die Katze schläft."))
    assert collection.pending() == 0
    (first, *_) = search(collection, "Wo steht das Auto im Hof?", embedder=embedder)
    assert first.chunk.text.startswith("Das Auto")
    assert set(first.why) == {"lexical"}


def test_filters(collection: Collection, embedder: Concepts) -> None:
    for one in (source("a.pdf", tags=("x",)), source("b.md", "de", "markdown", ("y", "z"))):
        collection.replace(one, "v1", chunks(one, f"rain in {one.title}", f"more rain in {one.title}"))
    collection.embed_pending(embedder)

    def titles(**fields: object) -> set[str]:
        found = search(collection, "rain", embedder=embedder, filters=Filters(**fields))  # type: ignore[arg-type]
        return {hit.source.title for hit in found}

    assert titles() == {"a.pdf", "b.md"}
    assert titles(sources=(source("a.pdf").id,)) == {"a.pdf"}
    assert titles(kinds=("markdown",)) == {"b.md"}
    assert titles(languages=("de",)) == {"b.md"}
    assert titles(tags=("z", "q")) == {"b.md"}
    pages = search(collection, "rain", embedder=embedder, filters=Filters(pages=(2, 2)))
    assert {hit.chunk.order for hit in pages} == {1}


def test_a_new_version_keeps_vectors_and_ids_of_what_stays(collection: Collection, embedder: Concepts) -> None:
    manual = source("m.pdf")
    collection.replace(manual, "v1", chunks(manual, "car one", "cat two", "rain three"))
    collection.embed_pending(embedder)
    embedder.embedded.clear()
    after = chunks(manual, "car one", "kitten new", "rain three")
    assert collection.replace(manual, "v2", after) == 3
    collection.embed_pending(embedder)
    assert embedder.embedded == ["Top\nkitten new"]
    assert [chunk.text for chunk in collection.source_chunks(manual.id)] == ["car one", "kitten new", "rain three"]
    assert collection.store.count(collection.name, Where()) == 3
    assert {identity: known.digest for identity, known in collection.known().items()} == {manual.id: "v2"}


def test_a_moved_passage_is_not_embedded_again(collection: Collection, embedder: Concepts) -> None:
    manual = source("m.pdf")
    collection.replace(manual, "v1", chunks(manual, "car one", "cat two"))
    collection.embed_pending(embedder)
    embedder.embedded.clear()
    moved = [
        Chunk(str(uuid.uuid4()), manual.id, PageLocator(9), c.text, "text", "en", c.order, c.heading)
        for c in chunks(manual, "car one", "cat two")
    ]
    collection.replace(manual, "v2", moved)
    assert collection.pending() == 0
    assert embedder.embedded == []


def test_an_interrupted_version_is_not_seen_and_the_next_one_clears_it(collection: Collection, embedder: Concepts) -> None:
    manual = source("m.pdf")
    collection.replace(manual, "v1", chunks(manual, "rain old"))

    def broken() -> Iterator[Chunk]:
        yield from chunks(manual, *(f"rain new {i}" for i in range(600)))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        collection.replace(manual, "v2", broken())
    assert not collection.transitions().unborn
    assert ids(search(collection, "rain", embedder=embedder)) == ["rain old"]
    assert [known.digest for known in collection.known().values()] == ["v1"]  # which is what is there, untouched
    collection.replace(manual, "v3", chunks(manual, "rain newest"))
    assert ids(search(collection, "rain", embedder=embedder)) == ["rain newest"]
    assert collection.store.count(collection.name, Where()) == 1


def test_removal(collection: Collection, embedder: Concepts) -> None:
    for name in ("a", "b"):
        collection.replace(source(name), "v", chunks(source(name), f"rain {name}"))
    collection.remove(source("a").id)
    assert ids(search(collection, "rain", embedder=embedder)) == ["rain b"]
    with pytest.raises(NotFoundError):
        collection.remove(source("a").id)
    collection.drop()
    assert Collection.names(collection.store) == []


def test_entries_tell_how_far_a_source_is(collection: Collection, embedder: Concepts) -> None:
    collection.replace(source("a"), "v", chunks(source("a"), "rain", "cat"))
    (entry,) = collection.entries()
    assert (entry.state, entry.chunk_count, entry.pending) == ("searchable", 2, 2)
    collection.embed_pending(embedder)
    assert collection.entries()[0].state == "complete"


def test_what_made_a_collection_is_remembered_and_checked(collection: Collection) -> None:
    again = Collection.open(collection.store, "default")
    assert again.meta == collection.meta
    collection.store.set_payload("default.sources", Where(), {"schema_version": 0})
    with pytest.raises(ConfigError, match="another version"):
        Collection.open(collection.store, "default")


def test_wrong_questions(collection: Collection) -> None:
    with pytest.raises(InputError, match="empty"):
        search(collection, "  ", embedder=None)
    with pytest.raises(InputError, match="characters"):
        search(collection, "x" * 30_000, embedder=None)
    assert search(collection, "nothing here", embedder=None) == []
    with pytest.raises(NotFoundError, match="there are: default"):
        Collection.open(collection.store, "other")


@pytest.mark.parametrize("text", ["0", "5-3", "x", "1-2-3", ""])
def test_page_ranges(text: str) -> None:
    assert page_range("7") == (7, 7)
    with pytest.raises(InputError, match="range of pages"):
        page_range(text)


class Backwards:
    """A reranker that likes what the legs like least."""

    name = "backwards"

    def __init__(self, *, broken: bool = False) -> None:
        self.read: list[str] = []
        self.broken = broken

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        if self.broken:
            raise ServiceError("away", hint="start it")
        self.read += passages
        return [float(at) for at in range(len(passages))]


def test_a_reranker_has_the_last_word_and_its_score_is_kept(collection: Collection, embedder: Concepts) -> None:
    manual = source("m.pdf")
    collection.replace(
        manual, "v", chunks(manual, "rain rain rain", "rain on the roof today", "rain and some more of other words")
    )
    plain = ids(search(collection, "rain", embedder=None))
    reranker = Backwards()
    hits = search(collection, "rain", embedder=None, reranker=reranker, options=SearchOptions(rerank_candidates=2))
    assert ids(hits) == [plain[1], plain[0], plain[2]]
    assert hits[0].why["rerank"] == LegRank(1, 1.0)
    assert "rerank" not in hits[2].why
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert reranker.read == [f"Top\n{text}" for text in plain[:2]]
    assert ids(search(collection, "rain", embedder=None, reranker=Backwards(broken=True))) == plain


def test_operators_in_the_question_limit_it_together_with_filters(collection: Collection) -> None:
    for one in (source("a.pdf"), source("b.pdf", "de"), source("c.md", "de", "markdown")):
        collection.replace(one, "v", chunks(one, f"rain in {one.title}"))
    assert {hit.source.title for hit in search(collection, "rain lang:de", embedder=None)} == {"b.pdf", "c.md"}
    found = search(collection, "rain lang:de", embedder=None, filters=Filters(kinds=("pdf",)))
    assert [hit.source.title for hit in found] == ["b.pdf"]


def test_a_named_file_and_a_named_page_are_found_among_many(collection: Collection) -> None:
    crowd = source("crowd.pdf")
    collection.replace(crowd, "v", chunks(crowd, *(f"the pump and rain and pump number {number}" for number in range(150))))
    wanted = source("valves-2024.pdf")
    collection.replace(wanted, "v", chunks(wanted, "Nothing is said of it here.", "A pump."))
    (first, *_) = search(collection, "what does valves-2024.pdf say of the pump", embedder=None)
    assert first.source == wanted
    assert first.boosts["name"] > 0
    (first, *_) = search(collection, "the pump on page 140", embedder=None)
    assert first.chunk.locator == chunks(crowd, *["x"] * 140)[139].locator


def test_a_quoted_phrase_stands_first_or_alone(collection: Collection) -> None:
    manual = source("m.pdf")
    texts = ("rain water, water rain, rain water water", "the cold water rain brings", "no such thing but rain")
    collection.replace(manual, "v", chunks(manual, *texts))
    asked = 'where is "cold water rain"'
    assert ids(search(collection, asked, embedder=None))[0] == texts[1]
    assert ids(search(collection, asked, embedder=None, options=SearchOptions(phrases="must"))) == [texts[1]]


def test_copies_in_other_documents_are_named_on_the_hit(collection: Collection) -> None:
    text = "Rain falls on the roof and runs through the gutter into the barrel behind the old house by the lake."
    for name in ("a.pdf", "b.pdf"):
        collection.replace(source(name), "v", chunks(source(name), text))
    (hit,) = search(collection, "rain barrel", embedder=None)
    assert [copy.source.name for copy in hit.also] == [({"a.pdf", "b.pdf"} - {hit.source.name}).pop()]
    assert len(search(collection, "rain barrel", embedder=None, options=SearchOptions(collapse=False))) == 2


def test_copies_do_not_take_the_places_of_others(collection: Collection) -> None:
    texts = [
        f"Rain of the {number}. day runs through gutter {number} into barrel {number} of house {number}."
        for number in range(20)
    ]
    for name in ("a.pdf", "b.pdf", "c.pdf", "d.pdf"):
        collection.replace(source(name), "v", chunks(source(name), *texts))
    hits = search(collection, "rain gutter barrel", embedder=None, limit=10)
    assert len(hits) == 10
    assert len({hit.chunk.text for hit in hits}) == 10


@pytest.mark.parametrize("wrong", [{"diversity": 1.5}, {"diversity": -0.1}, {"rerank_candidates": 0}])
def test_wrong_options(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        SearchOptions(**wrong)  # type: ignore[arg-type]


def test_files_that_are_not_there_cost_one_look_and_no_guess(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    one = source("a.pdf")
    collection.replace(one, "v", chunks(one, "rain in the barrel"))
    scroll = Mock(wraps=collection.catalogue.scroll)
    monkeypatch.setattr(collection.catalogue, "scroll", scroll)
    monkeypatch.setattr("difflib.get_close_matches", Mock(side_effect=AssertionError("the nearest names were looked for")))
    asked = "is rain in requirements.txt, setup.cfg, tox.ini, Makefile.am, pyproject.toml or poetry.lock"
    assert ids(search(collection, asked, embedder=None)) == ["rain in the barrel"]
    assert scroll.call_count == 1


def test_names_are_read_once_until_something_changes(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = source("valves-2024.pdf"), source("pumps-2025.pdf")
    collection.replace(one, "v", chunks(one, "A pump."))
    scroll = Mock(wraps=collection.catalogue.scroll)
    monkeypatch.setattr(collection.catalogue, "scroll", scroll)
    for _ in range(3):
        (first, *_) = search(collection, "the pump of valves-2024.pdf", embedder=None)
        assert first.boosts["name"] > 0
    assert scroll.call_count == 1
    collection.replace(other, "v", chunks(other, "Another pump."))
    (first, *_) = search(collection, "the pump of pumps-2025.pdf", embedder=None)
    assert first.source == other
    collection.remove(other.id)
    assert [hit.source for hit in search(collection, "the pump of pumps-2025.pdf", embedder=None)] == [one]


def test_a_page_beyond_all_books_is_searched_as_words(collection: Collection) -> None:
    one = source("a.pdf")
    collection.replace(one, "v", chunks(one, "rain in the barrel"))
    assert ids(search(collection, "rain page:99999999999999999999", embedder=None)) == ["rain in the barrel"]
    with pytest.raises(InputError, match="range of pages"):
        page_range("1-99999999999999999999")
    assert page_range("1000000") == (1_000_000, 1_000_000)
