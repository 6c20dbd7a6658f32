"""The passages that something is to be read from: the best ones for some words, or all that the filters leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from phidex.ingest.records import Chunk, Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.expand import expand
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.query.many import search_many
from phidex.retrieval.search import conditions_of
from phidex.retrieval.store import Match
from phidex.settings import Settings

Look = Callable[[str, int], list[Hit]]
"""Words, and how many hits at most -> hits, best first."""


def best_passages(
    look: Look,
    collection: Collection,
    settings: Settings,
    text: str,
    *,
    wordings: Sequence[str] = (),
    parts: Sequence[str] = (),
    limits: Sequence[Filters] = (),
) -> list[Hit]:
    """The hits for a question, its other wordings and its parts, best first; the best of them with what belongs to them."""
    search, pack = settings.search, settings.pack
    limit = pack.long_hits if pack.mode == "long" else pack.hits
    hits = search_many(lambda words: look(words, limit), text, wordings=wordings, parts=parts, limit=limit)
    must, must_not = conditions_of(limits, collection)
    return expand(
        hits,
        collection,
        how=search.expand,
        leading=search.expand_hits,
        budget_tokens=search.expand_tokens,
        must=must,
        must_not=must_not,
    )


def all_passages(collection: Collection, limits: Sequence[Filters], source: Source | None = None) -> list[Hit]:
    """Every passage that the filters leave, in document order; of one source, where it is given."""
    must, must_not = conditions_of(limits, collection)
    only = (Match("source_id", (source.id,)),) if source is not None else ()
    chunks = sorted(collection.chunks_where([(*must, *only)], must_not), key=_place)
    sources = {source.id: source} if source else collection.sources(sorted({chunk.source_id for chunk in chunks}))
    return [Hit(chunk, sources[chunk.source_id], 0.0, {}) for chunk in chunks if chunk.source_id in sources]


def _place(chunk: Chunk) -> tuple[str, int]:
    return chunk.source_id, chunk.order
