"""Questions made of docstrings and outlines, and what counts as found."""

from __future__ import annotations

import ast
import json
from collections import Counter

from phidex.eval.bench.codesearch import agrees
from phidex.eval.bench.docstrings import CodeQuestion, strip_docstrings
from phidex.eval.bench.manuals import QUESTIONS

SOURCE = '''"""A module."""

class Tank:
    """Holds water."""

    def fill(self, litres):
        """Pour water in until the tank is full.

        More of it.
        """
        self.level = litres
        return self.level

    def empty(self):
        """Let all of the water out at once."""
'''


def test_docstrings_are_taken_out_and_become_questions() -> None:
    text, (question,) = strip_docstrings(SOURCE, "tank.py")
    ast.parse(text)
    assert not [said for said in ("A module", "Holds", "Pour", "Let all") if said in text]
    assert (question.text, question.symbol) == ("Pour water in until the tank is full", "Tank.fill")
    first, last = question.lines
    assert text.splitlines()[first - 1].strip().startswith("def fill")
    assert text.splitlines()[last - 1].strip() == "return self.level"


def test_a_function_is_found_by_half_of_its_lines() -> None:
    question = CodeQuestion("?", "a.py", "f", (10, 19))
    assert agrees(question, "a.py", 15, 40)
    assert agrees(question, "a.py", 12, 13)
    assert not agrees(question, "a.py", 16, 40)
    assert not agrees(question, "b.py", 10, 19)


def test_written_questions_are_enough_in_each_language() -> None:
    rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    counts = Counter(row["language"] for row in rows)
    assert set(counts) == {"en", "de", "fr", "it", "pt", "ja", "zh"}
    assert min(counts.values()) >= 20
    assert len({row["question"] for row in rows}) == len(rows)
    assert all(row["pages"] and row["document"].endswith(".pdf") for row in rows)
