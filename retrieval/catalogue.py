"""The records of a collection's catalogue: how it was made, its sources and how far they are, and what is changing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from phidex.ingest.records import Source
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Condition, Match

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
