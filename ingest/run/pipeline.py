"""The pipeline: files -> parsed -> chunks -> a sink, with a report that loses nothing.

    discover -> plan (feed.py, a thread) -> prepare (workers.py, processes) -> sink.replace_many: searchable

The stages run at the same time, with bounded queues between them: memory does not grow with the collection. The sink is
retrieval's (`retrieval/collection.py`); it makes a source visible in one step. Dense vectors follow behind it.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from phidex.errors import InputError
from phidex.ingest.describe import Describe
from phidex.ingest.options import ParseOptions
from phidex.ingest.run.blobs import Blobs
from phidex.ingest.run.feed import Feed
from phidex.ingest.run.plan import Alias, Done, Hashes, Planner, Work, file_of
from phidex.ingest.run.prepare import Failed, Prepared, Recipe, Task, printable
from phidex.ingest.run.report import FileReport, IngestReport
from phidex.ingest.run.sink import Content, Details, Piece, Sink
from phidex.ingest.run.worker import Page
from phidex.ingest.run.workers import LostWorkerError, Pool, WorkerPool
from phidex.ingest.sources.discover import discover, source_id
from phidex.ingest.speech.options import SpeechOptions
from phidex.settings import IngestSettings

log = logging.getLogger(__name__)

_LOOK_S = 0.1  # files without a task may hold up what workers have to say for so long
_WAIT_S = 0.01  # for a file to be found, while workers may have something to say
_BATCH_SOURCES = 64  # committed together; or as soon as so many pieces wait, or the first of them for so long
_BATCH_PIECES = 1500
_BATCH_S = 0.5
_REFRESHED = 256  # sources of which something else is said now, told to the sink together


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom to tell how far an ingest is.

    Args:
        file: after each file, its report, its number from 1, and how many were found so far.
        page: of a long document, its name, pages done and pages in all.
        fetch: of a download, its name, bytes so far and in all (0 = not known); called from another thread.
    """

    file: Callable[[FileReport, int, int], None] | None = None
    page: Callable[[str, int, int], None] | None = None
    fetch: Callable[[str, int, int], None] | None = None


def ingest_files(
    targets: Sequence[str | Path],
    sink: Sink,
    settings: IngestSettings,
    *,
    tags: Sequence[str] | None = None,
    exclude: Path | None = None,
    workspace: Path | None = None,
    blobs: str = "",
    ref: str = "",
    only: Sequence[str] = (),
    sync: bool = False,
    dry_run: bool = False,
    listeners: Listeners | None = None,
    pool: Pool | None = None,
    describe: Describe | None = None,
    speech: SpeechOptions | None = None,
    hashes: Hashes | None = None,
) -> IngestReport:
    """Ingest what is named; a file that fails is reported and spoils nothing else.

    Args:
        tags: of all sources of this run; None leaves each the tags that it has.
        exclude: a folder that is passed over (the data folder).
        workspace: where clones and downloads are kept; None for a temporary folder.
        blobs: where pictures and what lies nowhere else are kept (`ingest/run/blobs.py`); "" keeps none.
        ref, only: see `discover`.
        sync: also remove sources whose files are gone from the folders, archives and repositories that are named.
        dry_run: write nothing, and report what would change.
        pool: where files are prepared; None for worker processes of this machine. It is left open.
        describe: puts pictures into words; None leaves them without.
        speech: how speech is recognised in recordings without transcripts; None: it is not.
        hashes: kept by the caller from run to run, spares reading files that look unchanged.

    Raises:
        InputError: a path does not exist, or an address is not taken.
        ServiceError: the store fails; what was committed before stays.
    """
    started = time.monotonic()
    if sync and only:
        raise InputError("a part of a repository says nothing of what is gone from the rest", hint="sync without `only`")
    kept, told = "" if dry_run else blobs, listeners or Listeners()
    recipe = replace(recipe_of(settings, sink, blobs=kept, analysed=not dry_run), describe=describe)
    recipe = replace(recipe, options=replace(recipe.options, speech=speech or SpeechOptions()))
    planner = Planner(sink.name, sink.known(), recipe, None if tags is None else tuple(tags), source_id, hashes)
    find = partial(discover, targets, exclude=exclude, settings=settings, ref=ref, only=only, on_progress=told.fetch)
    with contextlib.ExitStack() as stack:
        place = workspace or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phidex-")))
        workers = pool or stack.enter_context(_workers(settings))
        feed = stack.enter_context(Feed(partial(find, workspace=place), planner))
        run = _Run(sink, feed, planner, told, blobs=Blobs(kept) if kept else None, dry_run=dry_run)
        run.work(workers)
        if sync:
            run.remove_vanished(targets)
        run.report.left_out = feed.skipped
        run.report.workers_replaced = workers.replaced
    run.report.seconds_to_searchable = time.monotonic() - started
    return run.report


