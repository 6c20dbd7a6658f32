"""Documents in: `phidex ingest`, `phidex complete`, `phidex reindex`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from phidex.cli.options import (
    AskPasswordOption,
    BackgroundOption,
    CollectionOption,
    DataOption,
    DescribeOption,
    DryRunOption,
    EmbedderOption,
    EngineOption,
    JsonOption,
    OcrOption,
    OnlyOption,
    QualityOption,
    RayAddressOption,
    RefOption,
    SubmodulesOption,
    SyncOption,
    TagOption,
    TargetsArgument,
    WatchOption,
    WorkersOption,
)
from phidex.cli.session import open_phidex, print_json, resumable
from phidex.errors import InputError

if TYPE_CHECKING:
    from phidex.ingest.run.report import IngestReport
    from phidex.sdk import Phidex
    from phidex.settings import Settings


def ingest(
    targets: TargetsArgument,
    collection: CollectionOption = "default",
    data: DataOption = None,
    tags: TagOption = None,
    ref: RefOption = "",
    only: OnlyOption = None,
    quality: QualityOption = None,
    ocr: OcrOption = None,
    ask_password: AskPasswordOption = False,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    ray_address: RayAddressOption = None,
    describe: DescribeOption = None,
    submodules: SubmodulesOption = False,
    sync: SyncOption = False,
    dry_run: DryRunOption = False,
    watch: WatchOption = False,
    background: BackgroundOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ingest documents: searchable in seconds, complete when their dense vectors are written.

    Unchanged files are skipped, edited ones replaced in one step. Interrupted, the same command goes on.
    """
    _refuse_together({"--watch": watch, "--dry-run": dry_run, "--background": background})
    _refuse_together({"--watch": watch, "--ref": bool(ref), "--only": bool(only)})
    password = typer.prompt("password", hide_input=True, err=True) if ask_password else ""
    changes = {
        "quality": quality,
        "ocr": ocr,
        "workers": workers,
        "engine": "ray" if ray_address else engine,
        "ray_address": ray_address,
        "describe": describe,
        "submodules": submodules or None,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    run = {"collection": collection, "tags": tags, "sync": sync}
    with open_phidex(data, given, password=password) as phidex:
        if watch:
            _follow(phidex, targets, run, as_json=as_json)
            return
        dense = "later" if background else "now"
        report = _take_in(phidex, targets, {**run, "ref": ref, "only": only or (), "dry_run": dry_run, "dense": dense}, as_json)
        if background and report.pending:
            _complete_in_background(phidex.settings, collection)
        _print_report(report, collection, background=background, as_json=as_json)
    if report.failed:
        raise SystemExit(1)


def complete(collection: CollectionOption = "default", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Write the dense vectors that are still missing (what `ingest --background` leaves to do)."""
    from phidex.progress import IngestProgress
    from phidex.show import counted

    with open_phidex(data) as phidex, resumable(), IngestProgress(quiet=as_json) as progress:
        done = phidex.complete(collection, on_embed=progress.embedded)
    if as_json:
        print_json({"embedded": done})
    else:
        print(f"{counted(done, 'dense vector')} written" if done else "nothing was missing")


def reindex(
    collection: CollectionOption = "default",
    embedder: EmbedderOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed and analyse the stored passages anew: for another embedder, or after an update of Phidex.

    No document is read again. The collection is searched all the while, and switched in one step. Interrupted, the same
    command goes on.
    """
    from phidex.progress import IngestProgress
    from phidex.show import show_reindex

    with open_phidex(data) as phidex, resumable(), IngestProgress(quiet=as_json) as progress:
        report = phidex.reindex(collection, embedder, on_progress=progress.reindexed)
    if as_json:
        print_json(report.to_dict())
    else:
        show_reindex(report)


def _take_in(phidex: Phidex, targets: Sequence[str], run: Mapping[str, Any], quiet: bool) -> IngestReport:
    from phidex.progress import IngestProgress

    with resumable(), IngestProgress(quiet=quiet) as progress:
        return phidex.ingest(
            *targets,
            **run,
            on_file=progress.file_done,
            on_page=progress.page_done,
            on_fetch=progress.fetched,
            on_embed=progress.embedded,
        )


def _follow(phidex: Phidex, targets: Sequence[str], run: Mapping[str, Any], *, as_json: bool) -> None:
    """Ingest, and again after each change, with a report of each round in which something happened."""
    from phidex.progress import IngestProgress
    from phidex.show import counted, show_report

    with resumable(), IngestProgress(quiet=as_json) as progress:
        first = True

        def round_done(report: IngestReport) -> None:
            nonlocal first
            progress.clear()
            if as_json:
                print(json.dumps(report.to_dict(), ensure_ascii=False), flush=True)
            elif report.count("unchanged") < len(report.files) or report.notes:
                show_report(report, collection=run["collection"], background=False)
            elif first:
                print(f"{counted(len(report.files), 'file')} unchanged; following them until Ctrl-C")
            first = False

        phidex.watch(
            *targets,
            **run,
            on_report=round_done,
            on_fault=lambda fault: print(f"{fault.message}; it is tried again", file=sys.stderr, flush=True),
            on_file=progress.file_done,
            on_page=progress.page_done,
            on_embed=progress.embedded,
        )


def _print_report(report: IngestReport, collection: str, *, background: bool, as_json: bool) -> None:
    from phidex.show import show_report

    if as_json:
        print_json(report.to_dict())
    else:
        show_report(report, collection=collection, background=background)


def _refuse_together(given: Mapping[str, bool]) -> None:
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise InputError(f"{used[0]} and {used[1]} do not go together", hint="leave one out")


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
