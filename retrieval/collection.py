"""A collection of documents on a store: chunks as points, a catalogue of sources, and versions that change in one step.

Points never change once written. A source's new version is written beside the old one, marked as born of it; the points that
fall away are marked as dying with it; one write to the catalogue makes the switch, and readers leave out what is not yet born
or already dead. So a kill at any moment leaves the old version or the new one, and the next run clears up what is left.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from phidex.errors import ConfigError, NotFoundError
from phidex.ingest.records import Chunk, Source
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.lexical import ANALYZER_VERSION, passage_vector
from phidex.retrieval.payload import chunk_of, chunk_payload, content_key, searchable_text, source_of, source_payload
from phidex.retrieval.store import Condition, HasId, HasVector, Match, Payload, Point, Range, Record, Schema, Store, Where

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_META_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "phidex:collection"))
_BATCH = 500
_EMBED_POOL = 1024  # passages sorted by length together
_CATALOGUE = ".sources"
_COMPACT_SHARE = 0.2

T = TypeVar("T")
SourceState = Literal["incomplete", "searchable", "complete"]


@dataclass(frozen=True, slots=True)
class CollectionMeta:
    """What a collection remembers of how it was made."""

    schema_version: int
    analyzer: str
    embedder: EmbedderIdentity | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        embedder = self.embedder.to_dict() if self.embedder else None
        return {"schema_version": self.schema_version, "analyzer": self.analyzer, "embedder": embedder}


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source and how far it is.

    Args:
        state: "incomplete" (never committed), "searchable" (dense vectors are still missing) or "complete".
        pending: passages that wait for their dense vector.
    """

    source: Source
    state: SourceState
    chunk_count: int
    pending: int
    ingested_at: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values: the source's own, and these."""
        return {
            **self.source.to_dict(),
            "state": self.state,
            "chunks": self.chunk_count,
            "pending": self.pending,
            "ingested_at": self.ingested_at,
        }


@dataclass(frozen=True, slots=True)
class Transitions:
    """Versions being written or cleared up right now: what readers leave out."""

    unborn: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def hidden(self) -> tuple[Condition, ...]:
        """Conditions of points that must not be seen."""
        pairs = (("born", self.unborn), ("dies", self.dead), ("source_id", self.removed))
        return tuple(Match(key, values) for key, values in pairs if values)


