"""Deep links: what the address says of the place to show, and the address of a place.

?collection=mill&source=<id>&page=3       a page of a document (Library)
?collection=mill&source=<id>&t=750        a second of a recording (Library)
?collection=mill&ask=Who+signed%3F        a question, asked at once (Ask)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from phidex.ingest.records import Locator, PageLocator, TimeLocator


@dataclass(frozen=True, slots=True)
class Place:
    """What an address names; empty where it names nothing.

    Args:
        source: its id.
        page_number: 0 for none.
        second: of a recording; None for none.
    """

    collection: str = ""
    source: str = ""
    page_number: int = 0
    second: float | None = None
    ask: str = ""

    def query(self) -> dict[str, str]:
        """The parameters of the address."""
        named = {
            "collection": self.collection,
            "source": self.source,
            "page": str(self.page_number or ""),
            "t": "" if self.second is None else f"{self.second:g}",
            "ask": self.ask,
        }
        return {name: value for name, value in named.items() if value}

    def link(self, page: str) -> str:
        """The address below the app's own.

        >>> Place("mill", "7c1f", 3).link("library")
        '/library?collection=mill&source=7c1f&page=3'
        """
        return f"/{page}?{urlencode(self.query())}"


def read_place(query: Mapping[str, str]) -> Place:
    """What the parameters name; those that cannot be read name nothing.

    >>> read_place({"collection": "mill", "page": "3", "t": "soon"})
    Place(collection='mill', source='', page_number=3, second=None, ask='')
    """
    page, second = query.get("page", ""), query.get("t", "")
    return Place(
        query.get("collection", ""),
        query.get("source", ""),
        int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 0,
        _seconds(second),
        query.get("ask", ""),
    )


def place_of(collection: str, source: str, locator: Locator) -> Place:
    """Where a locator points."""
    match locator:
        case PageLocator():
            return Place(collection, source, locator.page_number)
        case TimeLocator():
            return Place(collection, source, second=locator.start_s)
        case _:
            return Place(collection, source)


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e7 else None
