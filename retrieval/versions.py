"""New versions of sources: written beside what is there, and brought to light in one step.

    claim -> write -> commit -> settle

A new version's points are marked as born of it, those that fall away as dying with it; the source's record in the catalogue
says which version is being written (phase "staging": it is not seen) or settled ("retiring": the old one is no longer seen). A
claim carries the token of its writer (`retrieval/lease.py`): whoever comes upon it can tell a writer at work, whose turn is
awaited, from one that was killed, whose leavings are cleared. Passages that stay are not written again: what changes around
them, as their order, is put beside what they say (`coming`), read in its place from the commit on, and moved there behind it.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from phidex.errors import PhidexError, ServiceError
from phidex.ingest.records import Chunk, Source
from phidex.ingest.run.sink import Content, Piece
from phidex.retrieval.catalogue import Catalogue, CollectionMeta, scroll_all
from phidex.retrieval.lease import LEASE_S, RENEW_S, is_gone
from phidex.retrieval.payload import analyse, chunk_payload, source_payload
from phidex.retrieval.store import HasId, Match, Payload, Point, Where
from phidex.retrieval.vectors import batched, known_vectors

log = logging.getLogger(__name__)

_BATCH = 500
AMENDED = ("order", "kind", "language", "modality", "page", "path", "symbol", "image", "tokens", "links", "wants_dense")
"""What may change around a passage that stays."""

COMING = "coming"
"""Where a passage that stays holds what of it changes with a version, and that version's name."""


@dataclass(slots=True)
class Claim:
    """A source whose new version is being written.

    Args:
        version: its name, never used twice, since what another version shares with it keeps the name it was born of.
        before: the source's record as it was; None for a new source.
        old: payloads of the points that were there, by id.
        seen: ids of the points that are to be there.
        amended: whether anything changes around those that stay.
    """

    content: Content
    version: str
    before: Payload | None
    old: dict[str, Payload] = field(default_factory=dict[str, Payload])
    seen: set[str] = field(default_factory=set[str])
    amended: bool = False

    @property
    def source(self) -> Source:
        """What is replaced."""
        return self.content.source

    def fallen(self) -> list[str]:
        """Ids of the points that the new version does without."""
        return [identity for identity in self.old if identity not in self.seen]


