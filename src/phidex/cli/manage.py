"""What is there: `phidex sources`, `remove`, `status`; kept elsewhere: `backup`, `restore`; indexed: `optimize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phidex.cli.options import (
    AllOption,
    BackupArgument,
    CollectionOption,
    DataOption,
    JsonOption,
    NameOption,
    NamesArgument,
    NoBlobsOption,
    ReplaceOption,
)
from phidex.cli.session import open_phidex, print_json, resumable
from phidex.errors import InputError

if TYPE_CHECKING:
    from phidex.retrieval.tuning import IndexState


def sources(collection: CollectionOption = "default", data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the sources of a collection with their state, pages, chunks and language."""
    from phidex.show import show_sources

    with open_phidex(data) as phidex:
        entries = phidex.sources(collection)
    if as_json:
        print_json([entry.to_dict() for entry in entries])
    else:
        show_sources(entries)


def remove(
    names: NamesArgument = None,
    collection: CollectionOption = "default",
    data: DataOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove sources from a collection; the documents themselves are not touched."""
    if bool(names) == everything:
        raise InputError("name the sources to remove, or give --all for the collection", hint="phidex sources lists them")
    with open_phidex(data) as phidex:
        if everything:
            removed = [entry.source.uri for entry in phidex.sources(collection)]
            phidex.drop(collection)
        else:
            removed = phidex.remove(*(names or ()), collection=collection)
    if as_json:
        print_json({"removed": removed})
    else:
        print(*(f"removed {uri}" for uri in removed), sep="\n")


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show what the data folder holds."""
    from phidex.show import show_status

    with open_phidex(data) as phidex:
        found = phidex.status()
    if as_json:
        print_json(found)
    else:
        show_status(found)


def backup(
    path: BackupArgument,
    collection: CollectionOption = "default",
    data: DataOption = None,
    replace: ReplaceOption = False,
    no_blobs: NoBlobsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a collection to one file, while others search and ingest."""
    from phidex.progress import StepProgress
    from phidex.show import show_backup

    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress:
        report = phidex.backup(path, collection, blobs=not no_blobs, replace=replace, on_progress=progress.stepped)
    if as_json:
        print_json(report.to_dict())
    else:
        show_backup(report, restored=False)


def restore(
    path: BackupArgument,
    name: NameOption = "",
    data: DataOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a collection from a backup; it appears whole, with the last step."""
    from phidex.progress import StepProgress
    from phidex.show import show_backup

    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress:
        report = phidex.restore(path, name, replace=replace, on_progress=progress.stepped)
    if as_json:
        print_json(report.to_dict())
    else:
        show_backup(report, restored=True)


def optimize(collection: CollectionOption = "default", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Bring a collection's index to the settings now; large collections do it by themselves, in the background."""
    from phidex.progress import StepProgress
    from phidex.show import show_index

    with open_phidex(data) as phidex, StepProgress(quiet=as_json) as progress, resumable():

        def told(state: IndexState) -> None:
            progress.stepped(state.step, state.points - state.outside, state.points)

        state = phidex.optimize(collection, on_state=told)
    if as_json:
        print_json(state.to_dict())
    else:
        show_index(state)
