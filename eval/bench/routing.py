"""Who is asked, on labelled questions in 23 languages: the router beside always-mini and always-MoE, its cost and its time.

The right role of a question follows from its label and language by the router's own policy; what is measured is whether it
sees them from the words. Cost of an answer: parameters at work for each token. Data: eval/data/README.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.eval.bench.options import Options
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.eval.formats.lines import read_rows, string_of
from phidex.eval.records import Fault
from phidex.generation.answer import Role
from phidex.generation.models.table import MODELS
from phidex.generation.routing.kind import KINDS, Kind, kind_of
from phidex.generation.routing.route import Asked, choose_route
from phidex.retrieval.query.understand import understand
from phidex.settings import ChatSettings

QUESTIONS = Path(__file__).resolve().parents[1] / "data" / "routing.jsonl"
_SURE = 0.5  # of a question's language
_SETTINGS = ChatSettings(url="http://127.0.0.1:9/v1", moe="phi-3.5-moe")  # pyright: ignore[reportCallIssue]  # the rest: defaults
# Billions of parameters at work for each token: of MoE, two experts of sixteen. Source: the models' cards.
_ACTIVE = {"mini": MODELS["mini"].shape.parameters / 1e9, "moe": 6.6}


@dataclass(frozen=True, slots=True)
class Question:
    """One of the labelled questions."""

    text: str
    language: str
    kind: Kind
    hard: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What was made of one, and in how many milliseconds."""

    question: Question
    kind: Kind
    role: Role
    wanted: Role
    took_ms: float


def load_questions(path: Path = QUESTIONS) -> list[Question]:
    """All of a file.

    Raises:
        InputError: a line has another form.
    """
    faults: list[Fault] = []
    found = read_rows(path, _question, faults)
    if faults:
        raise InputError(str(faults[0]), hint='write {"question": …, "language": "en", "type": "lookup", "hard": false}')
    return found


def _question(row: dict[str, Any]) -> Question:
    if row["type"] not in KINDS:
        raise ValueError(f"there is no kind {row['type']!r}; kinds are: {', '.join(KINDS)}")
    return Question(string_of(row, "question"), string_of(row, "language"), row["type"], bool(row.get("hard", False)))


def route(question: Question) -> Found:
    """The router's choice, from the words alone, with both models served and well."""
    query = understand(question.text)
    started = time.perf_counter()
    kind = kind_of(query)
    language = query.language if query.language_score >= _SURE else "und"
    role = choose_route(_SETTINGS, Asked(kind, language)).role
    took_ms = 1000 * (time.perf_counter() - started)
    wanted = choose_route(_SETTINGS, Asked(question.kind, question.language)).role
    return Found(question, kind, role, wanted, took_ms)


def report(found: Sequence[Found]) -> Outcome:
    """Accuracy by kind and language; who is asked, and what that costs."""
    english = [one for one in found if one.question.language == "en"]
    kinds: list[list[Cell]] = []
    for kind in KINDS:
        its = [one for one in found if one.question.kind == kind]
        kinds.append(
            [kind, len(its), _share([one.kind == kind for one in its]), _share([one.role == one.wanted for one in its])]
        )
    always: list[list[Cell]] = []
    for name, roles in (
        ("router", [one.role for one in found]),
        ("always mini", ["mini"] * len(found)),
        ("always MoE", ["moe"] * len(found)),
    ):
        right = _share([role == one.wanted for role, one in zip(roles, found, strict=True)])
        always.append(
            [name, right, _share([role == "moe" for role in roles]), statistics.mean(_ACTIVE[role] for role in roles)]
        )
    plain = [one for one in found if not one.question.hard]
    checks = [
        Check("kind, questions that say what they want", _share([one.kind == one.question.kind for one in plain]), ">=", 0.85),
        Check("role, all questions", _share([one.role == one.wanted for one in found]), ">=", 0.9),
        Check("routing, 99 %", sorted(one.took_ms for one in found)[len(found) * 99 // 100], "<", 2, " ms"),
    ]
    notes = [
        f"kind of all {len(found)}: {_share([one.kind == one.question.kind for one in found]):.2f}, of those without the "
        f"obvious word {_share([one.kind == one.question.kind for one in found if one.question.hard]):.2f}; "
        f"role of the {len(english)} in English: {_share([one.role == one.wanted for one in english]):.2f}"
    ]
    return Outcome(
        "routing",
        f"who is asked ({len(found)} questions, 23 languages)",
        [
            Table("By kind", ("kind", "questions", "kind seen", "role right"), kinds),
            Table("Who is asked", ("policy", "role right", "to MoE", "billion parameters at work"), always),
        ],
        checks,
        notes,
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def run(_: Options) -> Outcome:
    """The benchmark; a second."""
    questions = load_questions()
    for question in questions:  # reads the tables, and makes each language's patterns
        route(question)
    return report([route(question) for question in questions])
