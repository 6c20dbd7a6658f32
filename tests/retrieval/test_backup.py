"""Backup and restore: the same collection again, in either engine, whole or not at all, whoever writes or dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from qdrant_client import QdrantClient
from tests.retrieval.engines import end_engine
from tests.retrieval.shelf import Stepping, Sums, chunks, found, killed_before, source, texts_of

from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.ingest.records import Chunk
from phidex.ingest.run.blobs import Blobs
from phidex.retrieval.archive import ArchiveReader, check_free
from phidex.retrieval.backup import backup
from phidex.retrieval.catalogue import Catalogue, drop_collection
from phidex.retrieval.collection import Collection
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.restore import restore
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Match, Point, Schema, Store, Where
from phidex.settings import StoreSettings

SUMS = Sums()
NAMES = tuple(f"book{number}.pdf" for number in range(6))


def in_process() -> Store:
    return ServerStore(client=QdrantClient(":memory:"))


@pytest.fixture
def store() -> Store:
    return in_process()


def library(store: Store, name: str = "library", edition: str = "first", names: tuple[str, ...] = NAMES) -> Collection:
    """A collection of small books."""
    collection = Collection.create(store, name, lambda: SUMS.identity)
    for number, title in enumerate(names):
        of = source(title, tags=("shelf",))
        collection.replace(
            of, f"{edition}{number}", chunks(of, *(f"{edition} {title} page {page} of words" for page in range(4)))
        )
    collection.embed_pending(SUMS)
    return collection


def whole(collection: Collection) -> dict[str, Any]:
    """All that a reader can see, vectors included."""
    after: str | None = None
    points: list[Point] = []
    while True:
        page, after = collection.store.points(collection.points, after=after)
        points += page
        if after is None:
            break
    shown = {
        point.id: (
            {key: value for key, value in point.payload.items() if key not in ("born", "dies")},
            None if point.dense is None else tuple(np.round(point.dense, 5).tolist()),
            None if point.sparse is None else (point.sparse.indices.tolist(), np.round(point.sparse.values, 5).tolist()),
        )
        for point in points
    }
    entries = [replace(entry, ingested_at=0) for entry in collection.entries()]
    return {"points": shown, "entries": entries, "known": collection.known(), "made": collection.meta.embedder}


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Stores of a kind, made when asked for."""
    made: list[tuple[EdgeStore, Path]] = []

    def opened(kind: str) -> Store:
        if kind == "in-process":
            return in_process()
        data = tmp_path / f"data{len(made)}"
        store = EdgeStore(data, StoreSettings(min_free_mb=1, timeout_s=60))  # pyright: ignore[reportCallIssue]  # all have defaults
        made.append((store, data))
        return store

    yield opened
    for store, data in made:
        store.close()
        end_engine(data)


@pytest.mark.parametrize(("here", "there"), [("edge", "in-process"), ("in-process", "edge"), ("edge", "edge")])
def test_the_same_collection_in_the_other_engine(stores: Callable[[str], Store], tmp_path: Path, here: str, there: str) -> None:
    collection = library(stores(here))
    steps: list[tuple[str, int, int]] = []
    report = backup(
        collection, tmp_path / "library.phidex", on_progress=lambda step, done, total: steps.append((step, done, total))
    )
    assert (report.sources, report.chunks, report.size_bytes > 1000) == (6, 24, True)
    assert steps[-1] == ("points", 24, 24)
    store = stores(there)
    restored = restore(
        store, tmp_path / "library.phidex", on_progress=lambda step, done, total: steps.append((step, done, total))
    )
    assert (restored.collection, restored.sources, restored.chunks) == ("library", 6, 24)
    assert steps[-1] == ("switching", 1, 1)
    again = Collection.open(store, "library")
    assert whole(again) == whole(collection)
    assert found(again, "page") == found(collection, "page")
    assert again.pending() == 0
    of = source("book0.pdf")  # and it goes on living
    again.replace(of, "later", chunks(of, "quite another text"))
    assert texts_of(again, of) == ("quite another text",)
    assert again.remove(source("book1.pdf").id)
    assert again.count() == 1 + 4 * 4


