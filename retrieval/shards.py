"""The collections of one data folder in the embedded engine: made, opened when asked for, dropped, closed.

Runs in the engine's process only. A collection is the folder `collections/<name>/` with its `schema.json`, which names the
folder of the engine's shard: `shard`, or another one since an index was built (`retrieval/builds.py`). Folders come and go by
rename, so that a kill leaves a whole collection or a leftover whose name starts with a dot, which the next start removes. What
is asked of an open shard is in `retrieval/operations.py`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import qdrant_edge as edge

from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.retrieval.checks import check_name
from phidex.retrieval.indexer import edge_config
from phidex.retrieval.store import Schema
from phidex.retrieval.tuning import IndexState, Layout, Step, Tuning
from phidex.retrieval.wire import decode_schema, encode_schema

logger = logging.getLogger(__name__)

BUILDING = ".build-"
"""What the name of a shard's folder starts with while its index is built."""

_MOST_OPEN = 16  # an open collection costs some 15 threads, two descriptors and 50 MB of mapped files, however small it is
_TIDY_POINTS = 200_000  # a compaction of so many takes 5 to 14 seconds, and whoever comes meanwhile waits
_FLUSH_BYTES = 32 << 20  # written since the last flush: what a start after a kill replays takes a second or so


@dataclass(slots=True)
class Shard:
    """One open collection.

    Args:
        folder: name of the shard's folder in the collection's.
        built: points that there were when the index was built.
        changed: points written or deleted since then, or since the collection was opened.
        touched: ids, as whole numbers, of the points written while an index is being built; None while none is.
        paused: writers wait.
        trouble: why no index was built, and `troubled`: when that was, by time.monotonic().
    """

    schema: Schema
    engine: edge.EdgeShard
    folder: str = "shard"
    layout: Layout = field(default_factory=Layout)
    tuning: Tuning = field(default_factory=Tuning)
    built: int = 0
    changed: int = 0
    touched: set[int] | None = None
    paused: bool = False
    trouble: Literal["", "no room", "failed"] = ""
    troubled: float = 0.0
    asked: bool = False  # somebody wants the index brought up to date
    unflushed: int = 0  # bytes
    written: float = 0.0  # time.monotonic() of the last write
    shrunk: bool = False  # points were deleted since the last compaction


