"""The command line: `phidex ingest | search | ask | sources | remove | status | complete | reindex | doctor | ui`.

Exit codes: 0 done, 1 some files failed (they are named), 2 wrong use, 3 a service is down, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phidex.errors import InputError, PhidexError, ServiceError

if TYPE_CHECKING:
    from phidex.sdk import Phidex
    from phidex.settings import Settings

app = typer.Typer(
    name="phidex",
    help="Ask real documents; get answers that point at the page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Quality = Literal["fast", "balanced", "layout"]  # as in ingest/options.py, which --help need not import
Ocr = Literal["auto", "off", "always"]
Engine = Literal["local", "ray"]
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", "-d", help="The data folder (default: PHIDEX_DATA, else phidex-data).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
LanguageOption = Annotated[list[str] | None, typer.Option("--language", help="Only this language (ISO 639-1); repeatable.")]
SourceOption = Annotated[list[str] | None, typer.Option("--source", help="Only this source (name or id); repeatable.")]
TagOption = Annotated[list[str] | None, typer.Option("--tag", help="Tag of the sources; repeatable.")]
KindOption = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind (pdf, text, markdown, html); repeatable.")]
PagesOption = Annotated[str | None, typer.Option("--pages", help="Only these pages, like 12 or 10-20.")]


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


@app.command()
def ingest(
    targets: Annotated[
        list[str], typer.Argument(help="Files, folders, archives, git repositories, URLs of documents.", metavar="PATH|URL…")
    ],
    collection: CollectionOption = "default",
    data: DataOption = None,
    tags: TagOption = None,
    ref: Annotated[str, typer.Option("--ref", help="Of repositories: the branch, tag or commit to read.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Of repositories: only this file, folder or pattern; repeatable.")
    ] = None,
    quality: Annotated[
        Quality | None, typer.Option("--quality", help="How much care PDFs get (default: PHIDEX_INGEST__QUALITY).")
    ] = None,
    ocr: Annotated[Ocr | None, typer.Option("--ocr", help="Which pages to recognise (default: PHIDEX_INGEST__OCR).")] = None,
    ask_password: Annotated[
        bool, typer.Option("--ask-password", help="Ask for a password to try on encrypted documents.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=1024, help="Worker processes (default: one a core).")
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="Where files are read: worker processes here, or a Ray cluster.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Head of the Ray cluster, host:port (default: one is started here).")
    ] = None,
    describe: Annotated[
        bool | None,
        typer.Option("--describe/--no-describe", help="Have the vision model describe figures.", show_default=False),
    ] = None,
    submodules: Annotated[bool, typer.Option("--submodules", help="Of repositories: with their submodules.")] = False,
    sync: Annotated[bool, typer.Option("--sync", help="Also remove sources whose files are gone from what is named.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change, by source; nothing is written.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Then follow what changes, until Ctrl-C.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Return once searchable; the rest follows behind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ingest documents: searchable in seconds, complete when their dense vectors are written.

    Unchanged files are skipped, edited ones replaced in one step. Interrupted, the same command goes on.
    """
    from phidex.show import IngestProgress, show_report

    _refuse_together({"--watch": watch, "--dry-run": dry_run, "--background": background})
    _refuse_together({"--watch": watch, "--ref": bool(ref), "--only": bool(only)})
    password = typer.prompt("password", hide_input=True, err=True) if ask_password else ""
    changes = {
        "quality": quality,
        "ocr": ocr,
        "workers": workers,
        "passwords": (password,) if password else None,
        "engine": "ray" if ray_address else engine,
        "ray_address": ray_address,
        "describe": describe,
        "submodules": submodules or None,
    }
    with _open(data, {name: value for name, value in changes.items() if value is not None}) as phidex:
        if watch:
            _follow(phidex, targets, collection, tags, sync=sync, as_json=as_json)
            return
        with _resumable(), IngestProgress(quiet=as_json) as progress:
            report = phidex.ingest(
                *targets,
                collection=collection,
                tags=tags,
                ref=ref,
                only=only or (),
                sync=sync,
                dry_run=dry_run,
                dense="later" if background else "now",
                on_file=progress.file_done,
                on_page=progress.page_done,
                on_fetch=progress.fetched,
                on_embed=progress.embedded,
            )
        if background and report.pending:
            _complete_in_background(phidex.settings, collection)
        if as_json:
            _print_json(report.to_dict())
        else:
            show_report(report, collection=collection, background=background)
    if report.failed:
        raise SystemExit(1)


