"""`phidex summarize`: a document, a repository, a collection or a saved conversation in a few cited sentences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phidex.cli.options import CollectionOption, DataOption, JsonOption, KindOption, PagesOption, RoleOption, TagOption
from phidex.cli.session import open_phidex, print_json, read_filters
from phidex.errors import InputError

if TYPE_CHECKING:
    from phidex.generation.conversation import Conversation
    from phidex.generation.summary.summary import Summary

_PREVIEW_CHARS = 280

SummaryArgument = Annotated[
    str | None,
    typer.Argument(
        help="Name, path, uri, id or title of a document; a repository or folder (default: all of the collection).",
        metavar="[SOURCE]",
        show_default=False,
    ),
]
InLanguageOption = Annotated[str, typer.Option("--language", help="Of the summary, ISO 639-1 (default: that of the text).")]
StyleOption = Annotated[Literal["prose", "bullets", "abstract", "sections"], typer.Option("--style", help="Its form.")]
LengthOption = Annotated[
    Literal["short", "medium", "long"], typer.Option("--length", help="About 3, 7 or 15 sentences.")
]  # as in generation/summary/summary.py, which --help need not import
ConversationOption = Annotated[
    Path | None, typer.Option("--conversation", help="File of a conversation (chat --resume) to summarize instead.")
]


def summarize(
    source: SummaryArgument = None,
    collection: CollectionOption = "default",
    data: DataOption = None,
    language: InLanguageOption = "",
    style: StyleOption = "prose",
    length: LengthOption = "medium",
    conversation: ConversationOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    role: RoleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarize a document, a repository or a collection, each sentence with its place; without a model, key sentences."""
    if conversation is not None and (source or kinds or tags or pages):
        raise InputError("a conversation is summarized as a whole", hint="leave out the source and the filters")
    from phidex.progress import StepProgress

    meant = _saved(conversation) if conversation is not None else source
    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress:
        filters = read_filters(phidex, collection, languages=None, sources=None, kinds=kinds, tags=tags, pages=pages)
        summary = phidex.summarize(
            meant,
            collection,
            language=language.lower(),
            style=style,
            length=length,
            filters=filters or None,
            role=role,
            on_progress=progress.stepped,
        )
    if as_json:
        print_json(summary.to_dict())
    else:
        _show(summary)
    if summary.route.signals.get("in_place_of"):
        print(f"error: no model answered: {summary.route.reason}", file=sys.stderr)
        raise SystemExit(3)


def _show(summary: Summary) -> None:
    """The text, its places, what to know, and who wrote it."""
    from rich.markup import escape

    from phidex.show import console, counted

    out = console()
    out.print(f"[bold]{escape(summary.title)}[/]\n")
    out.print(summary.text or "(no summary)", markup=False)
    out.print()
    quoted = summary.route.role == "extractive" and {sentence.text for sentence in summary.sentences}
    for citation in summary.citations:
        mark = "[green]verified[/]" if citation.verified else "[yellow]not verified[/]"
        is_shown = quoted and citation.quote in quoted
        out.print(f"[bold]{escape(str(citation))}[/]  {'[dim]verbatim[/]' if is_shown else mark}")
        if citation.quote and not is_shown:
            out.print(f"    [dim]{escape(' '.join(citation.quote.split())[:_PREVIEW_CHARS])}[/]")
    for warning in summary.warnings:
        out.print(f"[yellow]note[/] {escape(warning)}")
    parts = f"; read in {counted(len(summary.plan.parts), 'part')}" if summary.plan else ""
    out.print(f"[dim]route: {summary.route.role}, since {escape(summary.route.reason)}{parts}[/]")
    if summary.ledger is not None:
        out.print(f"[dim]context: {escape(summary.ledger.summary())}[/]")


def _saved(path: Path) -> Conversation:
    import json

    from phidex.generation.conversation import Conversation

    try:
        return Conversation.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} holds no conversation: {exc}", hint="`phidex chat --resume FILE` keeps one") from exc
