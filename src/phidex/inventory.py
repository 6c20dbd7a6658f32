"""What a library holds: its sources by the names that people give them, taking some of them out, and an overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phidex.errors import ConfigError, InputError, NotFoundError
from phidex.generation.chat_faults import shown_url
from phidex.ingest.records import Source
from phidex.retrieval.collection import Collection

if TYPE_CHECKING:
    from phidex.library import Library


def fitting(names: Sequence[str], sources: Sequence[Source], collection: str) -> dict[str, list[str]]:
    """The uris that the names mean, by source id; an id means all of a source's.

    Raises:
        NotFoundError: a name fits no source.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        wanted, fits = {name, Path(name).resolve().as_uri()}, False
        for source in sources:
            for uri in (source.uri, *source.also):
                if name == source.id or wanted & {uri, replace(source, uri=uri).name}:
                    fits = True
                    found.setdefault(source.id, []).append(uri)
        if not fits:
            raise NotFoundError(f"no source {name!r} in {collection!r}", hint="`phidex sources` lists them")
    return {source_id: list(dict.fromkeys(uris)) for source_id, uris in found.items()}


def only_source(name: str, target: Collection) -> Source:
    """The one source that a name means: by id, uri, path or file name.

    Raises:
        NotFoundError: it fits none.
        InputError: it fits several.
    """
    sources = {entry.source.id: entry.source for entry in target.entries()}
    found = fitting([name], list(sources.values()), target.name)
    if len(found) > 1:
        uris = ", ".join(sources[identity].uri for identity in list(found)[:5])
        raise InputError(f"{name!r} fits {len(found)} documents: {uris}", hint="name one by its path or uri")
    return sources[next(iter(found))]


def remove_sources(library: Library, names: Sequence[str], collection: str) -> list[str]:
    """Remove what the names mean; returns the uris of what was removed.

    Raises:
        NotFoundError: a name fits no source; nothing is removed then.
        InputError: a file name fits several; likewise.
    """
    target, blobs = library.collection(collection), library.blobs(collection)
    sources = {entry.source.id: entry.source for entry in target.entries()}
    for name in names:
        found = fitting([name], list(sources.values()), collection)
        uris = sorted({uri for known in found.values() for uri in known})
        if name not in sources and len(uris) > 1:
            raise InputError(f"{name!r} fits {len(uris)} documents: {', '.join(uris[:5])}", hint="name one by its path or uri")
    chosen = fitting(names, list(sources.values()), collection)
    for source_id, uris in chosen.items():
        whole = set(uris) == {sources[source_id].uri, *sources[source_id].also}
        if any(target.remove(source_id, uri) for uri in ([None] if whole else uris)):
            blobs.remove(source_id)
    target.compact()
    return [uri for uris in chosen.values() for uri in uris]


def overview(library: Library) -> dict[str, Any]:
    """Collections with what they hold, the store and the models; of a collection that cannot be opened, only its `fault`."""
    found: dict[str, Any] = {}
    for name in library.names():
        try:
            found[name] = summary(Collection.open(library.store(), name))
        except ConfigError as exc:  # of another version: the others are shown all the same
            found[name] = {"fault": f"{exc.message}: {exc.hint}"}
    return {
        "data": str(library.settings.data),
        "store": shown_url(library.settings.store.url) or "embedded",
        "chat": shown_url(library.settings.chat.url),
        "collections": found,
    }


def summary(target: Collection) -> dict[str, Any]:
    """What a collection holds, in which languages, by which dense model, and how it is indexed."""
    entries = target.entries()
    return {
        "sources": len(entries),
        "incomplete": sum(entry.state == "incomplete" for entry in entries),
        "chunks": target.count(),
        "pending": target.pending(),
        "languages": target.languages(),
        "embedder": target.meta.embedder.model if target.meta.embedder else "",
        "index": target.store.index_state(target.points).to_dict(),
    }
