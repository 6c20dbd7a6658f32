"""Of recordings: `phidex speakers` says and corrects who speaks; `phidex export` writes subtitles, chapters, a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from phidex.cli.options import CollectionOption, DataOption, JsonOption
from phidex.cli.session import open_phidex, print_json
from phidex.errors import InputError

SourceArgument = Annotated[str, typer.Argument(help="The recording: file name, path, uri or id.", metavar="RECORDING")]
RenameOption = Annotated[
    list[str] | None, typer.Option("--rename", help='Correct a name: "Speaker 1=Ada"; repeatable.', metavar="OLD=NEW")
]
ChaptersOption = Annotated[Path | None, typer.Option("--chapters", help="File for the chapters, as WebVTT.", metavar="OUT")]
SubtitlesOption = Annotated[
    Path | None, typer.Option("--subtitles", help="File for what is said, as WebVTT, names corrected.", metavar="OUT")
]
SheetOption = Annotated[
    Path | None, typer.Option("--sheet", help="File for a contact sheet of what is shown, a JPEG.", metavar="OUT")
]

ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")]


def speakers(
    source: SourceArgument,
    rename: RenameOption = None,
    collection: CollectionOption = "default",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who speaks in a recording, or correct their names everywhere; nothing is ingested again."""
    names = _names(rename or ())
    with open_phidex(data) as phidex:
        found = phidex.rename_speakers(source, names, collection) if names else phidex.speakers(source, collection)
    if as_json:
        print_json({"speakers": found})
    else:
        print(*(found or ["nobody by name"]), sep="\n")


def export(
    recording: SourceArgument,
    chapters: ChaptersOption = None,
    subtitles: SubtitlesOption = None,
    sheet: SheetOption = None,
    force: ForceOption = False,
    collection: CollectionOption = "default",
    data: DataOption = None,
) -> None:
    """Write a recording's chapters, subtitles or contact sheet to files."""
    if not (chapters or subtitles or sheet):
        raise InputError("nothing to write", hint="give --chapters, --subtitles or --sheet with a file")
    with open_phidex(data) as phidex:
        made: list[tuple[Path, bytes]] = []  # all of it before the first file is written
        if chapters:
            made.append((chapters, phidex.chapters(recording, collection).encode()))
        if subtitles:
            made.append((subtitles, phidex.subtitles(recording, collection).encode()))
        if sheet:
            made.append((sheet, phidex.contact_sheet(recording, collection)))
    for path, content in made:
        _write(path, content, force=force)


def _names(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [old + sign + new for old, sign, new in pairs if not (old.strip() and sign and new.strip())]:
        raise InputError(f"{wrong[0]!r} corrects no name", hint='write --rename "Speaker 1=Ada"')
    return {old.strip(): new.strip() for old, _, new in pairs}


def _write(path: Path, content: bytes, *, force: bool) -> None:
    """Raises: InputError, also where a file would be written over: the recording's own subtitles may lie there."""
    if path.exists() and not force:
        raise InputError(f"{path} is there already", hint="name another file, or write it over with --force")
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise InputError(f"{path} cannot be written: {exc.strerror}", hint="name a file in a folder that is there") from exc
    print(f"written: {path}")
