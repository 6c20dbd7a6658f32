"""What an ingest says at its end, file by file: nothing is lost without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from phidex.ingest.run.sink import Difference
from phidex.ingest.sources.found import Skipped

Outcome = Literal["added", "replaced", "updated", "unchanged", "duplicate", "removed", "failed", "skipped"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    Args:
        outcome: "updated": its tags alone; "duplicate": its bytes are there under another name, and are cited under both;
            "removed": its source, since the file is gone.
        reason: why it failed or was skipped, or what it is a duplicate of.
        warnings: what was lost or repaired on the way.
        hint: what to do about a failure.
        seconds: that reading it took.
        difference: of a dry run, what would become of its chunks.
    """

    path: str
    outcome: Outcome
    chunk_count: int = 0
    page_count: int = 0
    reason: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    difference: Difference | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        told: dict[str, Any] = {
            "path": self.path,
            "outcome": self.outcome,
            "chunks": self.chunk_count,
            "pages": self.page_count,
            "reason": self.reason,
            "hint": self.hint,
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
        }
        if self.difference is not None:
            change = self.difference
            told["difference"] = {"added": change.added, "changed": change.changed, "removed": change.removed}
        return told


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, file by file, and how far the dense vectors are.

    Args:
        left_out: what rules of discovery left out, by rule.
        notes: what else people should know.
        workers_replaced: worker processes that crashed or went over a limit.
        dry_run: nothing was written.
        embedded, pending: passages that got their dense vector in this run, and that still wait for it.
        embedder: which dense model, and why.
    """

    files: list[FileReport] = field(default_factory=list[FileReport])
    left_out: Mapping[str, Skipped] = field(default_factory=dict[str, Skipped])
    notes: list[str] = field(default_factory=list[str])
    workers_replaced: int = 0
    dry_run: bool = False
    embedded: int = 0
    pending: int = 0
    embedder: str = ""
    seconds_to_searchable: float = 0.0
    seconds_to_complete: float = 0.0

    def count(self, outcome: Outcome) -> int:
        """How many files came out so."""
        return sum(file.outcome == outcome for file in self.files)

    @property
    def failed(self) -> list[FileReport]:
        """The files that could not be ingested, each with its reason."""
        return [file for file in self.files if file.outcome == "failed"]

    @property
    def page_count(self) -> int:
        """Pages that were read."""
        return sum(file.page_count for file in self.files)

    @property
    def pages_per_second(self) -> float:
        """Pages read, by the time until they were searchable."""
        return self.page_count / self.seconds_to_searchable if self.seconds_to_searchable else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "counts": {outcome: self.count(outcome) for outcome in OUTCOMES},
            "files": [file.to_dict() for file in self.files],
            "left_out": {rule: {"count": of.count, "examples": list(of.examples)} for rule, of in self.left_out.items()},
            "notes": list(self.notes),
            "pages": self.page_count,
            "pages_per_second": round(self.pages_per_second, 1),
            "workers_replaced": self.workers_replaced,
            "dry_run": self.dry_run,
            "embedded": self.embedded,
            "pending": self.pending,
            "embedder": self.embedder,
            "seconds_to_searchable": round(self.seconds_to_searchable, 3),
            "seconds_to_complete": round(self.seconds_to_complete, 3),
        }
