"""What is there: `phidex sources`, `phidex remove`, `phidex status`."""

from __future__ import annotations

from phidex.cli.options import AllOption, CollectionOption, DataOption, JsonOption, NamesArgument
from phidex.cli.session import open_phidex, print_json
from phidex.errors import InputError


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
