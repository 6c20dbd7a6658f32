"""What the command line prints for people: hits, answers, reports, tables. Machines read `--json` instead."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from phidex.doctor import Finding
from phidex.errors import InputError
from phidex.generation.answer import Answer, AnswerEvent, Route
from phidex.generation.chat_wire import Delta
from phidex.generation.extract import NOTICE
from phidex.ingest.records import LineLocator, PageLocator, Source, TimeLocator
from phidex.ingest.run.report import OUTCOMES, IngestReport
from phidex.retrieval.archive import BackupReport
from phidex.retrieval.catalogue import SourceEntry
from phidex.retrieval.hit import Hit
from phidex.retrieval.reindex import ReindexReport
from phidex.retrieval.tuning import IndexState

_PREVIEW_CHARS = 280
_MIN_NAME_CHARS = 24  # of a source's name in a narrow table
_STEM_CHARS = 60  # of a file's name in a picture's: names end at 255 bytes


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    r"""The text with what a terminal would obey made visible: documents and models are not trusted.

    >>> visible("red\x1b[31m")
    'red\ufffd[31m'
    """
    return _CONTROLS.sub("\ufffd", text)


class _Terminal(Console):
    """Gives no text that it is to print the power to move the cursor, name a link or clear the screen."""

    def render_str(self, text: str, **kwargs: Any) -> Text:
        return super().render_str(visible(text), **kwargs)


def console() -> Console:
    """Standard output, in colour only on a terminal."""
    return _Terminal(highlight=False, soft_wrap=not sys.stdout.isatty())


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "page"), counted(2, "page")
    ('1 page', '2 pages')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_reindex(report: ReindexReport) -> None:
    """What a reindex did."""
    out, name = console(), escape(report.collection)
    model = report.after.embedder.model if report.after.embedder else "no dense model"
    if not report.switched:
        out.print(f"{name}: nothing to do, it is as it should be ({escape(model)})")
        return
    old = report.before.embedder.model if report.before.embedder else "no dense model"
    change = escape(model if model == old else f"{old} → {model}")
    made = f"{counted(report.chunks, 'passage')} made anew ({change})"
    out.print(f"{name}: {made}, {report.embedded} embedded, in {report.seconds:.1f} s")
    if report.pending:
        out.print(f"without their dense vector: {counted(report.pending, 'passage')}; `phidex complete --collection {name}`")


def show_report(report: IngestReport, *, collection: str, background: bool) -> None:
    """The end of an ingest: counts, times, what failed and why, warnings; of a dry run, what would change by source."""
    out = console()
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in OUTCOMES if report.count(outcome))
    head = "would be: " if report.dry_run else ""
    out.print(f"{escape(collection)}: {head}{counts or 'no files'}")
    if report.dry_run:
        _show_differences(out, report)
    else:
        _show_times(out, report, background=background)
    for note in report.notes:
        out.print(f"[yellow]note[/] {escape(note)}")
    for rule, left_out in report.left_out.items():
        some = ", ".join(left_out.examples[:3])
        more = ", …" if left_out.count > len(left_out.examples[:3]) else ""
        out.print(f"[dim]left out {left_out.count}: {escape(rule)} ({escape(some)}{more})[/]")
    for file in report.files:
        for warning in file.warnings:
            out.print(f"[yellow]note[/] {escape(file.path)}: {escape(warning)}")
    for file in report.files:
        if file.outcome == "skipped":
            out.print(f"[yellow]skipped[/] {escape(file.path)}: {escape(file.reason)}")
        elif file.outcome == "duplicate":
            out.print(f"[dim]duplicate[/] {escape(file.path)}: {escape(file.reason)}")
        elif file.outcome == "replaced" and file.reason and not report.dry_run:
            out.print(f"[dim]renamed[/] {escape(file.path)}: {escape(file.reason)}")
        elif file.outcome == "removed" and not report.dry_run:
            out.print(f"[yellow]removed[/] {escape(file.path)}")
    for file in report.failed:
        hint = f" ({file.hint})" if file.hint else ""
        out.print(f"[red]failed[/] {escape(file.path)}: {escape(file.reason + hint)}")


def _show_times(out: Console, report: IngestReport, *, background: bool) -> None:
    chunks = sum(file.chunk_count for file in report.files)
    if chunks:
        rate = f", {report.pages_per_second:.0f} pages/s" if report.page_count else ""
        amount = f"{counted(report.page_count, 'page')}, {counted(chunks, 'chunk')}{rate}"
        out.print(f"searchable after {report.seconds_to_searchable:.1f} s ({amount})")
    if report.workers_replaced:
        out.print(f"[yellow]{counted(report.workers_replaced, 'worker')} lost and replaced[/]")
    if report.embedded:
        out.print(f"complete after {report.seconds_to_complete:.1f} s ({counted(report.embedded, 'dense vector')})")
    elif report.pending:
        how = "to follow in the background" if background else "to be written by `phidex complete`"
        out.print(f"{counted(report.pending, 'dense vector')} still {how}")
    out.print(f"[dim]dense model: {escape(report.embedder)}[/]")


def _show_differences(out: Console, report: IngestReport) -> None:
    """`+12 ~3 -1` by source: chunks that would be added, changed, removed; and how it was called before."""
    for file in report.files:
        if file.difference is not None:
            change = file.difference
            renamed = f"  (renamed, {file.reason})" if file.outcome == "replaced" and file.reason else ""
            out.print(f"+{change.added} ~{change.changed} -{change.removed}  {escape(file.path + renamed)}")
        elif file.outcome == "removed":
            out.print(f"removed  {escape(file.path)}")


def show_hits(hits: Sequence[Hit]) -> None:
    """Hits as a list: place, why, the passage's beginning."""
    out = console()
    if not hits:
        out.print("nothing found")
    for number, hit in enumerate(hits, 1):
        why = ", ".join(f"{leg} {place.rank}" for leg, place in hit.why.items())
        place = f"[bold]{number}. {_place(hit.source, hit.chunk.locator)}[/]"
        boosted = "".join(f", {name}" for name in hit.boosts)
        out.print(f"{place}  [dim]{hit.score:.3f} ({why}{boosted}){_also(hit.source)}[/]")
        for copy in hit.also:
            out.print(f"   [dim]nearly the same in {_place(copy.source, copy.locator)}[/]")
        if hit.chunk.heading:
            out.print(f"   [dim]{escape(' > '.join(hit.chunk.heading))}[/]")
        text = " ".join(hit.chunk.text.split())
        out.print(f"   {escape(text[:_PREVIEW_CHARS])}{'…' if len(text) > _PREVIEW_CHARS else ''}\n")


