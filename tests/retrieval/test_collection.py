"""What a collection makes of sources that change: vectors that are kept, names that are shared, writers that meet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import cast

import pytest
from tests.builders import store
from tests.retrieval.shelf import Stepping, Sums, chunks, edge, found, killed_before, source, texts_of

from phidex.errors import ConfigError, InputError, NotFoundError, ServiceError
from phidex.ingest.records import Chunk, LineLocator
from phidex.ingest.run.sink import Content, Details, Difference
from phidex.ingest.video.speakers import speakers_of
from phidex.retrieval import versions
from phidex.retrieval.collection import Collection
from phidex.retrieval.speakers import rename_speakers
from phidex.retrieval.store import Match, Store, Where

__all__ = ["edge", "store"]  # fixtures


@pytest.fixture
def embedder() -> Sums:
    return Sums()


@pytest.fixture
def collection(store: Store, embedder: Sums) -> Collection:
    return Collection.create(store, "c", lambda: embedder.identity)


def content(name: str, *texts: str, digest: str = "v1") -> Content:
    of = source(name)
    return Content(of, digest, ((chunk, None) for chunk in chunks(of, *texts)))


def pieces(of: str, *texts: str, first_page: int = 1) -> list[tuple[Chunk, None]]:
    return [(chunk, None) for chunk in chunks(source(of), *texts, first_page=first_page)]


def test_many_sources_in_one_call(collection: Collection, embedder: Sums) -> None:
    contents = [content(f"s{n}", *(f"rain {n} {page}" for page in range(n % 4))) for n in range(600)]
    assert collection.replace_many(contents) == [n % 4 for n in range(600)]
    assert len(collection.known()) == 600
    assert {known.digest for known in collection.known().values()} == {"v1"}
    assert collection.count() == 900
    assert not collection.transitions().hidden()
    assert collection.replace_many([]) == []


def test_a_source_given_twice_is_what_was_given_last(collection: Collection) -> None:
    assert collection.replace_many([content("a", "one"), content("b", "two"), content("a", "three", "four", digest="v2")]) == [
        2,
        1,
        2,
    ]
    assert texts_of(collection, source("a")) == ("three", "four")


def test_names_of_a_recording_that_was_removed_meanwhile_are_not_found(collection: Collection) -> None:
    talk = replace(source("talk"), kind="audio", metadata={"speakers": '["Ada"]'})
    assert speakers_of(talk.metadata) == ["Ada"]
    with pytest.raises(NotFoundError, match="talk is no source of c any more"):
        rename_speakers(collection, talk, {"Ada": "Eve"})


def test_a_renamed_source_embeds_nothing(collection: Collection, embedder: Sums) -> None:
    collection.replace(source("old"), "v1", chunks(source("old"), "car", "cat", "rain"))
    assert collection.embed_pending(embedder) == 3
    collection.replace(source("new"), "v1", chunks(source("new"), "car", "cat", "snow", first_page=7))
    collection.remove(source("old").id)
    assert collection.pending() == 1
    embedder.asked.clear()
    collection.embed_pending(embedder)
    assert embedder.asked == ["snow"]
    assert found(collection, "car") == {("new", "car")}


def test_a_text_that_stands_in_many_places_is_embedded_once(collection: Collection, embedder: Sums) -> None:
    collection.replace_many([content(f"s{n}", "this page is left blank", f"text {n}") for n in range(1500)])
    seen: list[tuple[int, int]] = []
    assert collection.embed_pending(embedder, lambda done, total: seen.append((done, total))) == 3000
    assert len(embedder.asked) == len(set(embedder.asked)) == 1501
    assert seen[-1] == (3000, 3000)
    assert seen == sorted(seen)
    assert collection.pending() == 0
    (record,) = collection.store.retrieve(
        collection.points, [chunks(source("s7"), "this page is left blank")[0].id], dense=True
    )
    assert record.dense is not None
    assert record.dense == pytest.approx(embedder.embed_query("this page is left blank"), abs=1e-6)


def test_what_moves_is_amended_in_its_place(collection: Collection, embedder: Sums) -> None:
    """Passages behind one that was split keep their points: only their order is written."""
    of = source("a")
    collection.replace(of, "v1", chunks(of, *(f"text {n}" for n in range(40))))
    collection.embed_pending(embedder)
    first, *rest = chunks(of, *(f"text {n}" for n in range(40)))
    halves = [replace(first, id=chunks(of, half)[0].id, text=half) for half in ("tex", "t 0")]
    after = [replace(chunk, order=order) for order, chunk in enumerate([*halves, *rest])]
    written: list[int] = []
    upsert = collection.store.upsert

    def counted(place: str, points: list[object]) -> None:
        written.append(len(points) if place == collection.points else 0)
        upsert(place, points)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection.store, "upsert", counted)
        collection.replace(of, "v2", after)
    assert sum(written) == 2
    assert texts_of(collection, of) == ("tex", "t 0", *(f"text {n}" for n in range(1, 40)))
    assert collection.pending() == 2


def test_a_symbol_that_goes_leaves_the_index(collection: Collection) -> None:
    of = source("a.py")
    (chunk,) = chunks(of, "def f(): pass")
    code = replace(chunk, locator=LineLocator("src/a.py", 1, 1), modality="code", symbol="A.f")
    collection.replace(of, "v1", [code])
    assert collection.store.facet(collection.points, "symbol", Where()) == {"A.f": 1}
    assert collection.store.count(collection.points, Where((Match("path", ("src/a.py",)),))) == 1
    assert found(collection, "src") == {("a.py", "def f(): pass")}
    assert collection.chunks([chunk.id]) == [code]
    collection.replace(of, "v2", [replace(code, symbol="")])
    assert collection.store.facet(collection.points, "symbol", Where()) == {}


def test_a_vector_that_comes_with_a_chunk_is_taken(collection: Collection) -> None:
    of = source("a")
    (chunk,) = chunks(of, "rain")
    (other,) = chunks(of, "snow")
    collection.replace_many([Content(of, "v1", [(chunk, collection.analyse(other))])])
    assert found(collection, "rain") == set()
    assert found(collection, "snow") == {("a", "rain")}


def test_preview_says_what_would_change_and_writes_nothing(collection: Collection) -> None:
    of = source("a")
    assert collection.preview(of, pieces("a", "one", "two")) == Difference(2, 0, 0)
    collection.replace(of, "v1", chunks(of, "one", "two", "three"))
    before = collection.catalogue.meta()
    assert collection.preview(of, pieces("a", "one", "two", "three")) == Difference(0, 0, 0)
    assert collection.preview(of, pieces("a", "one", "TWO", "three", "four")) == Difference(1, 1, 0)
    assert collection.preview(of, pieces("a", "one")) == Difference(0, 0, 2)
    assert collection.preview(of, pieces("a", "one", "two", "three", first_page=4)) == Difference(0, 0, 0)  # moved
    relabelled = [(replace(chunk, language="de"), None) for chunk in chunks(of, "one", "two", "three")]
    assert collection.preview(of, relabelled) == Difference(0, 3, 0)
    assert collection.catalogue.meta() == before
    assert texts_of(collection, of) == ("one", "two", "three")


def test_tags_and_metadata_change_without_the_content(store: Store, collection: Collection) -> None:
    one, two = source("a", tags=("x",)), source("b")
    for of in (one, two):
        collection.replace(of, "v1", chunks(of, "rain", f"of {of.title}"))

    def tagged(tag: str) -> int:
        return store.count(collection.points, Where((Match("tags", (tag,)),)))

    stamp = collection.stamp()
    details = [
        Details(one.id, ("y", "z"), {"commit": "c2"}),
        Details(two.id, (), {"commit": "c2"}),
        Details(source("c").id, (), {}),
    ]
    collection.refresh(details)
    assert (tagged("x"), tagged("y"), tagged("z")) == (0, 2, 2)
    known = collection.known()
    assert {(known[of.id].tags, known[of.id].metadata["commit"], known[of.id].digest) for of in (one, two)} == {
        (("y", "z"), "c2", "v1"),
        ((), "c2", "v1"),
    }
    assert not collection.transitions().hidden()
    assert collection.stamp() != stamp  # readers that remember sources look anew


def test_a_kill_before_each_write_of_a_refresh(store: Store, collection: Collection) -> None:
    of = source("a")
    for write in count(1):
        collection.replace(of, f"v{write}", chunks(of, "rain", "snow"))
        details = [Details(of.id, ("new",), {"commit": "c2"})]
        was_killed = killed_before(store, write, lambda mortal, it=details: Collection.open(mortal, "c").refresh(it))
        known = Collection.open(store, "c").known()[of.id]
        assert (known.tags, known.metadata) in (((), {}), (("new",), {"commit": "c2"}))
        Collection.open(store, "c").recover()
        assert store.count(collection.points, Where((Match("tags", ("new",)),))) == 2 * len(known.tags)
        if not was_killed:
            assert (write > 3, known.tags) == (True, ("new",))
            return


def test_what_was_never_committed_is_not_waited_for(store: Store, collection: Collection, embedder: Sums) -> None:
    """Neither counted nor embedded, before a next run clears it."""
    collection.replace(source("a"), "v1", chunks(source("a"), "rain"))
    other = Content(source("b"), "v1", pieces("b", "snow", "hail"))
    write = next(
        number
        for number in count(1)
        if not killed_before(store, number, lambda mortal: Collection.open(mortal, "c").replace_many([other]))
        or store.count(collection.points, Where()) == 3
    )
    assert write > 1
    opened = Collection.open(store, "c")
    assert (opened.count(), opened.pending()) == (1, 1)
    assert {entry.source.title: entry.pending for entry in opened.entries()} == {"a": 1, "b": 0}
    assert opened.embed_pending(embedder) == 1
    assert embedder.asked == ["rain"]


def test_names_of_one_content(collection: Collection) -> None:
    of = source("a")
    collection.replace(of, "v1", chunks(of, "rain"))
    uris = ["file:///b", "file:///c"]
    assert found(collection, "rain") == {("a", "rain")}
    collection.set_aliases(of.id, uris)
    assert collection.known()[of.id].also == tuple(uris)
    assert collection.steadily(lambda moving: collection.sources_during(moving, [of.id])[0])[of.id].also == tuple(uris)
    with pytest.raises(NotFoundError):
        collection.set_aliases(source("b").id, uris)
    assert not collection.remove(of.id, "file:///a")
    (known,) = collection.known().values()
    assert (known.uri, known.also) == ("file:///b", ("file:///c",))
    assert not collection.remove(of.id, "file:///c")
    assert found(collection, "rain") == {("a", "rain")}
    with pytest.raises(NotFoundError, match="not known as"):
        collection.remove(of.id, "file:///c")
    assert collection.remove(of.id, "file:///b")
    assert collection.known() == {}
    assert collection.store.count(collection.points, Where()) == 0


def test_what_raises_while_it_is_read_leaves_all_as_it_was(collection: Collection) -> None:
    of = source("a")
    collection.replace(of, "v1", chunks(of, "rain one", "rain two"))

    def broken() -> Iterator[tuple[Chunk, None]]:
        yield from pieces("b", *(f"rain {n}" for n in range(700)))
        raise InputError("cut short")

    other = Content(of, "v2", pieces("a", "rain three"))
    with pytest.raises(InputError, match="cut short"):
        collection.replace_many([other, Content(source("b"), "v1", broken())])
    assert found(collection, "rain") == {("a", "rain one"), ("a", "rain two")}
    assert collection.store.count(collection.points, Where()) == 2
    assert {identity: known.digest for identity, known in collection.known().items()} == {of.id: "v1"}
    assert not collection.transitions().hidden()
    assert collection.replace_many([other]) == [1]


def test_the_second_writer_of_a_source_waits_for_the_first(edge: Store) -> None:
    store, collection = edge, Collection.create(edge, "c", lambda: None)
    of, begun, go_on = source("a"), threading.Event(), threading.Event()

    def slowly() -> Iterator[tuple[Chunk, None]]:
        yield from pieces("a", "rain first", "rain second")
        begun.set()
        assert go_on.wait(20)

    first = threading.Thread(target=collection.replace_many, args=([Content(of, "v1", slowly())],))
    first.start()
    assert begun.wait(20)
    other = Collection.open(store, "c")
    second = threading.Thread(target=other.replace, args=(of, "v2", chunks(of, "rain third")))
    second.start()
    removed = threading.Thread(target=other.recover)
    removed.start()
    assert other.replace(source("b"), "v1", chunks(source("b"), "rain beside")) == 1  # no other source waits
    time.sleep(0.1)
    assert second.is_alive()
    assert found(other, "rain") == {("b", "rain beside")}
    go_on.set()
    for thread in (first, second, removed):
        thread.join(20)
    assert texts_of(other, of) == ("rain third",)
    assert other.store.count(other.points, Where()) == 2


def test_only_one_writer_at_a_time_says_what_it_is_about_to_change(edge: Store) -> None:
    of = source("a")
    second = Collection.create(edge, "c", lambda: None)
    other = threading.Thread(target=second.replace, args=(of, "v2", chunks(of, "rain second")))

    def before(request: str) -> None:
        if request == "upsert" and other.ident is None:  # the first one is about to say that it writes the source
            other.start()
            time.sleep(0.3)
            assert edge.count("c.sources", Where(must_not=(Match("phase", ("meta",)),))) == 0

    stepping = cast(Store, Stepping(edge, before))
    assert Collection(stepping, "c", second.meta).replace(of, "v1", chunks(of, "rain first")) == 1
    other.join(20)
    assert texts_of(second, of) == ("rain second",)
    assert second.store.count("c", Where()) == 1


@pytest.mark.parametrize("threads", [4])
def test_writers_at_once_leave_one_version_of_each(edge: Store, threads: int) -> None:
    store, collection = edge, Collection.create(edge, "c", lambda: None)
    errors: list[BaseException] = []

    def write(mine: int) -> None:
        try:
            opened = Collection.open(store, "c")
            for round_ in range(6):
                names = [f"s{(mine + n + round_) % 5}" for n in range(5)]
                texts = [f"rain {mine} {round_} {n}" for n in range(3)]
                opened.replace_many([content(name, *texts, digest=f"{mine}-{round_}") for name in names])
        except BaseException as exc:  # noqa: BLE001  shown in the test's own thread
            errors.append(exc)

    started = [threading.Thread(target=write, args=(mine,)) for mine in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(60)
    assert not errors
    for n in range(5):
        texts = texts_of(collection, source(f"s{n}"))
        assert len(texts) == 3
        assert len({text.rsplit(" ", 1)[0] for text in texts}) == 1, texts
    assert collection.store.count(collection.points, Where()) == 15
    assert not collection.transitions().hidden()


def test_a_writer_that_seemed_dead_gives_way(store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a night's sleep of its machine: another has taken the source meanwhile."""
    of = source("a")

    def seems_gone(_token: str, _until: float) -> bool:
        return True

    def slept() -> Iterator[tuple[Chunk, None]]:
        yield from pieces("a", "rain old")
        with monkeypatch.context() as patch:
            patch.setattr(versions, "is_gone", seems_gone)
            assert Collection.open(store, "c").replace(of, "v2", chunks(of, "rain new")) == 1
        monkeypatch.setattr(versions, "RENEW_S", 0.0)

    with pytest.raises(ServiceError, match="taken over"):
        collection.replace_many([Content(of, "v1", slept())])
    assert texts_of(collection, of) == ("rain new",)
    assert collection.store.count(collection.points, Where()) == 1


