"""Two runs, question by question: what got better or worse, and whether chance explains it; the gate for CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from phidex.errors import InputError
from phidex.eval.metrics.catalogue import TIMES, measure_of
from phidex.eval.metrics.doubt import Mean, mean_of, paired_p
from phidex.eval.runs.record import Record, Run
from phidex.eval.runs.summary import GROUPS, measures_in

ALPHA = 0.05
Verdict = Literal["better", "worse", "same"]


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in both runs, over the questions that have it in both.

    Args:
        group, value: what the questions have in common ("language", "de"); empty for all of them.
        first, second: means.
        difference: second less first, with its interval.
        p: of so large a difference by chance (`paired_p`).
        adjusted: p after Holm's correction for all measures of its group: what the verdict goes by.
    """

    measure: str
    group: str
    value: str
    first: float
    second: float
    difference: Mean
    p: float
    adjusted: float

    @property
    def verdict(self) -> Verdict:
        """By the measure's direction; "same" where chance explains the difference."""
        gain = self.difference.value * measure_of(self.measure).better
        if self.adjusted >= ALPHA or gain == 0:
            return "same"
        return "better" if gain > 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self) | {"verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from the first run to the second.

    Args:
        changes: over all questions first, then by group.
        shared: questions that both answered.
        notes: what makes the two hard to compare.
    """

    first: str
    second: str
    changes: tuple[Change, ...]
    shared: int
    notes: tuple[str, ...] = ()

    @property
    def overall(self) -> tuple[Change, ...]:
        """The changes over all questions."""
        return tuple(change for change in self.changes if not change.group)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "first": self.first,
            "second": self.second,
            "shared": self.shared,
            "notes": list(self.notes),
            "changes": [change.to_dict() for change in self.changes],
        }


def compare_runs(first: Run, second: Run) -> Comparison:
    """The changes from the first run to the second.

    Raises:
        InputError: they share no question that both answered.
    """
    others = {record.id: record for record in second.records if not record.error}
    pairs = [(record, others[record.id]) for record in first.records if not record.error and record.id in others]
    if not pairs:
        raise InputError(f"{first.name} and {second.name} share no question", hint="compare runs of one set")
    changes = list(_changes(pairs, "", ""))
    for group in GROUPS:
        values = sorted({str(getattr(record, group)) for record, _ in pairs})
        for value in values if len(values) > 1 else ():
            changes += _changes([pair for pair in pairs if getattr(pair[0], group) == value], group, value or "(none)")
    return Comparison(first.name, second.name, tuple(changes), len(pairs), tuple(_notes(first, second, len(pairs))))


def _changes(pairs: Sequence[tuple[Record, Record]], group: str, value: str) -> list[Change]:
    found: list[Change] = []
    for name in measures_in(record for pair in pairs for record in pair):
        both = [(one.scores[name], other.scores[name]) for one, other in pairs if name in one.scores and name in other.scores]
        if not both:
            continue
        before, after = [one for one, _ in both], [other for _, other in both]
        difference = mean_of([other - one for one, other in both])
        p = paired_p(before, after)
        found.append(Change(name, group, value, sum(before) / len(both), sum(after) / len(both), difference, p, p))
    return _holm(found)


def _holm(changes: list[Change]) -> list[Change]:
    """With p adjusted for the number of measures that are looked at. Source: Holm (1979)."""
    order = sorted(range(len(changes)), key=lambda at: changes[at].p)
    adjusted, least = dict[int, float](), 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, changes[at].p * (len(order) - rank)))
        adjusted[at] = least
    return [
        Change(one.measure, one.group, one.value, one.first, one.second, one.difference, one.p, adjusted[at])
        for at, one in enumerate(changes)
    ]


def _notes(first: Run, second: Run, shared: int) -> Iterator[str]:
    if first.manifest.get("data_sha256") != second.manifest.get("data_sha256"):
        yield "the sets differ: only questions with the same id are compared"
    if first.manifest.get("collection") != second.manifest.get("collection"):
        yield "the collections hold different documents"
    for run in (first, second):
        if run.failed:
            yield f"{len(run.failed)} questions failed in {run.name}"
        if run.wanted > len(run.records):
            yield f"{run.wanted - len(run.records)} questions were not asked yet in {run.name}"
    if shared < 30:
        yield f"{shared} questions tell little"


@dataclass(frozen=True, slots=True)
class Regression:
    """Why the gate closes: a measure that fell, or questions that are missing (`measure` is then empty)."""

    measure: str
    message: str


def find_regressions(
    base: Run, run: Run, *, measures: Sequence[str] = (), max_drop: float = 0.02, alpha: float = ALPHA
) -> list[Regression]:
    """What is worse in `run` than in `base` over all questions: what fell significantly, or by more than `max_drop`.

    Times, and what is neither good nor bad, are left out unless named in `measures`.

    Args:
        measures: these only.
        max_drop: of a mean, in the measure's own unit; of costs, as a share of the base's mean.
        alpha: of the significance test, for each measure by itself: a gate should rather ask twice than miss one.

    Raises:
        InputError: the runs share no question, or a named measure is in neither.
    """
    comparison = compare_runs(base, run)
    there = {change.measure: change for change in comparison.overall}
    if unknown := [name for name in measures if name not in there]:
        raise InputError(f"{unknown[0]} was not measured in both runs", hint=f"there are: {', '.join(there)}")
    found = list(_missing(base, run))
    for name, change in there.items():
        better = measure_of(name).better
        if name not in measures and (measures or not better or name in TIMES):
            continue
        drop = -change.difference.value * (better or 1)
        allowed = max_drop * abs(change.first) if better < 0 else max_drop
        significant = drop > 0 and change.p < alpha
        if significant or drop > allowed + 1e-12:
            told = f"significant, p {change.p:.3f}" if significant else f"more than {allowed:g}; p {change.p:.3f}"
            found.append(Regression(name, f"{name} {change.first:.3f} -> {change.second:.3f} ({told})"))
    return found


def _missing(base: Run, run: Run) -> Iterator[Regression]:
    failed = len(run.failed) - len(base.failed)
    if failed > 0:
        yield Regression("", f"{failed} more questions failed, the first: {run.failed[0].error}")
    answered = {record.id for record in run.records}
    lost = [record.id for record in base.records if not record.error and record.id not in answered]
    if lost:
        yield Regression("", f"{len(lost)} questions of {base.name} were not asked, {lost[0]!r} among them")
