"""`phidex eval …`: measure answers on a test set; compare, gate and report runs; sweep settings. Tasks are in eval_tasks.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from phidex.cli import eval_tasks
from phidex.cli.eval_options import (
    ByOption,
    CountOption,
    FileOption,
    FolderOption,
    FormOption,
    FreshOption,
    HitsOption,
    JudgeOption,
    MeasureOption,
    OtherArgument,
    RunArgument,
    RunsArgument,
    SeedOption,
    SetArgument,
    SplitOption,
    StageOption,
    WorkersOption,
)
from phidex.cli.eval_show import load_questions, number, print_table, show_comparison, show_run, write_page
from phidex.cli.options import CollectionOption, DataOption, JsonOption
from phidex.cli.session import open_phidex, print_json, read_settings, resumable
from phidex.errors import InputError

evaluation = typer.Typer(
    name="eval",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Measure answers on a test set; compare, gate and report runs; make sets; long contexts.",
)


@evaluation.command()
def run(
    questions: SetArgument,
    output: FolderOption = Path("runs/latest"),
    collection: CollectionOption = "default",
    data: DataOption = None,
    form: FormOption = "auto",
    split: SplitOption = "",
    stage: StageOption = "answer",
    limit: HitsOption = 10,
    role: ByOption = None,
    count: CountOption = 0,
    seed: SeedOption = 0,
    judge: JudgeOption = False,
    workers: WorkersOption = 1,
    fresh: FreshOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask every question of a set, and keep a record of each; interrupted, the same command goes on."""
    from phidex.eval.runs.record import Plan
    from phidex.eval.runs.run import evaluate
    from phidex.progress import StepProgress

    plan = Plan(collection, stage, limit, role or "", count, seed, judge=judge)
    test_set = load_questions(questions, form, split)
    with open_phidex(data) as phidex, resumable(), StepProgress(quiet=as_json) as progress:
        done = evaluate(
            phidex,
            test_set,
            output,
            plan,
            fresh=fresh,
            workers=workers,
            on_record=lambda _, number, total: progress.stepped("questions", number, total),
        )
    show_run(done, as_json=as_json)


@evaluation.command()
def compare(first: RunArgument, second: OtherArgument, as_json: JsonOption = False) -> None:
    """Say what got better or worse from the first run to the second, and whether chance explains it."""
    from phidex.eval.runs.compare import compare_runs
    from phidex.eval.runs.record import read_run

    comparison = compare_runs(read_run(first), read_run(second))
    if as_json:
        print_json(comparison.to_dict())
    else:
        show_comparison(comparison)


@evaluation.command()
def gate(
    run: RunArgument,
    against: Annotated[Path, typer.Option("--against", help="Folder of the run to be no worse than.", show_default=False)],
    measures: MeasureOption = None,
    max_drop: Annotated[float, typer.Option("--max-drop", min=0, help="A fall of a mean by more than this counts.")] = 0.02,
) -> None:
    """Leave with exit code 1 where a run is worse than another: significantly, or by more than --max-drop."""
    from phidex.eval.runs.compare import find_regressions
    from phidex.eval.runs.record import read_run

    base = read_run(against)
    found = find_regressions(base, read_run(run), measures=measures or (), max_drop=max_drop)
    for regression in found:
        print(f"regression: {regression.message}")
    if found:
        raise SystemExit(1)
    print(f"{run} is no worse than {against}")


@evaluation.command()
def report(
    runs: RunsArgument,
    output: FileOption = Path("report.html"),
    title: Annotated[str, typer.Option("--title", help="Of the page.")] = "Evaluation",
) -> None:
    """Write one HTML page of runs: means, groups, curves by position, what changed from the first one."""
    from phidex.eval.report.page import render_report
    from phidex.eval.runs.record import read_run

    write_page(output, render_report([read_run(path) for path in runs], title))
    print(output)


