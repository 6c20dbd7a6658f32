"""One set under many settings: every combination of a grid, its scores, and which one to take.

Settings of ingest and of the embedder want collections of their own, made of the documents once a combination; all others are
asked of the same one. Each combination is a run in its folder, so that a sweep goes on where it stopped.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phidex.errors import ConfigError, InputError
from phidex.eval.metrics.catalogue import measure_of
from phidex.eval.metrics.doubt import Mean, paired_p
from phidex.eval.records import TestSet
from phidex.eval.runs.compare import ALPHA
from phidex.eval.runs.record import Plan, Run, fingerprint
from phidex.eval.runs.run import OnRecord, evaluate
from phidex.eval.runs.summary import means_of
from phidex.sdk import Phidex
from phidex.settings import Settings
from phidex.settings.sections import Section, section_of

_STORED = ("ingest", "embed")  # sections whose settings are in the collection itself
Choice = dict[str, Any]
"""A value for each setting of the grid, by its dotted name ("pack.order")."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination and what it came to."""

    choice: Choice
    run: Run
    means: Mapping[str, Mean]

    @property
    def name(self) -> str:
        """The combination in words."""
        return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in self.choice.items())


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The trial to take, and why."""

    trial: Trial
    reason: str


def read_grid(options: Sequence[str]) -> dict[str, list[Any]]:
    """`["pack.order=rank,edges"]` -> the values by setting, of the settings' own types.

    Raises:
        InputError: an option has another form, or names no setting.
        ConfigError: a value is not allowed.

    >>> read_grid(["ingest.chunk_tokens=128,256"])
    {'ingest.chunk_tokens': [128, 256]}
    """
    grid: dict[str, list[Any]] = {}
    for option in options:
        name, found, values = option.partition("=")
        section, _, key = name.strip().partition(".")
        field = Settings.model_fields.get(section)
        kind = section_of(field) if field else None
        if not found or kind is None or key not in kind.model_fields:
            hint = "write section.name=value,value such as pack.order=rank,edges"
            raise InputError(f"{option!r} names no setting", hint=hint)
        grid[name.strip()] = [_checked(kind, key, value.strip()) for value in values.split(",") if value.strip()]
    if not grid or not all(grid.values()):
        raise InputError("there is nothing to vary", hint="--grid pack.order=document,rank,edges")
    return grid


def _checked(kind: type[Section], key: str, text: str) -> Any:
    """The value that a text stands for, as the environment would have it."""
    try:
        return getattr(kind.model_validate_strings({key: text}), key)
    except ValidationError as exc:
        raise ConfigError(f"{key}={text}: {exc.errors()[0]['msg']}", hint="see docs/settings.md") from exc


def apply_choice(settings: Settings, choice: Choice) -> Settings:
    """The settings with these values in place of theirs."""
    for name, value in choice.items():
        section, _, key = name.partition(".")
        settings = settings.model_copy(update={section: getattr(settings, section).model_copy(update={key: value})})
    return settings


def sweep(
    settings: Settings,
    test_set: TestSet,
    grid: Mapping[str, Sequence[Any]],
    folder: Path,
    *,
    plan: Plan,
    documents: Sequence[Path | str] = (),
    on_trial: Callable[[str, int, int], None] | None = None,
    on_record: OnRecord | None = None,
) -> list[Trial]:
    """A run for every combination of the grid.

    Args:
        documents: what to ingest where a setting of ingest or of the embedder is varied; default: the set's own.
        on_trial: called before each with its name, its number and how many there are.

    Raises:
        InputError: such a setting is varied and there are no documents.
    """
    choices: list[Choice] = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    stores = any(name.partition(".")[0] in _STORED for name in grid)
    if stores and not documents and not test_set.documents:
        raise InputError("settings of ingest and embed need the documents", hint="name them: --documents PATH")
    trials: list[Trial] = []
    for number, choice in enumerate(choices, 1):
        name = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in choice.items())
        if on_trial:
            on_trial(name, number, len(choices))
        chosen = apply_choice(settings, choice)
        if stores:
            made_of = {key: value for key, value in choice.items() if key.partition(".")[0] in _STORED}
            chosen = chosen.model_copy(update={"data": folder / "collections" / fingerprint(made_of)})
        with Phidex(settings=chosen) as phidex:
            if stores and documents and plan.collection not in phidex.collections():
                phidex.ingest(*documents, collection=plan.collection)
            run = evaluate(phidex, test_set, folder / f"run-{fingerprint(choice)}", plan, on_record=on_record)
        trials.append(Trial(choice, run, means_of(run.records)))
    (folder / "sweep.json").write_text(
        json.dumps([{"choice": one.choice, "run": one.run.name} for one in trials], indent=1, default=str) + "\n", "utf-8"
    )
    return trials


def recommend(trials: Sequence[Trial], measure: str) -> Recommendation:
    """The trial to take: the cheapest (context tokens, then seconds) of those that are not significantly worse than the best.

    Raises:
        InputError: no trial has this measure.
    """
    able = [trial for trial in trials if measure in trial.means]
    if not able:
        there = sorted({name for trial in trials for name in trial.means})
        raise InputError(f"{measure} was not measured", hint=f"there are: {', '.join(there)}")
    sign = measure_of(measure).better or 1
    best = max(able, key=lambda trial: sign * trial.means[measure].value)
    equal = [trial for trial in able if trial is best or _chance(best, trial, measure) >= ALPHA]
    chosen = min(equal, key=lambda trial: (*_cost(trial), -sign * trial.means[measure].value))
    title = measure_of(measure).title
    if chosen is best:
        return Recommendation(best, f"best {title}: {best.means[measure].value:.3f}")
    reason = (
        f"{title} {chosen.means[measure].value:.3f} is not significantly below the best ({best.name}: "
        f"{best.means[measure].value:.3f}, p {_chance(best, chosen, measure):.2f}), and it costs less"
    )
    return Recommendation(chosen, reason)


def _chance(first: Trial, second: Trial, measure: str) -> float:
    others = {record.id: record.scores[measure] for record in second.run.records if measure in record.scores}
    pairs = [
        (record.scores[measure], others[record.id])
        for record in first.run.records
        if measure in record.scores and record.id in others
    ]
    return paired_p([one for one, _ in pairs], [other for _, other in pairs]) if pairs else 1.0


def _cost(trial: Trial) -> tuple[float, float]:
    """Tokens of the context to the hundred, and seconds to the hundredth: what is alike costs the same."""
    tokens, seconds = (trial.means.get(name) for name in ("context_tokens", "search_s"))
    return (round(tokens.value, -2) if tokens else 0.0, round(seconds.value, 2) if seconds else 0.0)
