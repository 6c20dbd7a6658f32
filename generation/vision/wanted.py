"""Hits -> the pictures that show their places, best first; nothing is read or drawn here, so that the router can count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from phidex.generation.vision.plan import PictureKind
from phidex.ingest.records import PageLocator, Picture, TimeLocator
from phidex.retrieval.hit import Hit

_MOST_PAGES = 8  # drawn for passages that merely stand on them; of pages that the question names, all


class Files(Protocol):
    """Where figures, frames and originals lie."""

    def get(self, identity: str) -> bytes:
        """The bytes of a blob."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that may help.

    Args:
        hit: the passage whose place it shows: it is cited by its marker.
        blob: of a figure or frame, its id among the blobs.
        picture: of an attached one, the picture itself, ready to be sent.
    """

    kind: PictureKind
    hit: Hit
    blob: str = ""
    picture: Picture | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The same for two passages that one picture shows."""
        if self.blob or self.kind == "attached":
            return self.blob or self.hit.chunk.id
        return f"{self.hit.source.id}#page={self.page_number}"

    @property
    def page_number(self) -> int:
        """1-based; of a photo in a file of several, its number there; 0 of what stands on no page."""
        locator = self.hit.chunk.locator
        return locator.page_number if isinstance(locator, PageLocator) else 0


def wanted_pictures(
    hits: Sequence[Hit], attached: Sequence[Wanted] = (), *, pages: tuple[int, int] | None = None
) -> tuple[Wanted, ...]:
    """What is attached, then one picture a place: the figure or frame itself where there is one, else the page it stands on.

    Args:
        hits: best first.
        pages: first and last page that the question names: those come before others.
    """
    found = {one.key: one for hit in hits if (one := _picture_of(hit)) is not None}
    named = [one for one in found.values() if pages is not None and pages[0] <= one.page_number <= pages[1]]
    ordered = list({one.key: one for one in (*named, *found.values())}.values())
    keys = [one.key for one in ordered if one.kind == "page" and one not in named]
    beyond = set(keys[_MOST_PAGES:])
    return (*attached, *(one for one in ordered if one.key not in beyond))


def _picture_of(hit: Hit) -> Wanted | None:
    """The picture of a passage's place; None of what has none: lines of code, cells, slides, which other programs draw."""
    chunk, locator = hit.chunk, hit.chunk.locator
    if chunk.image:
        return Wanted("figure", hit, chunk.image)
    if isinstance(locator, TimeLocator):
        return Wanted("frame", hit, locator.frame) if locator.frame else None
    if not isinstance(locator, PageLocator) or locator.unit != "page":
        return None
    if hit.source.kind == "image":
        return Wanted("photo", hit)
    return Wanted("page", hit) if hit.source.kind == "pdf" else None