@app.command()
def complete(collection: CollectionOption = "default", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Write the dense vectors that are still missing (what `ingest --background` leaves to do)."""
    from phidex.show import IngestProgress

    with _open(data) as phidex, _resumable(), IngestProgress(quiet=as_json) as progress:
        done = phidex.complete(collection, on_embed=progress.embedded)
    if as_json:
        _print_json({"embedded": done})
    else:
        print(f"{done} passages got their dense vector" if done else "nothing was missing")


@app.command()
def reindex(
    collection: CollectionOption = "default",
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="auto, multilingual, bundled, none, a hub id or a folder.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed and analyse the stored passages anew: for another embedder, or after an update of Phidex.

    No document is read again. The collection is searched all the while, and switched in one step. Interrupted, the same
    command goes on.
    """
    from phidex.show import IngestProgress, show_reindex

    with _open(data) as phidex, _resumable(), IngestProgress(quiet=as_json) as progress:
        report = phidex.reindex(collection, embedder, on_progress=progress.reindexed)
    if as_json:
        _print_json(report.to_dict())
    else:
        show_reindex(report)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.", metavar="QUERY")],
    collection: CollectionOption = "default",
    data: DataOption = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, max=500, help="Hits to show (default: 10).")] = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that answer best, each with its document, page and place."""
    from phidex.show import show_hits

    with _open(data) as phidex:
        filters = _filters(phidex, collection, languages, sources, kinds, tags, pages)
        hits = phidex.search(query, collection, limit, filters)
    if as_json:
        _print_json([hit.to_dict() for hit in hits])
    else:
        show_hits(hits)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in any language.", metavar="QUESTION")],
    collection: CollectionOption = "default",
    data: DataOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="Folder for pictures of the cited pages, the place marked.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents, with citations that name document, page and box."""
    from phidex.generation.answer import Answer
    from phidex.show import AnswerPrinter, save_pictures

    answer: Answer | None = None
    with _open(data) as phidex:
        filters = _filters(phidex, collection, languages, sources, kinds, tags, pages)
        printer = None if as_json else AnswerPrinter()
        for event in phidex.ask(question, collection, filters=filters, stream=True):
            if printer:
                printer.show(event)
            if isinstance(event, Answer):
                answer = event
    assert answer is not None
    if as_json:
        _print_json(answer.to_dict())
    if pictures is not None:
        for path in save_pictures(answer, pictures):
            print(f"picture: {path}", file=sys.stderr)


@app.command()
def sources(collection: CollectionOption = "default", data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the sources of a collection with their state, pages, chunks and language."""
    from phidex.show import show_sources

    with _open(data) as phidex:
        entries = phidex.sources(collection)
    if as_json:
        _print_json([entry.to_dict() for entry in entries])
    else:
        show_sources(entries)


@app.command()
def remove(
    names: Annotated[list[str] | None, typer.Argument(help="File name, path, uri or id of sources.", metavar="SOURCE…")] = None,
    collection: CollectionOption = "default",
    data: DataOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole collection.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove sources from a collection; the documents themselves are not touched."""
    if bool(names) == everything:
        raise InputError("name the sources to remove, or give --all for the collection", hint="phidex sources lists them")
    with _open(data) as phidex:
        if everything:
            removed = [entry.source.uri for entry in phidex.sources(collection)]
            phidex.drop(collection)
        else:
            removed = phidex.remove(*(names or ()), collection=collection)
    if as_json:
        _print_json({"removed": removed})
    else:
        print(*(f"removed {uri}" for uri in removed), sep="\n")


@app.command()
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show what the data folder holds."""
    from phidex.show import show_status

    with _open(data) as phidex:
        found = phidex.status()
    if as_json:
        _print_json(found)
    else:
        show_status(found)


@app.command()
def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Say what is installed and reachable, what each missing part would enable, and how to get it."""
    from phidex.doctor import examine
    from phidex.show import show_findings

    findings = examine(_settings(data))
    if as_json:
        _print_json([finding.to_dict() for finding in findings])
    else:
        show_findings(findings)
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(3)


@app.command()
def ui(
    data: DataOption = None,
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option("--address", help="Address to listen on; there is no login, so open it only to people you trust.")
    ] = "127.0.0.1",
) -> None:
    """Open the web app on this machine."""
    from phidex.ui.launch import launch

    raise SystemExit(launch(_settings(data).data, port, address))


