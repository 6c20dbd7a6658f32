"""The records of generation: a route, citations, and the answer that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phidex.generation.chat_wire import Delta, Usage
from phidex.ingest.records import Locator, Source
from phidex.retrieval.pack import Context, Ledger, MapPlan

Role = Literal["extractive", "mini", "moe", "vision"]


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, and why.

    Args:
        model: the served name; empty for the extractive answerer.
        reason: one sentence for people.
        signals: what it was decided by.
    """

    role: Role
    model: str
    reason: str
    signals: Mapping[str, str | int | float | bool] = field(default_factory=dict[str, "str | int | float | bool"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"role": self.role, "model": self.model, "reason": self.reason, "signals": dict(self.signals)}


@dataclass(frozen=True, slots=True)
class Citation:
    """One place that an answer rests on.

    Args:
        marker: the number in square brackets in the answer's text.
        locator: the place of the passage that holds the quote.
        quote: verbatim from the stored passage; empty where nothing in it supports the claim.
        verified: the quote stands in the stored passage and supports what the answer says.
    """

    marker: int
    source: Source
    locator: Locator
    chunk_id: str
    quote: str
    verified: bool

    def __str__(self) -> str:
        return f"[{self.marker}] {self.source.name}, {self.locator}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "marker": self.marker,
            "source": self.source.to_dict(),
            "locator": self.locator.to_dict(),
            "chunk_id": self.chunk_id,
            "quote": self.quote,
            "verified": self.verified,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with what it rests on.

    Args:
        text: with markers like [1].
        found: whether the documents hold an answer.
        warnings: claims without support, markers that lead nowhere, context the server cut.
        timings: seconds spent on "rewrite", "search", "pack", "answer".
        plan: the parts that were read one by one, where the documents did not fit one prompt.
        searched: what was searched in the question's place, where it hung on an earlier one; otherwise empty.
    """

    question: str
    text: str
    found: bool
    citations: tuple[Citation, ...]
    route: Route
    ledger: Ledger
    usage: Usage | None = None
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    plan: MapPlan | None = None
    searched: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "question": self.question,
            "searched": self.searched,
            "text": self.text,
            "found": self.found,
            "citations": [citation.to_dict() for citation in self.citations],
            "route": self.route.to_dict(),
            "ledger": self.ledger.to_dict(),
            "usage": self.usage and self.usage.to_dict(),
            "warnings": list(self.warnings),
            "plan": self.plan and self.plan.to_dict(),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
        }


AnswerEvent = Route | Context | Delta | Answer
"""What a streamed answer consists of, in this order: the route, the context, pieces of text, the whole answer."""
