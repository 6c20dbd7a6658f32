"""What is known of a job: what is to be done, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from phidex.ingest.run.report import FileReport
from phidex.ingest.sources.remote import clean_remote

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
MOST_REFUSED = 1_000  # files named with their reason; the others are counted


@dataclass(slots=True)
class Job:
    """One ingest.

    Args:
        kind: "upload": of files that were sent; "import": of addresses.
        targets: names of the files, or addresses.
        tags: of all sources; None leaves each the tags that it has.
        ref, only, sync: of imports, see `Phidex.ingest`.
        key: id of the key that asked for it; "" where none was needed.
        step: what is being done: "reading", "fetching", "embedding"; "" otherwise.
        name: of what is being read or fetched.
        done, total: files read, bytes fetched or passages embedded, and how many there are (0 = not known).
        counts: files by outcome (`FileReport.outcome`).
        refused: files that were not taken, with the reason and what to do.
        error: what ended the job, as an error's body.
        attempts: how often it was begun and not ended, since its process was killed.
        cancelling: it is to end as soon as it can.
        body: hash of the request that it was made from; "" of older records.
    """

    id: str
    kind: Literal["upload", "import"]
    collection: str
    targets: tuple[str, ...]
    created_at: float
    tags: tuple[str, ...] | None = None
    ref: str = ""
    only: tuple[str, ...] = ()
    sync: bool = False
    key: str = ""
    state: JobState = "queued"
    step: str = ""
    name: str = ""
    done: int = 0
    total: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])
    refused: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    notes: list[str] = field(default_factory=list[str])
    error: dict[str, str] | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    attempts: int = 0
    cancelling: bool = False
    body: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will change."""
        return self.state in ENDED

    def begin(self) -> None:
        """Count anew: an ingest that is gone on with looks at every file again."""
        self.state, self.step, self.name, self.done, self.total = "running", "reading", "", 0, 0
        self.counts, self.refused, self.error = {}, [], None

    def add(self, file: FileReport, number: int, total: int) -> None:
        """A file is done."""
        self.step, self.name, self.done, self.total = "reading", file.path, number, total
        self.counts[file.outcome] = self.counts.get(file.outcome, 0) + 1
        if file.outcome in ("failed", "skipped") and len(self.refused) < MOST_REFUSED:
            told = {"path": shown(file.path), "outcome": file.outcome, "reason": file.reason, "hint": file.hint}
            self.refused.append(told)

    def to_record(self) -> dict[str, Any]:
        """JSON-ready values for the file, which may hold secrets of addresses."""
        return asdict(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values for people."""
        found = asdict(self)
        del found["body"]
        targets = self.targets if self.kind == "upload" else map(shown, self.targets)
        return found | {"targets": list(targets), "name": shown(self.name)}

    @classmethod
    def from_record(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_record` was called on. Raises: TypeError, KeyError where it is none."""
        values = dict(data)
        for name in ("targets", "only"):
            values[name] = tuple(values[name])
        values["tags"] = None if values["tags"] is None else tuple(values["tags"])
        return cls(**values)


def shown(text: str) -> str:
    """A path or an address, without what may be secret in it.

    >>> shown("https://jo:secret@example.com/a.pdf"), shown("docs/a#1.md")
    ('https://example.com/a.pdf', 'docs/a#1.md')
    """
    return clean_remote(text) if "://" in text else text