class AnswerPrinter:
    """Prints answers as they stream, each with its citations, the route's reason and the ledger; that quotations are not
    written by a model is said once."""

    def __init__(self) -> None:
        self._out = console()
        self._noticed = False
        self._begun = False  # text of this answer has been shown

    def show(self, event: AnswerEvent) -> None:
        """One event of the stream."""
        match event:
            case Route():
                if self._begun:
                    self._out.print(f"\n\n[yellow]note[/] {escape(event.reason)}\n")
                self._begun = False
            case Delta(text):
                self._begun = True
                if self._noticed:
                    text = text.removesuffix(NOTICE).rstrip()
                self._noticed = self._noticed or text.endswith(NOTICE)
                self._out.print(text, end="", markup=False)
            case Answer():
                self._finish(event)
            case _:
                pass

    def _finish(self, answer: Answer) -> None:
        self._begun = False
        self._out.print("\n")
        for citation in answer.citations:
            doubt = f": {escape(citation.reason)}" if citation.reason else ""
            mark = "[green]verified[/]" if citation.verified else f"[yellow]not verified{doubt}[/]"
            if answer.route.role == "extractive":
                mark = "[dim]verbatim[/]"
            place = f"[bold]{escape(f'[{citation.marker}]')} {_place(citation.source, citation.locator)}[/]"
            self._out.print(f"{place}  {mark}[dim]{_also(citation.source)}[/]")
            if citation.quote:
                self._out.print(f"    [dim]{escape(' '.join(citation.quote.split())[:_PREVIEW_CHARS])}[/]")
        if answer.searched:
            self._out.print(f"[dim]searched for: {escape(answer.searched)}[/]")
        for warning in answer.warnings:
            self._out.print(f"[yellow]note[/] {escape(warning)}")
        parts = f"; read in {counted(len(answer.plan.parts), 'part')}" if answer.plan else ""
        self._out.print(
            f"[dim]route: {answer.route.role}, since {escape(answer.route.reason)}\n"
            f"context: {escape(answer.ledger.summary())}{parts}[/]"
        )


def save_pictures(answer: Answer, folder: Path) -> list[Path]:
    """PNG pictures of the cited PDF pages, the place marked; a page that cannot be drawn is named on standard error.

    Raises:
        InputError: the folder cannot be written to.
    """
    from phidex.ingest.pdf.render import render_page

    paths: list[Path] = []
    for citation in answer.citations:
        source, place = citation.source, citation.locator
        if not isinstance(place, PageLocator) or place.unit == "slide":
            print(f"no picture of [{citation.marker}]: {source.name} has no pages that can be drawn", file=sys.stderr)
            continue
        stem = f"{citation.marker}-{Path(source.name).stem[:_STEM_CHARS]}-p{place.page_number}"
        number = sum(path.stem == stem or path.stem.startswith(f"{stem}-") for path in paths) + 1
        path = folder / (f"{stem}-{number}.png" if number > 1 else f"{stem}.png")
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
    """Sources as a table. A name that leaves no room for the rest has a line of its own; other names stand beneath."""
    out = console()
    heads = ("state", "kind", "language", "pages", "chunks", "pending", "ingested")
    columns = [column for column in zip(heads, *map(_cells, entries), strict=True) if any(column[1:]) or not entries]
    widths = [max(map(len, column)) for column in columns]
    head, *rows = zip(*columns, strict=True)
    names = [entry.source.name for entry in entries]
    room = max(map(cell_len, ("source", *names)))
    if out.is_terminal:
        room = max(min(room, out.width - sum(widths) - 2 * len(widths)), _MIN_NAME_CHARS)

    def line(name: str, cells: Sequence[str]) -> str:
        pad = " " * (room - cell_len(name)) if cell_len(name) <= room else "\n" + " " * room
        return escape(f"{name}{pad}  {'  '.join(map(str.ljust, cells, widths))}".rstrip())

    out.print(f"[bold]{line('source', head)}[/]")
    for entry, name, cells in zip(entries, names, rows, strict=True):
        out.print(line(name, cells), soft_wrap=True)
        for alias in _aliases(entry.source):
            out.print(f"[dim]  also {escape(alias)}[/]", soft_wrap=True)