def test_under_another_name_and_in_place_of_one_that_is_there(stores: Callable[[str], Store], tmp_path: Path) -> None:
    store, path = stores("in-process"), tmp_path / "b"
    before = whole(library(store))
    backup(Collection.open(store, "library"), path)
    restore(store, path, "copy")
    assert Collection.names(store) == ["copy", "library"]
    assert whole(Collection.open(store, "copy")) == before
    library(store, edition="second", names=("book0.pdf", "new.pdf"))
    with pytest.raises(InputError, match="exists"):
        restore(store, path)
    restore(store, path, replace=True)
    again = Collection.open(store, "library")
    assert whole(again) == before
    assert again.points != "library"
    assert [name for name in store.names() if name.startswith("library")] == ["library.sources", again.points]
    restore(store, path, replace=True)  # and once more
    assert whole(Collection.open(store, "library")) == before


def test_files_are_not_overwritten_unasked(store: Store, tmp_path: Path) -> None:
    collection, path = library(store), tmp_path / "b"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists"):
        backup(collection, path)
    with pytest.raises(InputError, match="exists"):
        backup(collection, tmp_path, replace=True)
    assert path.read_text(encoding="utf-8") == "mine"
    backup(collection, path, replace=True)
    assert zipfile.is_zipfile(path)
    assert [other.name for other in tmp_path.iterdir()] == ["b"]


def test_blobs_come_along(store: Store, tmp_path: Path) -> None:
    collection, here, there = library(store), Blobs(tmp_path / "here"), Blobs(tmp_path / "there")
    of = source("pictures.pdf")
    picture = here.put(of.id, b"a picture", ".png")
    lost = here.put(of.id, b"lost", ".png")
    (tmp_path / "here" / lost).unlink()
    original = here.put(of.id, b"the original", ".pdf")
    of = replace(of, blob=original)
    passages: list[Chunk] = [
        replace(chunk, image=image) for chunk, image in zip(chunks(of, "a", "b"), (picture, lost), strict=True)
    ]
    collection.replace(of, "x", passages)
    assert backup(collection, tmp_path / "b", blobs=here).blobs == 2
    assert restore(store, tmp_path / "b", "copy", blobs=there).blobs == 2
    assert (there.get(picture), there.get(original)) == (b"a picture", b"the original")
    assert Collection.open(store, "copy").sources([of.id])[of.id].blob == original


def test_what_changes_while_it_is_written_is_written_again(tmp_path: Path) -> None:
    store = in_process()
    collection = library(store)
    calls = 0

    def meanwhile(name: str) -> None:
        nonlocal calls
        if name != "read_points":
            return
        calls += 1
        other = Collection.open(store, "library")
        if calls == 1:
            of = source("book1.pdf")
            other.replace(of, "second", chunks(of, "a newer edition", "in two passages"))
            other.remove(source("book2.pdf").id)
            late = source("late.pdf")
            other.replace(late, "first", chunks(late, "came late"))

    slow = Collection.open(cast(Store, Stepping(store, meanwhile)), "library")
    backup(slow, tmp_path / "b")
    assert calls > 1
    restore(store, tmp_path / "b", "copy")
    copy = Collection.open(store, "copy")
    assert whole(copy) == whole(Collection.open(store, "library"))
    assert texts_of(copy, source("book1.pdf")) == ("a newer edition", "in two passages")
    assert texts_of(copy, source("book2.pdf")) == ()
    assert collection.count() == copy.count()


@pytest.mark.parametrize("write", range(1, 8))
def test_a_source_that_is_half_replaced_is_saved_as_it_is_seen(tmp_path: Path, write: int) -> None:
    store = in_process()
    collection = library(store)
    of = source("book1.pdf")
    killed_before(
        store, write, lambda mortal: Collection.open(mortal, "library").replace(of, "x", chunks(of, "new one", "new two"))
    )
    seen = {name: texts_of(collection, source(name)) for name in NAMES}
    backup(Collection.open(store, "library"), tmp_path / "b")
    restore(store, tmp_path / "b", "copy")
    copy = Collection.open(store, "copy")
    assert {name: texts_of(copy, source(name)) for name in NAMES} == seen
    assert copy.count() == sum(map(len, seen.values()))


def test_a_kill_at_any_write_of_a_restore_leaves_nothing_half(tmp_path: Path) -> None:
    saved, left = whole(library(in_process())), 0
    backup(library(in_process()), tmp_path / "b")
    for write in range(1, 100):
        store = in_process()
        killed = killed_before(store, write, lambda mortal: restore(mortal, tmp_path / "b", "library"))
        if not killed:
            assert write > 3
            break
        if Collection.names(store):  # whole; the claim alone is left, and nobody minds it
            left += 1
            assert whole(Collection.open(store, "library")) == saved
            continue
        with pytest.raises(NotFoundError):
            Collection.open(store, "library")
        if write % 2:
            restore(store, tmp_path / "b", "library")  # the next one clears up
            assert whole(Collection.open(store, "library")) == saved
        else:
            assert whole(library(store)) == saved  # and so does an ingest
    else:
        pytest.fail("it never came to an end")
    assert left == 1


