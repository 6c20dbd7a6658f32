"""The records of a collection's catalogue: how it was made, its sources and how far they are, and what is changing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Literal

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Source
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Condition, Match, Payload, Point, Schema, Store

CATALOGUE = ".sources"
"""What a collection's name is followed by in that of its catalogue."""

META_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "phidex:collection"))
"""The point of the catalogue that says how the collection was made: the collection exists while it does."""

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


def read_meta(store: Store, name: str) -> Payload | None:
    """What the collection remembers of how it was made; None where it does not exist or is not made yet."""
    if name + CATALOGUE not in store.names():
        return None
    try:
        records = store.retrieve(name + CATALOGUE, [META_ID])
    except NotFoundError:  # dropped meanwhile
        return None
    return records[0].payload if records else None


def make_collection(store: Store, name: str, meta: CollectionMeta) -> None:
    """Make the collection; it exists with the last of these steps, and a kill before leaves what the next making takes on."""
    keywords = ("source_id", "kind", "language", "modality", "tags", "born", "dies", "wants_dense")
    dim = meta.embedder.dim if meta.embedder else None
    schema = Schema(dense_dim=dim, sparse=True, indexes={**dict.fromkeys(keywords, "keyword"), "page": "integer"})
    names = store.names()
    if name in names and name + CATALOGUE not in names:
        store.drop(name)  # of a drop that was killed
    store.create(name + CATALOGUE, Schema(indexes={"phase": "keyword"}))
    try:
        store.create(name, schema)
    except InputError:  # of a making that was killed, with another embedder
        store.drop(name)
        store.create(name, schema)
    store.upsert(name + CATALOGUE, [Point(META_ID, {"phase": "meta", "stamp": "", **meta.to_dict()})])
