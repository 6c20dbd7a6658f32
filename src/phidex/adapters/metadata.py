"""A passage's document and place as metadata: the one set of names that nodes of LlamaIndex and documents of LangChain get."""

from __future__ import annotations

from typing import Any

from phidex.generation.answer import Citation
from phidex.ingest.records import Locator, Source
from phidex.retrieval.hit import Hit

SHOWN = ("file_name", "title", "heading", "location")
"""What a model is shown of it; the rest is for programs."""


def place_metadata(source: Source, locator: Locator) -> dict[str, Any]:
    """What the document says of itself, what it is, and where in it: `location` in words, `locator` as its `to_dict` has it.

    The fields of the place also stand beside it: `page_number`, `page_label`, `boxes`; `path`, `start_line`, `end_line`,
    `commit`; `sheet`, `cells`; `part`, `start`, `end`; `start_s`, `end_s`, `frame`.

    >>> from phidex.ingest.records import PageLocator
    >>> source = Source("5f0c", "file:///lease.pdf", "pdf", "Lease", "", "en", "application/pdf", metadata={"author": "Ada"})
    >>> told = place_metadata(source, PageLocator(3))
    >>> told["file_name"], told["page_number"], told["location"], told["author"]
    ('lease.pdf', 3, 'p. 3', 'Ada')
    """
    place = locator.to_dict()
    return {
        **source.metadata,
        "source_id": source.id,
        "source": source.uri,
        "file_name": source.name.rpartition("/")[2],
        "title": source.title,
        "kind": source.kind,
        "tags": list(source.tags),
        **{key: value for key, value in place.items() if key != "type" and value != ""},
        "location": str(locator),
        "locator": place,
    }


def hit_metadata(hit: Hit) -> dict[str, Any]:
    """The same for a hit, with its language, headings, and the place that it has in each leg."""
    chunk = hit.chunk
    told = place_metadata(hit.source, chunk.locator)
    told |= {"language": chunk.language, "modality": chunk.modality, "order": chunk.order}
    told |= {"heading": " > ".join(chunk.heading)} if chunk.heading else {}
    told |= {"symbol": chunk.symbol} if chunk.symbol else {}
    return told | {"why": {leg: place.rank for leg, place in hit.why.items()}}


def citation_metadata(citation: Citation) -> dict[str, Any]:
    """The same for a citation, with its `marker`, its `quote`, and whether that was `verified`."""
    told = place_metadata(citation.source, citation.locator)
    return told | {"marker": citation.marker, "quote": citation.quote, "verified": citation.verified}
