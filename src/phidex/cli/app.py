"""The `phidex` command: its subcommands put together, and what an error becomes."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from phidex.cli import (
    conversations,
    evaluate,
    intake,
    keys,
    manage,
    mcp,
    models,
    query,
    recordings,
    run,
    serve,
    structured,
    summary,
)
from phidex.errors import IncompleteAnswerError, PhidexError, ServiceError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # of a full or broken disk

app = typer.Typer(
    name="phidex",
    help="Ask real documents; get answers that point at the page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _command in (
    *(intake.ingest, intake.complete, intake.reindex),
    *(query.search, query.ask, query.chat, summary.summarize),
    *(structured.extract, structured.classify, structured.tables),
    *(manage.sources, manage.remove, manage.status, manage.backup, manage.restore, manage.optimize),
    *(recordings.speakers, recordings.export),
    *(run.doctor, run.ui, serve.serve, mcp.mcp),
):
    app.command()(_command)
app.add_typer(models.models, name="models")
app.add_typer(conversations.conversations, name="conversations")
app.add_typer(evaluate.evaluation, name="eval")
app.add_typer(keys.keys, name="keys")


@app.callback(invoke_without_command=True)
def _root(  # pyright: ignore[reportUnusedFunction]  typer calls it
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        import phidex

        print(f"phidex {phidex.__version__}")
        raise SystemExit(0)


def main() -> None:
    """Entry point of the `phidex` command."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  so it is where the caller has closed it (>&-)
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  as long as the process
    try:
        code = _run()
        sys.stdout.flush()  # what a full disk does not take is told here, and not while Python ends
    except BrokenPipeError:  # the reader of our output went away (| head)
        _forget_output()
        code = 0
    except OSError as exc:
        if exc.errno not in _UNWRITABLE or exc.filename is not None:
            raise
        _forget_output()
        print(f"error: the output cannot be written: {exc.strerror}", file=sys.stderr)
        code = 1
    raise SystemExit(code)


def _run() -> int | str | None:
    """Runs the command and returns what it ends with, as SystemExit takes it."""
    try:
        app(prog_name="phidex")
    except IncompleteAnswerError as exc:
        return _fail(exc, 3 if exc.retryable else 1)  # what asking again would not mend is no fault of the service
    except ServiceError as exc:
        return _fail(exc, 3)
    except PhidexError as exc:
        return _fail(exc, 2)
    except SystemExit as exc:
        return 0 if isinstance(exc.__context__, BrokenPipeError) else exc.code  # as typer ends there
    return 0


def _fail(error: PhidexError, code: int) -> int:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    return code


def _forget_output() -> None:
    """Lead what is left in the buffer, which Python writes at its end, into nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
