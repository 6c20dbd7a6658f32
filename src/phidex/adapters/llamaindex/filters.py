"""LlamaIndex's metadata filters as filters of Phidex: those that hold for every passage exactly, and an error for the others.

Of a passage: `language`, `modality`, `symbol`, `page_number` (or `page_label`, `page`). Of its document: `kind`, `tags`,
`file_name`, `source_id`, `doc_id`, and any key of its own metadata, which is looked up in the catalogue; what documents say of
themselves under a key goes before what Phidex says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from phidex.adapters.unsupported import UnsupportedError
from phidex.ingest.records import Source
from phidex.ingest.run.given import GIVEN
from phidex.retrieval.filters import LAST_PAGE, Filters

_OF_PASSAGES = {"language": "languages", "modality": "modalities", "symbol": "symbols", "kind": "kinds", "tags": "tags"}
_PAGES = ("page_number", "page_label", "page")
_IDS = ("doc_id", "ref_doc_id", "document_id", "source_id")
_ANY = (FilterOperator.EQ, FilterOperator.IN, FilterOperator.ANY, FilterOperator.CONTAINS)
_NONE = (FilterOperator.NE, FilterOperator.NIN)
_COMPARED: dict[FilterOperator, Callable[[float, float], bool]] = {
    FilterOperator.GT: lambda left, right: left > right,
    FilterOperator.LT: lambda left, right: left < right,
    FilterOperator.GTE: lambda left, right: left >= right,
    FilterOperator.LTE: lambda left, right: left <= right,
}
NO_SOURCE = "00000000-0000-0000-0000-000000000000"
"""No source has this id: a filter that names it lets nothing through."""
VARYING = "differs_within"
"""The key of `Source.metadata` that names what the nodes of one document say differently."""


def filters_of(wanted: MetadataFilters | None, sources: Callable[[], Sequence[Source]]) -> Filters:
    """What a search is limited to.

    Args:
        sources: those of the collection, asked for only where a filter speaks of documents.

    Raises:
        UnsupportedError: a filter cannot be held to exactly; the hint says which can.
    """
    found = Filters()
    for one in wanted.filters if wanted is not None else ():
        if wanted is not None and wanted.condition not in (None, FilterCondition.AND) and len(wanted.filters) > 1:
            raise UnsupportedError(f"filters joined by {wanted.condition!r}", hint="join them by AND, or search several times")
        if isinstance(one, MetadataFilters):
            found = _both(found, filters_of(one, sources))
        elif wanted is not None and wanted.condition == FilterCondition.NOT:
            raise UnsupportedError("a filter that is negated", hint="use the operators != and nin")
        else:
            found = _both(found, _filter(one, sources))
    return found


def _filter(one: MetadataFilter, sources: Callable[[], Sequence[Source]]) -> Filters:
    if one.key in _OF_PASSAGES and not any(one.key in _said(source) for source in sources()):
        named = Filters.from_dict({_OF_PASSAGES[one.key]: _texts(one.value)})
        if one.operator in _ANY:
            return named
        if one.operator in _NONE:
            return Filters(without=named)
        raise _unknown_operator(one)
    if one.key in _PAGES:
        return _pages(one)
    return _documents(one, sources())


def _pages(one: MetadataFilter) -> Filters:
    try:
        number = int(one.value)  # pyright: ignore[reportArgumentType]  a list raises
    except (TypeError, ValueError):
        raise UnsupportedError(f"{one.key} {one.operator.value} {one.value!r}", hint="compare pages with one number") from None
    match one.operator:
        case FilterOperator.EQ:
            return Filters(pages=(number, number))
        case FilterOperator.NE:
            return Filters(without=Filters(pages=(number, number)))
        case FilterOperator.GTE | FilterOperator.GT:
            return Filters(pages=(number + (one.operator is FilterOperator.GT), LAST_PAGE))
        case FilterOperator.LTE | FilterOperator.LT:
            return Filters(pages=(1, number - (one.operator is FilterOperator.LT)))
        case _:
            raise _unknown_operator(one)


def _documents(one: MetadataFilter, sources: Sequence[Source]) -> Filters:
    """The documents that fit, by their ids."""
    if unsure := next((source for source in sources if one.key in source.metadata.get(VARYING, "").split(",")), None):
        hint = "filter on what all nodes of a document share, or give each its own ref_doc_id"
        raise UnsupportedError(f"a filter on {one.key!r}, which differs between the nodes of {unsure.name}", hint=hint)
    told = {source.id: _told(source, one.key) for source in sources}
    if not any(value is not None for value in told.values()):
        hint = f"there are {', '.join((*_OF_PASSAGES, 'page_number', 'file_name', 'doc_id'))}, and what documents say"
        raise UnsupportedError(f"a filter on {one.key!r}, which no document of the collection has", hint=hint)
    fits = tuple(identity for identity, value in told.items() if _fits(value, one))
    return Filters(sources=fits or (NO_SOURCE,))


def _said(source: Source) -> set[str]:
    """The keys under which a document says something of itself."""
    return {*source.metadata, *source.metadata.get(VARYING, "").split(",")}


def _told(source: Source, key: str) -> tuple[str, ...] | None:
    """What a document says under a key; None where it says nothing."""
    if key in _IDS:
        return tuple(filter(None, (source.id, source.metadata.get(GIVEN, ""))))
    value = source.metadata.get(key)
    if key == "file_name":
        return tuple(filter(None, (value, source.name, source.name.rpartition("/")[2])))
    return None if value is None else (value,)


def _fits(told: tuple[str, ...] | None, one: MetadataFilter) -> bool:
    if one.operator is FilterOperator.IS_EMPTY:
        return told is None
    wanted = _texts(one.value)
    if one.operator in _NONE:
        return told is None or not set(told) & set(wanted)
    if told is None:
        return False
    if one.operator in _ANY:
        return bool(set(told) & set(wanted))
    if one.operator is FilterOperator.TEXT_MATCH:
        return any(wanted[0] in value for value in told)
    if one.operator is FilterOperator.TEXT_MATCH_INSENSITIVE:
        return any(wanted[0].casefold() in value.casefold() for value in told)
    if (compare := _COMPARED.get(one.operator)) is not None:
        try:
            return any(compare(float(value), float(wanted[0])) for value in told)
        except ValueError:  # dates, as ISO writes them, compare as text
            return any(compare((value > wanted[0]) - (value < wanted[0]), 0) for value in told)
    raise _unknown_operator(one)


def _both(left: Filters, right: Filters) -> Filters:
    """What fulfils both.

    Raises:
        UnsupportedError: both limit the same in different ways.
    """
    changed: dict[str, Any] = {}
    for name in Filters.__dataclass_fields__:
        mine, other = getattr(left, name), getattr(right, name)
        if not other:
            continue
        if not mine or mine == other:
            changed[name] = other
        elif name == "sources":
            changed[name] = tuple(one for one in mine if one in other) or (NO_SOURCE,)
        elif name == "pages":
            changed[name] = (max(mine[0], other[0]), min(mine[1], other[1]))
        elif name == "without" and not (set(_set(mine)) & set(_set(other))):
            changed[name] = _both(mine, other)
        else:
            raise UnsupportedError(f"several filters on {name}", hint="give their values to one filter, with the operator in")
    return replace(left, **changed)


def _set(filters: Filters) -> list[str]:
    return [name for name in Filters.__dataclass_fields__ if getattr(filters, name)]


def _texts(value: Any) -> tuple[str, ...]:
    values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    return tuple(str(one) for one in values)


def _unknown_operator(one: MetadataFilter) -> UnsupportedError:
    return UnsupportedError(f"{one.key} with the operator {one.operator.value!r}", hint="use ==, !=, in or nin")