def at_the_first(step: str, work: Callable[[], object]) -> Callable[[str, int, int], None]:
    """Does the work once, when that step is told of for the first time."""
    done: list[str] = []

    def told(name: str, _done: int, _total: int) -> None:
        if name == step and not done:
            done.append(name)
            work()

    return told


@pytest.mark.parametrize("step", ["points", "switching"])
@pytest.mark.parametrize("kind", ["edge", "in-process"])
def test_nobody_else_makes_the_collection_meanwhile(
    tmp_path: Path, stores: Callable[[str], Store], kind: str, step: str
) -> None:
    store = stores(kind)
    before = whole(library(in_process()))
    backup(library(in_process()), tmp_path / "b")
    refused: list[ServiceError] = []

    def others() -> None:
        for work in (lambda: library(store, "copy", "mine"), lambda: restore(store, tmp_path / "b", "copy")):
            with pytest.raises(ServiceError, match="being restored into the collection 'copy'") as caught:
                work()
            refused.append(caught.value)

    restore(store, tmp_path / "b", "copy", on_progress=at_the_first(step, others))
    assert [(error.retryable, bool(error.hint)) for error in refused] == [(True, True)] * 2
    copy = Collection.open(store, "copy")
    assert whole(copy) == before
    assert not list(copy.catalogue.scroll(Where(must=(Match("phase", ("restoring",)),))))


def test_nobody_else_replaces_the_collection_meanwhile(tmp_path: Path, store: Store) -> None:
    backup(library(in_process()), tmp_path / "b")
    library(store, edition="there")

    def other() -> None:
        with pytest.raises(ServiceError, match="being restored"):
            restore(store, tmp_path / "b", replace=True)
        assert Collection.open(store, "library").known().keys() == {source(name).id for name in NAMES}

    restore(store, tmp_path / "b", replace=True, on_progress=at_the_first("points", other))
    assert whole(Collection.open(store, "library")) == whole(library(in_process()))


def test_a_collection_made_in_spite_of_the_claim_stays(tmp_path: Path, store: Store) -> None:
    backup(library(in_process()), tmp_path / "b")

    def other() -> None:
        drop_collection(store, "copy")  # the claim too
        library(store, "copy", "mine", names=("book0.pdf",))

    with pytest.raises(ServiceError, match="meanwhile") as caught:
        restore(store, tmp_path / "b", "copy", on_progress=at_the_first("points", other))
    assert caught.value.retryable
    assert [text.split()[0] for text in texts_of(Collection.open(store, "copy"), source("book0.pdf"))] == ["mine"] * 4


def test_a_making_that_a_restore_overtakes_is_refused(store: Store) -> None:
    catalogue = Catalogue(store, "library")
    claim = {"phase": "restoring", "writer": "elsewhere/1/1/x", "until": time.time() + 60}
    identity, calls = str(uuid.uuid4()), 0

    def overtake(name: str) -> None:
        nonlocal calls
        calls += name == "create"
        if calls == 2:  # of the points: the catalogue is there
            catalogue.put({identity: claim})

    with pytest.raises(ServiceError, match="being restored"):
        library(cast(Store, Stepping(store, overtake)))
    assert catalogue.meta() is None
    assert catalogue.records([identity]) == {identity: claim}


def test_the_claim_of_another_host_holds_as_long_as_its_lease(tmp_path: Path, store: Store) -> None:
    backup(library(in_process()), tmp_path / "b")
    catalogue, claim = Catalogue(store, "library"), str(uuid.uuid4())
    store.create(catalogue.place, Schema(indexes={"phase": "keyword"}))
    there = {"phase": "restoring", "writer": "elsewhere/1/1/x", "until": time.time() + 60}
    catalogue.put({claim: there})
    for work in (lambda: library(store), lambda: restore(store, tmp_path / "b")):
        with pytest.raises(ServiceError, match="being restored"):
            work()
    catalogue.put({claim: {**there, "until": time.time() - 1}})
    restore(store, tmp_path / "b")
    assert whole(Collection.open(store, "library")) == whole(library(in_process()))


