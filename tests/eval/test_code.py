"""The benchmark of code: its judge against a file with known symbols, and its clocks on tiny data. No peers."""

from __future__ import annotations

import ast
from pathlib import Path

from phidex.eval.bench import code

TEXT = """import os

# Of f.
@wraps(os)
def f():
    def inner(): ...
    return inner  # not a symbol


class A:
    x = 1

    async def g(self): ...

if os:
    def late(): ...
"""


def test_truth_is_what_stands_outside_of_functions() -> None:
    found = list(code.truth_of(ast.parse(TEXT).body))
    assert found == [("f", 4, 7), ("A", 10, 13), ("A.g", 13, 13), ("late", 16, 16)]


def test_the_judge_counts_what_is_found_and_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT, "utf-8")
    assert code.judge(path) == (4, 4, 4, 4)
    wrong = [("f", 3, 6), ("A", 10, 13), ("h", 16, 16)]
    hits = [any(code.agrees(place, at, wrong, TEXT.split("\n")) for at in range(3)) for place in [("f", 4, 7), ("A", 10, 13)]]
    assert hits == [False, True]


def test_cutting_is_timed_over_real_files() -> None:
    paths = code.library("json")
    seconds, count = code.time_cutting(paths)
    assert seconds > 0
    assert count > len(paths) > 3
