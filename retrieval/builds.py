"""The index of a collection built beside the one in use, and taken over in one step; searches and writes go on.

Runs in the engine's process, in a thread of its own, one build at a time:

    copy the shard -> have another process build the copy -> bring over what changed meanwhile -> switch

While it runs, each write notes the points that it touches. What is brought over is read from the shard in use, so that nothing
depends on the order of writes. Segments that are built already never change but for points that leave them, so they are copied
while others write; for the rest of the copy writers wait, at some 300 MB a second. The switch is one write of `schema.json`,
which names the shard's folder: a kill before it leaves the old shard, one after it the new, and the other folder is removed
when the collection is next opened.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from phidex.retrieval.shards import BUILDING, Shard, Shards
from phidex.retrieval.tuning import Layout
from phidex.retrieval.wire import encode_schema

logger = logging.getLogger(__name__)

_SETTLE_S = 5.0  # a collection unwritten for so long is built
_UNSETTLED = 2  # times `index_from` outside the index: built while it is written, since so many take 2 GB of memory
_AGAIN_S = 600.0  # after a build that failed
_POINT_BYTES = 24_000  # of memory for each point that is not indexed yet, while it is built: 22 KB measured, with 420 terms
_SLICE = 256  # points that are brought over while others wait: 50 to 100 ms
_GROWABLE = ("ChunkedMmap", "MutableRam")  # storage in `segment.json` of a segment that is written to


class _GivenUpError(Exception):
    """The collection was dropped, or the engine leaves."""


class Build(threading.Thread):
    """One build.

    Args:
        lock: what guards the shards; waited on by writers of a shard that is `paused`.
    """

    def __init__(self, shards: Shards, lock: threading.Condition, name: str, shard: Shard, layout: Layout) -> None:
        super().__init__(name=f"phidex-build-{name}", daemon=True)
        self._shards, self._lock, self.collection, self._layout = shards, lock, name, layout
        self._shard = shard
        self._source = shards.shard_folder(name, shard)
        self._copied = self._source.parent / f"{BUILDING}{time.time_ns()}"
        self._fresh = self._source.parent / f"shard-{time.time_ns()}"
        self._points = self._brought = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._given_up = False

    def give_up(self) -> None:
        """End it as soon as may be; the caller holds the lock, and drops or closes the shard."""
        self._given_up = True
        self._shard.touched, self._shard.paused = None, False
        self._lock.notify_all()
        if self._child is not None:
            self._child.kill()

    def run(self) -> None:
        """Build, and switch; whatever goes wrong leaves the collection as it was."""
        started = time.monotonic()
        logger.info("build begins collection=%s layout=%s", self.collection, self._layout.to_dict())
        try:
            self._copy()
            self._index()
            self._switch()
            logger.info("built collection=%s points=%d seconds=%.1f", self.collection, self._points, time.monotonic() - started)
        except _GivenUpError:
            logger.info("build given up collection=%s", self.collection)
        except BaseException:  # of the engine, which raises nothing narrower, the disk or the other process
            logger.exception("build failed collection=%s", self.collection)
            with self._lock:
                self._shard.trouble, self._shard.troubled = "failed", time.monotonic()
        finally:
            with self._lock:
                self._shard.touched, self._shard.paused = None, False
                self._lock.notify_all()
                used = self._shards.shard_folder(self.collection, self._shard)
            for folder in {self._copied, self._fresh} - {used}:
                shutil.rmtree(folder, ignore_errors=True)

    def _check(self) -> None:
        if self._given_up:
            raise _GivenUpError

    def _copy(self) -> None:
        with self._lock:
            self._check()
            self._shard.engine.flush()
            self._points = self._shard.engine.count(edge.CountRequest(exact=False))
        built = [folder for folder in segments_of(self._source) if not _grows(folder)]
        for folder in built:
            self._check()
            shutil.copytree(folder, self._copied / "segments" / folder.name)
        with self._lock:
            self._check()
            self._shard.engine.flush()
            self._shard.paused = True
        try:
            for folder in segments_of(self._source):
                if folder not in built:
                    shutil.copytree(folder, self._copied / "segments" / folder.name)
            shutil.copytree(self._source, self._copied, ignore=_without_segments, dirs_exist_ok=True)
        finally:
            with self._lock:
                self._shard.paused = False
                self._lock.notify_all()

    def _index(self) -> None:
        schema, layout = json.dumps(encode_schema(self._shard.schema)), json.dumps(self._layout.to_dict())
        command = [sys.executable, "-P", "-m", "phidex.retrieval.indexer", "--shard", str(self._copied)]
        command += ["--schema", schema, "--layout", layout, "--points", str(max(1, self._points)), "--parent", str(os.getpid())]
        with self._lock:
            self._check()
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/")
        code = self._child.wait()
        with self._lock:
            self._check()
        if code:
            raise ChildProcessError(f"the indexer ended with code {code}")

    def _switch(self) -> None:
        self._copied.rename(self._fresh)
        with self._lock:
            self._check()
            fresh = edge.EdgeShard.load(str(self._fresh))
            patience = 2 * len(self._shard.touched or ()) // _SLICE + 50
        while not self._caught_up(fresh, pause=patience < 0):
            patience -= 1
            time.sleep(0.002)  # others come to the lock

    def _caught_up(self, fresh: edge.EdgeShard, *, pause: bool) -> bool:
        """Bring over some of the touched points; with the last of them, switch."""
        with self._lock:
            if self._given_up:
                fresh.close()
                raise _GivenUpError
            touched = self._shard.touched or set()
            some = [touched.pop() for _ in range(min(_SLICE, len(touched)))]
            self._brought += len(some)
            bring_over(self._shard.engine, fresh, [UUID(int=number) for number in some])
            self._shard.paused = pause
            if touched:
                return False
            fresh.flush()
            self._shards.adopt(self.collection, self._shard, fresh, self._fresh, self._layout, self._points)
            self._shard.changed = self._brought
            self._source.rename(self._copied)  # now: the name may be given away once the lock is
            return True


def bring_over(used: edge.EdgeShard, fresh: edge.EdgeShard, ids: list[UUID]) -> None:
    """Make these points in `fresh` what they are in `used`."""
    if not ids:
        return
    wanted: list[int | UUID | str] = list(ids)
    found = used.retrieve(wanted, True, True)
    gone = set(ids) - {record.id for record in found}
    points = [edge.Point(record.id, _vectors(record.vector), record.payload) for record in found]
    if points:
        fresh.update(edge.UpdateOperation.upsert_points(points))
    if gone:
        fresh.update(edge.UpdateOperation.delete_points(list(gone)))


def _vectors(vectors: Any) -> dict[str, Any]:
    return dict(vectors or {})


def segments_of(shard: Path) -> list[Path]:
    """The folders of the shard's segments."""
    return sorted((shard / "segments").iterdir())