@app.callback(invoke_without_command=True)
def _root(  # pyright: ignore[reportUnusedFunction]  typer calls it
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        import phidex

        print(f"phidex {phidex.__version__}")
        raise SystemExit(0)


def _follow(
    phidex: Phidex, targets: Sequence[str], collection: str, tags: list[str] | None, *, sync: bool, as_json: bool
) -> None:
    """Ingest, and again after each change, with a report of each round in which something happened."""
    from phidex.ingest.run.report import IngestReport
    from phidex.show import IngestProgress, show_report

    with _resumable(), IngestProgress(quiet=as_json) as progress:

        def round_done(report: IngestReport) -> None:
            progress.clear()
            if as_json:
                print(json.dumps(report.to_dict(), ensure_ascii=False), flush=True)
            elif report.count("unchanged") < len(report.files) or report.notes:
                show_report(report, collection=collection, background=False)

        phidex.watch(
            *targets,
            collection=collection,
            tags=tags,
            sync=sync,
            on_report=round_done,
            on_fault=lambda fault: print(f"error: {fault.message}; it is tried again", file=sys.stderr),
            on_file=progress.file_done,
            on_page=progress.page_done,
            on_embed=progress.embedded,
        )


def _refuse_together(given: Mapping[str, bool]) -> None:
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise InputError(f"{used[0]} and {used[1]} do not go together", hint="leave one out")


@contextlib.contextmanager
def _open(data: Path | None, ingest: Mapping[str, Any] | None = None) -> Generator[Phidex]:
    """The SDK; `ingest` are settings of that section, in place of the environment's."""
    from phidex.sdk import Phidex

    with Phidex(settings=_settings(data, ingest)) as phidex:
        yield phidex


@contextlib.contextmanager
def _resumable() -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; what was written stays, and the same command goes on from there", file=sys.stderr)
        raise SystemExit(130) from None


def _settings(data: Path | None, ingest: Mapping[str, Any] | None = None) -> Settings:
    from phidex.settings import load_settings  # pydantic takes longer to import than all the rest of `phidex --help`

    settings = load_settings(**({} if data is None else {"data": data}), **({"ingest": ingest} if ingest else {}))
    logging.basicConfig(level=settings.log.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return settings


def _filters(
    phidex: Phidex,
    collection: str,
    languages: list[str] | None,
    sources: list[str] | None,
    kinds: list[str] | None,
    tags: list[str] | None,
    pages: str | None,
) -> Any:
    from phidex.ingest.records import KINDS
    from phidex.retrieval.search import Filters, page_range

    unknown = [kind for kind in kinds or () if kind.lower() not in KINDS]
    if unknown:
        raise InputError(f"there is no kind {unknown[0]!r}", hint=f"kinds are: {', '.join(KINDS)}")
    strange = [language for language in languages or () if not (language.isalpha() and len(language) in (2, 3))]
    if strange:
        raise InputError(f"{strange[0]!r} is no language code", hint="write ISO 639-1, such as en, de or ja")
    return Filters(
        sources=tuple(phidex.find_sources(*sources, collection=collection)) if sources else (),
        kinds=tuple(kind.lower() for kind in kinds or ()),
        languages=tuple(language.lower() for language in languages or ()),
        tags=tuple(tags or ()),
        pages=page_range(pages) if pages else None,
    )


def _complete_in_background(settings: Settings, collection: str) -> None:
    """Start `phidex complete` in a process of its own that outlives this one; its output goes to a log in the data folder."""
    settings.data.mkdir(parents=True, exist_ok=True)  # with a Qdrant server it may not exist
    log = settings.data / "complete.log"
    with log.open("wb") as output:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "phidex", "complete", "--collection", collection, "--data", str(settings.data)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _fail(error: PhidexError, code: int) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    raise SystemExit(code) from None
