"""Data from documents: `phidex extract`, `phidex classify`, `phidex tables`."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phidex.cli.options import (
    CollectionOption,
    DataOption,
    JsonOption,
    KindOption,
    LanguageOption,
    PagesOption,
    SourceOption,
    TagOption,
)
from phidex.cli.session import open_phidex, print_json, read_filters
from phidex.errors import InputError, PhidexError

if TYPE_CHECKING:
    from phidex.generation.structured.batch import Classification, Extraction
    from phidex.generation.structured.record import DocumentRecord

_SOME_FAILED = 1  # of the exit codes, as in `phidex ingest`
_INTERRUPTED = 130

SchemaArgument = Annotated[
    Path, typer.Argument(help="A file with a JSON Schema, an object at its root.", metavar="SCHEMA.json")
]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="File for one row a document, each value with its place.")]
LookForOption = Annotated[str, typer.Option("--question", help="What to look for or at, where the rest does not say it all.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Null for a value that no passage has, where the schema allows null.")
]
LabelOption = Annotated[
    list[str], typer.Option("--label", help="A label, or label=what it means; repeatable, two at least.", show_default=False)
]
SeveralOption = Annotated[bool, typer.Option("--several", help="A document may have any number of labels, or none.")]
TableNamesArgument = Annotated[list[str], typer.Argument(help="File name, path, uri or id of sources.", metavar="SOURCE…")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Folder for one CSV file a table.")]


def extract(
    schema: SchemaArgument,
    collection: CollectionOption = "default",
    data: DataOption = None,
    question: LookForOption = "",
    strict: StrictOption = False,
    csv: CsvOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a JSON Schema from each document: one record a document, each value with the place that it rests on."""
    from phidex.progress import StepProgress

    wanted = _read_schema(schema)
    _check_file(csv)
    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress:
        filters = read_filters(phidex, collection, languages=languages, sources=sources, kinds=kinds, tags=tags, pages=pages)

        def tell(_: DocumentRecord[Any], done: int, total: int) -> None:
            progress.stepped("reading documents", done, total)

        with _stoppable() as cancelled:
            found = phidex.extract(
                wanted, collection, question=question, filters=filters, strict=strict, on_document=tell, cancelled=cancelled
            )
    _show(found, csv, as_json, cancelled)


def classify(
    labels: LabelOption,
    collection: CollectionOption = "default",
    data: DataOption = None,
    several: SeveralOption = False,
    question: LookForOption = "",
    csv: CsvOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give each document the label that fits it, with the passage that says most of what the label means."""
    from phidex.progress import StepProgress

    _check_file(csv)
    named = {name.strip(): meaning.strip() for name, _, meaning in (label.partition("=") for label in labels)}
    if len(named) < len(labels):
        raise InputError("a label is there twice", hint="name each label once")
    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress:
        filters = read_filters(phidex, collection, languages=languages, sources=sources, kinds=kinds, tags=tags, pages=pages)

        def tell(_: DocumentRecord[Any], done: int, total: int) -> None:
            progress.stepped("reading documents", done, total)

        with _stoppable() as cancelled:
            found = phidex.classify(
                named, collection, several=several, question=question, filters=filters, on_document=tell, cancelled=cancelled
            )
    _show(found, csv, as_json, cancelled)


def tables(
    names: TableNamesArgument,
    output: OutputOption = None,
    collection: CollectionOption = "default",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the tables of documents as CSV, one file a table; without --output, list them."""
    from phidex.generation.structured.tables import save_tables

    with open_phidex(data) as phidex:
        found = phidex.tables(*names, collection=collection)
    written = save_tables(found, output) if output is not None else []
    if as_json:
        paths = [str(path) for path in written] or [None] * len(found)
        print_json([{**table.to_dict(), "file": path} for table, path in zip(found, paths, strict=True)])
        return
    for number, table in enumerate(found):
        width = len(table.rows[0]) if table.rows else 0
        place = f"{table.source.name}, {table.locator}: {len(table.rows)} rows of {width}"
        print(f"{written[number]}  {place}" if written else f"{table.number}. {place}  {table.caption}".rstrip())
    if not found:
        print("no tables found")


def _read_schema(path: Path) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} holds no JSON Schema: {exc}", hint="name a file with a JSON object") from exc
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", hint='begin with {"type": "object", "properties": {…}}')
    return value  # pyright: ignore[reportUnknownVariableType]


def _check_file(path: Path | None) -> None:
    """Raises: InputError: there is no folder to write it to; said before models are asked for hours."""
    if path is not None and not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", hint="make it, or name another file")


@contextlib.contextmanager
def _stoppable() -> Generator[threading.Event]:
    """Set by the first Ctrl-C, for what has been read until then to be kept; the second one ends all at once."""
    cancelled = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        cancelled.set()
        signal.signal(signal.SIGINT, before)

    if before is not signal.SIG_IGN:  # as in a script's background job
        signal.signal(signal.SIGINT, stop)
    try:
        yield cancelled
    finally:
        signal.signal(signal.SIGINT, before)


def _show(found: Extraction[Any] | Classification, csv: Path | None, as_json: bool, cancelled: threading.Event) -> None:
    """The records; an error where no document gave one, and then no file is written over one that may hold good rows.

    Raises:
        PhidexError: every document failed: the first one's reason.
        SystemExit: with 1: some documents failed; with 130: it was interrupted.
    """
    has_failed = bool(found.records) and len(found.failed) == len(found.records)
    if csv is not None and not has_failed:
        found.to_csv(csv)
    if as_json:
        print_json(found.to_dict())
    elif csv is None:
        _print_rows(found.rows())
    for record in found.records:
        for warning in record.result.warnings if record.result else ():
            print(f"note: {record.source.name}: {warning}", file=sys.stderr)
        if record.error and not has_failed:
            print(f"failed: {record.source.name}: {record.error}", file=sys.stderr)
    if has_failed and not cancelled.is_set():
        error: PhidexError | None = found.failed[0].error
        assert error is not None
        raise error
    if csv is not None and not as_json and not has_failed:
        print(f"{csv}: {len(found.records)} documents, {len(found.failed)} failed")
    if found.failed and cancelled.is_set():
        print("interrupted; run it again for the documents that were not read", file=sys.stderr)
        raise SystemExit(_INTERRUPTED)
    if found.failed:
        raise SystemExit(_SOME_FAILED)


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Each document with its values and their places."""
    if not rows:
        print("no documents found")
    for row in rows:
        print(row["source"])
        for name, value in row.items():
            if name in ("source", "error") or name.endswith(" (place)") or value in (None, ""):
                continue
            place = row.get(f"{name} (place)", "")
            print(f"  {name}: {value}" + (f"  [{place}]" if place else ""))
