"""The records of a collection's catalogue: how it was made, its sources and how far they are, and what is changing."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.ingest.records import Source
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.lease import is_gone
from phidex.retrieval.payload import KEYWORDS
from phidex.retrieval.store import Condition, HasId, Match, Payload, Point, Record, Schema, Store, Where

CATALOGUE = ".sources"
"""What a collection's name is followed by in that of its catalogue."""

GENERATION = "@"
"""What stands between a collection's name and a number in the name of its chunks' place, once it was made anew."""

META_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "phidex:collection"))
"""The point of the catalogue that says how the collection was made: the collection exists while it does."""

_GATE_S = 30.0  # what is done in the gate takes milliseconds; what takes longer renews it
_PATIENCE_S = 600.0

SourceState = Literal["incomplete", "searchable", "complete"]


@dataclass(frozen=True, slots=True)
class CollectionMeta:
    """What a collection remembers of how it was made.

    Args:
        points: the collection of the store that holds the chunks: another one after each `reindex`.
    """

    schema_version: int
    analyzer: str
    embedder: EmbedderIdentity | None
    points: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        embedder = self.embedder.to_dict() if self.embedder else None
        return {"schema_version": self.schema_version, "analyzer": self.analyzer, "embedder": embedder, "points": self.points}

    @classmethod
    def from_payload(cls, name: str, payload: Payload) -> Self:
        """What `to_dict` was called on, as the catalogue holds it."""
        embedder = payload.get("embedder")
        identity = EmbedderIdentity.from_dict(embedder) if embedder else None
        return cls(payload["schema_version"], payload["analyzer"], identity, payload.get("points", name))


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
    """Versions being written or cleared up right now: what readers leave out.

    Args:
        stamp: another one after each beginning, so that a change which began and ended between two looks shows.
    """

    stamp: str = ""
    unborn: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def hidden(self) -> tuple[Condition, ...]:
        """Conditions of points that must not be seen."""
        pairs = (("born", self.unborn), ("dies", self.dead), ("source_id", self.removed))
        return tuple(Match(key, values) for key, values in pairs if values)


