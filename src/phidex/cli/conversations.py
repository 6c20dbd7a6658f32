"""`phidex conversations`: those that were kept (`phidex chat --resume NAME`), listed, shown, renamed, deleted, exported."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phidex.cli.options import DataOption, JsonOption
from phidex.cli.session import print_json, read_settings
from phidex.errors import InputError

if TYPE_CHECKING:
    from phidex.generation.conversations import ConversationStore

NameArgument = Annotated[str, typer.Argument(help="Name of a conversation, or its file.", metavar="NAME")]
ToArgument = Annotated[str, typer.Argument(help="Its new name.", metavar="NEW_NAME")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to (default: standard output).")]

conversations = typer.Typer(
    name="conversations", help="Conversations that were kept: list, show, rename, delete, export.", no_args_is_help=True
)


@conversations.command("list")
def list_all(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List them, the latest first."""
    entries = _store(data).list()
    if as_json:
        print_json([entry.to_dict() for entry in entries])
        return
    from rich.markup import escape

    from phidex.show import console, counted

    out = console()
    if not entries:
        out.print("no conversation was kept; `phidex chat --resume NAME` keeps one", markup=False)
    for entry in entries:
        when = datetime.fromtimestamp(entry.changed_at).strftime("%Y-%m-%d %H:%M") if entry.changed_at else ""
        told = f"[red]{escape(entry.fault)}[/]" if entry.fault else f"{counted(entry.turns, 'question')}, {escape(entry.title)}"
        over = f" [dim]({escape(entry.collection)})[/]" if entry.collection else ""
        out.print(f"[bold]{escape(entry.name)}[/]  [dim]{when}[/]  {told}{over}")


@conversations.command("show")
def show_one(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show questions and answers, with the places that they name."""
    store = _store(data)
    if as_json:
        print_json(store.load(name).to_dict())
    else:
        print(store.export(name), end="")


@conversations.command("rename")
def rename_one(name: NameArgument, to: ToArgument, data: DataOption = None) -> None:
    """Give one another name."""
    _store(data).rename(name, to)
    print(f"{name} is {to} now", file=sys.stderr)


@conversations.command("delete")
def delete_one(name: NameArgument, data: DataOption = None) -> None:
    """Delete one for good."""
    _store(data).delete(name)
    print(f"{name} is deleted", file=sys.stderr)


@conversations.command("export")
def export_one(name: NameArgument, output: OutputOption = None, data: DataOption = None) -> None:
    """Write one as Markdown."""
    text = _store(data).export(name)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as exc:
        raise InputError(f"cannot write {output}: {exc.strerror}", hint="name another file with --output") from exc


def _store(data: Path | None) -> ConversationStore:
    from phidex.generation.conversations import FOLDER, ConversationStore

    return ConversationStore(read_settings(data).data / FOLDER)