class Edition:
    """New versions of one or more sources, each of which becomes visible in one step.

    Args:
        token: the writer's (`lease.at_work`).
    """

    def __init__(self, catalogue: Catalogue, meta: CollectionMeta, token: str) -> None:
        self._catalogue = catalogue
        self._store = catalogue.store
        self._meta = meta
        self._points = meta.points
        self._token = token
        self._claims: dict[str, Claim] = {}
        self._renewed = time.time()

    def claim(self, contents: Sequence[Content]) -> list[Content]:
        """Take the sources that are free, in the gate; returns those that are not: another writer is at them."""
        records = self._catalogue.records([content.source.id for content in contents])
        busy: list[Content] = []
        for content in contents:
            record = records.get(content.source.id)
            if content.source.id in self._claims or (record and is_busy(record)):
                busy.append(content)
                continue
            if record and record["phase"] != "stable":
                record = clear(self._catalogue, self._points, content.source.id, record)
            version = f"{content.source.id[:8]}-{content.digest[:24]}-{uuid.uuid4().hex[:8]}"
            self._claims[content.source.id] = Claim(content, version, record)
        lease = {"phase": "staging", "writer": self._token, "until": time.time() + LEASE_S}
        fresh = {"digest": "", "chunks": 0, "ingested_at": 0}
        self._catalogue.put(
            {
                identity: {**(claim.before or {**source_payload(claim.source), **fresh}), **lease, "moving": claim.version}
                for identity, claim in self._claims.items()
            }
        )
        return busy

    def write(self) -> None:
        """Write what is not there as it should be, and mark what falls away. Nothing of it is seen yet."""
        there = [identity for identity, claim in self._claims.items() if claim.before]
        fields = ("source_id", "content", "born", "tags", *AMENDED)
        for record in scroll_all(self._store, self._points, of_sources(there), fields) if there else ():
            self._claims[record.payload["source_id"]].old[record.id] = record.payload
        for batch in batched(self._pieces(), _BATCH):
            self._put(batch)
        for claim in self._claims.values():
            for fallen in batched(claim.fallen(), _BATCH):
                self._store.set_payload(self._points, Where(must=(HasId(tuple(fallen)),)), {"dies": claim.version})
            claim.amended |= any(payload["tags"] != list(claim.source.tags) for payload in claim.old.values())

    def commit(self) -> dict[str, int]:
        """The one step: readers see the new versions from here on; returns how many chunks each has, by source id."""
        self._hold()
        committed: dict[str, Payload] = {}
        for identity, claim in self._claims.items():
            made = {"digest": claim.content.digest, "chunks": len(claim.seen), "ingested_at": round(time.time())}
            settled = {"phase": "stable", "moving": ""}
            phase = retiring(claim.version, self._token) if claim.amended or claim.fallen() else settled
            committed[identity] = {**source_payload(claim.source), **made, **phase, "version": claim.version}
        self._catalogue.put(committed)
        counts = {identity: len(claim.seen) for identity, claim in self._claims.items()}
        log.info("committed collection=%s sources=%d chunks=%d", self._catalogue.name, len(counts), sum(counts.values()))
        return counts

    def settle(self) -> int:
        """Carry out what the commit says; returns how many points fell away."""
        moving = {identity: claim for identity, claim in self._claims.items() if claim.amended or claim.fallen()}
        settle(self._catalogue, self._points, {identity: claim.version for identity, claim in moving.items()})
        return sum(len(claim.fallen()) for claim in moving.values())

    def abandon(self) -> None:
        """Leave the sources as they were; what cannot be undone now, whoever comes next will."""
        with contextlib.suppress(PhidexError):
            for identity, claim in self._claims.items():
                own = Match("moving", (claim.version,))
                if claim.before is None:
                    self._store.delete(self._points, of_sources([identity], Match("born", (claim.version,))))
                    self._catalogue.delete([identity], own)
                else:
                    undo(self._catalogue, self._points, identity, claim.version)

    def _pieces(self) -> Iterator[tuple[Claim, Piece]]:
        for claim in self._claims.values():
            for piece in claim.content.pieces:
                self._hold()
                yield claim, piece

    def _put(self, batch: Sequence[tuple[Claim, Piece]]) -> None:
        """Write the chunks that are not there as they should be; a text that has a vector somewhere keeps it."""
        fresh: list[tuple[Chunk, Payload, Piece]] = []
        amended: list[tuple[str, Payload]] = []
        for claim, piece in batch:
            chunk, old = piece[0], claim.old.get(piece[0].id)
            claim.seen.add(chunk.id)
            payload = chunk_payload(chunk, claim.source, version=claim.version, embedder=self._meta.embedder)
            if old is None:
                fresh.append((chunk, payload, piece))
            elif changes := {key: payload.get(key) for key in AMENDED if payload.get(key) != old.get(key)}:
                claim.amended = True
                amended.append((chunk.id, {COMING: {"version": claim.version, **changes}}))
        wanting = {payload["content"] for _, payload, _ in fresh if payload["wants_dense"] == "yes"}
        dense = known_vectors(self._store, self._points, wanting)
        points = [
            Point(
                chunk.id,
                payload,
                dense=dense.get(payload["content"]) if payload["wants_dense"] == "yes" else None,
                sparse=analyse(chunk) if piece[1] is None else piece[1],
            )
            for chunk, payload, piece in fresh
        ]
        self._hold()
        self._store.upsert(self._points, points)
        self._store.amend(self._points, amended)

    def _hold(self) -> None:
        """Renew the lease where it is time.

        Raises:
            ServiceError: another writer has taken a source, since this one seemed to be dead.
        """
        now = time.time()
        if now - self._renewed < RENEW_S:
            return
        versions = {identity: claim.version for identity, claim in self._claims.items()}
        self._catalogue.mark(list(versions), {"until": now + LEASE_S}, Match("moving", tuple(versions.values())))
        records = self._catalogue.records(list(versions))
        if any(records.get(identity, {}).get("moving") != version for identity, version in versions.items()):
            hint = "ingest again"
            raise ServiceError(f"another ingest has taken over in {self._catalogue.name!r}", hint=hint, retryable=True)
        self._renewed = now


