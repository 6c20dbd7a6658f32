"""Evaluation: test sets of the field and of your own, runs with records, comparisons, reports; the benchmarks beside peers.

from phidex import Phidex
from phidex.eval import evaluate, compare_runs

with Phidex(data="library") as phidex:
    run = evaluate(phidex, "questions.jsonl", "runs/today")
"""

from phidex.eval.formats.load import load_set
from phidex.eval.records import Gold, Question, TestSet
from phidex.eval.runs.compare import compare_runs, find_regressions
from phidex.eval.runs.record import Plan, Record, Run, read_run
from phidex.eval.runs.run import evaluate
from phidex.eval.runs.summary import summarize_run

__all__ = [
    "Gold",
    "Plan",
    "Question",
    "Record",
    "Run",
    "TestSet",
    "compare_runs",
    "evaluate",
    "find_regressions",
    "load_set",
    "read_run",
    "summarize_run",
]
