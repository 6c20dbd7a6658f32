"""What the command line prints for people: progress, hits, answers, tables. Machines read `--json` instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from phidex.doctor import Finding
from phidex.errors import InputError
from phidex.generation.answer import Answer, AnswerEvent
from phidex.generation.chat_wire import Delta
from phidex.ingest.pipeline import FileReport, IngestReport
from phidex.ingest.records import PageLocator, Source
from phidex.retrieval.collection import SourceEntry
from phidex.retrieval.search import Hit

_PREVIEW_CHARS = 280
_STEM_CHARS = 60  # of a file's name in a picture's: names end at 255 bytes


def console() -> Console:
    """Standard output, in colour only on a terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


class IngestProgress:
    """Progress on standard error: files and their pages a second, then passages embedded, with the time left.

    Silent where standard error is no terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        screen = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen,
            disable=quiet or not screen.is_terminal,
            transient=True,
        )
        self._files: TaskID | None = None
        self._passages: TaskID | None = None
        self._pages = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def file_done(self, file: FileReport, number: int, total: int) -> None:
        """One file more."""
        if self._files is None:
            self._files = self._progress.add_task("reading files", total=total, rate="")
        self._pages += file.page_count
        seconds = self._progress.tasks[0].elapsed or 0
        rate = f"{self._pages} pages, {self._pages / seconds:.0f}/s" if self._pages and seconds else ""
        self._progress.update(self._files, completed=number, total=total, rate=rate)

    def embedded(self, done: int, total: int) -> None:
        """More passages embedded."""
        if self._passages is None:
            self._passages = self._progress.add_task("dense vectors", total=total, rate="searchable meanwhile")
        self._progress.update(self._passages, completed=done, total=total)


def show_report(report: IngestReport, *, collection: str, background: bool) -> None:
    """The end of an ingest: counts, times, what failed and why, warnings."""
    out = console()
    counted = ("added", "replaced", "unchanged", "failed", "skipped")
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in counted if report.count(outcome))
    out.print(f"{escape(collection)}: {counts or 'no files'}")
    pages, chunks = sum(f.page_count for f in report.files), sum(f.chunk_count for f in report.files)
    if chunks:
        out.print(f"searchable after {report.seconds_to_searchable:.1f} s ({pages} pages, {chunks} chunks)")
    if report.embedded:
        out.print(f"complete after {report.seconds_to_complete:.1f} s ({report.embedded} dense vectors)")
    elif report.pending:
        how = "they follow in the background" if background else "run `phidex complete` to write them"
        out.print(f"{report.pending} dense vectors are still to come: {how}")
    out.print(f"[dim]dense model: {escape(report.embedder)}[/]")
    for file in report.files:
        for warning in file.warnings:
            out.print(f"[yellow]note[/] {escape(file.path)}: {escape(warning)}")
    for file in report.files:
        if file.outcome == "skipped":
            out.print(f"[yellow]skipped[/] {escape(file.path)}: {escape(file.reason)}")
    for file in report.failed:
        hint = f" ({file.hint})" if file.hint else ""
        out.print(f"[red]failed[/] {escape(file.path)}: {escape(file.reason + hint)}")


def show_hits(hits: Sequence[Hit]) -> None:
    """Hits as a list: place, why, the passage's beginning."""
    out = console()
    if not hits:
        out.print("nothing found")
    for number, hit in enumerate(hits, 1):
        why = ", ".join(f"{leg} {place.rank}" for leg, place in hit.why.items())
        out.print(f"[bold]{number}. {_place(hit.source, hit.chunk.locator)}[/]  [dim]{hit.score:.3f} ({why})[/]")
        if hit.chunk.heading:
            out.print(f"   [dim]{escape(' > '.join(hit.chunk.heading))}[/]")
        text = " ".join(hit.chunk.text.split())
        out.print(f"   {escape(text[:_PREVIEW_CHARS])}{'…' if len(text) > _PREVIEW_CHARS else ''}\n")


