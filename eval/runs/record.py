"""What a run leaves: one record a question, and the manifest of what was asked, of what, with which settings, where."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from phidex.errors import InputError, NotFoundError
from phidex.eval.machine import machine_facts
from phidex.eval.metrics.catalogue import RANKING
from phidex.eval.records import TestSet

_MANIFEST, _RECORDS = "run.json", "records.jsonl"
_IDENTITY = ("data_sha256", "plan", "settings", "collection", "embedder", "version")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks.

    Args:
        stage: "search" for the hits alone; "answer" for context, answer and citations too.
        limit: hits that are judged.
        role: who answers: "mini", "moe", "extractive"; empty as the router decides.
        count: questions at most, drawn by `seed`; 0 for all.
        measures: of the ranking, in ir_measures' names.
        judge: have a model grade the answers.
    """

    collection: str = "default"
    stage: Literal["search", "answer"] = "answer"
    limit: int = 10
    role: Literal["", "mini", "moe", "extractive"] = ""
    count: int = 0
    seed: int = 0
    measures: tuple[str, ...] = RANKING
    judge: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One question's result.

    Args:
        scores: by the names of `metrics/catalogue.py`; those that cannot be told of this question are not there.
        ranked: the items that were found, best first, for a TREC run.
        error: why there is no result; empty otherwise.
    """

    id: str
    question: str
    language: str = "und"
    kind: str = ""
    type: str = ""
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    answer: str = ""
    role: str = ""
    ranked: tuple[str, ...] = ()
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished or interrupted run as it lies in its folder: the manifest, and the last record of every question."""

    folder: Path
    manifest: Mapping[str, Any]
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """Its folder's name."""
        return self.folder.name

    @property
    def failed(self) -> tuple[Record, ...]:
        """The questions that have no result."""
        return tuple(record for record in self.records if record.error)

    @property
    def wanted(self) -> int:
        """The questions that there are to ask."""
        return int(self.manifest.get("questions", len(self.records)))


class RunFolder:
    """The folder of a run. Records are appended one by one, so that an interrupt costs the question at hand.

    Args:
        path: made where it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, manifest: Mapping[str, Any], *, fresh: bool = False) -> dict[str, Record]:
        """Start a run, or go on with the one that lies here; returns what is answered already, by question.

        Args:
            fresh: forget what lies here.

        Raises:
            InputError: another run lies here, or the folder cannot be written.
        """
        file = self.path / _MANIFEST
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if file.exists() and not fresh:
                self._check_same(json.loads(file.read_text("utf-8")), manifest)
                return {record.id: record for record in read_records(self.path) if not record.error}
            (self.path / _RECORDS).write_text("", "utf-8")
            new = self.path / f".{_MANIFEST}.new"
            new.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
            new.replace(file)
        except OSError as exc:
            raise InputError(f"the run cannot be written to {self.path}: {exc.strerror}") from exc
        return {}

    def _check_same(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        told = json.loads(json.dumps(now))
        if changed := [name for name in _IDENTITY if before.get(name) != told.get(name)]:
            message = f"{self.path} holds another run: {', '.join(changed)} differ"
            raise InputError(message, hint="name another folder, or begin anew with --fresh")

    def append(self, record: Record) -> None:
        """Add one record; it is on the disk's way when this returns."""
        with (self.path / _RECORDS).open("a", encoding="utf-8", errors="replace") as file:
            file.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_records(folder: Path) -> list[Record]:
    """The last record of each question, in the order in which they were first asked; half a last line is passed over."""
    path = folder / _RECORDS
    found: dict[str, Record] = {}
    lines = path.read_text("utf-8").split("\n") if path.exists() else []
    for record in _parsed(lines):
        found[record.id] = record
    return list(found.values())


def _parsed(lines: Sequence[str]) -> Iterator[Record]:
    for line in lines:
        try:
            row: object = json.loads(line)
        except ValueError:
            continue  # what an interrupt left
        if isinstance(row, dict):
            fields = cast("dict[str, Any]", row)
            fields["ranked"] = tuple(fields.get("ranked", ()))
            yield Record(**fields)


def read_run(folder: Path | str) -> Run:
    """The run that lies in a folder.

    Raises:
        NotFoundError: there is none.
        InputError: its files are damaged.
    """
    path = Path(folder)
    if not (path / _MANIFEST).exists():
        raise NotFoundError(f"there is no run in {path}", hint="`phidex eval run SET -o FOLDER` makes one")
    try:
        return Run(path, json.loads((path / _MANIFEST).read_text("utf-8")), tuple(read_records(path)))
    except (OSError, ValueError, TypeError) as exc:
        raise InputError(f"the run in {path} cannot be read: {exc}") from exc


def manifest_of(
    test_set: TestSet, plan: Plan, settings: Mapping[str, Any], collection: Mapping[str, Any], version: str
) -> dict[str, Any]:
    """What says which run this is: settings (secrets masked), versions, data hash, seed, machine."""
    return {
        "set": test_set.name,
        "questions": len(test_set.questions),
        "data_sha256": test_set.sha256,
        "faults": [str(fault) for fault in test_set.faults],
        "plan": asdict(plan),
        "settings": dict(settings),
        "settings_sha256": fingerprint(settings),
        **collection,
        "version": version,
        "machine": dict(machine_facts()),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def fingerprint(value: object) -> str:
    """A short hash of JSON-ready values.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
