"""One or several runs -> one HTML file: means, groups, curves by position, changes, failures, and how each was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from phidex.errors import InputError
from phidex.eval.metrics.catalogue import measure_of
from phidex.eval.report.charts import Bar, Curve, bars, curves, show
from phidex.eval.runs.compare import Comparison, compare_runs
from phidex.eval.runs.record import Run
from phidex.eval.runs.summary import Summary, summarize_run
from phidex.eval.tasks.long import by_position

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--faint:#66727f;--paper:#fff;--card:#f6f8fa;--line:#dde3e9;--s0:#2f6fb5;
--s1:#d2792a;--s2:#4a9a62;--s3:#8d5bb5;--good:#1f7a45;--bad:#b3372e}
@media (prefers-color-scheme:dark){:root{--ink:#e5eaf0;--faint:#95a1ae;--paper:#12171d;--card:#1a2129;--line:#2c3742;
--s0:#6ba7e6;--s1:#eda262;--s2:#79c592;--s3:#b993dd;--good:#6fce96;--bad:#f08a80}}
body{margin:0 auto;max-width:1040px;padding:32px 24px 64px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 10px}h3{font-size:15px;margin:18px 0 6px}
.faint,.faint td{color:var(--faint)}text.faint,tspan.faint{fill:var(--faint)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 20px;margin:12px 0;overflow-x:auto}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
.rail{fill:var(--line);opacity:.6}.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}
.whisker{stroke:var(--ink);stroke-width:1.2;fill:none}.grid{stroke:var(--line);fill:none}
.line{fill:none;stroke-width:2.2}.l0{stroke:var(--s0)}.l1{stroke:var(--s1)}.l2{stroke:var(--s2)}.l3{stroke:var(--s3)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}.better{color:var(--good);font-weight:600}.worse{color:var(--bad);font-weight:600}
.dot{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}pre{white-space:pre-wrap;margin:0;font-size:12px}
summary{cursor:pointer}.dot.s0{background:var(--s0)}.dot.s1{background:var(--s1)}.dot.s2{background:var(--s2)}
.dot.s3{background:var(--s3)}
"""
_CHARTED = ("nDCG@10", "R@5", "RR@10", "packed", "contains", "f1", "grounded", "honest", "citation_recall", "needle")
_GROUPED = ("nDCG@10", "contains", "needle", "honest")
_SHOWN_FAILURES = 20
_MOST_RUNS = 4


def render_report(runs: Sequence[Run], title: str = "Evaluation") -> str:
    """The page. With two runs or more, each is compared with the first.

    Raises:
        InputError: there is no run, or more than four.
    """
    if not 1 <= len(runs) <= _MOST_RUNS:
        raise InputError(f"{len(runs)} runs", hint=f"a report shows one to {_MOST_RUNS} of them")
    summaries = [summarize_run(run) for run in runs]
    body = [f"<h1>{escape(title)}</h1>", _lead(runs), *_overall(runs, summaries)]
    body += _changes(runs)
    body += _groups(runs, summaries)
    body += _positions(runs)
    body += _failures(runs)
    body += _origins(runs)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _lead(runs: Sequence[Run]) -> str:
    rows = [
        f'<div><span class="dot s{at}"></span><b>{escape(run.name)}</b> '
        f'<span class="faint">{escape(str(run.manifest.get("set")))}'
        f", {len(run.records):,} of {run.wanted:,} questions, {len(run.failed):,} failed, "
        f"{escape(str(run.manifest.get('started', '')))}</span></div>"
        for at, run in enumerate(runs)
    ]
    return "".join(rows)


def _overall(runs: Sequence[Run], summaries: Sequence[Summary]) -> Iterator[str]:
    charted = [
        Bar(_titled(name, runs, at), summary.overall[name], at)
        for name in _CHARTED
        for at, summary in enumerate(summaries)
        if name in summary.overall
    ]
    yield "<h2>Means</h2>"
    if charted:
        yield f"<section>{bars('means with 95 % intervals', charted, top=1.0)}</section>"
    names = list(dict.fromkeys(name for summary in summaries for name in summary.overall))
    rows: list[list[str]] = []
    for name in names:
        means = [summary.overall.get(name) for summary in summaries]
        cells = [f"{show(mean.value)} ({show(mean.low)} to {show(mean.high)})" if mean else "" for mean in means]
        rows.append([measure_of(name).title, *cells, str(max(mean.count for mean in means if mean)), measure_of(name).says])
    heads = ["measure", *(f"{run.name} (95 %)" for run in runs), "questions", "what it says"]
    yield f"<section>{_table(heads, rows, numbers=len(runs) + 1)}</section>"


