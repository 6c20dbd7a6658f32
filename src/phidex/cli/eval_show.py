"""What the commands of `phidex eval` print: runs, comparisons, tables; and how they read a set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phidex.cli.eval_options import Form
from phidex.cli.session import print_json
from phidex.errors import ConfigError, InputError

if TYPE_CHECKING:
    from phidex.eval.records import TestSet
    from phidex.eval.runs.compare import Comparison
    from phidex.eval.runs.record import Run


def load_questions(path: Path, form: Form, split: str) -> TestSet:
    """The set; what of it could not be read is told."""
    from phidex.eval.formats.load import load_set

    test_set = load_set(path, form, split=split)
    for fault in test_set.faults[:20]:
        print(f"note: {fault}", file=sys.stderr)
    if len(test_set.faults) > 20:
        print(f"note: {len(test_set.faults) - 20} more lines could not be read", file=sys.stderr)
    return test_set


def show_run(run: Run, *, as_json: bool) -> None:
    """The means; exit code 3 where no question has a result."""
    from phidex.eval.metrics.catalogue import measure_of
    from phidex.eval.runs.summary import summarize_run

    summary = summarize_run(run)
    if as_json:
        print_json({"run": str(run.folder), **summary.to_dict()})
    else:
        rows = [
            [measure_of(name).title, number(mean.value), f"{number(mean.low)} to {number(mean.high)}", str(mean.count)]
            for name, mean in summary.overall.items()
        ]
        print_table(["measure", "mean", "95 %", "questions"], rows)
        groups = [(group, value, means) for group, values in summary.groups.items() for value, means in values.items()]
        shown = [name for name in ("nDCG@10", "R@5", "contains", "needle", "honest") if name in summary.overall]
        if groups and shown:
            print()
            cells = [
                [group, value, *(number(means[name].value) if name in means else "" for name in shown)]
                for group, value, means in groups
            ]
            print_table(["by", "", *(measure_of(name).title for name in shown)], cells)
        failed = f", {len(run.failed)} failed" if run.failed else ""
        print(f"{len(run.records)} of {run.wanted} questions{failed}; records in {run.folder}")
    if run.records and len(run.failed) == len(run.records):
        raise ConfigError(f"every question failed: {run.failed[0].error}")


def show_comparison(comparison: Comparison) -> None:
    """Every measure over all questions, and by group where it changed."""
    from phidex.eval.metrics.catalogue import measure_of

    rows: list[list[str]] = []
    for change in comparison.changes:
        if not change.group or change.verdict != "same":
            where = f"{change.group} {change.value}" if change.group else "all"
            difference = f"{change.difference.value:+.3f} ({change.difference.low:+.3f} to {change.difference.high:+.3f})"
            cells = [number(change.first), number(change.second), difference, f"{change.p:.3f}", f"{change.adjusted:.3f}"]
            rows.append([measure_of(change.measure).title, where, *cells, change.verdict])
    print_table(["measure", "questions", comparison.first, comparison.second, "difference (95 %)", "p", "p, Holm", ""], rows)
    for note in comparison.notes:
        print(f"note: {note}")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns, the first to the left, numbers to the right."""
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        cells = [cell.ljust(widths[0]) if at == 0 else cell.rjust(widths[at]) for at, cell in enumerate(row)]
        print("  ".join(cells).rstrip())


def number(value: float) -> str:
    """Three decimals below 10, fewer above."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def write_page(path: Path, text: str) -> None:
    """Write a file, and its folder.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as exc:
        raise InputError(f"{path} cannot be written: {exc.strerror}") from exc