class Collection:
    """One named collection; open it with `Collection.create` or `Collection.open`.

    Several processes may read and write it at the same time, as long as no two ingest the same source.
    """

    def __init__(self, store: Store, name: str, meta: CollectionMeta) -> None:
        self.store = store
        self.name = name
        self.meta = meta
        self._deleted = 0

    @staticmethod
    def create(store: Store, name: str, embedder: Callable[[], EmbedderIdentity | None]) -> Collection:
        """The collection, made if it does not exist; `embedder` is asked only then.

        Raises:
            ConfigError: it exists and was made by an incompatible version.
        """
        if name + _CATALOGUE in store.names():
            return Collection.open(store, name)
        identity = embedder()
        meta = CollectionMeta(SCHEMA_VERSION, ANALYZER_VERSION, identity)
        store.create(
            name,
            Schema(
                dense_dim=identity.dim if identity else None,
                sparse=True,
                indexes={
                    **dict.fromkeys(
                        ("source_id", "kind", "language", "modality", "tags", "born", "dies", "wants_dense"), "keyword"
                    ),
                    "page": "integer",
                },
            ),
        )
        store.create(name + _CATALOGUE, Schema(indexes={"phase": "keyword"}))
        store.upsert(name + _CATALOGUE, [Point(_META_ID, {"phase": "meta", **meta.to_dict()})])
        return Collection(store, name, meta)

    @staticmethod
    def open(store: Store, name: str) -> Collection:
        """The collection of that name.

        Raises:
            NotFoundError: there is none.
            ConfigError: it was made by an incompatible version.
        """
        if name + _CATALOGUE not in store.names():
            have = ", ".join(Collection.names(store)) or "none yet"
            raise NotFoundError(f"there is no collection {name!r}", hint=f"ingest into it first; there are: {have}")
        records = store.retrieve(name + _CATALOGUE, [_META_ID])
        if not records:
            raise ConfigError(f"the collection {name!r} was not made completely", hint="remove it and ingest again")
        payload = records[0].payload
        if payload["schema_version"] != SCHEMA_VERSION or payload["analyzer"] != ANALYZER_VERSION:
            raise ConfigError(
                f"the collection {name!r} was made by another version of Phidex "
                f"(schema {payload['schema_version']}, analyzer {payload['analyzer']})",
                hint="ingest the documents into a new collection",
            )
        embedder = payload["embedder"]
        meta = CollectionMeta(SCHEMA_VERSION, ANALYZER_VERSION, EmbedderIdentity.from_dict(embedder) if embedder else None)
        return Collection(store, name, meta)

    @staticmethod
    def names(store: Store) -> list[str]:
        """All collections of a store."""
        return [name.removesuffix(_CATALOGUE) for name in store.names() if name.endswith(_CATALOGUE)]

    def drop(self) -> None:
        """Remove the collection with all it holds."""
        self.store.drop(self.name + _CATALOGUE)
        self.store.drop(self.name)

    # Reading

    def transitions(self) -> Transitions:
        """What is being changed at this moment."""
        unborn: list[str] = []
        dead: list[str] = []
        removed: list[str] = []
        moving = Where(must=(Match("phase", ("staging", "retiring", "removing")),))
        for record in self._scroll(self.name + _CATALOGUE, moving, ("phase", "moving")):
            match record.payload["phase"]:
                case "staging":
                    unborn.append(record.payload["moving"])
                case "retiring":
                    dead.append(record.payload["moving"])
                case _:
                    removed.append(record.id)
        return Transitions(tuple(unborn), tuple(dead), tuple(removed))

    def known(self) -> dict[str, str]:
        """Digest of the committed content of each source, by source id."""
        records = self._scroll(self.name + _CATALOGUE, _sources_only(), ("digest", "phase"))
        return {record.id: record.payload["digest"] for record in records if record.payload["phase"] == "stable"}

    def entries(self) -> list[SourceEntry]:
        """All sources with their state, sorted by name."""
        pending = self.store.facet(self.name, "source_id", _pending(), limit=1_000_000)
        found = [
            _entry(record.payload, pending.get(record.id, 0))
            for record in self._scroll(self.name + _CATALOGUE, _sources_only(), None)
            if record.payload["phase"] != "removing"
        ]
        return sorted(found, key=lambda entry: (entry.source.name, entry.source.uri))

    def sources(self, ids: Sequence[str]) -> dict[str, Source]:
        """The sources that exist among `ids`."""
        return {record.id: source_of(record.payload) for record in self.store.retrieve(self.name + _CATALOGUE, ids)}

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist among `ids`, in that order."""
        return [chunk_of(record.id, record.payload) for record in self.store.retrieve(self.name, ids)]

    def source_chunks(self, source_id: str, *, orders: tuple[int, int] | None = None) -> list[Chunk]:
        """All visible chunks of a source in document order; `orders` limits them to a range of positions."""
        must: list[Condition] = [Match("source_id", (source_id,))]
        if orders is not None:
            must.append(Range("order", orders[0], orders[1]))
        where = Where(must=tuple(must), must_not=self.transitions().hidden())
        found = [chunk_of(record.id, record.payload) for record in self._scroll(self.name, where, None)]
        return sorted(found, key=lambda chunk: chunk.order)

    def languages(self) -> dict[str, int]:
        """Chunks in each language, most frequent first."""
        return self.store.facet(self.name, "language", Where())

    def pending(self) -> int:
        """Passages that wait for their dense vector."""
        return self.store.count(self.name, _pending()) if self.meta.embedder else 0

    # Writing

    def replace(self, source: Source, digest: str, chunks: Iterable[Chunk]) -> int:
        """Make `chunks` the source's content, visible in one step; returns how many there are."""
        version = f"{source.id[:8]}-{digest}"
        before = self._settle(source, version)
        staging = {"phase": "staging", "moving": version}
        if before:
            self._mark(source.id, staging)
        else:
            self._record(source.id, {**source_payload(source), "digest": "", "chunks": 0, "ingested_at": 0.0, **staging})
        old = {
            record.id: record.payload["content"]
            for record in self._scroll(self.name, _of(source.id), ("content", "born"))
            if record.payload["born"] != version
        }
        seen = self._write(source, version, chunks, old)
        fallen = [identity for identity in old if identity not in seen]
        for batch in _batched(fallen, _BATCH):
            self.store.set_payload(self.name, Where(must=(HasId(tuple(batch)),)), {"dies": version})
        committed = {**source_payload(source), "digest": digest, "chunks": len(seen), "ingested_at": round(time.time())}
        phase = {"phase": "retiring", "moving": version} if fallen else {"phase": "stable", "moving": ""}
        self._record(source.id, {**committed, **phase})  # the one step: readers see the new version from here on
        if fallen:
            self._bury(source.id, version)
            self._deleted += len(fallen)
        log.info("committed collection=%s source=%s chunks=%d", self.name, source.id, len(seen))
        return len(seen)

    def remove(self, source_id: str) -> None:
        """Remove a source, out of sight in one step.

        Raises:
            NotFoundError: there is no such source.
        """
        if not self.store.retrieve(self.name + _CATALOGUE, [source_id]):
            raise NotFoundError(f"there is no source {source_id} in {self.name!r}", hint="`phidex sources` lists them")
        self._mark(source_id, {"phase": "removing", "moving": ""})
        self.store.delete(self.name, _of(source_id))
        self.store.delete(self.name + _CATALOGUE, Where(must=(HasId((source_id,)),)))

    def embed_pending(self, embedder: Embedder, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Give every passage that waits its dense vector; returns how many got one. Interrupted, it goes on where it was.

        Args:
            on_progress: called with how many are done and how many there are in all.
        """
        total, done = self.pending(), 0
        while True:
            records, _ = self.store.scroll(self.name, _pending(), limit=_EMBED_POOL, fields=("text", "heading"))
            if not records:
                return done
            texts = [searchable_text(record.payload["text"], record.payload["heading"]) for record in records]
            by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
            for batch in _batched(by_length, 256):
                vectors = embedder.embed_passages([texts[index] for index in batch])
                self.store.update_dense(self.name, [records[index].id for index in batch], vectors)
                done += len(batch)
                if on_progress:
                    on_progress(done, max(total, done))

    def compact(self) -> None:
        """Give back the space of what this object replaced, where that is a fifth of the collection or more.

        Deleted points would otherwise slow every search; while it lasts (about 0.1 s for 1,000 points) other clients wait.
        """
        if self._deleted > _COMPACT_SHARE * self.store.count(self.name, Where()):
            self.store.compact(self.name)
            self._deleted = 0

    def recover(self) -> None:
        """Clear up after ingests that were killed behind their commit."""
        moving = Where(must=(Match("phase", ("retiring", "removing")),))
        for record in list(self._scroll(self.name + _CATALOGUE, moving, ("phase", "moving"))):
            if record.payload["phase"] == "retiring":
                self._bury(record.id, record.payload["moving"])
            else:
                self.remove(record.id)

    def _settle(self, source: Source, version: str) -> bool:
        """Finish or undo what an earlier run left of this source; returns whether the catalogue has it."""
        records = self.store.retrieve(self.name + _CATALOGUE, [source.id])
        if not records:
            return False
        payload = records[0].payload
        match payload["phase"]:
            case "staging" if payload["moving"] != version:
                stale = payload["moving"]
                self.store.delete(self.name, _of(source.id, Match("born", (stale,))))
                self.store.set_payload(self.name, _of(source.id, Match("dies", (stale,))), {"dies": ""})
            case "retiring":
                self._bury(source.id, payload["moving"])
            case "removing":
                self.remove(source.id)
                return False
            case _:
                pass
        return True

    def _write(self, source: Source, version: str, chunks: Iterable[Chunk], old: dict[str, str]) -> set[str]:
        """Write the chunks that are not there yet; moved text keeps its dense vector. Returns the ids of all chunks."""
        holders = {content: identity for identity, content in old.items()} if self.meta.embedder else {}
        seen: set[str] = set()
        for batch in _batched(chunks, _BATCH):
            new = [chunk for chunk in batch if chunk.id not in old]
            seen.update(chunk.id for chunk in batch)
            contents = [content_key(chunk) for chunk in new]
            kept = {holders[content] for content in contents if content in holders}
            dense = {
                record.payload["content"]: record.dense
                for record in self.store.retrieve(self.name, list(kept), dense=True)
                if record.dense is not None
            }
            points = [
                Point(
                    chunk.id,
                    chunk_payload(chunk, source, version=version, content=content, embedder=self.meta.embedder),
                    dense=dense.get(content),
                    sparse=passage_vector(searchable_text(chunk.text, chunk.heading)),
                )
                for chunk, content in zip(new, contents, strict=True)
            ]
            self.store.upsert(self.name, points)
        return seen

    def _bury(self, source_id: str, version: str) -> None:
        self.store.delete(self.name, _of(source_id, Match("dies", (version,))))
        self._mark(source_id, {"phase": "stable", "moving": ""})

    def _record(self, source_id: str, payload: Payload) -> None:
        self.store.upsert(self.name + _CATALOGUE, [Point(source_id, payload)])

    def _mark(self, source_id: str, payload: Payload) -> None:
        self.store.set_payload(self.name + _CATALOGUE, Where(must=(HasId((source_id,)),)), payload)

    def _scroll(self, collection: str, where: Where, fields: Sequence[str] | None) -> Iterator[Record]:
        after: str | None = None
        while True:
            records, after = self.store.scroll(collection, where, after=after, fields=fields)
            yield from records
            if after is None:
                return


def _entry(payload: Payload, pending: int) -> SourceEntry:
    state: SourceState = "incomplete" if not payload["digest"] else "searchable" if pending else "complete"
    return SourceEntry(source_of(payload), state, payload["chunks"], pending, payload["ingested_at"])


def _of(source_id: str, *more: Condition) -> Where:
    return Where(must=(Match("source_id", (source_id,)), *more))


def _sources_only() -> Where:
    return Where(must_not=(Match("phase", ("meta",)),))


def _pending() -> Where:
    return Where(must=(Match("wants_dense", ("yes",)),), must_not=(HasVector("dense"),))


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
