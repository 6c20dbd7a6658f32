"""A collection of documents on a store: chunks as points, a catalogue of sources, and versions that change in one step.

A point's text never changes once written. A source's new version is written beside the old one, marked as born of it; the
points that fall away are marked as dying with it; one write to the catalogue makes the switch, and readers leave out what is
not yet born or already dead, and look again when a source changed meanwhile. So a kill at any moment leaves the old version or
the new one, and the next run clears up what is left.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from phidex.errors import ConfigError, NotFoundError
from phidex.ingest.records import Chunk, Source
from phidex.retrieval.catalogue import (
    CATALOGUE,
    META_ID,
    CollectionMeta,
    SourceEntry,
    SourceState,
    Transitions,
    make_collection,
    read_meta,
)
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.lexical import ANALYZER_VERSION, passage_vector
from phidex.retrieval.payload import chunk_of, chunk_payload, content_key, searchable_text, source_of, source_payload
from phidex.retrieval.store import Condition, HasId, HasVector, Match, Payload, Point, Record, Store, Where

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_BATCH = 500
_EMBED_POOL = 1024  # passages sorted by length together
_LOOKS = 200  # at most, until no source changes while a reader looks: about a second
_AMENDED = ("order", "kind", "language", "modality", "tokens", "links", "wants_dense")  # what may change around a kept passage

T = TypeVar("T")


class Collection:
    """One named collection; open it with `Collection.create` or `Collection.open`.

    Several processes may read and write it at the same time, as long as no two ingest the same source.
    """

    def __init__(self, store: Store, name: str, meta: CollectionMeta) -> None:
        self.store = store
        self.name = name
        self.meta = meta
        self._deleted = False
        self._seen: Transitions | None = None  # at the last look
        self._sources: tuple[Transitions, dict[str, Source]] = (Transitions(), {})  # read since then

    @staticmethod
    def create(store: Store, name: str, embedder: Callable[[], EmbedderIdentity | None]) -> Collection:
        """The collection, made if it does not exist, by several processes at once if need be; `embedder` is asked only then.

        Raises:
            ConfigError: it exists and was made by an incompatible version.
        """
        if read_meta(store, name) is None:
            meta = CollectionMeta(SCHEMA_VERSION, ANALYZER_VERSION, embedder())
            if read_meta(store, name) is None:
                make_collection(store, name, meta)
        return Collection.open(store, name)

    @staticmethod
    def open(store: Store, name: str) -> Collection:
        """The collection of that name.

        Raises:
            NotFoundError: there is none.
            ConfigError: it was made by an incompatible version.
        """
        payload = read_meta(store, name)
        if payload is None:
            have = ", ".join(Collection.names(store)) or "none yet"
            raise NotFoundError(f"there is no collection {name!r}", hint=f"ingest into it first; there are: {have}")
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
        made = [name.removesuffix(CATALOGUE) for name in store.names() if name.endswith(CATALOGUE)]
        return [name for name in made if read_meta(store, name) is not None]

    def drop(self) -> None:
        """Remove the collection with all it holds; it is gone with the first of these steps."""
        self.store.delete(self.name + CATALOGUE, Where(must=(HasId((META_ID,)),)))
        self.store.drop(self.name + CATALOGUE)
        self.store.drop(self.name)

    # Reading

    def transitions(self) -> Transitions:
        """What is being changed at this moment."""
        unborn: list[str] = []
        dead: list[str] = []
        removed: list[str] = []
        stamp = ""
        moving = Where(must=(Match("phase", ("meta", "staging", "retiring", "removing")),))
        for record in self._scroll(self.name + CATALOGUE, moving, ("phase", "moving", "stamp")):
            match record.payload["phase"]:
                case "meta":
                    stamp = record.payload.get("stamp", "")
                case "staging":
                    unborn.append(record.payload["moving"])
                case "retiring":
                    dead.append(record.payload["moving"])
                case _:
                    removed.append(record.id)
        return Transitions(stamp, tuple(unborn), tuple(dead), tuple(removed))

    def steadily(self, read: Callable[[Transitions], T]) -> T:
        """What `read` returns while no source changes; it is given the versions that must not be seen.

        Where nothing has changed since the last look, one look behind the reading is enough to know that.
        """
        moving = self._seen or self.transitions()
        for _ in range(_LOOKS):
            found = read(moving)
            if self._is_still(moving):
                self._seen = moving
                return found
            before, moving = moving, self.transitions()
            steady = moving == before
            self._seen = moving if steady else None
            if steady:
                return found
        log.warning("no quiet moment collection=%s looks=%d", self.name, _LOOKS)
        return read(moving)

    def known(self) -> dict[str, str]:
        """Digest of the committed content of each source, by source id."""
        records = self._scroll(self.name + CATALOGUE, _sources_only(), ("digest", "phase"))
        return {record.id: record.payload["digest"] for record in records if record.payload["phase"] == "stable"}

    def entries(self) -> list[SourceEntry]:
        """All sources with their state, sorted by name."""
        pending = self.store.facet(self.name, "source_id", _pending(), limit=1_000_000)
        found = [
            _entry(record.payload, pending.get(record.id, 0))
            for record in self._scroll(self.name + CATALOGUE, _sources_only(), None)
            if record.payload["phase"] != "removing"
        ]
        return sorted(found, key=lambda entry: (entry.source.name, entry.source.uri))

    def sources(self, ids: Sequence[str]) -> dict[str, Source]:
        """The sources that exist among `ids`."""
        return {record.id: source_of(record.payload) for record in self.store.retrieve(self.name + CATALOGUE, ids)}

    def _is_still(self, moving: Transitions) -> bool:
        """Whether nothing was moving and nothing has begun since: each beginning changes the stamp before any point changes."""
        if moving.hidden():
            return False
        return [r.payload.get("stamp", "") for r in self.store.retrieve(self.name + CATALOGUE, [META_ID])] == [moving.stamp]

    def sources_during(self, moving: Transitions, ids: Sequence[str]) -> dict[str, Source]:
        """The same inside `steadily`, where what was read is good until something changes."""
        known = self._sources[1] if self._sources[0] == moving else {}
        missing = [identity for identity in ids if identity not in known]
        if missing:
            known = {**known, **self.sources(missing)}
            self._sources = (moving, known)
        return {identity: known[identity] for identity in ids if identity in known}

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist among `ids`, in that order."""
        return [chunk_of(record.id, record.payload) for record in self.store.retrieve(self.name, ids)]

    def source_chunks(self, source_id: str) -> list[Chunk]:
        """All visible chunks of a source in document order."""
        must = (Match("source_id", (source_id,)),)
        found = self.steadily(lambda moving: list(self._scroll(self.name, Where(must, moving.hidden()), None)))
        return sorted((chunk_of(record.id, record.payload) for record in found), key=lambda chunk: chunk.order)

    def count(self) -> int:
        """How many chunks are visible."""
        return self.steadily(lambda moving: self.store.count(self.name, Where(must_not=moving.hidden())))

    def languages(self) -> dict[str, int]:
        """Visible chunks in each language, most frequent first."""
        return self.steadily(lambda moving: self.store.facet(self.name, "language", Where(must_not=moving.hidden())))

    def pending(self) -> int:
        """Passages that wait for their dense vector."""
        return self.store.count(self.name, _pending()) if self.meta.embedder else 0

    # Writing

    def replace(self, source: Source, digest: str, chunks: Iterable[Chunk]) -> int:
        """Make `chunks` the source's content, visible in one step; returns how many there are."""
        there, version = self._settle(source, digest)
        staging = {"phase": "staging", "moving": version}
        if there:
            self._mark(source.id, staging)
        else:
            self._record(source.id, {**source_payload(source), "digest": "", "chunks": 0, "ingested_at": 0, **staging})
        self._stamp()
        old = {
            record.id: record.payload
            for record in self._scroll(self.name, _of(source.id), ("content", "born", "tags", *_AMENDED))
            if record.payload["born"] != version
        }
        seen = self._write(source, version, chunks, old)
        fallen = [identity for identity in old if identity not in seen]
        for batch in _batched(fallen, _BATCH):
            self.store.set_payload(self.name, Where(must=(HasId(tuple(batch)),)), {"dies": version})
        if any(payload["tags"] != list(source.tags) for payload in old.values()):
            self.store.set_payload(self.name, _of(source.id), {"tags": list(source.tags)})
        committed = {**source_payload(source), "digest": digest, "chunks": len(seen), "ingested_at": round(time.time())}
        phase = {"phase": "retiring", "moving": version} if fallen else {"phase": "stable", "moving": ""}
        self._record(source.id, {**committed, **phase})  # the one step: readers see the new version from here on
        if fallen:
            self._bury(source.id, version)
        log.info("committed collection=%s source=%s chunks=%d", self.name, source.id, len(seen))
        return len(seen)

    def remove(self, source_id: str) -> None:
        """Remove a source, out of sight in one step.

        Raises:
            NotFoundError: there is no such source.
        """
        if not self.store.retrieve(self.name + CATALOGUE, [source_id]):
            raise NotFoundError(f"there is no source {source_id} in {self.name!r}", hint="`phidex sources` lists them")
        self._erase(source_id)

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
        """Give back the space of deleted points where this object deleted any and the engine finds it worth while.

        Deleted points would otherwise slow every search; while it lasts (about 0.1 s for 1,000 points) other clients wait.
        """
        if self._deleted:
            self.store.compact(self.name)
            self._deleted = False

    def recover(self) -> None:
        """Clear up after ingests that were killed behind their commit."""
        moving = Where(must=(Match("phase", ("retiring", "removing")),))
        for record in list(self._scroll(self.name + CATALOGUE, moving, ("phase", "moving"))):
            if record.payload["phase"] == "retiring":
                self._bury(record.id, record.payload["moving"])
            else:
                self._erase(record.id)

    def _settle(self, source: Source, digest: str) -> tuple[bool, str]:
        """Finish or undo what an earlier run left of this source: whether the catalogue has it, and the version to write.

        A version's name is never used twice, since what another version shares with it keeps the name it was born of; only a
        run that was killed over the same content is gone on with.
        """
        stem = f"{source.id[:8]}-{digest}-"
        version = stem + uuid.uuid4().hex[:8]
        records = self.store.retrieve(self.name + CATALOGUE, [source.id])
        if not records:
            return False, version
        payload = records[0].payload
        match payload["phase"]:
            case "staging" if payload["moving"].startswith(stem):
                return True, payload["moving"]
            case "staging":
                stale = payload["moving"]
                self.store.delete(self.name, _of(source.id, Match("born", (stale,))))
                self.store.set_payload(self.name, _of(source.id, Match("dies", (stale,))), {"dies": ""})
            case "retiring":
                self._bury(source.id, payload["moving"])
            case "removing":
                self._erase(source.id)
                return False, version
            case _:
                pass
        return True, version

    def _write(self, source: Source, version: str, chunks: Iterable[Chunk], old: dict[str, Payload]) -> set[str]:
        """Write the chunks that are not there as they should be; moved text keeps its vector. Returns the ids of all chunks."""
        holders = {payload["content"]: identity for identity, payload in old.items()} if self.meta.embedder else {}
        seen: set[str] = set()
        for batch in _batched(chunks, _BATCH):
            seen.update(chunk.id for chunk in batch)
            payloads = {chunk.id: self._payload(chunk, source, version, old.get(chunk.id)) for chunk in batch}
            changed = [chunk for chunk in batch if _differs(payloads[chunk.id], old.get(chunk.id))]
            contents = {chunk.id: payloads[chunk.id]["content"] for chunk in changed}
            kept = {holders[content] for content in contents.values() if content in holders}
            dense = {
                record.payload["content"]: record.dense
                for record in self.store.retrieve(self.name, list(kept), dense=True)
                if record.dense is not None
            }
            points = [
                Point(
                    chunk.id,
                    payloads[chunk.id],
                    dense=dense.get(contents[chunk.id]) if payloads[chunk.id]["wants_dense"] == "yes" else None,
                    sparse=passage_vector(searchable_text(chunk.text, chunk.heading)),
                )
                for chunk in changed
            ]
            self.store.upsert(self.name, points)
        return seen

    def _payload(self, chunk: Chunk, source: Source, version: str, old: Payload | None) -> Payload:
        """The payload to write; a chunk that is there already stays born of what it was born of, and visible with its tags."""
        content = old["content"] if old else content_key(chunk)
        born = old["born"] if old else version
        payload = chunk_payload(chunk, source, version=born, content=content, embedder=self.meta.embedder)
        return {**payload, "tags": old["tags"]} if old else payload

    def _erase(self, source_id: str) -> None:
        self._deleted = True
        self._mark(source_id, {"phase": "removing", "moving": ""})
        self._stamp()
        self.store.delete(self.name, _of(source_id))
        self.store.delete(self.name + CATALOGUE, Where(must=(HasId((source_id,)),)))

    def _bury(self, source_id: str, version: str) -> None:
        self._deleted = True
        self.store.delete(self.name, _of(source_id, Match("dies", (version,))))
        self._mark(source_id, {"phase": "stable", "moving": ""}, Match("moving", (version,)))  # unless it moved on since

    def _stamp(self) -> None:
        """Let readers know, before the first point changes, that something begins."""
        self._mark(META_ID, {"stamp": uuid.uuid4().hex})

    def _record(self, source_id: str, payload: Payload) -> None:
        self.store.upsert(self.name + CATALOGUE, [Point(source_id, payload)])

    def _mark(self, source_id: str, payload: Payload, *only: Condition) -> None:
        self.store.set_payload(self.name + CATALOGUE, Where(must=(HasId((source_id,)), *only)), payload)

    def _scroll(self, collection: str, where: Where, fields: Sequence[str] | None) -> Iterator[Record]:
        after: str | None = None
        while True:
            records, after = self.store.scroll(collection, where, after=after, fields=fields)
            yield from records
            if after is None:
                return


def _differs(payload: Payload, old: Payload | None) -> bool:
    """Whether the point must be written."""
    return old is None or any(payload[key] != old[key] for key in _AMENDED)


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