def test_a_kill_while_a_collection_is_replaced(tmp_path: Path) -> None:
    backup(library(in_process(), edition="saved"), tmp_path / "b")
    gone = 0
    for write in range(1, 100):
        store = in_process()
        library(store, edition="there")
        if not killed_before(store, write, lambda mortal: restore(mortal, tmp_path / "b", "library", replace=True)):
            break
        if Collection.names(store):  # the old one or the new, whole
            texts = texts_of(Collection.open(store, "library"), source("book0.pdf"))
            assert [text.split()[0] for text in texts] in (["there"] * 4, ["saved"] * 4)
            assert Collection.open(store, "library").count() == 24
        else:
            gone += 1
        restore(store, tmp_path / "b", "library", replace=True)
        assert Collection.open(store, "library").count() == 24
    else:
        pytest.fail("it never came to an end")
    assert gone <= 4  # between the writes of the last step alone


def test_a_killed_process_that_restores(tmp_path: Path, stores: Callable[[str], Store]) -> None:
    store = stores("edge")
    names = tuple(f"volume{number}.pdf" for number in range(60))
    backup(library(in_process(), names=names), tmp_path / "b")
    code = f"""
        from pathlib import Path
        from phidex.retrieval.edge import EdgeStore
        from phidex.retrieval.restore import restore
        from phidex.settings import StoreSettings
        import time
        store = EdgeStore(Path({str(tmp_path / "data0")!r}), StoreSettings(min_free_mb=1))
        def slowly(*step):
            print(*step, flush=True)
            time.sleep(0.05)
        restore(store, Path({str(tmp_path / "b")!r}), on_progress=slowly)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("points")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert Collection.names(store) == []
    restore(store, tmp_path / "b")
    assert Collection.open(store, "library").count() == 240


@pytest.mark.parametrize("name", ["a@2", "a.sources", "A", "../x"])
def test_bad_names(store: Store, tmp_path: Path, name: str) -> None:
    backup(library(in_process()), tmp_path / "b")
    with pytest.raises(InputError, match="name"):
        restore(store, tmp_path / "b", name)
    assert store.names() == []


def test_no_file_and_no_place(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        restore(store, tmp_path / "none")
    with pytest.raises(InputError, match="written"):
        backup(library(store), tmp_path / "no" / "such" / "b")


def test_no_room(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="MB free") as caught:
        check_free(tmp_path / "not" / "yet", 1 << 60)
    assert caught.value.hint
    check_free(tmp_path, 1 << 10)


def test_a_collection_that_somebody_writes_to_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.retrieval.restore._DRAIN_S", 0.2)
    store = in_process()
    library(store)
    backup(Collection.open(store, "library"), tmp_path / "b")
    of = source("book1.pdf")

    def slow_pieces() -> Iterator[Chunk]:
        yield chunks(of, "one")[0]
        with pytest.raises(ServiceError, match="writing"):
            restore(store, tmp_path / "b", replace=True)

    Collection.open(store, "library").replace(of, "slow", slow_pieces())
    assert texts_of(Collection.open(store, "library"), of) == ("one",)
    assert store.names() == ["library", "library.sources"]
    assert Catalogue(store, "library").meta() is not None
    assert store.count("library", Where()) == 5 * 4 + 1


def test_parts_are_small(tmp_path: Path) -> None:
    store = in_process()
    collection = Collection.create(store, "library", lambda: None)
    of = source("large.pdf")
    collection.replace(of, "x", chunks(of, *(f"passage {number}" for number in range(2500))))
    backup(collection, tmp_path / "b")
    reader = ArchiveReader(tmp_path / "b")
    assert [len(points) for _, points in reader.parts()] == [1000, 1000, 500]
    reader.close()
    restore(store, tmp_path / "b", "copy")
    assert whole(Collection.open(store, "copy"))["points"].keys() == whole(collection)["points"].keys()


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    store = in_process()
    library(store)

    def fails(name: str) -> None:
        if name == "read_points":
            raise ServiceError("gone", retryable=True)

    with pytest.raises(ServiceError, match="gone"):
        backup(Collection.open(cast(Store, Stepping(store, fails)), "library"), tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_collection_made_anew_while_it_is_backed_up(tmp_path: Path) -> None:
    store = in_process()
    library(store)
    backup(Collection.open(store, "library"), tmp_path / "a")
    began = time.monotonic()

    def meanwhile(name: str) -> None:
        if name == "read_points" and not list(tmp_path.glob("done")):
            (tmp_path / "done").touch()
            restore(store, tmp_path / "a", "library", replace=True)

    with pytest.raises((ServiceError, NotFoundError)):
        backup(Collection.open(cast(Store, Stepping(store, meanwhile)), "library"), tmp_path / "b")
    assert time.monotonic() - began < 30
    assert not (tmp_path / "b").exists()