def _cells(entry: SourceEntry) -> tuple[str, ...]:
    source = entry.source
    when = datetime.fromtimestamp(entry.ingested_at).strftime("%Y-%m-%d") if entry.ingested_at else ""
    numbers = (str(source.page_count or ""), str(entry.chunk_count), str(entry.pending or ""))
    return (entry.state, source.kind, source.language, *numbers, when)


def show_status(status: Mapping[str, Any]) -> None:
    """Collections as a table, and where things are."""
    out = console()
    model = status["chat"] or "none: answers are quotations"
    if status["store"] == "embedded" and not Path(status["data"]).is_dir():
        out.print(f"[yellow]there is no folder {escape(status['data'])} yet[/]")
    out.print(f"data {escape(status['data'])}, store {escape(status['store'])}, model {escape(model)}")
    table = Table("collection", "sources", "chunks", "pending", "languages", "dense model", box=None, header_style="bold")
    for name, found in status["collections"].items():
        if "fault" in found:
            out.print(escape(f"{name}: {found['fault']}"))
            continue
        languages = ", ".join(f"{language} {count}" for language, count in list(found["languages"].items())[:8])
        numbers = (str(found[key]) for key in ("sources", "chunks", "pending"))
        table.add_row(escape(name), *numbers, languages, escape(found["embedder"] or "none"))
    if table.rows or not status["collections"]:
        out.print(table if table.rows else "no collections yet: phidex ingest PATH…")


def show_findings(findings: Sequence[Finding]) -> None:
    """The doctor's findings: state, part, what it says, and what to do."""
    out = console()
    colours = {"ok": "green", "missing": "yellow", "broken": "red"}
    for finding in findings:
        out.print(f"[{colours[finding.state]}]{finding.state:8}[/] [bold]{escape(finding.part)}[/]: {escape(finding.detail)}")
        if finding.cure:
            out.print(f"         [dim]{escape(finding.cure)}[/]")


def _aliases(source: Source) -> list[str]:
    """The other names of a source; where one is the same in another folder, its path."""
    names = ((uri, replace(source, uri=uri).name) for uri in source.also)
    return [unquote(uri.removeprefix("file://")) if name == source.name else name for uri, name in names]


def _also(source: Source) -> str:
    """The other names of a source, to stand behind a place."""
    return escape(f"  also {', '.join(_aliases(source))}") if source.also else ""


def _place(source: Source, locator: Any) -> str:
    """Name and place, as a link to the file where the terminal shows links."""
    text = escape(f"{source.name}, {locator}")
    commit = source.metadata.get("commit", "")
    if commit:
        text = f"{text} at {escape(commit[:10])}"
    web = source.metadata.get("web", "")
    if web and isinstance(locator, LineLocator):
        return f"[link={web.format(start=locator.start_line, end=locator.end_line)}]{text}[/link]"
    place = f"#page={locator.page_number}" if isinstance(locator, PageLocator) and locator.unit == "page" else ""
    place = f"#t={locator.start_s:g}" if isinstance(locator, TimeLocator) else place
    return f"[link={source.uri}{place}]{text}[/link]" if source.uri.startswith("file:") else text


def show_backup(report: BackupReport, *, restored: bool) -> None:
    """What was written to a file, or made of it."""
    what = f"{counted(report.sources, 'source')}, {counted(report.chunks, 'chunk')}, {counted(report.blobs, 'blob')}"
    size = f"{report.size_bytes / 1e6:.1f} MB, {report.seconds:.1f} s"
    path, name = escape(report.path), escape(report.collection)
    console().print(f"{name}: {what} from {path} ({size})" if restored else f"{name}: {what} in {path} ({size})")


def show_index(state: IndexState) -> None:
    """How a collection is searched, and what is being done about it."""
    layout = state.layout
    how = "a graph (HNSW)" if layout.hnsw else "exact search"
    held = f"{layout.quantization} vectors in memory" if layout.quantization != "none" else "full vectors"
    outside = f", {counted(state.outside, 'point')} not in it yet" if state.outside and layout.hnsw else ""
    console().print(f"{state.step}: {counted(state.points, 'point')}, {how}, {held}{outside}")
