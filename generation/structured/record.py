"""The records of structured answers: a field with its evidence, an answer, and one document's record of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from phidex.errors import PhidexError
from phidex.generation.answer import Citation, Route
from phidex.generation.chat_wire import Usage
from phidex.ingest.records import Source
from phidex.retrieval.pack import Ledger

T = TypeVar("T")
R = TypeVar("R")

Support = Literal["quoted", "agrees", "related", "unsupported", "default", "empty"]
"""How a value stands to the documents: quoted: it is written there so; agrees: the same number, date or words are, in another
form; related: it is a judgement (a yes or no, one of the schema's own choices), and the passage is what speaks of it;
unsupported: no passage has it; default: the model gave none and the schema did; empty: null, or an empty list.
"""


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """What one value of the data rests on.

    Args:
        path: where the value stands, like `tenants[0].name`.
        value: as the model gave it: a text, number, true, false, or null.
        citations: best first; of an unsupported value, the passage that speaks of the field, if any does.
    """

    path: str
    value: Any
    support: Support
    citations: tuple[Citation, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the value stands in the stored documents, in these words or in another form."""
        return self.support in ("quoted", "agrees")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        cited = [citation.to_dict() for citation in self.citations]
        return {"path": self.path, "value": self.value, "support": self.support, "verified": self.verified, "citations": cited}


@dataclass(frozen=True, slots=True)
class StructuredAnswer(Generic[T]):
    """Data that fits a schema, with what each value of it rests on.

    Args:
        data: an instance of the model that was given, or a dict for a JSON Schema; None where the documents hold nothing and
            the schema does not allow to say so.
        values: the data as plain JSON values.
        fields: the evidence of each value, by its path.
        found: whether the documents hold any of it.
        text: the model's reply; empty where it was not asked.
        warnings: values without support, and what else people should know.
        timings: seconds spent on "search", "pack", "answer".
    """

    question: str
    data: T | None
    values: Any
    fields: Mapping[str, FieldEvidence]
    found: bool
    route: Route
    ledger: Ledger
    text: str = ""
    usage: Usage | None = None
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict[str, float])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "question": self.question,
            "data": None if self.data is None else self.values,
            "fields": {path: one.to_dict() for path, one in self.fields.items()},
            "found": self.found,
            "route": self.route.to_dict(),
            "ledger": self.ledger.to_dict(),
            "text": self.text,
            "usage": self.usage and self.usage.to_dict(),
            "warnings": list(self.warnings),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
        }


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one document.

    Args:
        labels: one, or as many as fit where several were allowed.
        citations: by label, the passage that says most of what it means, where one does; `verified` where it says most of its
            words.
    """

    labels: tuple[str, ...]
    citations: Mapping[str, Citation]
    route: Route
    ledger: Ledger
    usage: Usage | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "labels": list(self.labels),
            "citations": {label: citation.to_dict() for label, citation in self.citations.items()},
            "route": self.route.to_dict(),
            "ledger": self.ledger.to_dict(),
            "usage": self.usage and self.usage.to_dict(),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class DocumentRecord(Generic[R]):
    """What came of one document: the result, or the error that it met."""

    source: Source
    result: R | None
    error: PhidexError | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        result: Any = self.result
        error = {"message": self.error.message, "hint": self.error.hint} if self.error else None
        return {"source": self.source.to_dict(), "result": result.to_dict() if result is not None else None, "error": error}
