"""What a collection shows: its sources, its chunks and how far they are, with all that is half written left out.

A source's new version is written beside the old one, marked as born of it; what falls away is marked as dying with it; one
write to the catalogue makes the switch (`retrieval/versions.py`). So a reader leaves out what is not yet born or already dead,
and looks again when a source changed meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from phidex.errors import NotFoundError
from phidex.ingest.records import Chunk, Source
from phidex.ingest.run.sink import Known
from phidex.retrieval.catalogue import (
    CATALOGUE,
    META_ID,
    Catalogue,
    CollectionMeta,
    SourceEntry,
    SourceState,
    Transitions,
    scroll_all,
    sources_only,
)
from phidex.retrieval.payload import CHUNK_FIELDS, chunk_of, source_of
from phidex.retrieval.store import Condition, Fused, Leg, Match, Payload, Record, Store, Where
from phidex.retrieval.vectors import waiting
from phidex.retrieval.versions import in_force

log = logging.getLogger(__name__)

_LOOKS = 200  # at most, until no source changes while a reader looks: about a second

T = TypeVar("T")


class CollectionReader:
    """The reading half of `Collection` (`retrieval/collection.py`)."""

    def __init__(self, store: Store, name: str, meta: CollectionMeta) -> None:
        self.store = store
        self.name = name
        self.meta = meta
        self.catalogue = Catalogue(store, name)
        self._seen: Transitions | None = None  # at the last look
        self._sources: tuple[Transitions, dict[str, Source]] = (Transitions(), {})  # read since then
        self._kept: dict[str, tuple[str, Any]] = {}  # by what it is: the stamp it was read under, and the value

    @property
    def points(self) -> str:
        """The collection of the store that holds the chunks: another one after each `reindex`."""
        return self.meta.points

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
        """What `read` returns while no source changes; it is given the versions that must not be seen."""
        return self.steadily_stamped(lambda moving: (read(moving), self.stamp()))

    def steadily_stamped(self, read: Callable[[Transitions], tuple[T, str]]) -> T:
        """The same for a `read` that returns, beside what it found, the stamp as it stood behind the reading.

        Each beginning of a change writes a new stamp before any point changes: where nothing moved, the same stamp is enough.
        """
        moving = self._seen or self.transitions()
        for _ in range(_LOOKS):
            found, stamp = read(moving)
            if stamp == moving.stamp and not moving.hidden():
                self._seen = moving
                return found
            before, moving = moving, self.transitions()
            steady = moving == before
            self._seen = moving if steady else None
            if steady:
                return found
        log.warning("no quiet moment collection=%s looks=%d", self.name, _LOOKS)
        return read(moving)[0]

    def stamp(self) -> str:
        """What the last beginning of a change wrote."""
        return _stamp_of(next(iter(self.store.retrieve(self.name + CATALOGUE, [META_ID])), None))

    def while_unchanged(self, key: str, read: Callable[[], T]) -> T:
        """What `read` returns, kept under `key` until something changes: one small request in the place of reading it again."""
        stamp = self.stamp()
        kept = self._kept.get(key)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        before, value = self.transitions(), read()
        if not before.hidden() and before.stamp == self.stamp():  # else it may be of the middle of a change
            self._kept[key] = (before.stamp, value)
        return value

    def hybrid(self, legs: Sequence[Leg], limit: int) -> tuple[list[Fused], str]:
        """The best points for all legs together, and the stamp as it stood behind them, in one request."""
        beside = (self.name + CATALOGUE, META_ID)
        found, meta = self.store.hybrid(self.points, legs, limit=limit, beside=beside, fields=CHUNK_FIELDS)
        return found, _stamp_of(meta)

    def known(self) -> dict[str, Known]:
        """The sources there are, by id; one that is being changed, or was left half changed, has no digest."""
        fields = ("digest", "sha256", "uri", "also", "tags", "metadata", "phase", "disturbed")
        records = self._scroll(self.name + CATALOGUE, sources_only(), fields)
        return {record.id: _known(record.payload) for record in records if record.payload["phase"] != "removing"}

    def entries(self) -> list[SourceEntry]:
        """All sources with their state, sorted by name."""
        found = self._entries(self._scroll(self.name + CATALOGUE, sources_only(), None))
        return sorted(found, key=lambda entry: (entry.source.name, entry.source.uri))

    def entries_page(self, limit: int, after: str | None = None) -> tuple[list[SourceEntry], str | None]:
        """A page of sources in the order of their ids, from the cursor `after`, and the next cursor (None at the end)."""
        records, following = self.store.scroll(self.name + CATALOGUE, sources_only(), limit=limit, after=after)
        return self._entries(records), following

    def entries_of(self, ids: Sequence[str]) -> list[SourceEntry]:
        """The sources that exist among `ids`, with their state."""
        records = self.store.retrieve(self.name + CATALOGUE, ids)
        return self._entries(record for record in records if record.payload["phase"] not in ("meta", "restoring"))

    def _entries(self, records: Iterable[Record]) -> list[SourceEntry]:
        pending = self.waiting_by_source()
        return [
            _entry(record.payload, pending.get(record.id, 0)) for record in records if record.payload["phase"] != "removing"
        ]

    def sources(self, ids: Sequence[str]) -> dict[str, Source]:
        """The sources that exist among `ids`."""
        return {record.id: source_of(record.payload) for record in self.store.retrieve(self.name + CATALOGUE, ids)}

    def sources_during(self, moving: Transitions, ids: Iterable[str]) -> tuple[dict[str, Source], str | None]:
        """The same while `moving` holds, kept until something changes; and the stamp behind the reading, if any was done."""
        known = self._sources[1] if self._sources[0] == moving else {}
        missing = [identity for identity in ids if identity not in known]
        if not missing:
            return known, None
        known = {**known, **self.sources(missing)}
        self._sources = (moving, known)
        return known, self.stamp()

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist among `ids`, in that order; also where a reindex has moved them since this was opened."""
        try:
            records = self.store.retrieve(self.points, ids)
        except NotFoundError:
            records = self.store.retrieve(self.made_now().points, ids)
        return [chunk_of(record.id, record.payload) for record in records]

    def source_chunks(self, source_id: str) -> list[Chunk]:
        """All visible chunks of a source in document order."""
        must = (Match("source_id", (source_id,)),)
        found = self.steadily(lambda moving: list(self._visible(Where(must, moving.hidden()), moving)))
        return sorted(found, key=lambda chunk: chunk.order)

    def chunks_where(self, parts: Sequence[tuple[Condition, ...]], without: Sequence[Condition] = ()) -> list[Chunk]:
        """The visible chunks that fulfil all conditions of one of the parts, none of `without`; several requests, one look."""

        def look(moving: Transitions) -> dict[str, Chunk]:
            wheres = [Where(conditions, (*without, *moving.hidden())) for conditions in parts]
            return {chunk.id: chunk for where in wheres for chunk in self._visible(where, moving)}

        return list(self.steadily(look).values()) if parts else []

    def source_tokens(self, ids: Sequence[str], most: int) -> dict[str, int]:
        """Tokens of each source's visible chunks; a source of more than `most` chunks is left out unread."""
        records = self.catalogue.records(ids)
        small = tuple(identity for identity in ids if identity in records and records[identity]["chunks"] <= most)

        def look(moving: Transitions) -> dict[str, int]:
            found = dict.fromkeys(small, 0)
            where = Where((Match("source_id", small),), moving.hidden())
            for record in self._scroll(self.points, where, ("source_id", "tokens")):
                found[record.payload["source_id"]] += record.payload["tokens"]
            return found

        return self.steadily(look) if small else {}

    def count(self) -> int:
        """How many chunks are visible."""
        return self.steadily(lambda moving: self.store.count(self.points, Where(must_not=moving.hidden())))

    def languages(self) -> dict[str, int]:
        """Visible chunks in each language, most frequent first."""
        return self.steadily(lambda moving: self.store.facet(self.points, "language", Where(must_not=moving.hidden())))

    def pending(self) -> int:
        """Visible passages that wait for their dense vector, also where a reindex has moved them since this was opened."""
        now = self.made_now()
        return self.store.count(now.points, waiting(self.transitions().hidden())) if now.embedder else 0

    def waiting_by_source(self) -> dict[str, int]:
        """The same, by the id of the source."""
        now = self.made_now()
        hidden = self.transitions().hidden()
        return self.store.facet(now.points, "source_id", waiting(hidden), limit=1_000_000) if now.embedder else {}

    def made_now(self) -> CollectionMeta:
        """How the collection is made at this moment; `meta` says how it was when this was opened. Raises: NotFoundError."""
        payload = self.catalogue.meta()
        if payload is None:
            raise NotFoundError(f"the collection {self.name!r} is gone", hint="it was removed; ingest into it anew")
        return CollectionMeta.from_payload(self.name, payload)

    def _visible(self, where: Where, moving: Transitions) -> Iterator[Chunk]:
        for record in self._scroll(self.points, where, None):
            yield chunk_of(record.id, in_force(record.payload, moving.dead))

    def _scroll(self, collection: str, where: Where, fields: Sequence[str] | None) -> Iterator[Record]:
        return scroll_all(self.store, collection, where, fields)


def _stamp_of(meta: Record | None) -> str:
    return meta.payload.get("stamp", "") if meta else ""


def _known(payload: Payload) -> Known:
    sound = payload["phase"] in ("stable", "retiring") and not payload.get("disturbed")
    digest = payload["digest"] if sound else ""
    also, tags = tuple(payload["also"]), tuple(payload["tags"])
    return Known(digest, payload["sha256"], payload["uri"], also, tags, payload["metadata"])


def _entry(payload: Payload, pending: int) -> SourceEntry:
    state: SourceState = "incomplete" if not payload["digest"] else "searchable" if pending else "complete"
    return SourceEntry(source_of(payload), state, payload["chunks"], pending, payload["ingested_at"])