@evaluation.command()
def sweep(
    questions: SetArgument,
    grid: Annotated[
        list[str], typer.Option("--grid", help="section.name=value,value to vary; repeatable.", show_default=False)
    ],
    output: FolderOption = Path("runs/sweep"),
    collection: CollectionOption = "default",
    data: DataOption = None,
    documents: Annotated[
        list[str] | None, typer.Option("--documents", help="What to ingest where ingest or embed are varied; repeatable.")
    ] = None,
    form: FormOption = "auto",
    stage: StageOption = "answer",
    count: CountOption = 0,
    seed: SeedOption = 0,
    measure: Annotated[str, typer.Option("--measure", help="What to choose by (default: gold in context; nDCG@10).")] = "",
    as_json: JsonOption = False,
) -> None:
    """Ask a set under every combination of some settings, and recommend one."""
    from phidex.eval.runs.record import Plan
    from phidex.eval.runs.sweep import read_grid, recommend
    from phidex.eval.runs.sweep import sweep as sweep_settings
    from phidex.progress import StepProgress

    settings = read_settings(data)
    choices, test_set = read_grid(grid), load_questions(questions, form, "")
    with resumable(), StepProgress(quiet=as_json) as progress:
        trials = sweep_settings(
            settings,
            test_set,
            choices,
            output,
            plan=Plan(collection, stage, count=count, seed=seed),
            documents=documents or (),
            on_trial=lambda _, number, total: progress.stepped("combinations", number, total),
        )
    measure = measure or ("packed" if stage == "answer" else "nDCG@10")
    advice = recommend(trials, measure)
    if as_json:
        rows = [{"choice": one.choice, "means": {name: mean.to_dict() for name, mean in one.means.items()}} for one in trials]
        print_json({"trials": rows, "recommended": advice.trial.choice, "reason": advice.reason})
        return
    names = list(dict.fromkeys([measure, "R@5", "packed", "contains", "context_tokens", "search_s"]))
    there = [name for name in names if any(name in trial.means for trial in trials)]
    print_table(
        ["settings", *there],
        [[trial.name, *(number(trial.means[name].value) if name in trial.means else "" for name in there)] for trial in trials],
    )
    print(f"take: {advice.trial.name} ({advice.reason})")
    for name, value in advice.trial.choice.items():
        print(f"  PHIDEX_{name.replace('.', '__').upper()}={value}")


@evaluation.command()
def score(
    run: Annotated[Path, typer.Argument(help="A TREC run.", metavar="RUN")],
    qrels: Annotated[Path, typer.Option("--qrels", help="TREC judgements.", show_default=False)],
    measures: MeasureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a TREC run, of any system, against judgements; means with their intervals."""
    from phidex.eval.formats.ranked import read_qrels, read_run
    from phidex.eval.metrics.catalogue import RANKING
    from phidex.eval.metrics.doubt import mean_of
    from phidex.eval.metrics.ranking import score_run
    from phidex.eval.records import Fault

    faults: list[Fault] = []
    scored = score_run(measures or RANKING, read_qrels(qrels, faults), read_run(run, faults))
    for fault in faults:
        print(f"note: {fault}", file=sys.stderr)
    if not scored:
        raise InputError(f"{qrels} judges no question")
    means = {name: mean_of([of[name] for of in scored.values()]) for name in next(iter(scored.values()))}
    if as_json:
        print_json({name: mean.to_dict() for name, mean in means.items()})
        return
    print_table(
        ["measure", "mean", "95 %", "questions"],
        [[name, number(one.value), f"{one.low:.3f} to {one.high:.3f}", str(one.count)] for name, one in means.items()],
    )


@evaluation.command()
def agreement(
    run: RunArgument,
    labels: Annotated[
        Path, typer.Argument(help='Lines of {"id": …, "label": "correct" | "partial" | "wrong"}.', metavar="LABELS")
    ],
) -> None:
    """How far the judge of a run agrees with people's labels: share, and Cohen's kappa."""
    from phidex.eval.runs.judge import read_labels, run_agreement
    from phidex.eval.runs.record import read_run

    share, kappa, count = run_agreement(read_run(run), read_labels(labels))
    print(f"{count} answers: {share:.0%} the same, kappa {kappa:.2f}")


evaluation.command("make-set")(eval_tasks.make_set)
for _command in (eval_tasks.long, eval_tasks.functions, eval_tasks.routing):
    evaluation.command()(_command)