def _without_segments(_folder: str, names: list[str]) -> set[str]:
    return {"segments"} & set(names)


def _grows(segment: Path) -> bool:
    with contextlib.suppress(OSError):
        text = (segment / "segment.json").read_text(encoding="utf-8")
        return any(kind in text for kind in _GROWABLE)
    return True


class Builder:
    """Says which collection is built next, and builds it: one at a time. Callers hold the lock that it is made with."""

    def __init__(self, shards: Shards, lock: threading.Condition) -> None:
        self._shards, self._lock = shards, lock
        self._build: Build | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a build is at work."""
        return self._build is not None and self._build.is_alive()

    def tend(self, min_free_mb: int) -> None:
        """Begin the next build that is due."""
        if self.is_busy:
            return
        for name, shard in self._shards.opened():
            layout = self._due(shard)
            if layout is None:
                shard.asked = False
                continue
            if not _has_room(self._shards.shard_folder(name, shard), self._shards.outside(shard), min_free_mb):
                shard.trouble, shard.troubled, shard.asked = "no room", time.monotonic(), False
                continue
            shard.trouble, shard.touched = "", set()
            self._build = Build(self._shards, self._lock, name, shard, layout)
            self._build.start()
            return

    def give_up(self, collection: str = "") -> None:
        """End the build of this collection, or any."""
        if self._build is not None and self._build.is_alive() and collection in ("", self._build.collection):
            self._build.give_up()

    def join(self) -> None:
        """Wait for the end of a build that was given up; the lock must not be held."""
        if self._build is not None:
            self._build.join(timeout=10)

    def _due(self, shard: Shard) -> Layout | None:
        if not self._shards.is_indexable(shard):
            return None
        outside = self._shards.outside(shard)
        layout = shard.tuning.wanted(self._shards.size(shard), shard.layout, outside, asked=shard.asked)
        now = time.monotonic()
        rests = now - shard.written > _SETTLE_S or outside > _UNSETTLED * shard.tuning.index_from
        again = not shard.trouble or now - shard.troubled > _AGAIN_S
        return layout if shard.asked or (rests and again) else None


def _has_room(folder: Path, outside: int, min_free_mb: int) -> bool:
    """Whether disk and memory have what a build needs: a copy, each segment once more, and what is not indexed in memory."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    memory = _available()
    enough = free > 2 * size + (min_free_mb << 20) and memory > outside * _POINT_BYTES
    if not enough:
        logger.warning(
            "no room for a build shard=%s bytes=%d free=%d outside=%d memory=%d", folder, size, free, outside, memory
        )
    return enough


def _available() -> int:
    """Bytes of memory that are free for use; where the system does not say, enough."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.split("MemAvailable:")[1].split()[0]) << 10
    return 1 << 62
