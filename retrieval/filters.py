"""What a search is limited to, and how it is written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from phidex.errors import InputError
from phidex.retrieval.store import Condition, Match, Range

_PAYLOAD_FIELDS = {
    "sources": "source_id",
    "kinds": "kind",
    "languages": "language",
    "tags": "tags",
    "modalities": "modality",
    "symbols": "symbol",
}

LAST_PAGE = 10_000_000
"""More than any document has; what is beyond is no number of a page."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits are limited to; an empty field limits nothing, and all fields that are set must hold.

    `names`, `paths`, `after` and `before` speak of documents, which the catalogue knows: `retrieval/query/resolve.py` makes
    `sources` of them.

    Args:
        sources: ids of sources.
        pages: first and last page, both included.
        tags: any of them.
        modalities: "text", "table", "code", "image", "frame" or "speech".
        symbols: dotted names of what code defines, exactly.
        names: file names, titles or uris of sources, in any case, with small slips.
        paths: folders or files, from any folder boundary on ("src/"), or patterns with * and ?.
        after: the document's own date is in or after this year, month or day, ISO ("2024", "2024-01", "2024-01-15").
        before: it is before this one, likewise.
        without: what hits must not be: anything that fulfils one of its fields.
    """

    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None
    modalities: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    after: str = ""
    before: str = ""
    without: Filters | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    @property
    def is_resolved(self) -> bool:
        """Whether nothing is left that only the catalogue can tell."""
        mine = not (self.names or self.paths or self.after or self.before)
        return mine and (self.without is None or self.without.is_resolved)

    def conditions(self) -> tuple[Condition, ...]:
        """What must hold, as conditions on payload fields.

        Raises:
            InputError: they are not resolved, so that the conditions would let everything through.
        """
        if not self.is_resolved:
            raise InputError("filters by name, path or date were not looked up", hint="resolve them first: resolve_filters()")
        found: list[Condition] = [Match(key, value) for name, key in _PAYLOAD_FIELDS.items() if (value := getattr(self, name))]
        if self.pages is not None:
            found.append(Range("page", self.pages[0], self.pages[1]))
        return tuple(found)

    def exclusions(self) -> tuple[Condition, ...]:
        """What must not hold, as conditions on payload fields. Raises: InputError as `conditions` does."""
        return self.without.conditions() if self.without is not None else ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values of the fields that limit anything."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value:
                found[field.name] = value.to_dict() if isinstance(value, Filters) else _listed(value)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` was called on.

        Raises:
            InputError: a key is not known, or its value is of another kind.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                raise InputError(
                    f"there is no filter {key!r}",
                    hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}",
                )
            values[key] = _read(key, value)
        return cls(**values)


def page_range(text: str) -> tuple[int, int]:
    """First and last page of "12" or "10-20".

    Raises:
        InputError: it is neither.

    >>> page_range("10-20")
    (10, 20)
    """
    first, _, last = text.partition("-")
    try:
        pages = int(first), int(last or first)
    except ValueError:
        pages = (0, 0)
    if not 1 <= pages[0] <= pages[1] <= LAST_PAGE:
        raise InputError(f"{text!r} is not a range of pages", hint="write 12 or 10-20")
    return pages


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _read(key: str, value: Any) -> Any:
    """The value of a field from JSON."""
    wanted = "a text"
    match key:
        case "pages":
            wanted = "two numbers, or a text such as 10-20"
            if value is None or isinstance(value, str):
                return page_range(value) if value else None
            if isinstance(value, (list, tuple)) and len(value) == 2 and all(type(page) is int for page in value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                return page_range(f"{value[0]}-{value[1]}")
        case "without":
            wanted = "an object of filters"
            if value is None or isinstance(value, Mapping):
                return Filters.from_dict(value) if value else None  # pyright: ignore[reportUnknownArgumentType]
        case "after" | "before":
            if isinstance(value, str):
                return value
        case _:
            wanted = "a list of texts"
            if isinstance(value, str):
                return (value,)
            if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
                return tuple(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise InputError(f"the filter {key!r} has the value {value!r}", hint=f"it takes {wanted}")
