"""What a search finds: a passage, its document, and why it stands where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phidex.ingest.records import Chunk, Locator, Source


@dataclass(frozen=True, slots=True)
class LegRank:
    """A hit's place in one leg: rank from 1, and the engine's score (BM25, or cosine in [-1, 1])."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Copy:
    """Another place where a hit's text stands too, nearly word for word: a parallel edition, or a copy of the document."""

    source: Source
    locator: Locator

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"source": self.source.to_dict(), "locator": self.locator.to_dict()}


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers, best first in its list.

    Args:
        score: fused, higher is better; comparable within one list only.
        why: place and score in each leg that found it: "lexical", "dense"; and among those that a model reranked: "rerank".
        boosts: what was added to the fused score, by its reason (`retrieval/arrange.py`).
        also: where the same text stands too; those places are no hits of their own.
    """

    chunk: Chunk
    source: Source
    score: float
    why: dict[str, LegRank]
    boosts: dict[str, float] = field(default_factory=dict[str, float])
    also: tuple[Copy, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "score": round(self.score, 6),
            "text": self.chunk.text,
            "source": self.source.to_dict(),
            "locator": self.chunk.locator.to_dict(),
            "chunk": self.chunk.to_dict(),
            "why": {leg: {"rank": place.rank, "score": round(place.score, 4)} for leg, place in self.why.items()},
            "boosts": {reason: round(value, 4) for reason, value in self.boosts.items()},
            "also": [copy.to_dict() for copy in self.also],
        }
