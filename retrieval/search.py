"""Question -> hits: both legs asked in one request, fused here, each hit with the reason for its place.

The lexical leg is right where people use the document's words, the dense leg where they reword, and only in languages that its
model knows. So the dense leg is asked only for those, and its weight follows from how sure the lexical leg is (`fuse.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from phidex.errors import InputError
from phidex.ingest.language import detect_language
from phidex.ingest.records import Source
from phidex.retrieval.catalogue import Transitions
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import Embedder
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.payload import chunk_of
from phidex.retrieval.store import Floats, Fused, Leg, LegName, SparseVector, Where

_MAX_QUERY_CHARS = 20_000
_LEG_NAMES: dict[LegName, str] = {"sparse": "lexical", "dense": "dense"}


def search(
    collection: Collection,
    query: str,
    *,
    embedder: Embedder | None,
    limit: int = 10,
    candidates: int = 100,
    filters: Filters | None = None,
) -> list[Hit]:
    """The best chunks for a query, at most `limit`, best first.

    Args:
        candidates: how many hits each leg contributes before fusion.

    Raises:
        InputError: the query is empty or too long, or `limit` is less than 1.
    """
    if limit < 1:
        raise InputError(f"a limit of {limit} hits", hint="ask for one at least")
    vectors = _vectors(query, collection, embedder)
    must = (filters or Filters()).conditions()

    def look(moving: Transitions) -> tuple[list[Hit], str]:
        where = Where(must=must, must_not=moving.hidden())
        found, stamp = collection.hybrid([Leg(vector, max(candidates, limit), where) for vector in vectors], limit)
        owners = {hit.record.payload["source_id"] for hit in found}
        sources, later = collection.sources_during(moving, owners)
        return [_hit(hit, sources) for hit in found if hit.record.payload["source_id"] in sources], later or stamp

    return collection.steadily_stamped(look)


def _vectors(query: str, collection: Collection, embedder: Embedder | None) -> list[Floats | SparseVector]:
    """The vector of each leg that can answer."""
    query = query.strip()
    if not query:
        raise InputError("the query is empty", hint="ask something")
    if len(query) > _MAX_QUERY_CHARS:
        raise InputError(f"the query has {len(query)} characters", hint=f"at most {_MAX_QUERY_CHARS} are taken")
    vectors: list[Floats | SparseVector] = []
    lexical = query_vector(query)
    if len(lexical.indices):
        vectors.append(lexical)
    if embedder is not None and collection.meta.embedder is not None and _known(query, embedder):
        vectors.append(embedder.embed_query(query))
    return vectors


def _known(query: str, embedder: Embedder) -> bool:
    """Whether the dense model knows the query's language; a query too short to tell counts as known."""
    if embedder.identity.languages is None:
        return True
    language, score = detect_language(query)
    return embedder.identity.knows(language) or score < 0.3


def _hit(fused: Fused, sources: Mapping[str, Source]) -> Hit:
    payload = fused.record.payload
    why = {_LEG_NAMES[using]: LegRank(*place) for using, place in fused.places.items()}
    return Hit(chunk_of(fused.record.id, payload), sources[payload["source_id"]], fused.score, why)
