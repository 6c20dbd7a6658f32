"""The embedded engine's index, built beside the collection in use: nothing is lost, whoever writes or dies meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.retrieval.engines import end_engine, id_of, pid_of, settings

from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.store import Floats, HasId, Leg, Match, Point, Schema, SparseVector, Where
from phidex.retrieval.tuning import IndexState, Layout

DIM = 16
SCHEMA = Schema(DIM, sparse=True, indexes={"k": "keyword"})
EVERY = Where()


def vector_of(number: int, version: int = 0) -> Floats:
    """A unit vector of the number and version."""
    vector = np.random.default_rng((number, version)).standard_normal(DIM).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def point_of(number: int, version: int = 0) -> Point:
    terms = SparseVector(np.array([number % 50, 1000 + version], np.uint32), np.ones(2, np.float32))
    return Point(id_of(number), {"n": number, "v": version, "k": f"k{number % 10}"}, vector_of(number, version), terms)


TERMS = SparseVector(np.array([7, 1000], np.uint32), np.ones(2, np.float32))


def filled(data: Path, count: int, **values: object) -> EdgeStore:
    """A store with a collection `c` of so many points, which is indexed from 1,000 points on."""
    store = EdgeStore(data, settings(**{"min_free_mb": 1, "index_from": 1000, "timeout_s": 60, **values}))
    store.create("c", SCHEMA)
    store.upsert("c", [point_of(number) for number in range(count)])
    return store


def wait_for(store: EdgeStore, step: str = "ready", seconds: float = 90) -> IndexState:
    deadline = time.monotonic() + seconds
    while (state := store.index_state("c")).step != step:
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(0.05)
    return state


def contents(store: EdgeStore) -> dict[str, tuple[int, tuple[float, ...]]]:
    """Version and dense vector of each point, by id."""
    found: dict[str, tuple[int, tuple[float, ...]]] = {}
    after: str | None = None
    while True:
        points, after = store.points("c", limit=1000, after=after)
        for point in points:
            assert point.dense is not None
            assert point.sparse is not None
            assert point.sparse.indices.tolist() == [point.payload["n"] % 50, 1000 + point.payload["v"]]
            found[point.id] = (point.payload["v"], tuple(np.round(point.dense, 4).tolist()))
        if after is None:
            return found


def expected(versions: dict[int, int]) -> dict[str, tuple[int, tuple[float, ...]]]:
    return {id_of(n): (v, tuple(np.round(vector_of(n, v), 4).tolist())) for n, v in versions.items()}


def shard_folders(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "collections" / "c").iterdir() if path.is_dir())


def shard_in_use(data: Path) -> str:
    return json.loads((data / "collections" / "c" / "schema.json").read_bytes())["shard"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_collection_that_grew_is_indexed_by_itself(data: Path) -> None:
    store = filled(data, 1500)
    try:
        before = store.query("c", [Leg(vector_of(7), 10, exact=True), Leg(TERMS, 10)])
        state = wait_for(store)
        assert state.layout == Layout(hnsw=True, quantization="int8", on_disk=True)
        assert (state.points, state.outside) == (1500, 0)
        assert contents(store) == expected(dict.fromkeys(range(1500), 0))
        after = store.query("c", [Leg(vector_of(7), 10, exact=True), Leg(TERMS, 10)])
        assert [hit.id for hit in after[0]] == [hit.id for hit in before[0]]
        assert [hit.score for hit in after[1]] == pytest.approx([hit.score for hit in before[1]])  # many are equal
        (near,) = store.query("c", [Leg(vector_of(7), 10)])
        assert len({hit.id for hit in near} & {hit.id for hit in after[0]}) >= 9
        assert near[0].score == pytest.approx(1, abs=1e-3)  # the full vector's, not the quantized one's
        assert shard_in_use(data) != "shard"
        assert store.count("c", Where((Match("k", ("k3",)),))) == 150
    finally:
        store.close()
        end_engine(data)


def test_what_is_written_while_the_index_is_built_is_in_it(data: Path) -> None:
    store = filled(data, 3000, index="exact", on_disk="never")
    eager = EdgeStore(data, settings(min_free_mb=1, index_from=1000, timeout_s=60))
    versions = dict.fromkeys(range(3000), 0)
    slowest, looks = 0.0, 0
    try:
        assert eager.optimize("c").step == "building"
        round_ = 0
        while eager.index_state("c").step == "building":
            round_ += 1
            changed = range(100 * round_ % 2000, 100 * round_ % 2000 + 40)
            eager.upsert("c", [point_of(number, round_) for number in changed])
            versions |= dict.fromkeys(changed, round_)
            fresh = 10_000 + round_
            eager.upsert("c", [point_of(fresh)])
            versions[fresh] = 0
            gone = 2000 + round_
            eager.delete("c", Where((HasId((id_of(gone),)),)))
            versions.pop(gone, None)
            eager.set_payload("c", Where((HasId((id_of(2999),)),)), {"seen": round_})
            began = time.monotonic()
            eager.query("c", [Leg(vector_of(5), 10)])
            slowest, looks = max(slowest, time.monotonic() - began), looks + 1
        assert round_ > 3
        assert looks > 3
        assert slowest < 3  # nobody waits for the build, which takes longer
        assert eager.index_state("c").layout.hnsw
        assert contents(eager) == expected(versions)
        assert eager.retrieve("c", [id_of(2999)])[0].payload["seen"] == round_
    finally:
        store.close()
        eager.close()
        end_engine(data)


@pytest.mark.parametrize("moment", [".build-", "shard-"])
def test_a_kill_in_the_middle_of_a_build(data: Path, moment: str) -> None:
    store = filled(data, 4000, index="exact")
    eager = EdgeStore(data, settings(min_free_mb=1, index_from=1000, timeout_s=60))
    try:
        eager.optimize("c")
        deadline = time.monotonic() + 60
        while not any(name.startswith(moment) for name in shard_folders(data)):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        eager.upsert("c", [point_of(7, 3)])
        os.kill(pid_of(data), signal.SIGKILL)
        versions = {**dict.fromkeys(range(4000), 0), 7: 3}
        assert contents(eager) == expected(versions)
        assert len(shard_folders(data)) == 1 or eager.index_state("c").step == "building"
        eager.optimize("c")
        assert wait_for(eager).layout.hnsw
        assert contents(eager) == expected(versions)
        assert len(shard_folders(data)) == 1
    finally:
        store.close()
        eager.close()
        end_engine(data)


def test_settings_are_brought_to_what_is_there(data: Path) -> None:
    store = filled(data, 1500)
    try:
        wait_for(store)
        binary = EdgeStore(data, settings(min_free_mb=1, index_from=1000, quantization="binary", hnsw_m=8))
        binary.optimize("c")
        state = wait_for(binary)
        assert (state.layout.quantization, state.layout.m) == ("binary", 8)
        binary.close()
        end_engine(data)  # and it is so after a restart
        assert store.index_state("c").layout == state.layout
        plain = EdgeStore(data, settings(min_free_mb=1, index="exact", quantization="none", on_disk="never"))
        assert plain.optimize("c").step == "ready"  # exact search passes the index by
        (hits,) = plain.query("c", [Leg(vector_of(9), 5)])
        assert hits[0].id == id_of(9)
        plain.close()
    finally:
        store.close()
        end_engine(data)


def test_a_collection_dropped_or_left_while_its_index_is_built(data: Path) -> None:
    store = filled(data, 4000, index="exact")
    eager = EdgeStore(data, settings(min_free_mb=1, index_from=1000))
    try:
        eager.optimize("c")
        eager.drop("c")
        assert eager.names() == []
        eager.create("c", SCHEMA)
        eager.upsert("c", [point_of(1)])
        time.sleep(1)
        assert contents(eager) == expected({1: 0})
        eager.upsert("c", [point_of(number) for number in range(4000)])
        eager.optimize("c")
        end_engine(data)  # a clean end in the middle
        assert eager.count("c", EVERY) == 4000
    finally:
        store.close()
        eager.close()
        end_engine(data)


def test_a_small_collection_stays_exact(data: Path) -> None:
    store = filled(data, 900)
    try:
        state = store.optimize("c")
        assert state.layout.plain
        assert state.step == "ready"
    finally:
        store.close()
        end_engine(data)


def test_no_room_for_a_build(data: Path) -> None:
    store = filled(data, 1500, index="exact")
    free_mb = shutil.disk_usage(data).free >> 20
    eager = EdgeStore(data, settings(min_free_mb=free_mb - 5, index_from=1000))  # the copies would leave less
    try:
        eager.optimize("c")
        assert wait_for(eager, "no room").layout.plain
        assert eager.count("c", EVERY) == 1500
    finally:
        store.close()
        eager.close()
        end_engine(data)


def test_writers_from_threads_during_builds(data: Path) -> None:
    """Many writers and a build: each acknowledged write is there."""
    store = filled(data, 2000, index="exact")
    eager = EdgeStore(data, settings(min_free_mb=1, index_from=1000, timeout_s=60))
    stop = threading.Event()
    written: list[dict[int, int]] = [{} for _ in range(3)]

    def write(which: int) -> None:
        version = 0
        while not stop.is_set():
            version += 1
            number = 20_000 + 1000 * which + version % 200
            eager.upsert("c", [point_of(number, version)])
            written[which][number] = version

    threads = [threading.Thread(target=write, args=(which,)) for which in range(3)]
    try:
        for thread in threads:
            thread.start()
        eager.optimize("c")
        deadline = time.monotonic() + 90
        while not eager.index_state("c").layout.hnsw:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        versions = dict.fromkeys(range(2000), 0)
        for part in written:
            versions |= part
        assert contents(eager) == expected(versions)
    finally:
        stop.set()
        store.close()
        eager.close()
        end_engine(data)


def test_deleted_points_give_back_their_place_with_the_next_build(data: Path) -> None:
    store = filled(data, 3000)
    try:
        wait_for(store)
        before = shard_in_use(data)
        store.delete("c", Where((HasId(tuple(id_of(number) for number in range(1000))),)))
        assert store.index_state("c").outside == 1000
        assert store.compact("c")
        deadline = time.monotonic() + 90
        while shard_in_use(data) == before or store.index_state("c").step == "building":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert contents(store) == expected(dict.fromkeys(range(1000, 3000), 0))
        assert store.index_state("c").outside == 0
    finally:
        store.close()
        end_engine(data)