def _workers(settings: IngestSettings) -> WorkerPool:
    return WorkerPool(workers=settings.workers, memory_mb=settings.memory_mb, timeout_s=settings.timeout_s)


def recipe_of(settings: IngestSettings, sink: Sink, *, blobs: str = "", analysed: bool = True) -> Recipe:
    """What the settings say of how a file is read and cut: each field of `ParseOptions` from the setting of its name."""
    values: dict[str, Any] = {}
    for one in fields(ParseOptions):
        value = getattr(settings, one.name, None)
        if value is not None:
            values[one.name] = _revealed(value)
    return Recipe(
        ParseOptions(**values),
        chunk_tokens=settings.chunk_tokens,
        tokenizer=settings.tokenizer,
        max_file_mb=settings.max_file_mb,
        max_recording_mb=settings.max_recording_mb,
        memory_mb=settings.memory_mb,
        analyse=sink.analyse if analysed else None,
        blobs=blobs,
    )


def _revealed(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(map(_revealed, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class _Run:
    """One ingest: what is under way, what waits to be committed, what has been reported."""

    def __init__(
        self, sink: Sink, feed: Feed, planner: Planner, told: Listeners, *, blobs: Blobs | None, dry_run: bool
    ) -> None:
        self.report = IngestReport(dry_run=dry_run)
        self._sink = sink
        self._feed = feed
        self._planner = planner
        self._told = told
        self._blobs = blobs
        self._works: dict[int, Work] = {}
        self._aliases: list[Alias] = []
        self._failed: dict[str, FileReport] = {}  # by source id
        self._order: dict[str, int] = {}  # in which files were found
        self._batch: list[Prepared] = []
        self._batch_pieces = 0
        self._batch_since = 0.0
        self._began = blobs.now() if blobs else datetime.min.replace(tzinfo=UTC)
        self._details: list[Details] = []

    def work(self, pool: Pool) -> None:
        """Take all files through."""
        for event in pool.run(self._tasks()):
            match event:
                case Prepared():
                    self._take(event)
                case Failed():
                    self._fail(event)
                case Page(number, done, total) if self._told.page and number in self._works:
                    self._told.page(self._works[number].shown, done, total)
                case _:
                    pass
            if self._batch and time.monotonic() - self._batch_since > _BATCH_S:
                self._commit()
        self._commit()
        self._refresh()
        self._name_aliases()
        self.report.files.sort(key=lambda file: self._order[file.path])

    def remove_vanished(self, targets: Sequence[str | Path]) -> None:
        """Remove the sources whose files are gone, unless something could not be looked at."""
        planner = self._planner
        if planner.blind:
            self.report.notes.append(f"nothing was removed, since it is not known what {planner.blind[0]} holds")
            return
        if not planner.seen:
            self.report.notes.append("nothing was removed, since no file was found at all")
            return
        gone = planner.forget_vanished(targets)
        for identity in gone:
            if not self.report.dry_run:
                self._sink.remove(identity)
            if self._blobs:
                self._blobs.remove(identity)
            self._tell(FileReport(shown_uri(planner.known[identity].uri), "removed"))
        self._set_aliases(without=gone)

    def _tasks(self) -> Iterator[Task | None]:
        """The tasks, as files are found, and now and then None; what needs none is reported on the way."""
        looked = time.monotonic()
        while not self._feed.ended:
            if time.monotonic() - looked > _LOOK_S:  # a long row of unchanged files
                looked = time.monotonic()
                yield None
            step = self._feed.next(_WAIT_S)
            if step is not None:
                shown = step.report.path if isinstance(step, Done) else step.shown
                self._order.setdefault(shown, len(self._order))
            match step:
                case Work():
                    self._works[step.task.number] = step
                    yield step.task
                case Alias():
                    self._aliases.append(step)
                case Done():
                    self._feed.release(step.found)
                    self._details += (step.details,) if step.details else ()
                    if len(self._details) == _REFRESHED:
                        self._refresh()
                    self._tell(step.report)
                case None:
                    yield None

    def _take(self, prepared: Prepared) -> None:
        """Commit a long document at once, from the pipe; let short ones wait for each other."""
        if self.report.dry_run:
            self._preview(prepared)
        elif isinstance(prepared.pieces, list):
            self._batch_since = self._batch_since if self._batch else time.monotonic()
            self._batch.append(prepared)
            self._batch_pieces += len(prepared.pieces)
            if len(self._batch) >= _BATCH_SOURCES or self._batch_pieces >= _BATCH_PIECES:
                self._commit()
        else:
            self._commit()
            self._batch.append(prepared)
            try:
                self._commit()
            except LostWorkerError:  # the pool tries the file again
                self._batch.clear()

    def _commit(self) -> None:
        if not self._batch:
            return
        contents = [Content(one.source, one.digest, one.pieces) for one in self._batch]
        for one, count in zip(self._batch, self._sink.replace_many(contents), strict=True):
            work = self._works.pop(one.number)
            if self._blobs and (one.blobs or one.source.id in self._planner.known):
                self._blobs.keep_only(one.source.id, one.blobs, before=self._began)
            self._feed.release(work.found)
            self._tell(self._told_of(one, work, count))
        self._batch.clear()
        self._batch_pieces = 0

    def _refresh(self) -> None:
        if self._details and not self.report.dry_run:
            self._sink.refresh(self._details)
        self._details.clear()

    def _preview(self, prepared: Prepared) -> None:
        work = self._works[prepared.number]
        chunks = 0

        def counted() -> Iterator[Piece]:
            nonlocal chunks
            for chunks, piece in enumerate(prepared.pieces, 1):  # noqa: B007  counts
                yield piece

        try:
            difference = self._sink.preview(prepared.source, counted())
        except LostWorkerError:
            return
        del self._works[prepared.number]
        self._feed.release(work.found)
        self._tell(replace(self._told_of(prepared, work, chunks), difference=difference))

    def _told_of(self, prepared: Prepared, work: Work, count: int) -> FileReport:
        return FileReport(
            work.shown,
            work.outcome,
            count,
            prepared.source.page_count,
            reason=work.reason,
            warnings=prepared.warnings,
            seconds=prepared.seconds,
        )

    def _fail(self, failed: Failed) -> None:
        work = self._works.pop(failed.number)
        if failed.detail:
            log.warning("parser failed path=%s\n%s", work.shown, failed.detail)
        report = FileReport(work.shown, "failed", reason=failed.reason, hint=failed.hint, seconds=failed.seconds)
        self._failed[work.task.source_id] = report
        self._feed.release(work.found)
        self._tell(report)

    def _name_aliases(self) -> None:
        """Let each source be known under all names of its bytes, now that all sources are there."""
        self._set_aliases()
        for alias in self._aliases:
            failure = self._failed.get(alias.source_id)
            self._feed.release(alias.found)
            if failure:
                self._tell(replace(failure, path=alias.shown))
            else:
                self._tell(FileReport(alias.shown, "duplicate", reason=alias.reason))

    def _set_aliases(self, *, without: Collection[str] = ()) -> None:
        if self.report.dry_run:
            return
        for identity, uris in self._planner.renamed().items():
            if identity not in self._failed and identity not in without:
                self._sink.set_aliases(identity, uris)

    def _tell(self, report: FileReport) -> None:
        self.report.files.append(report)
        if self._told.file:
            number = len(self.report.files)
            self._told.file(report, number, max(number, self._feed.found))


def shown_uri(uri: str) -> str:
    """A uri as reports name it: a path where it is a file of this machine."""
    path = file_of(uri)
    return printable(path) if path else uri
