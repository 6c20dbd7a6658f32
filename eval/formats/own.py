"""Our own lines of JSON: question, answers, gold places; and the sets in `eval/data` that came before.

{"id": "q1", "question": "…?", "answers": ["…"], "gold": [{"document": "a.pdf", "pages": [3]}], "language": "en"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.eval.formats.lines import read_rows, string_of, strings_of
from phidex.eval.records import Fault, Question, TestSet, gold_from_dict

_PLACES = ("places", "page", "pages", "lines", "times")


def read_own(path: Path) -> TestSet:
    """The questions of a file; documents are those of a collection."""
    faults: list[Fault] = []
    seen: dict[str, int] = {}

    def read(row: dict[str, Any]) -> Question:
        question = question_of(row, str(len(seen) + 1))
        if question.id in seen:
            raise ValueError(f"the id {question.id!r} stands there twice")
        seen[question.id] = 1
        return question

    questions = read_rows(path, read, faults)
    return TestSet(path.stem, tuple(questions), faults=tuple(faults))


def question_of(row: dict[str, Any], number: str) -> Question:
    """One row. A document with pages, lines or times beside the question, without `gold`, is one gold place.

    Raises:
        KeyError, ValueError, TypeError: something is missing or of another form.
    """
    gold = list(row.get("gold", ()))
    if not gold and "document" in row:
        gold = [{name: row[name] for name in ("document", *_PLACES) if name in row}]
    return Question(
        str(row.get("id", number)),
        string_of(row, "question"),
        strings_of(row.get("answers", row.get("answer"))),
        tuple(gold_from_dict(one) for one in gold),
        str(row.get("language", "und")).lower() or "und",
        str(row.get("kind", "")),
        str(row.get("type", "")),
        bool(row.get("answerable", True)),
    )


def write_own(path: Path, questions: Iterable[Question]) -> int:
    """Write questions one a line; returns how many.

    Raises:
        InputError: the file cannot be written.
    """
    lines = [json.dumps(question.to_dict(), ensure_ascii=False) + "\n" for question in questions]
    try:
        path.write_text("".join(lines), "utf-8", errors="replace")
    except OSError as exc:
        raise InputError(f"{path} cannot be written: {exc.strerror}") from exc
    return len(lines)