class Catalogue:
    """The catalogue of the collection `name`: a record for each source, and one that says how the collection was made."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.place = name + CATALOGUE

    def meta(self) -> Payload | None:
        """What the collection remembers of how it was made; None where it does not exist or is not made yet."""
        if self.place not in self.store.names():
            return None
        try:
            return self.records([META_ID]).get(META_ID)
        except NotFoundError:  # dropped meanwhile
            return None

    def records(self, ids: Sequence[str]) -> dict[str, Payload]:
        """The records that exist among `ids`."""
        return {record.id: record.payload for record in self.store.retrieve(self.place, ids)}

    def scroll(self, where: Where, fields: Sequence[str] | None = None) -> Iterator[Record]:
        """All records that match."""
        return scroll_all(self.store, self.place, where, fields)

    def put(self, records: Mapping[str, Payload]) -> None:
        """Write whole records, each in one step."""
        self.store.upsert(self.place, [Point(identity, payload) for identity, payload in records.items()])

    def mark(self, ids: Sequence[str], payload: Payload, *only: Condition) -> None:
        """Merge `payload` into those of the records that fulfil the conditions."""
        self.store.set_payload(self.place, Where(must=(HasId(tuple(ids)), *only)), payload)

    def delete(self, ids: Sequence[str], *only: Condition) -> None:
        """Delete those of the records that fulfil the conditions."""
        self.store.delete(self.place, Where(must=(HasId(tuple(ids)), *only)))

    @contextlib.contextmanager
    def gate(self, token: str) -> Generator[Payload]:
        """Held by one writer at a time, while it says what it is about to change; yields how the collection is made now.

        A new stamp is written on leaving: readers learn that something begins before the first chunk changes.

        Raises:
            NotFoundError: the collection is gone.
            ServiceError: others held it all the time.
        """
        meta = self._enter(token)
        try:
            yield meta
        finally:
            self.mark([META_ID], {"gate": "", "stamp": uuid.uuid4().hex}, Match("gate", (token,)))

    def renew_gate(self, token: str) -> None:
        """Stay in the gate: whoever says nothing for half a minute is given up."""
        self.mark([META_ID], {"gate_until": time.time() + _GATE_S}, Match("gate", (token,)))

    def _enter(self, token: str) -> Payload:
        deadline, pause = time.monotonic() + _PATIENCE_S, 0.001
        while True:
            self.mark([META_ID], {"gate": token, "gate_until": time.time() + _GATE_S}, Match("gate", ("",)))
            meta = self.records([META_ID]).get(META_ID)
            if meta is None:
                raise NotFoundError(f"the collection {self.name!r} is gone", hint="it was removed; ingest into it anew")
            if meta["gate"] == token:
                return meta
            if is_gone(meta["gate"], meta["gate_until"]):
                self.mark([META_ID], {"gate": ""}, Match("gate", (meta["gate"],)))
                continue
            if time.monotonic() > deadline:
                holder = meta["gate"].rpartition("/")[0]
                raise ServiceError(
                    f"the collection {self.name!r} is being changed by {holder}", hint="try later", retryable=True
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.05)


def make_collection(store: Store, name: str, meta: CollectionMeta) -> None:
    """Make the collection; it exists with the last of these steps, and a kill before leaves what the next making takes on.

    Raises:
        ServiceError: a backup is being restored under that name.
    """
    catalogue = Catalogue(store, name)
    names = store.names()
    if catalogue.place in names:
        refuse_claimed(catalogue)
        if next(catalogue.scroll(Where()), None) is not None:
            if catalogue.meta() is not None:
                return  # another process was first
            names = drop_collection(store, name)  # of a drop, or a restore, that was killed
    if catalogue.place not in names:
        for place in points_of(names, name):
            store.drop(place)
    store.create(catalogue.place, Schema(indexes={"phase": "keyword"}))
    refuse_claimed(catalogue)
    schema = points_schema(meta.embedder)
    try:
        store.create(meta.points, schema)
    except InputError:  # of a making that was killed, with another embedder
        store.drop(meta.points)
        store.create(meta.points, schema)
    refuse_claimed(catalogue)  # by a restore that began meanwhile
    catalogue.put({META_ID: {"phase": "meta", "stamp": "", "gate": "", "gate_until": 0, **meta.to_dict()}})


def refuse_claimed(catalogue: Catalogue, mine: str = "") -> None:
    """Raises ServiceError where a restore that lives, another than `mine`, has claimed the name (see `restore.py`)."""
    for record in catalogue.scroll(Where(must=(Match("phase", ("restoring",)),))):
        if record.id != mine and not is_gone(record.payload["writer"], record.payload["until"]):
            message = f"a backup is being restored into the collection {catalogue.name!r}"
            raise ServiceError(message, hint="wait until that is done, or use another collection", retryable=True)


def drop_collection(store: Store, name: str) -> list[str]:
    """Remove the collection with all it holds, gone with the first step; returns the names that are left in the store."""
    catalogue = Catalogue(store, name)
    names = store.names()
    if catalogue.place in names:
        catalogue.delete([META_ID])
    gone = [*points_of(names, name), catalogue.place]  # the catalogue last: it tells what is left of a drop that was killed
    for place in gone:
        store.drop(place)
    return [left for left in names if left not in gone]


def drop_leftovers(catalogue: Catalogue) -> None:
    """Drop what reindexes left: places that are neither in use nor being filled, once nobody can be reading them."""
    places = points_of(catalogue.store.names(), catalogue.name)
    meta = catalogue.meta() if len(places) > 1 else None
    if meta is None:
        return
    coming: str = meta["reindex"]["points"] if meta.get("reindex") else ""
    retired: dict[str, float] = meta.get("retired", {})
    for place in places:
        if place not in (meta.get("points", catalogue.name), coming) and time.time() > retired.get(place, 0):
            catalogue.store.drop(place)


def points_of(names: Iterable[str], name: str) -> list[str]:
    """The store's collections that hold chunks of this collection, of now or of before a reindex."""
    return [place for place in names if place == name or place.startswith(name + GENERATION)]


def points_schema(embedder: EmbedderIdentity | None) -> Schema:
    """What chunks are stored with."""
    indexes: dict[str, Literal["keyword", "integer"]] = {**dict.fromkeys(KEYWORDS, "keyword"), "page": "integer"}
    return Schema(dense_dim=embedder.dim if embedder else None, sparse=True, indexes=indexes)


def sources_only() -> Where:
    """The records of sources, without those of the collection itself and of who restores it."""
    return Where(must_not=(Match("phase", ("meta", "restoring")),))


def scroll_all(store: Store, collection: str, where: Where, fields: Sequence[str] | None = None) -> Iterator[Record]:
    """All points that match, page by page."""
    after: str | None = None
    while True:
        records, after = store.scroll(collection, where, after=after, fields=fields)
        yield from records
        if after is None:
            return