class Shards:
    """The collections under `data`, 16 of them open at most. Not thread-safe: the caller holds one lock.

    What `get` returns is of use until the next call: that may close it.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / "collections"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._open: dict[str, Shard] = {}  # the one used last stands last
        for leftover in self._folder.glob(".*"):  # of a kill in the middle of create or drop
            shutil.rmtree(leftover, ignore_errors=True)

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        return sorted(path.parent.name for path in self._folder.glob("*/schema.json"))

    def get(self, name: str, min_free_mb: int) -> Shard:
        """The open collection. Raises: NotFoundError; ServiceError where it must be opened and space is short."""
        shard = self._open.pop(name, None)
        if shard is None:
            folder = self._folder / check_name(name)
            if not (folder / "schema.json").exists():
                raise NotFoundError(f"there is no collection {name!r}", hint="ingest something, or check the name")
            self.check_space(min_free_mb)  # the engine dies of SIGBUS when it opens a shard on a full disk
            self._make_place()
            shard = _load(folder)
        self._open[name] = shard
        return shard

    def _make_place(self) -> None:
        idle = [name for name, shard in self._open.items() if shard.touched is None]  # the others are being built
        for oldest in idle[: max(0, len(self._open) + 1 - _MOST_OPEN)]:
            _shut(oldest, self._open.pop(oldest))

    def size(self, shard: Shard) -> int:
        """About how many points the collection has."""
        return shard.engine.count(edge.CountRequest(exact=False))

    def outside(self, shard: Shard) -> int:
        """About how many points are searched without the index."""
        points = self.size(shard)
        return points if shard.layout.plain else min(points, max(shard.changed, points - shard.built))

    def state(self, shard: Shard) -> IndexState:
        """How the collection's vectors are indexed."""
        points, outside = self.size(shard), self.outside(shard)
        if not self.is_indexable(shard):
            return IndexState(shard.layout, points, 0, "ready")
        wanted = shard.tuning.wanted(points, shard.layout, outside, asked=shard.asked)
        step: Step = "building" if shard.touched is not None else "ready" if wanted is None else shard.trouble or "due"
        return IndexState(shard.layout, points, outside, step)

    @staticmethod
    def is_indexable(shard: Shard) -> bool:
        """Whether there are vectors to index."""
        return shard.schema.sparse or shard.schema.dense_dim is not None

    def opened(self) -> list[tuple[str, Shard]]:
        """The open collections."""
        return list(self._open.items())

    def shard_folder(self, name: str, shard: Shard) -> Path:
        """Where the shard's files are."""
        return self._folder / name / shard.folder

    def tune(self, name: str, shard: Shard, tuning: Tuning) -> None:
        """Remember what settings ask for of the collection."""
        if tuning != shard.tuning:
            shard.tuning, shard.trouble = tuning, ""
            _write_schema(self._folder / name, shard)

    def adopt(self, name: str, shard: Shard, engine: edge.EdgeShard, folder: Path, layout: Layout, built: int) -> None:
        """Let the collection be served by this shard from here on: the write of `schema.json` is the one step."""
        before = (shard.folder, shard.layout, shard.built)
        shard.folder, shard.layout, shard.built = folder.name, layout, built
        try:
            _write_schema(self._folder / name, shard)
        except BaseException:
            shard.folder, shard.layout, shard.built = before
            raise
        old, shard.engine = shard.engine, engine
        shard.changed, shard.unflushed, shard.asked, shard.shrunk, shard.trouble = 0, 0, False, False, ""
        _close(name, old)
        with contextlib.suppress(OSError, AttributeError):  # glibc alone: gigabytes of the old index go back at once
            ctypes.CDLL(None).malloc_trim(0)

    def create(self, name: str, schema: Schema, min_free_mb: int) -> None:
        """Make the collection, or give an existing one the payload indexes that it lacks.

        Raises: InputError when it exists with other vectors or an index of another type.
        """
        check_name(name)
        if (self._folder / name / "schema.json").exists():
            self._extend(name, schema, min_free_mb)
            return
        self.check_space(min_free_mb)
        fresh = self._folder / f".new-{name}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        shard = Shard(schema, edge.EdgeShard.create(str(fresh / "shard"), edge_config(schema, Layout())))
        for key, kind in schema.indexes.items():
            shard.engine.update(_index(key, kind))
        shard.engine.close()
        _write_schema(fresh, shard)
        fresh.rename(self._folder / name)

    def _extend(self, name: str, schema: Schema, min_free_mb: int) -> None:
        shard = self.get(name, min_free_mb)
        have = shard.schema
        hint = "drop the collection or choose another name"
        if (have.dense_dim, have.sparse) != (schema.dense_dim, schema.sparse):
            vectors = f"dense {have.dense_dim}, sparse {have.sparse}"
            wanted = f"dense {schema.dense_dim}, sparse {schema.sparse}"
            raise InputError(f"the collection {name!r} exists with other vectors ({vectors}; asked: {wanted})", hint=hint)
        changed = [key for key, kind in schema.indexes.items() if have.indexes.get(key, kind) != kind]
        if changed:
            raise InputError(f"the collection {name!r} indexes {changed[0]!r} with another type", hint=hint)
        missing = {key: kind for key, kind in schema.indexes.items() if key not in have.indexes}
        if not missing:
            return
        self.check_space(min_free_mb)
        for key, kind in missing.items():
            shard.engine.update(_index(key, kind))
        shard.schema = Schema(have.dense_dim, have.sparse, {**have.indexes, **schema.indexes})
        _write_schema(self._folder / name, shard)

    def drop(self, name: str) -> None:
        """Remove the collection; no check of free space, since this makes some."""
        check_name(name)
        shard = self._open.pop(name, None)
        if shard is not None:
            shard.engine.close()
        folder = self._folder / name
        if folder.exists():
            old = self._folder / f".old-{name}-{time.time_ns()}"
            folder.rename(old)
            shutil.rmtree(old, ignore_errors=True)  # what resists is a leftover for the next start

    def check_space(self, min_free_mb: int) -> None:
        """ServiceError when less than this is free: on a full disk the engine is killed by SIGBUS."""
        free_mb = shutil.disk_usage(self._folder).free >> 20
        if free_mb < min_free_mb:
            hint = "free space, or lower PHIDEX_STORE__MIN_FREE_MB"
            raise ServiceError(
                f"the disk of {self._folder.parent} is nearly full: {free_mb} MB free, {min_free_mb} MB needed", hint=hint
            )

    def note_write(self, shard: Shard, size: int) -> None:
        """Count the bytes of a write, and flush when a restart would have much to replay (the log is cut by it too)."""
        shard.unflushed += size
        shard.written = time.monotonic()
        if shard.unflushed > _FLUSH_BYTES:
            self._flush(shard)

    def flush_quiet(self, quiet_s: float) -> None:
        """Flush the collections that were written, but not within the last seconds."""
        for shard in self._open.values():
            if shard.unflushed and not shard.paused and time.monotonic() - shard.written > quiet_s:
                self._flush(shard)

    def tidy(self) -> None:
        """Give back the space of points that were deleted here and there, in one collection a call.

        The engine decides whether it is worth while (a fifth of a segment); what would take long is left to an ingest's end.
        """
        for shard in self._open.values():
            if shard.shrunk and shard.layout.plain and shard.touched is None:
                shard.shrunk = False
                if shard.engine.count(edge.CountRequest(exact=False)) <= _TIDY_POINTS:
                    shard.engine.optimize()
                    self._flush(shard)
                return

    def close(self) -> None:
        """Flush and close every open collection; one that fails is logged and does not keep the others."""
        for name, shard in self._open.items():
            _shut(name, shard)
        self._open.clear()

    def _flush(self, shard: Shard) -> None:
        shard.engine.flush()
        shard.unflushed = 0