@pytest.mark.parametrize("name", ["a@2", "a.sources", "@2", ".sources"])
def test_names_that_are_kept_for_ourselves(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="no name for a collection"):
        Collection.create(store, name, lambda: None)
    assert store.names() == []


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [("schema_version", 1, "reindex"), ("analyzer", "x/0", "reindex"), ("schema_version", 99, "that version")],
)
def test_a_collection_of_another_version(store: Store, collection: Collection, field: str, value: object, hint: str) -> None:
    store.set_payload("c.sources", Where((Match("phase", ("meta",)),)), {field: value})
    with pytest.raises(ConfigError, match="another version") as caught:
        Collection.open(store, "c")
    assert hint in caught.value.hint
    with pytest.raises(ConfigError, match="another version"):  # opened before
        collection.replace(source("a"), "v1", chunks(source("a"), "rain"))
    assert Collection.names(store) == ["c"]


def test_space_is_given_back_where_much_was_deleted(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(collection.store, "compact", done.append)
    collection.replace_many([content(f"s{n}", "rain", "snow") for n in range(20)])
    collection.compact()
    collection.remove(source("s1").id)
    collection.compact()
    assert done == []
    collection.remove(source("s2").id)
    collection.remove(source("s3").id)
    collection.compact()
    collection.compact()
    assert done == ["c"]
