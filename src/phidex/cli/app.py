"""The `phidex` command: its subcommands put together, and what an error becomes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from phidex.cli import intake, manage, models, query, run, structured, summary
from phidex.errors import PhidexError, ServiceError

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
    *(run.doctor, run.ui),
):
    app.command()(_command)
app.add_typer(models.models, name="models")


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
    try:
        app(prog_name="phidex")
    except ServiceError as exc:
        _fail(exc, 3)
    except PhidexError as exc:
        _fail(exc, 2)
    except SystemExit as exc:
        if isinstance(exc.__context__, BrokenPipeError):  # the reader of our output went away (| head)
            raise SystemExit(0) from None
        raise


def _fail(error: PhidexError, code: int) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    raise SystemExit(code) from None
