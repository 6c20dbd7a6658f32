"""The records of generation: a route, citations, and the answer that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phidex.generation.chat_wire import Delta, Usage
from phidex.ingest.records import Locator, Source
from phidex.retrieval.pack import Context, Ledger, MapPlan

Role = Literal["extractive", "mini", "moe", "vision"]
Status = Literal["verified", "unsupported", "missing"]
"""Of a claim: the cited passages bear it out; they do not; it cites none. A citation is one of the first two."""


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
        reason: what speaks against it where it is not verified; where it is, what could not be compared; otherwise empty.
    """

    marker: int
    source: Source
    locator: Locator
    chunk_id: str
    quote: str
    verified: bool
    reason: str = ""

    @property
    def status(self) -> Status:
        """Whether the passage bears out what the answer says."""
        return "verified" if self.verified else "unsupported"

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
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer that states something.

    Args:
        text: without markers.
        markers: the sources that it names.
        reason: what speaks against it, where it is unsupported.
        is_comparable: False where the passages are in another language and there was nothing to compare.
    """

    text: str
    markers: tuple[int, ...]
    status: Status
    reason: str = ""
    is_comparable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"text": self.text, "markers": list(self.markers), "status": self.status, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should know of the answer that is coming; those of the last route are in its `warnings`."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with what it rests on.

    Args:
        text: with markers like [1].
        found: whether the documents hold an answer.
        claims: its sentences that state something, each with its status; of quotations without a model, none.
        confidence: of the model in its own words, in (0, 1]: the geometric mean of its tokens' probabilities; None where the
            server did not tell, or was not asked.
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
    claims: tuple[Claim, ...] = ()
    confidence: float | None = None

    @property
    def uncited(self) -> tuple[str, ...]:
        """The sentences that state something and name no source."""
        return tuple(claim.text for claim in self.claims if claim.status == "missing")

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The sentences that the passages they cite do not bear out."""
        return tuple(claim.text for claim in self.claims if claim.status == "unsupported")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "question": self.question,
            "searched": self.searched,
            "text": self.text,
            "found": self.found,
            "citations": [citation.to_dict() for citation in self.citations],
            "claims": [claim.to_dict() for claim in self.claims],
            "confidence": self.confidence and round(self.confidence, 4),
            "route": self.route.to_dict(),
            "ledger": self.ledger.to_dict(),
            "usage": self.usage and self.usage.to_dict(),
            "warnings": list(self.warnings),
            "plan": self.plan and self.plan.to_dict(),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
        }


AnswerEvent = Route | Context | Delta | Citation | Notice | Answer
"""What a streamed answer consists of: the route, the evidence, pieces of text, each citation once its sentence is whole, what
people should know, and the whole answer at the end. A further route begins the answer anew."""


EventName = Literal["route", "evidence", "token", "citation", "warning", "done"]


def event_name(event: AnswerEvent) -> EventName:
    """What an event is called where it leaves this program.

    >>> event_name(Delta("So")), event_name(Route("mini", "phi-3.5-mini", "it is configured"))
    ('token', 'route')
    """
    match event:
        case Route():
            return "route"
        case Context():
            return "evidence"
        case Delta():
            return "token"
        case Citation():
            return "citation"
        case Notice():
            return "warning"
        case Answer():
            return "done"
