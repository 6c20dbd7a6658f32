"""A collection written to one file, whole and as it was at one moment for each source, while others search and ingest.

What changed while the file was written is written again, until nothing has. `restore.py` makes a collection of it, in the same
store or another one, whichever the engine.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace as altered
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.ingest.run.blobs import Blobs
from phidex.retrieval.archive import PART_POINTS, ArchiveWriter, BackupReport, Progress, Step, check_free
from phidex.retrieval.catalogue import CollectionMeta, Transitions, scroll_all, sources_only
from phidex.retrieval.collection import Collection
from phidex.retrieval.lease import RENEW_S, at_work
from phidex.retrieval.store import Payload, Where
from phidex.retrieval.vectors import batched
from phidex.retrieval.versions import in_force, of_sources

log = logging.getLogger(__name__)

_POINT_BYTES = 6_000  # of a point in the file beside its dense vector: its text and terms, before they are compressed
_ROUNDS = 5  # of looking what changed, before writers are asked to wait
_GATED = 100  # rounds of it then
_GROUP = 200  # sources read together


def backup(
    collection: Collection,
    path: Path,
    *,
    blobs: Blobs | None = None,
    replace: bool = False,
    on_progress: Progress | None = None,
) -> BackupReport:
    """Write the collection to the file; others may search and ingest meanwhile.

    Args:
        blobs: where its pictures and originals are; None leaves them out.
        replace: whether a file that is there may be replaced. It stays until the new one is whole.

    Raises:
        InputError: the file exists, or its place cannot be written to.
        ServiceError: the disk has no room, or the collection was reindexed or replaced meanwhile.
    """
    started = time.monotonic()
    if path.is_dir() or (path.exists() and not replace):
        raise InputError(f"{path} exists", hint="choose another name, or allow it to be replaced")
    made = collection.made_now()
    estimated = collection.store.count(made.points, Where()) * (_POINT_BYTES + 4 * (made.embedder.dim if made.embedder else 0))
    check_free(path.parent, estimated)
    writer = ArchiveWriter(path)
    try:
        work = _Backup(collection, made, writer, on_progress or _quiet)
        records = work.write()
        count = work.write_blobs(records, blobs) if blobs is not None else 0
        facts = {
            "phidex": version("phidex"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "collection": collection.name,
            "made": made.to_dict(),
            "counts": {"sources": len(records), "chunks": work.chunks(records), "blobs": count},
        }
        writer.finish(records, facts)
    except BaseException:
        writer.abandon()
        raise
    size, seconds = path.stat().st_size, time.monotonic() - started
    log.info("backed up collection=%s sources=%d bytes=%d", collection.name, len(records), size)
    return BackupReport(collection.name, str(path), len(records), work.chunks(records), count, size, seconds)


class _Backup:
    """One run; see the module."""

    def __init__(self, collection: Collection, made: CollectionMeta, writer: ArchiveWriter, on_progress: Progress) -> None:
        self._collection, self._made, self._writer, self._on_progress = collection, made, writer, on_progress
        self._catalogue, self._store = collection.catalogue, collection.store
        self._saved: dict[str, tuple[tuple[str, ...], int, int]] = {}  # by source: how it was, its attempt, its points
        self._attempt = 0
        self._token = ""
        self._renewed = 0.0

    def write(self) -> list[Payload]:
        """Write all points; returns the records of the sources as they are with them."""
        for _ in range(_ROUNDS):
            if (records := self._round()) is not None:
                return records
        with at_work() as token, self._catalogue.gate(token):  # so that nobody begins anything
            self._token = token
            for _ in range(_GATED):
                if (records := self._round()) is not None:
                    return records
                time.sleep(0.1)
        message = (
            f"the collection {self._collection.name!r} changes faster than it can be written, or is not as its catalogue says"
        )
        raise ServiceError(message, hint="try again when no ingest runs", retryable=True)

    def chunks(self, records: Sequence[Payload]) -> int:
        """How many points these sources have in the file."""
        return sum(self._saved[record["id"]][2] for record in records)

    def write_blobs(self, records: Sequence[Payload], blobs: Blobs) -> int:
        """Write the blobs that sources and chunks name; returns how many there are. One that is gone is passed over."""
        wanted = dict.fromkeys(record["blob"] for record in records if record.get("blob"))
        shown = scroll_all(self._store, self._made.points, Where(), ("image",))
        wanted |= dict.fromkeys(record.payload["image"] for record in shown if record.payload.get("image"))
        written = 0
        for done, identity in enumerate(wanted, 1):
            with contextlib.suppress(NotFoundError):
                self._writer.add_blob(identity, blobs.get(identity))
                written += 1
            self._on_progress("blobs", done, len(wanted))
        return written

    def _round(self) -> list[Payload] | None:
        """Write what is not in the file as it is now; the records where that was nothing."""
        if self._collection.made_now().points != self._made.points:
            message = f"the collection {self._collection.name!r} was made anew meanwhile"
            raise ServiceError(message, hint="back it up again", retryable=True)
        found = self._catalogue.scroll(sources_only())
        records = {record.id: record.payload for record in found if _is_shown(record.payload)}
        changed = [
            identity for identity, payload in records.items() if self._saved.get(identity, ((),))[0] != _condition_of(payload)
        ]
        if not changed:
            return [_as_saved(payload, self._saved[identity][1]) for identity, payload in sorted(records.items())]
        done, total = 0, sum(records[identity]["chunks"] for identity in changed)
        for group in batched(changed, _GROUP):
            for written in self._write_group({identity: records[identity] for identity in group}):
                done += written
                self._on_progress("points", min(done, total), total)
                self._renew()
        return None

    def _write_group(self, group: dict[str, Payload]) -> Iterator[int]:
        """Write the visible points of these sources; yields how many stand in each part."""
        self._attempt += 1
        unborn = [payload["moving"] for payload in group.values() if payload["phase"] == "staging"]
        dead = [payload["moving"] for payload in group.values() if payload["phase"] == "retiring"]
        hidden = Transitions(unborn=tuple(unborn), dead=tuple(dead)).hidden()
        where = Where(of_sources(list(group)).must, hidden)
        counts: Counter[str] = Counter()
        for batch in batched(scroll_all(self._store, self._made.points, where, ()), PART_POINTS):
            points = self._store.read_points(self._made.points, [record.id for record in batch])
            points = [point for point in points if point.payload.get("source_id") in group]
            counts.update(point.payload["source_id"] for point in points)
            settled = [
                altered(point, payload=_settled(point.payload, group[point.payload["source_id"]], dead)) for point in points
            ]
            self._writer.add_points(settled, self._attempt)
            yield len(points)
        for identity, payload in group.items():
            if counts[identity] == payload["chunks"]:  # else it changed under our eyes: once more
                self._saved[identity] = (_condition_of(payload), self._attempt, counts[identity])

    def _renew(self) -> None:
        if self._token and time.monotonic() - self._renewed > RENEW_S / 2:
            self._renewed = time.monotonic()
            self._catalogue.renew_gate(self._token)


def _settled(payload: Payload, record: Payload, committed: Sequence[str]) -> Payload:
    """A point's payload as it will be once what is committed is settled."""
    rest = {key: value for key, value in in_force(payload, committed).items() if key != "coming"}
    return {**rest, "tags": record["tags"], "dies": "", "born": record["version"]}


def _is_shown(payload: Payload) -> bool:
    return bool(payload.get("version")) and payload["phase"] in ("stable", "staging", "retiring")


def _condition_of(payload: Payload) -> tuple[str, ...]:
    return (payload["version"], payload["phase"], payload["moving"])


def _as_saved(payload: Payload, attempt: int) -> Payload:
    """The record as a restored collection has it: at rest. What was being replaced is read again by the next ingest."""
    moved = payload["phase"] == "staging"
    rest = {key: value for key, value in payload.items() if key not in ("writer", "until", "copied")}
    return {**rest, "phase": "stable", "moving": "", "attempt": attempt, **({"disturbed": True} if moved else {})}


def _quiet(_step: Step, _done: int, _total: int) -> None:
    pass