def is_busy(record: Payload) -> bool:
    """Whether a writer is at work on the source."""
    return record["phase"] not in ("stable", "meta") and not is_gone(record.get("writer", ""), record.get("until", 0))


def retiring(version: str, token: str) -> Payload:
    """Of a record: this version is in force, and its writer is at settling it."""
    return {"phase": "retiring", "moving": version, "writer": token, "until": time.time() + LEASE_S}


def in_force(payload: Payload, versions: Collection[str]) -> Payload:
    """A point's payload where these versions are committed, settled or not."""
    return {**payload, **_due(payload, versions)}


def clear(catalogue: Catalogue, points: str, source_id: str, record: Payload) -> Payload | None:
    """Finish or undo what a killed writer left of a source; returns its record then, None where it is gone."""
    match record["phase"]:
        case "staging":
            undo(catalogue, points, source_id, record["moving"])
        case "retiring":
            settle(catalogue, points, {source_id: record["moving"]})
        case "removing":
            erase(catalogue, points, source_id, record["moving"])
        case _:
            pass
    return catalogue.records([source_id]).get(source_id)


def undo(catalogue: Catalogue, points: str, source_id: str, version: str) -> None:
    """Take away what was written of a version that was never committed."""
    catalogue.store.delete(points, of_sources([source_id], Match("born", (version,))))
    catalogue.store.set_payload(points, of_sources([source_id], Match("dies", (version,))), {"dies": ""})
    for batch in batched(scroll_all(catalogue.store, points, of_sources([source_id]), (COMING,)), _BATCH):
        if changes := [(record.id, {COMING: None}) for record in batch if _due(record.payload, (version,))]:
            catalogue.store.amend(points, changes)
    settled = {"phase": "stable", "moving": "", "version": uuid.uuid4().hex, "copied": ""}
    catalogue.mark([source_id], settled, Match("moving", (version,)))


def settle(catalogue: Catalogue, points: str, versions: Mapping[str, str]) -> None:
    """Carry out what these committed versions, by source id, leave to do; doing it twice does no harm.

    What changes around passages that stayed takes its place, the source's tags are theirs, and what fell away is deleted.
    """
    if not versions:
        return
    store, names, tags = catalogue.store, tuple(versions.values()), _tags_of(catalogue, versions)
    store.delete(points, of_sources(list(versions), Match("dies", names)))
    untagged: set[str] = set()
    fields = ("source_id", "tags", COMING)
    for batch in batched(scroll_all(store, points, of_sources(list(versions)), fields), _BATCH):
        untagged |= {
            record.payload["source_id"] for record in batch if record.payload["tags"] != tags.get(record.payload["source_id"])
        }
        if changes := [(record.id, change) for record in batch if (change := _due(record.payload, names))]:
            store.amend(points, changes)
    for source_id in untagged & tags.keys():
        store.set_payload(points, of_sources([source_id]), {"tags": tags[source_id]})
    catalogue.mark(list(versions), {"phase": "stable", "moving": ""}, Match("moving", names))  # unless it moved on since


def _due(payload: Payload, versions: Collection[str]) -> Payload:
    """What is to be written over a point's payload where it holds what these versions changed."""
    coming: Payload = payload.get(COMING) or {}
    if coming.get("version") not in versions:
        return {}
    return {**{key: value for key, value in coming.items() if key != "version"}, COMING: None}


def _tags_of(catalogue: Catalogue, versions: Mapping[str, str]) -> dict[str, list[str]]:
    """Of the sources that are still at these versions."""
    records = catalogue.records(list(versions))
    return {identity: record["tags"] for identity, record in records.items() if record["moving"] == versions[identity]}


def erase(catalogue: Catalogue, points: str, source_id: str, removal: str) -> None:
    """Delete a source that is out of sight."""
    catalogue.store.delete(points, of_sources([source_id]))
    catalogue.delete([source_id], Match("moving", (removal,)))


def of_sources(ids: Sequence[str], *more: Match) -> Where:
    """The points of these sources."""
    return Where(must=(Match("source_id", tuple(ids)), *more))
