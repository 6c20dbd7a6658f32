"""Filters that speak of documents, looked up in the catalogue: names, paths and dates become ids of sources."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Source
from phidex.retrieval.catalogue import sources_only
from phidex.retrieval.filters import Filters
from phidex.retrieval.payload import source_of
from phidex.retrieval.reader import CollectionReader

_CLOSE = 0.75  # of 1: below, a name is another name
_SHOWN = 3
_NOBODY = ("none",)  # no source has this id
_DATES = ("date", "created", "published", "creation_date", "creationdate", "modified", "last_modified")
_ISO_DAY = re.compile(r"(?:D:)?(\d{4})[-/]?(\d{2})?[-/]?(\d{2})?")


class _Entry(NamedTuple):
    """A source by what people call it, in lower case, and its date as ISO text, "" where it says none."""

    id: str
    title: str
    name: str
    uris: tuple[str, ...]
    date: str


def resolve_filters(filters: Filters, collection: CollectionReader) -> Filters:
    """The same filters with nothing left that only the catalogue can tell; reads the catalogue only where needed.

    Raises:
        NotFoundError: no source has such a name, or none lies under such a path; the hint names the nearest.
        InputError: a date is none.
    """
    return filters if filters.is_resolved else _resolved(filters, _entries(collection))


def sources_at(paths: Sequence[str], collection: CollectionReader) -> list[tuple[str, ...]]:
    """Ids of the sources at each path or in each folder, empty ones left out, by one look at the catalogue."""
    if not paths:
        return []
    places = _places(_entries(collection))
    found = [tuple(one.id for one in _fitting(path, places)) for path in paths]
    return [ids for ids in found if ids]


def _entries(collection: CollectionReader) -> list[_Entry]:
    def read() -> list[_Entry]:
        records = collection.catalogue.scroll(sources_only())
        return [_entry(source_of(record.payload)) for record in records if record.payload["phase"] != "removing"]

    return collection.while_unchanged("entries", read)


def _resolved(filters: Filters, sources: Sequence[_Entry], *, any_of: bool = False) -> Filters:
    found: list[set[str]] = [set(filters.sources)] if filters.sources else []
    if filters.names:
        found.append({entry.id for name in filters.names for entry in _named(name, sources)})
    if filters.paths:
        found.append({entry.id for path in filters.paths for entry in _under(path, sources)})
    for after, before in ((filters.after, ""), ("", filters.before)):
        if after or before:
            found.append({entry.id for entry in sources if _is_dated(entry.date, after, before)})
    ids: tuple[str, ...] = ()
    if found:
        both = found[0].union(*found[1:]) if any_of else found[0].intersection(*found[1:])
        ids = tuple(sorted(both)) or _NOBODY
    without = _resolved(filters.without, sources, any_of=True) if filters.without is not None else None
    return replace(filters, sources=ids, names=(), paths=(), after="", before="", without=without)


def _named(wanted: str, sources: Sequence[_Entry]) -> list[_Entry]:
    """The sources meant by a name: those that have it, else those whose name holds it, else the nearest."""
    name = " ".join(wanted.casefold().split())
    exact = [one for one in sources if name in (one.id, one.title, one.name, _stem(one.name), *one.uris)]
    if exact:
        return exact
    exact = [one for one in sources if name == _last(one.name) or name == _stem(_last(one.name))]
    if exact:
        return exact
    held = [one for one in sources if _words_in(name, one.title) or _words_in(name, one.name)]
    if held:
        return held
    called = {call: one for one in sources for call in (one.title, one.name, _last(one.name), _stem(_last(one.name))) if call}
    near = difflib.get_close_matches(name, called, _SHOWN, _CLOSE)
    if near:
        best = called[near[0]]
        return [one for one in sources if one.title == best.title and one.name == best.name]
    raise NotFoundError(f"no source is called {wanted!r}", hint=_nearest(name, called))


def _under(path: str, sources: Sequence[_Entry]) -> list[_Entry]:
    """The same as `_fitting`, which must find something."""
    fits = _fitting(path, _places(sources))
    if not fits:
        folders = {place.rpartition("/")[0] for one in sources for place in (one.name,) if "/" in place}
        hint = _nearest(_path(path), folders or {one.name for one in sources})
        raise NotFoundError(f"no source lies under {path!r}", hint=hint)
    return fits


def _places(sources: Sequence[_Entry]) -> list[tuple[_Entry, str]]:
    return [(one, place) for one in sources for place in (one.name, *one.uris)]


def _path(path: str) -> str:
    return path.replace("\\", "/").casefold().removeprefix("./")


def _fitting(path: str, places: Sequence[tuple[_Entry, str]]) -> list[_Entry]:
    """The sources at a path or in a folder, counted from any folder boundary, or that fit a pattern."""
    wanted = _path(path)
    if "*" in wanted or "?" in wanted:
        fits = {one.id: one for one, place in places if fnmatchcase(place, wanted) or fnmatchcase(place, f"*/{wanted}")}
    else:
        inner = "/" + wanted.strip("/") + "/"
        fits = {one.id: one for one, place in places if inner in f"/{place}/"}
    return list(fits.values())


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, _SHOWN, 0.0)
    return f"the nearest: {', '.join(close)}" if close else "the collection is empty: ingest into it first"


def _is_dated(date: str, after: str, before: str) -> bool:
    """Whether a date lies in the span; ISO dates and their beginnings compare as text."""
    for bound in filter(None, (after, before)):
        if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", bound):
            raise InputError(f"{bound!r} is no date", hint="write 2024, 2024-01 or 2024-01-31")
    return bool(date) and date[: len(after)] >= after and (not before or date < before)


def date_of(source: Source) -> str:
    """The document's own date as it was made or last changed, ISO, as exact as it says; "" where it says none.

    >>> date_of(Source("", "", "pdf", "", "", "en", "", metadata={"creation_date": "D:20240115093000Z"}))
    '2024-01-15'
    """
    for key in _DATES:
        value = source.metadata.get(key, "").strip()
        if found := _ISO_DAY.match(value):
            return "-".join(part for part in found.groups() if part)
        if value[:1].isalpha() and "," in value:  # as HTTP writes it
            try:
                return parsedate_to_datetime(value).date().isoformat()
            except ValueError:
                continue
    return ""


def _entry(source: Source) -> _Entry:
    uris = tuple(unquote(uri).casefold() for uri in (source.uri, *source.also))
    return _Entry(source.id, " ".join(source.title.casefold().split()), source.name.casefold(), uris, date_of(source))


def _words_in(name: str, text: str) -> bool:
    """Whether a name stands in a text as whole words, where its script has spaces."""
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
