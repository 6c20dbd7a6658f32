"""A reindex: what it keeps, what it makes anew, and that nobody who reads or writes meanwhile notices."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import settings_for, store
from tests.retrieval.engines import end_engine
from tests.retrieval.shelf import Stepping, Sums, chunks, edge, found, killed_before, memory, source, texts_of

from phidex.errors import ConfigError, NotFoundError, ServiceError
from phidex.ingest.run.sink import Content
from phidex.retrieval import catalogue, choose, payload, rebuild
from phidex.retrieval import reindex as reindex_module
from phidex.retrieval.choose import Choice, renew_embedder
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.reindex import check_room, made_of, reindex
from phidex.retrieval.search import SearchOptions, search
from phidex.retrieval.store import Match, Store, Where
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings

__all__ = ["edge", "memory", "store"]  # fixtures

OLD, NEW = Sums("old", 4), Sums("new", 8)
ALL = SearchOptions(collapse=False)


@pytest.fixture
def collection(store: Store) -> Collection:
    return furnished(store)


def furnished(store: Store) -> Collection:
    """Three sources, all embedded, of which one was edited once."""
    made = Collection.create(store, "c", lambda: OLD.identity)
    for name, texts in (("a", ("rain 1", "rain 2")), ("b", ("rain 1", "snow")), ("a", ("rain 1", "rain 3"))):
        made.replace(source(name, tags=("x",)), f"{name}{texts}", chunks(source(name), *texts))
    made.replace(source("empty"), "v1", [])
    made.set_aliases(source("b").id, ["file:///b2"])
    made.embed_pending(OLD)
    OLD.asked.clear()
    NEW.asked.clear()
    return made


def vectors(opened: Collection) -> dict[str, Any]:
    records, _ = opened.store.scroll(opened.points, Where())
    there = opened.store.retrieve(opened.points, [record.id for record in records], dense=True)
    return {record.payload["text"]: record.dense for record in there}


def test_another_embedder(store: Store, collection: Collection) -> None:
    before = {entry.source.uri: (entry.source, entry.chunk_count) for entry in collection.entries()}
    texts = {name: collection.source_chunks(source(name).id) for name in ("a", "b")}
    seen: list[tuple[str, int, int]] = []

    def told(step: str, done: int, total: int) -> None:
        seen.append((step, done, total))

    report = reindex(store, "c", NEW.identity, embedder=NEW, on_progress=told, grace_s=0)
    assert (report.switched, report.chunks, report.embedded, report.pending) == (True, 4, 4, 0)
    assert json.dumps(report.to_dict())
    assert sorted(NEW.asked) == ["rain 1", "rain 3", "snow"]
    assert {step for step, _, _ in seen} == {"copying", "embedding", "switching"}
    assert store.names() == ["c.sources", "c@2"]
    assert Collection.names(store) == ["c"]
    opened = Collection.open(store, "c")
    assert (opened.name, opened.meta.embedder) == ("c", NEW.identity)
    assert {entry.source.uri: (entry.source, entry.chunk_count) for entry in opened.entries()} == before
    assert {name: opened.source_chunks(source(name).id) for name in ("a", "b")} == texts
    assert all(dense == pytest.approx(NEW.embed_query(text), abs=1e-6) for text, dense in vectors(opened).items())
    hit = search(opened, "snow", embedder=NEW)[0]
    assert (hit.chunk.text, hit.why["dense"].rank, hit.source.also) == ("snow", 1, ("file:///b2",))
    assert found(opened, "rain") == {("a", "rain 1"), ("a", "rain 3"), ("b", "rain 1")}
    assert opened.known() == collection.known()
    assert not reindex(store, "c", NEW.identity, embedder=NEW).switched
    opened.replace(source("a"), "v9", chunks(source("a"), "rain 9"))
    opened.drop()
    assert store.names() == []


def test_another_schema_or_analyzer_keeps_the_vectors(store: Store, collection: Collection) -> None:
    before = vectors(collection)
    store.set_payload("c.sources", Where((Match("phase", ("meta",)),)), {"analyzer": "words/0"})
    with pytest.raises(ConfigError, match="another version"):
        Collection.open(store, "c")
    report = reindex(store, "c", OLD.identity, embedder=None, grace_s=0)
    assert (report.switched, report.embedded, report.pending, OLD.asked) == (True, 0, 0, [])
    after = vectors(Collection.open(store, "c"))
    assert all(after[text] == pytest.approx(dense, abs=1e-6) for text, dense in before.items())


def test_a_collection_of_the_first_schema(store: Store, collection: Collection) -> None:
    """Its records and chunks lack what came later."""
    later = {"gate": None, "gate_until": None, "points": None, "schema_version": 1}
    store.set_payload("c.sources", Where((Match("phase", ("meta",)),)), later)
    lacking = {"blob": None, "also": None, "version": None}
    store.set_payload("c.sources", Where(must_not=(Match("phase", ("meta",)),)), lacking)
    store.set_payload("c", Where(), {"path": None, "symbol": None, "image": None})
    assert made_of(store, "c").points == "c"
    reindex(store, "c", OLD.identity, embedder=OLD, grace_s=0)
    opened = Collection.open(store, "c")
    assert found(opened, "rain") == {("a", "rain 1"), ("a", "rain 3"), ("b", "rain 1")}
    assert opened.pending() == 0
    opened.replace(source("a"), "v9", chunks(source("a"), "rain 9"))
    assert texts_of(opened, source("a")) == ("rain 9",)


def test_without_vectors_and_with_them_again(store: Store, collection: Collection) -> None:
    reindex(store, "c", None, grace_s=0)
    assert Collection.open(store, "c").meta.embedder is None
    assert not search(Collection.open(store, "c"), "rain", embedder=None)[0].why.keys() - {"lexical"}
    report = reindex(store, "c", NEW.identity, embedder=NEW, grace_s=0)
    assert (report.embedded, report.pending) == (4, 0)


def test_what_cannot_be(store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError):
        reindex(store, "other", None)
    store.set_payload("c.sources", Where((Match("phase", ("meta",)),)), {"schema_version": 99})
    with pytest.raises(ConfigError, match="newer"):
        reindex(store, "c", None)


def test_two_at_once(store: Store, collection: Collection) -> None:
    def second(step: str, done: int, total: int) -> None:
        if step == "switching" and done:
            return
        with pytest.raises(ServiceError, match="another reindex"):
            reindex(store, "c", None, grace_s=0)

    reindex(store, "c", NEW.identity, embedder=NEW, on_progress=second, grace_s=0)
    assert Collection.open(store, "c").meta.embedder == NEW.identity


@pytest.mark.parametrize("wanted", [NEW, OLD, Sums("third", 8)])
def test_one_that_was_killed_is_gone_on_with_or_given_up(memory: Store, wanted: Sums, monkeypatch: pytest.MonkeyPatch) -> None:
    store = memory
    furnished(store)
    for write in range(1, 30):
        if not killed_before(store, write, lambda mortal: reindex(mortal, "c", NEW.identity, embedder=NEW, grace_s=0)):
            break
        assert found(Collection.open(store, "c"), "rain") == {("a", "rain 1"), ("a", "rain 3"), ("b", "rain 1")}
    reindex(store, "c", wanted.identity, embedder=wanted, grace_s=0)
    opened = Collection.open(store, "c")
    assert opened.meta.embedder == wanted.identity
    assert found(opened, "rain") == {("a", "rain 1"), ("a", "rain 3"), ("b", "rain 1")}
    assert opened.pending() == 0
    assert all(dense == pytest.approx(wanted.embed_query(text), abs=1e-6) for text, dense in vectors(opened).items())
    later = time.time() + 60
    monkeypatch.setattr(catalogue.time, "time", lambda: later)
    opened.recover()
    assert len(store.names()) == 2


def test_killed_behind_the_switch_the_next_ingest_clears_up(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            reindex(store, "c", NEW.identity, embedder=NEW, grace_s=0)
    opened = Collection.open(store, "c")
    opened.recover()
    assert "c" in store.names()  # others may be reading it
    later = time.time() + 60
    monkeypatch.setattr(catalogue.time, "time", lambda: later)
    opened.recover()
    assert store.names() == ["c.sources", "c@2"]


CHANGES: dict[str, Callable[[Collection], object]] = {
    "edit": lambda opened: opened.replace(source("a"), "v9", chunks(source("a"), "rain 1", "rain 9")),
    "add": lambda opened: opened.replace(source("z"), "v9", chunks(source("z"), "rain 8")),
    "remove": lambda opened: opened.remove(source("a").id),
    "embed": lambda opened: opened.embed_pending(OLD if opened.meta.embedder == OLD.identity else NEW),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_any_two_steps(memory: Store, change: str) -> None:
    """Another writer's whole change happens before the reindex's n-th request; it must be there in the end."""
    store = memory
    n, done = 0, True
    while done:
        n, done, left, name = n + 1, False, n + 1, f"c{n}"
        opened = Collection.create(store, name, lambda: OLD.identity)
        for one in ("a", "b"):
            opened.replace(source(one), "v1", chunks(source(one), "rain 1", f"rain {one}"))
        opened.embed_pending(OLD)

        def before(_: str) -> None:
            nonlocal left, done
            left -= 1
            if not left and not done:
                done = True
                held = catalogue.Catalogue(store, name).meta() or {}  # noqa: B023  called at once
                if held.get("gate"):
                    left = 1  # it would wait for the gate: try at the next step
                    done = False
                else:
                    CHANGES[change](opened)  # noqa: B023

        reindex(cast(Store, Stepping(store, before)), name, NEW.identity, embedder=NEW, grace_s=0)
        after = Collection.open(store, name)
        wanted = {"a": ("rain 1", "rain a"), "b": ("rain 1", "rain b"), "z": ()}
        if done:
            wanted |= {"edit": {"a": ("rain 1", "rain 9")}, "add": {"z": ("rain 8",)}, "remove": {"a": ()}, "embed": {}}[change]
        assert {one: texts_of(after, source(one)) for one in wanted} == wanted, n
        after.embed_pending(NEW)
        assert all(dense == pytest.approx(NEW.embed_query(text), abs=1e-6) for text, dense in vectors(after).items())
        assert store.count(after.points, Where()) == sum(map(len, wanted.values()))
        after.drop()
        assert [left for left in store.names() if left.startswith(name)] == []
    assert n > 20


def test_readers_and_writers_notice_nothing(edge: Store) -> None:
    """Threads search and ingest all the time, each by a collection that it opens anew now and then, as the SDK does."""
    store, collection = edge, furnished(edge)
    stop, errors, looks = threading.Event(), list[BaseException](), list[int]()
    collection.replace_many(
        [
            Content(source(f"s{n}"), "v1", [(chunk, None) for chunk in chunks(source(f"s{n}"), f"hail {n}", f"hail again {n}")])
            for n in range(60)
        ]
    )
    collection.embed_pending(OLD)

    def read() -> None:
        embedders = {OLD.identity: OLD, NEW.identity: NEW}
        opened, since = Collection.open(store, "c"), time.monotonic()
        ids = [hit.chunk.id for hit in search(opened, "hail", embedder=None, limit=500, options=ALL)]
        while not stop.is_set():
            if time.monotonic() - since > 0.5:
                opened, since = Collection.open(store, "c"), time.monotonic()
            assert opened.meta.embedder is not None
            hits = search(opened, "hail", embedder=embedders[opened.meta.embedder], limit=500, options=ALL)
            assert len({hit.chunk.id for hit in hits if hit.chunk.text.startswith("hail")}) == 120
            assert len(collection.chunks(ids)) == 120  # opened long ago
            looks.append(len(hits))

    def write() -> None:
        opened, number = Collection.open(store, "c"), 0
        while not stop.is_set():
            number += 1
            opened.replace(source("busy"), f"v{number}", chunks(source("busy"), f"rain {number}", "rain"))
            time.sleep(0.01)
        assert texts_of(Collection.open(store, "c"), source("busy")) == (f"rain {number}", "rain")

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001  shown in the test's own thread
            errors.append(exc)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (read, write)]
    for thread in threads:
        thread.start()
    try:
        for wanted in (NEW, OLD):
            assert reindex(store, "c", wanted.identity, embedder=wanted, grace_s=1.0).switched
    finally:
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not errors, errors
    assert len(looks) > 20


def test_a_writer_at_work_is_waited_for(edge: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store, collection = edge, furnished(edge)
    monkeypatch.setattr(rebuild, "DRAIN_S", 0.05)
    monkeypatch.setattr(reindex_module, "DRAIN_S", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> Any:
        yield from ((chunk, None) for chunk in chunks(source("a"), "rain 7"))
        begun.set()
        assert go_on.wait(20)

    writer = threading.Thread(target=collection.replace_many, args=([Content(source("a"), "v7", slowly())],))
    writer.start()
    assert begun.wait(20)
    tries: list[str] = []

    def rebuilt() -> None:
        reindex(store, "c", NEW.identity, embedder=NEW, grace_s=0, on_progress=lambda step, _done, _total: tries.append(step))

    work = threading.Thread(target=rebuilt)
    work.start()
    deadline = time.monotonic() + 20
    while tries.count("switching") < 3 and work.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert work.is_alive()
    assert found(Collection.open(store, "c"), "rain") == {("a", "rain 1"), ("a", "rain 3"), ("b", "rain 1")}
    go_on.set()
    for thread in (writer, work):
        thread.join(20)
    opened = Collection.open(store, "c")
    assert opened.meta.embedder == NEW.identity
    assert found(opened, "rain") == {("a", "rain 7"), ("b", "rain 1")}


def test_a_source_that_is_not_as_recorded_stops_the_switch(store: Store, collection: Collection) -> None:
    store.delete("c", Where((Match("source_id", (source("b").id,)),)))
    with pytest.raises(ServiceError, match="1 sources"):
        reindex(store, "c", NEW.identity, embedder=NEW, grace_s=0)
    assert Collection.open(store, "c").meta.embedder == OLD.identity
    Collection.open(store, "c").replace(source("b"), "v2", chunks(source("b"), "rain 5"))
    assert reindex(store, "c", NEW.identity, embedder=NEW, grace_s=0).switched


def test_room_is_needed_for_a_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "collections" / "c"
    place.mkdir(parents=True)
    (place / "segment").write_bytes(bytes(8 << 20))
    meta = catalogue.CollectionMeta(payload.SCHEMA_VERSION, "a", OLD.identity, "c")
    check_room(tmp_path, meta, OLD.identity.dim, 1)
    usage = type("Usage", (), {"free": 10 << 20})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    check_room(tmp_path, meta, OLD.identity.dim, 1)
    with pytest.raises(ServiceError, match="up to 16 MB"):
        check_room(tmp_path, meta, 2 * OLD.identity.dim, 1)


class TestRenewedEmbedder:
    """Which embedder a collection is to have."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        asked: list[str] = []

        def chosen(settings: EmbedSettings, _: Path) -> Choice:
            asked.append(settings.model)
            return Choice(None if settings.model == "none" else NEW, settings.model)

        monkeypatch.setattr(choose, "choose_embedder", chosen)
        return asked

    def renew(self, identity: EmbedderIdentity | None, setting: str, model: str | None, cache: Path) -> object:
        settings = EmbedSettings(model=setting)  # pyright: ignore[reportCallIssue]
        return renew_embedder(identity, settings, cache, model=model)[0]

    @pytest.mark.parametrize("setting", ["auto", "none"])
    def test_its_own_stays_although_it_cannot_be_had_now(self, asked: list[str], setting: str, tmp_path: Path) -> None:
        own = EmbedderIdentity(str(tmp_path / "gone"), 3, "x")
        assert self.renew(own, setting, None, tmp_path) == own
        assert asked == []

    def test_what_is_asked_for_or_set(self, asked: list[str], tmp_path: Path) -> None:
        assert self.renew(OLD.identity, "auto", "multilingual", tmp_path) == NEW.identity
        assert self.renew(OLD.identity, "bundled", None, tmp_path) == NEW.identity
        assert self.renew(OLD.identity, "auto", "none", tmp_path) is None
        assert self.renew(None, "auto", None, tmp_path) == NEW.identity
        assert asked == ["multilingual", "bundled", "none", "auto"]

    def test_its_own_anew_where_its_files_have_changed(
        self, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def changed(*_: object) -> Choice:
            raise ConfigError("embedded by another version")

        monkeypatch.setattr(choose, "open_embedder", changed)
        assert self.renew(OLD.identity, "auto", None, tmp_path) == NEW.identity
        assert asked == ["old"]


def test_the_sdk_goes_on_with_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also another client that has the collection open."""
    models = {"one": OLD, "two": NEW}

    def chosen(settings: EmbedSettings, _: Path) -> Choice:
        return Choice(models[settings.model], settings.model)

    def opened(identity: EmbedderIdentity, *_: object) -> Choice:
        return Choice({model.identity: model for model in models.values()}[identity], "as made")

    monkeypatch.setattr(choose, "choose_embedder", chosen)
    monkeypatch.setattr(choose, "open_embedder", opened)
    data = tmp_path / "data"
    with Phidex(settings=settings_for(data, model="one")) as phidex:
        with pytest.raises(NotFoundError, match="data folder"):
            phidex.reindex()
        assert not data.exists()
        (tmp_path / "note.md").write_text("# Boiler\n\nThe boiler was replaced in March 2021.")
        phidex.ingest(tmp_path / "note.md")
        with Phidex(settings=settings_for(data, model="one")) as other:
            assert other.search("boiler")[0].why["dense"].rank == 1
            report = phidex.reindex(embedder="two")
            assert (report.switched, report.before.embedder, report.after.embedder) == (True, OLD.identity, NEW.identity)
            for client in (phidex, other):
                assert client.search("boiler")[0].why["dense"].rank == 1
            assert other.status()["collections"]["default"]["embedder"] == "new"
    end_engine(data)