def _titled(name: str, runs: Sequence[Run], at: int) -> str:
    title = measure_of(name).title
    return f"{title} {runs[at].name}" if len(runs) > 1 else title


def _changes(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs[1:]:
        yield f"<h2>{escape(runs[0].name)} → {escape(run.name)}</h2>"
        try:
            comparison = compare_runs(runs[0], run)
        except InputError as exc:
            yield f"<section>{escape(str(exc))}</section>"
            continue
        yield f"<section>{_comparison(comparison)}</section>"


def _comparison(comparison: Comparison) -> str:
    rows: list[list[str]] = []
    for change in comparison.changes:
        if change.group and change.verdict == "same":
            continue
        where = f"{change.group} {change.value}" if change.group else "all"
        spread = f"{change.difference.value:+.3f} ({change.difference.low:+.3f} to {change.difference.high:+.3f})"
        verdict = f'<span class="{change.verdict}">{change.verdict}</span>'
        cells = [show(change.first), show(change.second), spread, f"{change.p:.4f}", f"{change.adjusted:.4f}"]
        rows.append([measure_of(change.measure).title, *cells, where, verdict])
    heads = ["measure", comparison.first, comparison.second, "difference (95 %)", "p", "p, Holm", "questions", "verdict"]
    told = f"{comparison.shared:,} questions in both; paired randomisation test, two-sided; groups only where they differ."
    notes = "".join(f"<div>note: {escape(note)}</div>" for note in comparison.notes)
    return f'<div class="faint">{told}{notes}</div>{_table(heads, rows, numbers=5, raw_last=True)}'


def _groups(runs: Sequence[Run], summaries: Sequence[Summary]) -> Iterator[str]:
    for group in dict.fromkeys(group for summary in summaries for group in summary.groups):
        yield f"<h2>By {group}</h2>"
        values = dict.fromkeys(value for summary in summaries for value in summary.groups.get(group, {}))
        for name in _GROUPED:
            charted = [
                Bar(f"{value} {runs[at].name}" if len(runs) > 1 else value, means[value][name], at)
                for value in values
                for at, summary in enumerate(summaries)
                if (means := summary.groups.get(group, {})) and value in means and name in means[value]
            ]
            if charted:
                title = f"{measure_of(name).title} by {group}"
                yield f"<section><h3>{escape(measure_of(name).title)}</h3>{bars(title, charted, top=1.0)}</section>"


def _positions(runs: Sequence[Run]) -> Iterator[str]:
    for name in ("contains", "needle", "f1"):
        lines = [Curve(run.name, points, at) for at, run in enumerate(runs) if (points := by_position(run.records, name))]
        if lines:
            yield f"<h2>By place in the context: {escape(measure_of(name).title)}</h2>"
            yield f"<section>{curves(f'{name} by place', lines)}</section>"
            return


def _failures(runs: Sequence[Run]) -> Iterator[str]:
    failed = [(run, record) for run in runs for record in run.failed]
    if failed:
        rows = [[run.name, record.question, record.error] for run, record in failed[:_SHOWN_FAILURES]]
        yield f"<h2>Failed questions ({len(failed):,})</h2><section>{_table(['run', 'question', 'why'], rows)}</section>"


def _origins(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>How they were made</h2>"
    for run in runs:
        told = escape(json.dumps(run.manifest, indent=1, ensure_ascii=False))
        yield f"<section><details><summary>{escape(run.name)}</summary><pre>{told}</pre></details></section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0, raw_last: bool = False) -> str:
    """A table whose columns after the first, `numbers` of them, stand to the right; `raw_last`: the last cell is HTML."""
    right = ['class="n"' if 1 <= at <= numbers else "" for at in range(len(heads))]
    head = "".join(f"<th {side}>{escape(name)}</th>" for name, side in zip(heads, right, strict=True))
    lines = [
        "".join(
            f"<td {side}>{cell if raw_last and at == len(row) - 1 else escape(cell)}</td>"
            for at, (cell, side) in enumerate(zip(row, right, strict=True))
        )
        for row in rows
    ]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
