"""The plan for reading documents that do not fit one prompt: parts that each fit, read one by one and then put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MapPart:
    """A stretch of the documents that fits one prompt.

    Args:
        number: from 1.
        markers: of its blocks, in order.
        tokens: of its prompt, without the reserve.
        place: where it begins and ends, for people.
    """

    number: int
    markers: tuple[int, ...]
    chunk_ids: tuple[str, ...]
    source_ids: tuple[str, ...]
    tokens: int
    place: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "number": self.number,
            "markers": list(self.markers),
            "chunk_ids": list(self.chunk_ids),
            "source_ids": list(self.source_ids),
            "tokens": self.tokens,
            "place": self.place,
        }


@dataclass(frozen=True, slots=True)
class MapPlan:
    """Every part in document order; `note_tokens` bounds what is noted of each before the notes are put together."""

    parts: tuple[MapPart, ...]
    budget_tokens: int
    note_tokens: int

    @property
    def total_tokens(self) -> int:
        """What reading all parts costs."""
        return sum(part.tokens for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "budget_tokens": self.budget_tokens,
            "note_tokens": self.note_tokens,
            "total_tokens": self.total_tokens,
            "parts": [part.to_dict() for part in self.parts],
        }
