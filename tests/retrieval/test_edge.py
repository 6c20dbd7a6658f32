"""The embedded engine's process as a client lives with it; what goes wrong is in test_edge_faults.py."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.retrieval.engines import SCHEMA, Opened, id_of, opened, pid_of, points_of, settings, wait_until_left

from phidex.errors import ConfigError, InputError
from phidex.retrieval import operations, runtime, shards, wire
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.engines import open_store
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import HasId, Leg, Match, Point, Schema, SparseVector, Where

__all__ = ["opened"]  # a fixture

WRITER = """
import sys
from pathlib import Path
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.store import Where
from tests.retrieval.engines import SCHEMA, points_of, settings
store = EdgeStore(Path(sys.argv[1]), settings(idle_s=30, min_free_mb=1))
store.create("c", SCHEMA)
first = int(sys.argv[2])
for start in range(first, first + 300, 30):
    store.upsert("c", points_of(range(start, start + 30)))
    assert store.count("c", Where()) >= 30
store.close()
"""


def test_several_processes_share_a_folder(opened: Opened) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(opened.data), str(first)], cwd=Path(__file__).parents[2])
        for first in (0, 1000, 2000)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    store = opened()
    assert store.count("c", Where()) == 900
    assert store.info().last_crash is None


def test_many_threads(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)

    def work(worker: int) -> int:
        store.upsert("c", points_of(range(worker * 100, worker * 100 + 20)))
        return len(store.query("c", [Leg(np.ones(8, np.float32), 5)])[0])

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(work, range(48))) == {5}
    assert store.count("c", Where()) == 960


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # what Python 3.12 says is what is tested
def test_a_forked_child_connects_anew(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)
    store.upsert("c", points_of(range(5)))
    child = os.fork()
    if not child:
        ok = False
        try:
            ok = store.count("c", Where()) == 5 and store.names() == ["c"]
        finally:
            os._exit(0 if ok else 1)
    for _ in range(50):
        assert store.count("c", Where()) == 5
    assert os.waitpid(child, 0)[1] == 0


def test_leaves_when_idle_and_comes_back(opened: Opened) -> None:
    store = opened(idle_s=1)
    store.create("c", SCHEMA)
    store.upsert("c", points_of(range(5)))
    socket_file = runtime.socket_path(opened.data)
    assert socket_file.is_socket()
    wait_until_left(opened.data)  # although the store keeps its connection
    assert not socket_file.exists()
    assert not (opened.data / runtime.NOTE).exists()
    assert store.count("c", Where()) == 5
    assert store.info().last_crash is None


def test_stays_while_asked(opened: Opened) -> None:
    store = opened(idle_s=1)
    pid = store.info().pid
    for _ in range(12):
        time.sleep(0.25)
        assert store.info().pid == pid


def test_a_second_start_leaves_the_first_alone(opened: Opened) -> None:
    store = opened()
    pid = store.info().pid
    command = [sys.executable, "-m", "phidex.retrieval.engine", "--data", str(opened.data)]
    assert subprocess.run(command, timeout=20, check=False).returncode == 0
    assert store.info().pid == pid == pid_of(opened.data)


def test_other_threads_keep_running_in_a_large_upsert(opened: Opened) -> None:
    store = opened()
    rng = np.random.default_rng(1)
    store.create("big", Schema(384, sparse=True))
    terms = [np.unique(rng.integers(0, 2**32, 150, dtype=np.uint32)) for _ in range(4000)]
    points = [
        Point(
            id_of(n), {"text": "x" * 1000}, rng.standard_normal(384).astype(np.float32), SparseVector(t, t.astype(np.float32))
        )
        for n, t in enumerate(terms)
    ]
    gaps: list[float] = []
    done = threading.Event()

    def beat() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    heart = threading.Thread(target=beat)
    heart.start()
    began = time.perf_counter()
    store.upsert("big", points)
    took = time.perf_counter() - began
    done.set()
    heart.join()
    assert store.count("big", Where()) == 4000
    # A busy machine may stop any thread once; the engine in this process would stop it for nearly all the time.
    assert sum(gap for gap in gaps if gap > 0.05) < 0.2 * took
    assert float(np.median(gaps)) < 0.01


def test_what_it_makes_is_private(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)
    made = [opened.data, *opened.data.rglob("*"), runtime.runtime_folder(), runtime.socket_path(opened.data)]
    assert len(made) > 10
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_leftovers_of_a_kill_are_removed(opened: Opened) -> None:
    for name in (".new-half", ".old-half-1"):
        (opened.data / "collections" / name / "shard").mkdir(parents=True)
    store = opened()
    assert store.names() == []
    assert list((opened.data / "collections").iterdir()) == []


def test_the_folder_is_found_from_another_environment(opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pid = opened().info().pid
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))  # as in a session beside a daemon's
    assert opened().info().pid == pid


def test_a_long_folder_name(tmp_path: Path) -> None:
    opened = Opened(tmp_path / ("long" * 30) / ("ж" * 60))
    try:
        assert opened().names() == []
    finally:
        opened.end()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are seen in /proc")
def test_only_some_collections_stay_open_and_all_answer(opened: Opened) -> None:
    store = opened()
    names = [f"c{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        store.create(name, SCHEMA)
        store.upsert(name, points_of(range(number + 1)))
    assert [store.count(name, Where()) for name in names] == list(range(1, 21))
    links = [link.readlink() for link in Path(f"/proc/{pid_of(opened.data)}/fd").iterdir() if link.is_symlink()]
    folder = opened.data / "collections"
    assert {link.relative_to(folder).parts[0] for link in links if link.is_relative_to(folder)} == set(names[-16:])
    store.count(names[4], Where())  # used again: the next to go is another
    store.drop(names[19])
    assert [store.count(name, Where()) for name in reversed(names[:19])] == list(range(19, 0, -1))


def test_compact_drops_deleted_points(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)
    store.upsert("c", points_of(range(3000)))
    store.set_payload("c", Where((Match("n", tuple(range(2000))),)), {"k": "old"})
    store.delete("c", Where((Match("k", ("old",)),)))
    assert store.compact("c")
    assert store.count("c", Where()) == 1000
    assert store.retrieve("c", [id_of(2500)])[0].payload["n"] == 2500
    assert not store.compact("c")
    store.upsert("c", points_of(range(10)))
    assert store.count("c", Where()) == 1010


def test_the_client_does_not_load_the_engine() -> None:
    code = "import sys, phidex.retrieval.edge, phidex.retrieval.engines; print([m for m in sys.modules if 'qdrant_' in m])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_open_store_chooses_by_the_url(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path, settings()), EdgeStore)
    server = open_store(tmp_path, settings(url="http://localhost:1"))
    assert isinstance(server, ServerStore)
    server.close()


def test_arguments_are_checked_before_anything_starts(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "data", settings())
    with pytest.raises(InputError):
        store.count("No", Where())
    with pytest.raises(InputError):
        store.upsert("c", [Point("no-uuid", {})])
    with pytest.raises(InputError):
        store.count("c", Where((Match("n", (2**65,)),)))
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = EdgeStore(tmp_path / "file" / "data", settings(timeout_s=5))
    with pytest.raises(ConfigError, match="cannot be made"):
        store.names()


@pytest.mark.parametrize("most", [10_000, 100])
def test_deleted_points_are_cleared_away_when_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(shards, "_TIDY_POINTS", most)
    opened = shards.Shards(tmp_path)
    opened.create("c", SCHEMA, 1)
    shard = opened.get("c", 1)
    operations.upsert(shard, wire.encode_points(points_of(range(3000))))
    operations.delete(shard, {"where": wire.encode_where(Where((HasId(tuple(id_of(n) for n in range(2000))),)))})
    opened.tidy()
    assert operations.count(shard, {"where": wire.encode_where(Where())}) == 1000
    assert operations.compact(shard, {}) == (most < 1000)  # left to an ingest where it would take long
    opened.tidy()
    opened.close()
