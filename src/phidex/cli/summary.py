"""`phidex summarize`: a document, a repository, a collection or a saved conversation in a few cited sentences."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phidex.cli.options import CollectionOption, DataOption, JsonOption, KindOption, PagesOption, RoleOption, TagOption
from phidex.cli.session import open_phidex, print_json, read_filters
from phidex.errors import InputError

if TYPE_CHECKING:
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
Form = Literal["markdown", "json", "html", "docx"]
FormatOption = Annotated[
    Form | None, typer.Option("--format", help="Print or write it as this (default: as the file's name says).")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.", metavar="FILE")]
ConversationOption = Annotated[
    Path | None, typer.Option("--conversation", help="A kept conversation (chat --resume), or its file, to summarize instead.")
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
    form: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarize a document, a repository or a collection, each sentence with its place; without a model, key sentences."""
    if conversation is not None and (source or kinds or tags or pages):
        raise InputError("a conversation is summarized as a whole", hint="leave out the source and the filters")
    from phidex.progress import StepProgress

    form = form or _form_of(output) or ("json" if as_json else None)
    if form == "docx" and output is None:
        raise InputError("a Word document goes to a file", hint="name it: -o summary.docx")
    with open_phidex(data) as phidex, StepProgress(quiet=form is not None and output is None) as progress:
        meant = phidex.conversations.load(conversation) if conversation is not None else source
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
        content = _rendered(summary, form, lambda image: phidex.blob(image, collection))
    if output is not None:
        _write(output, content)
    elif form == "json":
        print_json(summary.to_dict())
    elif form is not None:
        sys.stdout.write(content.decode())
    else:
        _show(summary)
    if summary.route.signals.get("in_place_of"):
        print(f"error: no model answered: {summary.route.reason}", file=sys.stderr)
        raise SystemExit(3)


def _form_of(output: Path | None) -> Form | None:
    """The format that a file's name tells; Markdown where it tells none."""
    if output is None:
        return None
    forms: dict[str, Form] = {".json": "json", ".html": "html", ".htm": "html", ".docx": "docx"}
    return forms.get(output.suffix.lower(), "markdown")


def _rendered(summary: Summary, form: Form | None, picture: Callable[[str], bytes]) -> bytes:
    match form:
        case "markdown":
            return summary.to_markdown().encode()
        case "html":
            return summary.to_html(picture).encode()
        case "docx":
            return summary.to_docx(picture)
        case "json":
            return (json.dumps(summary.to_dict(), ensure_ascii=False, indent=2) + "\n").encode()
        case None:
            return b""


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise InputError(f"{path} cannot be written: {exc.strerror}", hint="name a file in a folder that is there") from exc
    print(f"written: {path}")


def _show(summary: Summary) -> None:
    """The text, its places, what to know, and who wrote it."""
    from rich.markup import escape

    from phidex.show import console, counted

    out = console()
    out.print(f"[bold]{escape(summary.title)}[/]\n")
    out.print(summary.text or "(no summary)", markup=False)
    if summary.minutes is not None:
        from phidex.generation.summary.render import labels, minutes_markdown

        named = labels(summary.language)
        if summary.minutes.participants:
            out.print(f"\n{named.participants}: {', '.join(summary.minutes.participants)}", markup=False)
        for block in minutes_markdown(summary.minutes, named):
            out.print(f"\n{block}", markup=False)
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