def _load(folder: Path) -> Shard:
    """The collection's shard, opened; what a killed build left beside it is removed."""
    noted: dict[str, Any] = json.loads((folder / "schema.json").read_bytes())
    used = noted.get("shard", "shard")
    for other in folder.iterdir():
        if other.is_dir() and other.name != used:
            shutil.rmtree(other, ignore_errors=True)
    engine = edge.EdgeShard.load(str(folder / used))
    layout, tuning = Layout.from_dict(noted.get("layout", {})), Tuning.from_dict(noted.get("tuning", {}))
    return Shard(decode_schema(noted), engine, used, layout, tuning, noted.get("built", 0))


def _shut(name: str, shard: Shard) -> None:
    try:
        shard.engine.flush()
    except Exception:  # the engine raises nothing narrower; the log keeps what was acknowledged
        logger.exception("flush failed collection=%s", name)
    _close(name, shard.engine)


def _close(name: str, engine: edge.EdgeShard) -> None:
    try:
        engine.close()
    except Exception:
        logger.exception("close failed collection=%s", name)


def _index(key: str, kind: str) -> edge.UpdateOperation:
    params = edge.KeywordIndexParams() if kind == "keyword" else edge.IntegerIndexParams(lookup=True, range=True)
    return edge.UpdateOperation.create_field_index(key, params)


def _write_schema(folder: Path, shard: Shard) -> None:
    noted = {
        **encode_schema(shard.schema),
        "shard": shard.folder,
        "layout": shard.layout.to_dict(),
        "tuning": shard.tuning.to_dict(),
        "built": shard.built,
    }
    fresh = folder / ".schema.json"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(noted, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder / "schema.json")
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
