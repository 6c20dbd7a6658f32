"""The means of a run with their intervals: over all questions, and by language, kind and type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phidex.eval.metrics.catalogue import MEASURES
from phidex.eval.metrics.doubt import Mean, mean_of
from phidex.eval.runs.record import Record, Run

GROUPS = ("language", "kind", "type")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run found.

    Args:
        overall: means by measure.
        groups: the same, by what they are grouped by and its value; only where there are two values or more.
        failed, missing: questions that failed, and that were not asked yet.
    """

    overall: Mapping[str, Mean]
    groups: Mapping[str, Mapping[str, Mapping[str, Mean]]]
    failed: int
    missing: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "overall": {name: mean.to_dict() for name, mean in self.overall.items()},
            "groups": {
                group: {value: {name: mean.to_dict() for name, mean in means.items()} for value, means in values.items()}
                for group, values in self.groups.items()
            },
            "failed": self.failed,
            "missing": self.missing,
        }


def summarize_run(run: Run) -> Summary:
    """The means of a run. A question without a measure (no gold, a failure) is not counted in it."""
    groups: dict[str, dict[str, dict[str, Mean]]] = {}
    for group in GROUPS:
        values = sorted({str(getattr(record, group)) for record in run.records})
        if len(values) > 1:
            groups[group] = {
                value or "(none)": means_of([record for record in run.records if getattr(record, group) == value])
                for value in values
            }
    return Summary(means_of(run.records), groups, len(run.failed), run.wanted - len(run.records))


def means_of(records: Sequence[Record]) -> dict[str, Mean]:
    """The mean of each measure over the records that have it."""
    found: dict[str, Mean] = {}
    for name in measures_in(records):
        found[name] = mean_of([record.scores[name] for record in records if name in record.scores])
    return found


def measures_in(records: Iterable[Record]) -> list[str]:
    """The measures of some records, those of the catalogue first, in its order."""
    there = dict.fromkeys(name for record in records for name in record.scores)
    known = [name for name in MEASURES if name in there]
    return known + [name for name in there if name not in MEASURES]
