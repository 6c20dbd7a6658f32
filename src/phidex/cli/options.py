"""What the commands take, each option with its help; a function's signature says which of them it has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from phidex.ingest.records import KINDS

Quality = Literal["fast", "balanced", "layout"]  # as in ingest/options.py, which --help need not import
Ocr = Literal["auto", "off", "always"]
Engine = Literal["local", "ray"]
Mode = Literal["focused", "long", "whole"]

# Of every command
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", "-d", help="The data folder (default: PHIDEX_DATA, else phidex-data).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
TagOption = Annotated[list[str] | None, typer.Option("--tag", help="Tag of the sources; repeatable.")]

# Of questions
QuestionArgument = Annotated[str, typer.Argument(help="The question, in any language.", metavar="QUESTION")]
QueryArgument = Annotated[str, typer.Argument(help="What to look for.", metavar="QUERY")]
LimitOption = Annotated[int | None, typer.Option("--limit", "-n", min=1, max=500, help="Hits to show (default: 10).")]
LanguageOption = Annotated[list[str] | None, typer.Option("--language", help="Only this language (ISO 639-1); repeatable.")]
SourceOption = Annotated[list[str] | None, typer.Option("--source", help="Only this source (name or id); repeatable.")]
KindOption = Annotated[list[str] | None, typer.Option("--kind", help=f"Only this kind ({', '.join(KINDS)}); repeatable.")]
PagesOption = Annotated[str | None, typer.Option("--pages", help="Only these pages, like 12 or 10-20.")]
PicturesOption = Annotated[
    Path | None, typer.Option("--pictures", help="Folder for pictures of the cited pages, the place marked.")
]

AskRoleOption = Annotated[
    Literal["mini", "moe", "vision", "extractive"] | None,
    typer.Option(
        "--role", help="Who is to answer: mini, moe, vision or extractive. Default: the best that can, with its reason."
    ),
]
ImageOption = Annotated[
    list[Path] | None,
    typer.Option("--image", help="An image file to look at with every question, by the vision model; repeatable."),
]
RoleOption = Annotated[
    Literal["mini", "moe", "extractive"] | None,
    typer.Option(
        "--role", help="Who is to answer: mini, moe or extractive. Default: the best of those that can, with its reason."
    ),
]
ModeOption = Annotated[
    Mode | None,
    typer.Option("--mode", help="focused: the best passages; long: up to 128K tokens; whole: documents from beginning to end."),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option("--resume", help="Name or file that the conversation is kept under: gone on with where it exists."),
]

# Of ingest
TargetsArgument = Annotated[
    list[str], typer.Argument(help="Files, folders, archives, git repositories, URLs of documents.", metavar="PATH|URL…")
]
RefOption = Annotated[str, typer.Option("--ref", help="Of repositories: the branch, tag or commit to read.")]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", help="Of repositories: only this file, folder or pattern; repeatable.")
]
QualityOption = Annotated[
    Quality | None, typer.Option("--quality", help="How much care PDFs get (default: PHIDEX_INGEST__QUALITY).")
]
OcrOption = Annotated[Ocr | None, typer.Option("--ocr", help="Which pages to recognise (default: PHIDEX_INGEST__OCR).")]
AskPasswordOption = Annotated[
    bool,
    typer.Option(
        "--ask-password", help="Ask for a password to try on encrypted documents, before those of PHIDEX_INGEST__PASSWORDS."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, max=1024, help="Worker processes (default: one a core).")
]
EngineOption = Annotated[
    Engine | None, typer.Option("--engine", help="Where files are read: worker processes here, or a Ray cluster.")
]
RayAddressOption = Annotated[
    str | None, typer.Option("--ray-address", help="Head of the Ray cluster, host:port (default: one is started here).")
]
DescribeOption = Annotated[
    bool | None,
    typer.Option("--describe/--no-describe", help="Have the vision model describe figures.", show_default=False),
]
SubmodulesOption = Annotated[bool, typer.Option("--submodules", help="Of repositories: with their submodules.")]
SyncOption = Annotated[bool, typer.Option("--sync", help="Also remove sources whose files are gone from what is named.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would change, by source; nothing is written.")]
WatchOption = Annotated[bool, typer.Option("--watch", help="Then follow what changes, until Ctrl-C.")]
BackgroundOption = Annotated[bool, typer.Option("--background", help="Return once searchable; the rest follows behind.")]
EmbedderOption = Annotated[
    str | None, typer.Option("--embedder", help="auto, multilingual, bundled, fast, endpoint, none, a hub id or a folder.")
]

# Of backups
BackupArgument = Annotated[Path, typer.Argument(help="The backup's file.", metavar="FILE")]
NameOption = Annotated[str, typer.Option("--name", help="Name of the collection (default: the one that it had).")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Replace what is there, once the new one is whole.")]
NoBlobsOption = Annotated[bool, typer.Option("--no-blobs", help="Without pictures and downloaded originals.")]

# Of the rest
NamesArgument = Annotated[list[str] | None, typer.Argument(help="File name, path, uri or id of sources.", metavar="SOURCE…")]
AllOption = Annotated[bool, typer.Option("--all", help="Remove the whole collection.")]
PortOption = Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)]
AddressOption = Annotated[
    str, typer.Option("--address", help="Address to listen on; there is no login, so open it only to people you trust.")
]
