"""What a search is limited to, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass

from phidex.errors import InputError
from phidex.retrieval.store import Condition, Match, Range


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits are limited to; an empty field limits nothing.

    Args:
        sources: ids of sources.
        pages: first and last page, both included.
        tags: any of them.
    """

    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None

    def conditions(self) -> tuple[Condition, ...]:
        """The same as conditions on payload fields."""
        fields = (("source_id", self.sources), ("kind", self.kinds), ("language", self.languages), ("tags", self.tags))
        found: list[Condition] = [Match(key, values) for key, values in fields if values]
        if self.pages is not None:
            found.append(Range("page", self.pages[0], self.pages[1]))
        return tuple(found)


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
    if not 1 <= pages[0] <= pages[1]:
        raise InputError(f"{text!r} is not a range of pages", hint="write 12 or 10-20")
    return pages