class AnswerPrinter:
    """Prints an answer as it streams, then its citations, the route's reason and the ledger."""

    def __init__(self) -> None:
        self._out = console()

    def show(self, event: AnswerEvent) -> None:
        """One event of the stream."""
        match event:
            case Delta(text):
                self._out.print(text, end="", markup=False)
            case Answer():
                self._finish(event)
            case _:
                pass

    def _finish(self, answer: Answer) -> None:
        self._out.print("\n")
        for citation in answer.citations:
            mark = "[green]verified[/]" if citation.verified else "[yellow]not verified[/]"
            if answer.route.role == "extractive":
                mark = "[dim]verbatim[/]"
            self._out.print(f"[bold]{escape(f'[{citation.marker}]')} {_place(citation.source, citation.locator)}[/]  {mark}")
            if citation.quote:
                self._out.print(f"    [dim]{escape(' '.join(citation.quote.split())[:_PREVIEW_CHARS])}[/]")
        for warning in answer.warnings:
            self._out.print(f"[yellow]note[/] {escape(warning)}")
        ledger = answer.ledger
        left_out = sum(entry.status == "budget" for entry in ledger.entries)
        self._out.print(
            f"[dim]route: {answer.route.role}, since {escape(answer.route.reason)}\n"
            f"context: {ledger.context_tokens} of {ledger.budget_tokens} tokens ({ledger.counted_by}), "
            f"{ledger.reserve_tokens} kept for the answer, {left_out} passages left out[/]"
        )


def save_pictures(answer: Answer, folder: Path) -> list[Path]:
    """PNG pictures of the cited PDF pages, the place marked; a page that cannot be drawn is named on standard error.

    Raises:
        InputError: the folder cannot be written to.
    """
    from phidex.ingest.render import render_page

    paths: list[Path] = []
    for citation in answer.citations:
        source, place = citation.source, citation.locator
        if not isinstance(place, PageLocator):
            continue
        path = folder / f"{citation.marker}-{Path(source.name).stem[:_STEM_CHARS]}-p{place.page_number}.png"
        try:
            picture = render_page(source.local_path(), place.page_number, place.boxes, citation.quote, sha256=source.sha256)
        except InputError as exc:
            print(f"no picture of [{citation.marker}]: {exc}", file=sys.stderr)
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)
        except OSError as exc:
            raise InputError(f"cannot write {path}: {exc.strerror}", hint="choose another folder with --pictures") from exc
        paths.append(path)
    return paths


def show_sources(entries: Sequence[SourceEntry]) -> None:
    """Sources as a table."""
    table = Table(box=None, header_style="bold")
    table.add_column("source", overflow="fold")
    for name in ("state", "kind", "language", "pages", "chunks", "pending", "ingested"):
        table.add_column(name, no_wrap=True)
    for entry in entries:
        source = entry.source
        when = datetime.fromtimestamp(entry.ingested_at).strftime("%Y-%m-%d") if entry.ingested_at else ""
        table.add_row(
            escape(source.name),
            entry.state,
            source.kind,
            source.language,
            str(source.page_count or ""),
            str(entry.chunk_count),
            str(entry.pending or ""),
            when,
        )
    console().print(table)


def show_status(status: Mapping[str, Any]) -> None:
    """Collections as a table, and where things are."""
    out = console()
    model = status["chat"] or "none: answers are quotations"
    out.print(f"data {escape(status['data'])}, store {escape(status['store'])}, model {escape(model)}")
    table = Table("collection", "sources", "chunks", "pending", "languages", "dense model", box=None, header_style="bold")
    for name, found in status["collections"].items():
        languages = ", ".join(f"{language} {count}" for language, count in list(found["languages"].items())[:8])
        numbers = (str(found[key]) for key in ("sources", "chunks", "pending"))
        table.add_row(escape(name), *numbers, languages, escape(found["embedder"] or "none"))
    out.print(table if status["collections"] else "no collections yet: phidex ingest PATH…")


def show_findings(findings: Sequence[Finding]) -> None:
    """The doctor's findings: state, part, what it says, and what to do."""
    out = console()
    colours = {"ok": "green", "missing": "yellow", "broken": "red"}
    for finding in findings:
        out.print(f"[{colours[finding.state]}]{finding.state:8}[/] [bold]{escape(finding.part)}[/]: {escape(finding.detail)}")
        if finding.cure:
            out.print(f"         [dim]{escape(finding.cure)}[/]")


def _place(source: Source, locator: Any) -> str:
    """Name and place, as a link to the file where the terminal shows links."""
    text = escape(f"{source.name}, {locator}")
    page = f"#page={locator.page_number}" if isinstance(locator, PageLocator) else ""
    return f"[link={source.uri}{page}]{text}[/link]" if source.uri.startswith("file:") else text
