"""`phidex eval make-set`, `long`, `functions`, `routing`: questions that nobody had to write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from phidex.cli.eval_options import AnsweredBy, ByOption, FileOption, FolderOption, FreshOption, SeedOption
from phidex.cli.eval_show import load_questions, show_run
from phidex.cli.options import DataOption, JsonOption
from phidex.cli.session import open_phidex, read_settings, resumable
from phidex.errors import InputError


def make_set(
    collection: Annotated[str, typer.Argument(help="Name of the collection.")] = "default",
    output: FileOption = Path("set.jsonl"),
    data: DataOption = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Questions at most.")] = 200,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="heading, definition, table, caption, docstring; repeatable.")
    ] = None,
    with_model: Annotated[bool, typer.Option("--with-model", help="Have the configured model write the questions.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Make a test set of your own documents: questions with the places that answer them, no model needed."""
    from phidex.eval.formats.own import write_own
    from phidex.eval.tasks.make_set import TYPES, make_questions

    settings = read_settings(data)
    if with_model:
        from phidex.eval.chat import open_chat
        from phidex.eval.tasks.invent import invent_questions

        with open_chat(settings.chat) as (chat, model):
            questions = invent_questions(settings, collection, chat, model, count=count, seed=seed)
        if not questions:
            raise InputError(f"{model} wrote no question that passes the checks", hint="make the set without --with-model")
    else:
        questions = make_questions(settings, collection, count=count, types=types or TYPES, seed=seed)
    print(f"{write_own(output, questions)} questions in {output}; measure with: phidex eval run {output} -c {collection}")


def long(
    output: FolderOption = Path("runs/long"),
    by: Annotated[
        AnsweredBy, typer.Option("--by", help="packed: our own way; chat: the endpoint reads all; oracle; chance.")
    ] = "packed",
    lengths: Annotated[list[int] | None, typer.Option("--length", help="Tokens of a text; repeatable (4096).")] = None,
    languages: Annotated[list[str] | None, typer.Option("--language", help="ISO 639-1; repeatable (all eight).")] = None,
    tasks: Annotated[list[str] | None, typer.Option("--task", help="Only this task; repeatable.")] = None,
    each: Annotated[int, typer.Option("--each", min=1, help="Tasks of each kind, length and language.")] = 1,
    depths: Annotated[int, typer.Option("--depths", min=0, help="Needles at so many even depths (0: anywhere).")] = 0,
    budget: Annotated[int, typer.Option("--budget", min=1024, help="packed: tokens of the context.")] = 8192,
    paragraphs: Annotated[Path | None, typer.Option("--paragraphs", help="SQuAD or XQuAD, for the task qa.")] = None,
    given: Annotated[Path | None, typer.Option("--from", help="Solve the tasks of this RULER file instead.")] = None,
    write: Annotated[Path | None, typer.Option("--write", help="Also write the tasks to this file, as RULER's lines.")] = None,
    role: ByOption = None,
    seed: SeedOption = 0,
    fresh: FreshOption = False,
    as_json: JsonOption = False,
) -> None:
    """Long contexts: needles, variables, common words and questions in texts of 4K to 128K tokens, made offline."""
    import contextlib
    import tempfile

    from phidex.eval.chat import open_chat
    from phidex.eval.tasks.answerers import chance, chat_answerer, long_settings, oracle, packed_answerer
    from phidex.eval.tasks.long import make_tasks, read_tasks, run_tasks, write_tasks
    from phidex.progress import StepProgress

    settings = read_settings(None)
    if given is not None:
        made, faults = read_tasks(given)
        for fault in faults:
            print(f"note: {fault}", file=sys.stderr)
    else:
        test_set = load_questions(paragraphs, "auto", "") if paragraphs else None
        made = make_tasks(lengths or [4096], languages, tasks, each=each, depths=depths, seed=seed, test_set=test_set)
    if write is not None:
        write_tasks(write, made)
    with contextlib.ExitStack() as stack:
        stack.enter_context(resumable())
        progress = stack.enter_context(StepProgress(quiet=as_json))
        who = str(by)
        match by:
            case "oracle":
                answer = oracle
            case "chance":
                answer = chance
            case "chat":
                chat, model = stack.enter_context(open_chat(settings.chat, role or ""))
                answer, who = chat_answerer(chat, model), f"chat {model}"
            case "packed":
                scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phidex-long-")))
                packed = packed_answerer(long_settings(settings, budget), scratch, made)
                answer, who = stack.enter_context(packed), f"packed {budget}"
        done = run_tasks(
            made,
            answer,
            output,
            who=who,
            fresh=fresh,
            on_record=lambda _, number, total: progress.stepped("tasks", number, total),
        )
    show_run(done, as_json=as_json)


def functions(
    folder: Annotated[Path, typer.Argument(help="Folder of Python code.", metavar="FOLDER")],
    output: FolderOption = Path("runs/functions"),
    data: DataOption = None,
    by: Annotated[
        Literal["search", "chat"], typer.Option("--by", help="search: our search; chat: the endpoint reads the code.")
    ] = "search",
    length: Annotated[int, typer.Option("--length", min=1024, help="chat: tokens of the code that it reads.")] = 16_384,
    count: Annotated[int, typer.Option("--count", min=1, help="Functions to look for.")] = 100,
    seed: SeedOption = 0,
    fresh: FreshOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find a repository's functions by what they do, their docstrings taken out (after RepoQA)."""
    from phidex.eval.runs.record import Plan
    from phidex.eval.runs.run import evaluate
    from phidex.eval.tasks.repository import functions_set
    from phidex.progress import StepProgress

    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    test_set = functions_set(folder, count=count, seed=seed)
    if by == "chat":
        from phidex.eval.chat import open_chat
        from phidex.eval.tasks.answerers import code_reader
        from phidex.eval.tasks.long import run_functions

        with open_chat(read_settings(data).chat) as (chat, model), resumable(), StepProgress(quiet=as_json) as progress:
            found = run_functions(
                test_set,
                code_reader(chat, model, test_set, length),
                output,
                who=f"chat {model} {length}",
                fresh=fresh,
                on_record=lambda _, number, total: progress.stepped("functions", number, total),
            )
        show_run(found, as_json=as_json)
        return
    name = f"eval-{test_set.sha256[:12]}"
    with open_phidex(data) as phidex, resumable(), StepProgress(quiet=as_json) as progress:
        try:
            done = evaluate(
                phidex,
                test_set,
                output,
                Plan(name, "search"),
                fresh=fresh,
                on_record=lambda _, number, total: progress.stepped("functions", number, total),
            )
        finally:
            if name in phidex.collections():
                phidex.drop(name)
    show_run(done, as_json=as_json)


def routing(
    questions: Annotated[Path | None, typer.Argument(help="Labelled questions (default: ours).", metavar="[FILE]")] = None,
) -> None:
    """How the router decides on labelled questions: accuracy by kind, share and cost of the larger model."""
    from phidex.eval.bench.routing import load_questions as load_labelled
    from phidex.eval.bench.routing import report as report_routing
    from phidex.eval.bench.routing import route
    from phidex.eval.bench.table import render

    labelled = load_labelled(questions) if questions else load_labelled()
    print(render(report_routing([route(question) for question in labelled])), end="")
