"""Question -> hits: both legs asked in one request, fused there, arranged by what the question says, each hit with its reasons.

    Query --legs--> a pool of fused hits (fuse.py) -> arrange.py -> one of each copy, reranked, spread -> the best

The lexical leg is right where people use the document's words, the dense leg where they reword, and only in languages that its
model knows. So the dense leg is asked only for those, and its weight follows from how sure the lexical leg is (`fuse.py`).
Files and pages that the question names widen the pool by a request of their own; without them there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from phidex.errors import InputError
from phidex.ingest.records import Source
from phidex.retrieval.arrange import arrange, holds_phrases
from phidex.retrieval.catalogue import Transitions
from phidex.retrieval.collection import Collection
from phidex.retrieval.diversify import collapse, diversify
from phidex.retrieval.embed import Embedder
from phidex.retrieval.fields import asked_names
from phidex.retrieval.filters import LAST_PAGE, Filters
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.payload import chunk_of, searchable_text
from phidex.retrieval.query.resolve import resolve_filters, sources_at
from phidex.retrieval.query.understand import Query, understand
from phidex.retrieval.query.words import all_words
from phidex.retrieval.reader import CollectionReader
from phidex.retrieval.rerank import Reranker, try_scores
from phidex.retrieval.store import Condition, Floats, Fused, Leg, LegName, Match, Range, SparseVector, Where

_MAX_QUERY_CHARS = 20_000
_LEG_NAMES: dict[LegName, str] = {"sparse": "lexical", "dense": "dense"}
_SURE_SCORE = 0.5  # of a question's language
_KNOWN_SCORE = 0.3  # below it, a question is too short to tell its language
_MOST_FILES = 4  # that a question names and each of which is looked into
_SPARE = 5  # hits of the pool beyond the limit, for what is moved up and for copies


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How hits are chosen from the pool.

    Args:
        rerank_candidates: hits that a reranker reads.
        collapse: whether copies of a text in other documents become one hit.
        diversity: in [0, 1]; above 0, hits that say what others say stand back (MMR).
        phrases: whether hits without a quoted phrase stand back or fall away.
    """

    rerank_candidates: int = 30
    collapse: bool = True
    diversity: float = 0.0
    phrases: Literal["prefer", "must"] = "prefer"

    def __post_init__(self) -> None:
        if not 0 <= self.diversity <= 1:
            raise InputError(f"a diversity of {self.diversity:g}", hint="between 0 (by score alone) and 1")
        if self.rerank_candidates < 1:
            raise InputError(f"{self.rerank_candidates} hits to rerank", hint="one at least")


_DEFAULT = SearchOptions()


