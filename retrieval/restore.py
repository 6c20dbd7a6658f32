"""A collection made of a backup (`backup.py`), in any store: it appears whole, with the last step.

    the claim -> points, their index -> pictures and originals -> the catalogue's records -> the one that says that it exists

The claim is a record of the catalogue: while its writer lives, nobody else makes or restores a collection of that name. What
a kill leaves is seen by nobody and cleared away by the next restore or ingest of that name. Where a collection is
replaced, that is served until all points are there; from then on no collection of that name is seen until the records are
written, a second or so.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections import Counter
from dataclasses import replace as altered
from pathlib import Path

from phidex.errors import ConfigError, InputError, NotFoundError, PhidexError, ServiceError
from phidex.ingest.run.blobs import Blobs
from phidex.retrieval.archive import ArchiveReader, BackupReport, Progress, Step, check_free
from phidex.retrieval.catalogue import (
    CATALOGUE,
    GENERATION,
    META_ID,
    Catalogue,
    CollectionMeta,
    points_of,
    points_schema,
    refuse_claimed,
)
from phidex.retrieval.lease import LEASE_S, RENEW_S, at_work, is_gone
from phidex.retrieval.payload import SCHEMA_VERSION
from phidex.retrieval.rebuild import GRACE_S
from phidex.retrieval.store import HasId, Match, Payload, Point, Schema, Store, Where
from phidex.retrieval.vectors import batched
from phidex.retrieval.versions import is_busy

log = logging.getLogger(__name__)

_STORED_BYTES = 14_000  # of a point in the store, the building of its index included
_INDEX_EVERY = 200_000  # points: what is not indexed yet is held in memory
_DRAIN_S = 10.0


def restore(
    store: Store,
    path: Path,
    name: str = "",
    *,
    blobs: Blobs | None = None,
    replace: bool = False,
    data: Path | None = None,
    on_progress: Progress | None = None,
) -> BackupReport:
    """Make a collection of the file, under its own name or another; it appears whole, with the last step.

    Args:
        blobs: where its pictures and originals go; None leaves them.
        replace: whether a collection of that name may be replaced. It is served until the new one is whole.
        data: the data folder of the embedded engine, to check its disk's room before.

    Raises:
        InputError: the file is damaged or none of ours, or the collection exists.
        ConfigError: the file was made by a newer version.
        ServiceError: the disk has no room, the store failed, or somebody else makes, restores or drops it meanwhile,
            or writes to the one that is to be replaced.
    """
    started = time.monotonic()
    reader = ArchiveReader(path)
    try:
        work = _Restore(store, reader, name or str(reader.manifest["collection"]), replace, on_progress or _quiet)
        if data is not None:
            check_free(data, work.total * _STORED_BYTES)
        with at_work() as token:
            count = work.run(token, blobs)
    finally:
        reader.close()
    size, seconds = path.stat().st_size, time.monotonic() - started
    return BackupReport(work.name, str(path), len(work.sources), work.total, count, size, seconds)


class _Restore:
    """One run; see the module."""

    def __init__(self, store: Store, reader: ArchiveReader, name: str, replace: bool, on_progress: Progress) -> None:
        if GENERATION in name or name.endswith(CATALOGUE):
            hint = f"choose one without {GENERATION!r} that does not end in {CATALOGUE!r}"
            raise InputError(f"{name!r} is no name for a collection", hint=hint)
        self._store, self._reader, self.name, self._on_progress = store, reader, name, on_progress
        self._catalogue = Catalogue(store, name)
        self.sources = reader.sources()
        self._attempts: dict[str, int] = {source["id"]: source["attempt"] for source in self.sources}
        self.total = sum(source["chunks"] for source in self.sources)
        self._made = CollectionMeta.from_payload(name, {**reader.manifest["made"], "points": name})
        if self._made.schema_version > SCHEMA_VERSION:
            raise ConfigError("the backup was made by a newer version of Phidex", hint="use that version")
        self._before = self._catalogue.meta()
        if self._before is not None and not replace:
            raise InputError(f"the collection {name!r} exists", hint="choose another name, or allow it to be replaced")
        self._renewed = time.monotonic()
        self._token, self._claim_id = "", str(uuid.uuid4())

    def run(self, token: str, blobs: Blobs | None) -> int:
        """Restore; returns how many blobs there were."""
        self._token = token
        try:
            self._claim()
            self._begin()
            try:
                self._fill()
                count = self._put_blobs(blobs) if blobs is not None else 0
                if not self._holds():
                    raise self._lost()
            except BaseException as exc:
                ours = True
                with contextlib.suppress(PhidexError):
                    ours = self._undo()
                if not ours and isinstance(exc, PhidexError):
                    raise self._lost() from exc
                raise
            self._switch()
        finally:
            with contextlib.suppress(PhidexError):  # one that is left is dead as soon as we are
                self._catalogue.delete([self._claim_id])
        return count

    def _claim(self) -> None:
        """Let others know that the name is ours; of two that do so at once, one sees the other at least."""
        self._store.create(self._catalogue.place, Schema(indexes={"phase": "keyword"}))
        try:
            self._catalogue.put({self._claim_id: {"phase": "restoring", **self._lease()}})
            refuse_claimed(self._catalogue, mine=self._claim_id)
            there = self._catalogue.meta() is not None
        except NotFoundError as exc:  # another that failed took the catalogue away
            raise self._lost() from exc
        if there != (self._before is not None):
            raise self._lost()

    def _holds(self) -> bool:
        """Whether the claim is still there, and no collection was made beside it."""
        try:
            claimed = bool(self._catalogue.records([self._claim_id]))
        except NotFoundError:
            return False
        return claimed and (self._catalogue.meta() is not None) == (self._before is not None)

    def _lost(self) -> ServiceError:
        message = f"somebody else made or dropped the collection {self.name!r} meanwhile"
        return ServiceError(message, hint="restore again, or under another name", retryable=True)

    def _begin(self) -> None:
        if self._before is None:
            for place in points_of(self._store.names(), self.name):  # of a making, a restore or a drop that was killed
                self._store.drop(place)
            self._store.delete(self._catalogue.place, self._but_the_claim())
        else:
            with self._catalogue.gate(self._token) as meta:
                begun: Payload = meta.get("reindex") or {}
                if begun and not is_gone(begun["writer"], begun["until"]):
                    raise ServiceError(f"the collection {self.name!r} is being reindexed", hint="wait for it", retryable=True)
                generation: int = meta.get("generation", 1) + 1
                self._made = altered(self._made, points=f"{self.name}{GENERATION}{generation}")
                self._catalogue.mark([META_ID], {"generation": generation, "reindex": self._noted()})
                if begun:
                    self._store.drop(begun["points"])
        self._store.create(self._made.points, points_schema(self._made.embedder))

    def _fill(self) -> None:
        done, read = 0, Counter[str]()
        for attempt, points in self._reader.parts():
            kept = [point for point in points if self._attempts.get(point.payload.get("source_id", "")) == attempt]
            before, done = done, done + len(kept)
            read.update(point.payload["source_id"] for point in kept)
            self._store.upsert(self._made.points, kept)
            self._report("points", done)
            if before // _INDEX_EVERY != done // _INDEX_EVERY:
                self._index(done)
        wrong = [source["id"] for source in self.sources if read[source["id"]] != source["chunks"]]
        if wrong or done != self.total:
            message = f"the backup is damaged: {len(wrong)} sources have not the chunks that they should have"
            raise InputError(message, hint="take another backup")
        counts = self._store.facet(self._made.points, "source_id", Where(), limit=max(1, 2 * len(self.sources)))
        if any(counts.get(identity, 0) != count for identity, count in read.items()):
            message = (
                f"the points of {self.name!r} are not all in the store: they were changed meanwhile, or stand twice in the file"
            )
            raise ServiceError(message, hint="restore again", retryable=True)
        self._index(done)

    def _index(self, done: int) -> None:
        """Bring what is there into the index, and wait: what is not in it is held in memory."""
        state = self._store.optimize(self._made.points)
        while state.step == "building":
            self._report("indexing", done)
            time.sleep(0.2)
            state = self._store.index_state(self._made.points)

    def _put_blobs(self, blobs: Blobs) -> int:
        total, count = self._reader.manifest["counts"]["blobs"], 0
        for identity, data in self._reader.blobs():
            source_id, _, rest = identity.partition("/")
            stem, dot, suffix = rest.partition(".")
            if blobs.put(source_id, data, dot + suffix, sha256=stem) != identity:
                raise InputError(f"the backup is damaged: {identity!r} is no id of a blob", hint="take another backup")
            count += 1
            self._on_progress("blobs", count, total)
            self._renew()
        return count

    def _switch(self) -> None:
        """Let the collection appear; what stood in its place goes."""
        self._on_progress("switching", 0, 1)
        old = ""
        if self._before is not None:
            with self._catalogue.gate(self._token) as meta:
                self._drain()
                old = CollectionMeta.from_payload(self.name, meta).points
                self._catalogue.delete([META_ID])  # from here to the end nobody sees a collection of this name: a second or so
            self._store.delete(self._catalogue.place, self._but_the_claim())
        for batch in batched(self.sources, 500):
            self._catalogue.put({source["id"]: {key: source[key] for key in source if key != "attempt"} for source in batch})
        generation = int(self._made.points.partition(GENERATION)[2] or 1)
        retired = {old: time.time() + 2 * GRACE_S} if old else {}
        meta = {"phase": "meta", "stamp": uuid.uuid4().hex, "gate": "", "gate_until": 0, "retired": retired}
        self._store.upsert(
            self._catalogue.place, [Point(META_ID, {**meta, "generation": generation, **self._made.to_dict()})]
        )  # the one step
        log.info("restored collection=%s sources=%d chunks=%d", self.name, len(self.sources), self.total)
        self._on_progress("switching", 1, 1)
        if old:
            time.sleep(GRACE_S)  # for readers that have not noticed
            self._store.drop(old)

    def _drain(self) -> None:
        """Wait until nobody writes to what is replaced; nobody can begin, since the gate is held."""
        deadline = time.monotonic() + _DRAIN_S
        moving = Where(must=(Match("phase", ("staging", "removing")),))
        while any(is_busy(record.payload) for record in self._catalogue.scroll(moving)):
            if time.monotonic() > deadline:
                self._undo()
                message = f"somebody is writing to the collection {self.name!r}"
                raise ServiceError(message, hint="restore again when that is done", retryable=True)
            time.sleep(0.05)

    def _undo(self) -> bool:
        """Take away what was made, where it is still ours; returns whether it was."""
        if not self._holds():
            return False
        self._store.drop(self._made.points)
        if self._before is not None:
            self._catalogue.mark([META_ID], {"reindex": None})
        else:
            self._store.drop(self._catalogue.place)
        return True

    def _report(self, step: Step, done: int) -> None:
        self._on_progress(step, done, self.total)
        self._renew()

    def _renew(self) -> None:
        if time.monotonic() - self._renewed > RENEW_S:
            self._renewed = time.monotonic()
            self._catalogue.mark([self._claim_id], self._lease())
            if self._before is not None:
                self._catalogue.mark([META_ID], {"reindex": self._noted()})

    def _noted(self) -> Payload:
        return {**self._made.to_dict(), **self._lease()}

    def _lease(self) -> Payload:
        return {"writer": self._token, "until": time.time() + LEASE_S}

    def _but_the_claim(self) -> Where:
        return Where(must_not=(HasId((self._claim_id,)),))


def _quiet(_step: Step, _done: int, _total: int) -> None:
    pass
