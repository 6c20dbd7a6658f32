"""Which documents a name means: one, a folder, an archive or a repository with all its files; and which belong together."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Source

_SHOWN = 5
_CODE = "source code"
_FILES = ("code", "text", "markdown", "html", "data")  # that only the repository makes a whole


@dataclass(frozen=True, slots=True)
class Scope:
    """What is summarised: its title, and the documents, each group of which is one text.

    Args:
        groups: titles and sources; a repository is one group, a document of its own another.
    """

    title: str
    groups: tuple[tuple[str, tuple[Source, ...]], ...]

    @property
    def sources(self) -> dict[str, Source]:
        """All documents by id."""
        return {source.id: source for _, sources in self.groups for source in sources}


def collection_scope(collection: str, sources: Sequence[Source]) -> Scope:
    """All documents of a collection; files of one repository, and loose source code, belong together.

    Raises:
        NotFoundError: there are none.
    """
    if not sources:
        raise NotFoundError(f"there is nothing in {collection!r} to summarize", hint="ingest documents into it first")
    groups = _grouped(sources)
    return Scope(groups[0][0] if len(groups) == 1 else collection, groups)


def named_scope(name: str, collection: str, sources: Sequence[Source]) -> Scope:
    """The document of that id, uri, path, file name or title; otherwise the repository, archive or folder.

    Raises:
        NotFoundError: the name fits nothing; the hint names what is near.
        InputError: it fits several documents.
    """
    here = Path(name).resolve().as_uri() if name else ""
    by_title = [source for source in sources if source.title.casefold() == name.casefold()]
    fits = [one for one in sources if one.id == name] or [one for one in sources if _called(one, name, here)]
    tree = [one for one in sources if _lies_in(one, name, here)]
    if not fits and not tree:
        fits = by_title
    if len(fits) > 1:
        uris = ", ".join(sorted(source.uri for source in fits)[:_SHOWN])
        raise InputError(f"{name!r} fits {len(fits)} documents: {uris}", hint="name one by its path, uri or id")
    if fits:
        return Scope(fits[0].title or fits[0].name, ((fits[0].title or fits[0].name, (fits[0],)),))
    if not tree:
        raise NotFoundError(f"no source {name!r} in {collection!r}", hint=_nearest(name, sources))
    title = unquote(name.rstrip("/").rsplit("/", 1)[-1]) or name
    return Scope(title, _grouped(tree))


def _grouped(sources: Sequence[Source]) -> tuple[tuple[str, tuple[Source, ...]], ...]:
    """Files of one commit together, and loose source code; a document that stands for itself (a PDF, a book) by itself."""
    groups: dict[str, list[Source]] = {}
    for source in sources:
        commit = source.metadata.get("commit") if source.kind in _FILES else None
        key = commit or (_CODE if source.kind == "code" else source.id)
        groups.setdefault(key, []).append(source)
    return tuple((_group_title(key, some), tuple(some)) for key, some in groups.items())


def _called(source: Source, name: str, here: str) -> bool:
    last = source.name.rsplit("/", 1)[-1]
    return any(
        uri in (name, here) or unquote(uri).rsplit("/", 1)[-1] == name for uri in (source.uri, *source.also)
    ) or name in (
        source.name,
        last,
    )


def _lies_in(source: Source, name: str, here: str) -> bool:
    """Whether it lies in the folder, archive or repository of that name, uri or path."""
    wanted = name.rstrip("/")
    remote = source.metadata.get("remote", "")
    if remote and wanted in (remote, remote.removesuffix(".git"), remote.rsplit("/", 1)[-1].removesuffix(".git")):
        return True
    for uri in (source.uri, *source.also):
        folder = unquote(uri.partition("#")[0])
        if any(uri.startswith((f"{one}/", f"{one}#")) for one in (here.rstrip("/"), wanted) if one):
            return True
        if "#" in uri and folder.rsplit("/", 1)[-1] == wanted:
            return True
    return False


def _group_title(key: str, sources: Sequence[Source]) -> str:
    if len(sources) == 1 and key != _CODE:
        return sources[0].title or sources[0].name
    remote = sources[0].metadata.get("remote", "")
    return remote.rsplit("/", 1)[-1].removesuffix(".git") or (key if key == _CODE else "repository")


def _nearest(name: str, sources: Sequence[Source]) -> str:
    calls = {call.casefold(): call for source in sources for call in (source.name, source.title) if call}
    near = difflib.get_close_matches(name.casefold(), calls, 3, 0.5)
    return f"near it: {', '.join(calls[one] for one in near)}" if near else "`phidex sources` lists them"