def search(
    collection: Collection,
    query: str | Query,
    *,
    embedder: Embedder | None,
    limit: int = 10,
    candidates: int = 100,
    filters: Filters | Sequence[Filters] | None = None,
    reranker: Reranker | None = None,
    options: SearchOptions = _DEFAULT,
    on_warning: Callable[[str], None] | None = None,
) -> list[Hit]:
    """The best chunks for a query, at most `limit`, best first.

    Args:
        query: a text is understood first (`retrieval/query/`); its operators and all `filters` must hold.
        candidates: how many hits each leg contributes before fusion.
        reranker: where it fails, the order stays as it was, with a warning.
        on_warning: called with a sentence for people: an operator that is none, a reranker that is down.

    Raises:
        InputError: the query is empty or too long, or `limit` is less than 1.
        NotFoundError: a filter names a document that is not there.
    """
    if limit < 1:
        raise InputError(f"a limit of {limit} hits", hint="ask for one at least")
    asked = with_words(query if isinstance(query, Query) else _understood(query))
    warn = on_warning or _quiet
    for warning in asked.warnings:
        warn(warning)
    others = (filters,) if isinstance(filters, Filters) else filters or ()
    must, must_not = conditions_of((asked.filters, *others), collection)
    vectors = _vectors(asked, collection, embedder)
    pool = limit + max(limit // 2, _SPARE)
    if reranker is not None:
        pool = max(pool, options.rerank_candidates)
    if asked.phrases or options.diversity:
        pool = max(pool, candidates)
    wider = _named_places(asked, collection)
    may_refill = True

    def look(moving: Transitions) -> tuple[list[Hit], str]:
        hidden = must_not + moving.hidden()
        found: dict[str, Fused] = {}
        stamp = ""
        for extra in ((), *wider):
            legs = [Leg(vector, max(candidates, pool), Where(must + extra, hidden)) for vector in vectors]
            fused, stamp = collection.hybrid(legs, pool)
            for hit in fused:  # a passage that both find counts as what it is among those of the place that is named
                if hit.record.id not in found or hit.score > found[hit.record.id].score:
                    found[hit.record.id] = hit
        owners = {hit.record.payload["source_id"] for hit in found.values()}
        sources, later = collection.sources_during(moving, owners)
        hits = [_hit(hit, sources) for hit in found.values() if hit.record.payload["source_id"] in sources]
        return hits, later or stamp

    while True:
        found = collection.steadily_stamped(look)
        chosen = _chosen(found, asked, limit, reranker, options, warn)
        if len(chosen) >= limit or len(found) < pool or not may_refill:
            return chosen
        pool, may_refill = 3 * pool, False  # copies took the places of others


def conditions_of(
    filters: Sequence[Filters], collection: CollectionReader
) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """What all the filters together ask of a passage: the conditions that must hold, and those that must not.

    Raises:
        NotFoundError: a filter names a document that is not there.
    """
    resolved = [resolve_filters(one, collection) for one in filters]
    must = tuple(condition for one in resolved for condition in one.conditions())
    return must, tuple(condition for one in resolved for condition in one.exclusions())


def _quiet(warning: str) -> None:
    """Says nothing."""


def with_words(query: Query) -> Query:
    """The query itself.

    Raises:
        InputError: nothing is left of it to search for.
    """
    if not query.text.strip():
        hint = "put words behind the operators" if query.operators else "ask something"
        raise InputError("the query is empty", hint=hint)
    return query


def _understood(text: str) -> Query:
    if len(text) > _MAX_QUERY_CHARS:
        raise InputError(f"the query has {len(text)} characters", hint=f"at most {_MAX_QUERY_CHARS} are taken")
    return understand(text.strip())


def _vectors(query: Query, collection: Collection, embedder: Embedder | None) -> list[Floats | SparseVector]:
    """The vector of each leg that can answer."""
    vectors: list[Floats | SparseVector] = []
    words = all_words().get(query.language) if query.language_score >= _SURE_SCORE else None
    faint = words.vague | words.asks if words is not None else frozenset[str]()
    lexical = query_vector(query.text, asked_names(query.text, query.symbols, query.files), faint)
    if len(lexical.indices):
        vectors.append(lexical)
    if embedder is not None and collection.meta.embedder is not None:
        known = embedder.identity.knows(query.language) or query.language_score < _KNOWN_SCORE
        if known:
            vectors.append(embedder.embed_query(query.text))
    return vectors


def _named_places(query: Query, collection: Collection) -> list[tuple[Condition, ...]]:
    """What else the question names, each as conditions: the documents called so, the pages, the time in a recording."""
    named = [Match("source_id", ids) for ids in sources_at(query.files[:_MOST_FILES], collection)]
    found: list[tuple[Condition, ...]] = [(one,) for one in named]
    if query.pages is not None and query.pages[1] <= LAST_PAGE:
        found.append((Range("page", query.pages[0], query.pages[1]),))
    if query.times_s is not None:
        start_s, end_s = query.times_s
        found.append((Range("locator.start_s", lte=end_s), Range("locator.end_s", gte=start_s)))
    return found


def _hit(fused: Fused, sources: Mapping[str, Source]) -> Hit:
    payload = fused.record.payload
    why = {_LEG_NAMES[using]: LegRank(*place) for using, place in fused.places.items()}
    return Hit(chunk_of(fused.record.id, payload), sources[payload["source_id"]], fused.score, why)


def _chosen(
    pool: Sequence[Hit],
    query: Query,
    limit: int,
    reranker: Reranker | None,
    options: SearchOptions,
    warn: Callable[[str], None],
) -> list[Hit]:
    """The best of the pool."""
    hits = arrange(pool, query)
    if query.phrases and options.phrases == "must":
        hits = [hit for hit in hits if holds_phrases(hit, query.phrases)]
    if options.collapse:
        hits = collapse(hits)
    if reranker is not None:
        hits = _reranked(hits, query, reranker, options.rerank_candidates, warn)
    return diversify(hits, limit, options.diversity) if options.diversity else hits[:limit]


def _reranked(hits: Sequence[Hit], query: Query, reranker: Reranker, count: int, warn: Callable[[str], None]) -> list[Hit]:
    """The first `count` in the reranker's order, with its scores; those behind keep their order, below."""
    head, tail = hits[:count], hits[count:]
    texts = [searchable_text(hit.chunk.text, hit.chunk.heading, hit.chunk.symbol) for hit in head]
    judged = try_scores(reranker, query.text, texts)
    if judged.warning:
        warn(judged.warning)
    if not judged.scores:
        return list(hits)
    scores = judged.scores
    order = sorted(range(len(head)), key=lambda at: -scores[at])
    best = [
        replace(head[at], score=scores[at], why={**head[at].why, "rerank": LegRank(rank, scores[at])})
        for rank, at in enumerate(order, 1)
    ]
    return best + [replace(hit, score=best[-1].score - place) for place, hit in enumerate(tail, 1)]
