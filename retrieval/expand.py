"""Hits -> hits and what belongs to them: the passages around, the section, the document; the class around a function.

Only the best hits are expanded, and what is added comes right behind them: the passage that goes on where the best hit stops is
worth more than the twentieth hit (`eval/bench/expansion.py`). Everything is read in one go, by a request for each kind of
relation and not for each hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from phidex.ingest.pdf.captions import caption_of
from phidex.ingest.records import Chunk, TimeLocator
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.reader import CollectionReader
from phidex.retrieval.store import Condition, Match, Range

Expand = Literal["off", "neighbours", "section", "document"]
_REACH = 40  # passages on each side that a section is looked for in: about 10,000 tokens
_SAID_S = 15.0  # what is said this long before and after a frame belongs to it


@dataclass(frozen=True, slots=True)
class _Added:
    """A chunk that comes with the hit of rank `rank`: how it relates, and how near it is (1 is nearest)."""

    chunk: Chunk
    leg: str
    rank: int
    distance: int


@dataclass(slots=True)
class _Sources:
    """What was read, by source: chunks by order; and those of code by symbol, of recordings what was said."""

    ordered: dict[str, dict[int, Chunk]] = field(default_factory=dict[str, dict[int, Chunk]])
    symbols: dict[tuple[str, str], list[Chunk]] = field(default_factory=dict[tuple[str, str], list[Chunk]])
    said: dict[str, list[Chunk]] = field(default_factory=dict[str, list[Chunk]])


def expand(
    hits: Sequence[Hit],
    collection: CollectionReader,
    *,
    how: Expand,
    leading: int = 3,
    reach: int = 1,
    budget_tokens: int = 2_000,
    must: Sequence[Condition] = (),
    must_not: Sequence[Condition] = (),
) -> list[Hit]:
    """The hits, best first, with what belongs to the best of them behind those, before all others.

    With every way but "off", code comes with the head of its class and its file's imports, a table with a caption beside it,
    and a frame with what was said. What is added says in `why` how it belongs ("neighbour", "section", "document", "class",
    "imports", "symbol", "caption" or "said"), with the rank of the hit it belongs to and, as its score, how near it is: 1 next
    to it, 1/2 two passages away. A lower hit that belongs to a better one moves up, and keeps its own reasons too.

    Args:
        how: "neighbours": `reach` passages before and after; "section": the passages around under the same heading;
            "document": whole documents, best first, while they fit, and the section of hits of the others.
        leading: how many hits, the best ones, are expanded.
        budget_tokens: what is added costs at most this much, by the chunks' own counts; the nearest to the best hits first.
        must, must_not: what the search was limited to, which holds for what is added too.
    """
    if how == "off" or not hits or budget_tokens <= 0 or leading < 1:
        return list(hits)
    best, rest = hits[:leading], hits[leading:]
    whole = _whole(best, collection, budget_tokens) if how == "document" else []
    read = _read(_wanted(best, whole, how=how, reach=reach), collection, must, must_not)
    found: dict[str, _Added] = {}
    seen = {hit.chunk.id for hit in best}
    for one in _in_order(best, read, whole, how, reach):
        if one.chunk.id not in seen and one.chunk.token_count <= budget_tokens:
            seen.add(one.chunk.id)
            budget_tokens -= one.chunk.token_count
            found[one.chunk.id] = one
    return [*best, *_placed(list(found.values()), best, rest), *(hit for hit in rest if hit.chunk.id not in found)]


def _placed(found: Sequence[_Added], best: Sequence[Hit], rest: Sequence[Hit]) -> Iterator[Hit]:
    """What is added as hits, with scores that fall from the last of the best to the first of the rest."""
    sources = {hit.source.id: hit.source for hit in best}
    own = {hit.chunk.id: hit.why for hit in rest}
    high = best[-1].score
    low = rest[0].score if rest else min(high, 0.0)
    for place, one in enumerate(found, 1):
        why = {**own.get(one.chunk.id, {}), one.leg: LegRank(one.rank, 1.0 / one.distance)}
        score = high - (high - low) * place / (len(found) + 1)
        yield Hit(one.chunk, sources[one.chunk.source_id], score, why)


def _in_order(hits: Sequence[Hit], read: _Sources, whole: Sequence[str], how: Expand, reach: int) -> Iterator[_Added]:
    """What belongs to the hits: documents, then by hit what explains it, then what surrounds it, the nearest first."""
    first = {hit.source.id: rank for rank, hit in reversed(list(enumerate(hits, 1)))}
    for source_id in whole:
        for chunk in sorted(read.ordered.get(source_id, {}).values(), key=lambda chunk: chunk.order):
            yield _Added(chunk, "document", first[source_id], 1)
    rest = [(rank, hit.chunk) for rank, hit in enumerate(hits, 1) if hit.source.id not in whole]
    for rank, chunk in rest:
        yield from _explaining(chunk, rank, read)
    around = [list(_around(chunk, rank, read, how, reach)) for rank, chunk in rest]
    yield from sorted((one for some in around for one in some), key=lambda one: (one.distance > 1, one.rank, one.distance))


def _explaining(chunk: Chunk, rank: int, read: _Sources) -> Iterator[_Added]:
    """The head of the class and the imports of code, the caption of a table, what was said over a frame."""
    ordered = read.ordered.get(chunk.source_id, {})
    if chunk.modality == "code":
        for symbol in _owners(chunk.symbol):
            for owner in read.symbols.get((chunk.source_id, symbol), [])[:1]:
                yield _Added(owner, "class", rank, 1)
        top = ordered.get(0)
        if chunk.symbol and top is not None and not top.symbol:
            yield _Added(top, "imports", rank, 1)
        for part in read.symbols.get((chunk.source_id, chunk.symbol), []) if chunk.symbol else ():
            yield _Added(part, "symbol", rank, abs(part.order - chunk.order) or 1)
    elif chunk.modality in ("table", "image"):
        for order in (chunk.order - 1, chunk.order + 1):
            beside = ordered.get(order)
            if beside is not None and caption_of(beside.text.lstrip() or " ") is not None:
                yield _Added(beside, "caption", rank, 1)
    elif chunk.modality == "frame" and isinstance(chunk.locator, TimeLocator):
        for spoken in read.said.get(chunk.source_id, []):
            if _overlaps(spoken, chunk.locator.start_s - _SAID_S, chunk.locator.end_s + _SAID_S):
                yield _Added(spoken, "said", rank, 1)


def _around(chunk: Chunk, rank: int, read: _Sources, how: Expand, reach: int) -> Iterator[_Added]:
    """Passages before and after, without a gap; of a section, as far as its heading reaches."""
    ordered = read.ordered.get(chunk.source_id, {})
    by_heading = how in ("section", "document") and bool(chunk.heading)
    for step in (-1, 1):
        for distance in range(1, (_REACH if by_heading else reach) + 1):
            near = ordered.get(chunk.order + step * distance)
            if near is None or (by_heading and near.heading[: len(chunk.heading)] != chunk.heading):
                break
            yield _Added(near, "section" if by_heading else "neighbour", rank, distance)


def _wanted(hits: Sequence[Hit], whole: Sequence[str], *, how: Expand, reach: int) -> list[tuple[Condition, ...]]:
    """Everything that may be wanted, and some that is not, as conditions: those of one part together."""
    chunks = [hit.chunk for hit in hits if hit.source.id not in whole]
    parts: list[tuple[Condition, ...]] = [(Match("source_id", tuple(whole)),)] if whole else []
    if orders := {order for chunk in chunks for order in _orders(chunk, reach)}:
        parts.append((_sources(chunks), Match("order", tuple(sorted(orders)))))
    headed = [chunk for chunk in chunks if chunk.heading] if how in ("section", "document") else []
    if headed:
        parts.append((_sources(headed), Match("heading", tuple({chunk.heading[-1] for chunk in headed}))))
    named = [chunk for chunk in chunks if chunk.symbol]
    if named:
        symbols = {name for chunk in named for name in (chunk.symbol, *_owners(chunk.symbol))}
        parts.append((_sources(named), Match("symbol", tuple(sorted(symbols)))))
    shown = [(chunk, chunk.locator) for chunk in chunks if chunk.modality == "frame" and isinstance(chunk.locator, TimeLocator)]
    if shown:
        until = Range("locator.start_s", lte=max(place.end_s for _, place in shown) + _SAID_S)
        since = Range("locator.end_s", gte=min(place.start_s for _, place in shown) - _SAID_S)
        parts.append((_sources(chunk for chunk, _ in shown), Match("modality", ("speech",)), until, since))
    return parts


def _read(
    parts: Sequence[tuple[Condition, ...]],
    collection: CollectionReader,
    must: Sequence[Condition],
    must_not: Sequence[Condition],
) -> _Sources:
    """What fulfils one of the parts and the limits of the search, in one reading of the collection."""
    found = _Sources()
    limited = [(*part, *must) for part in parts]
    for chunk in sorted(collection.chunks_where(limited, must_not), key=lambda chunk: chunk.order):
        found.ordered.setdefault(chunk.source_id, {})[chunk.order] = chunk
        if chunk.symbol:
            found.symbols.setdefault((chunk.source_id, chunk.symbol), []).append(chunk)
        if chunk.modality == "speech":
            found.said.setdefault(chunk.source_id, []).append(chunk)
    return found


def _whole(hits: Sequence[Hit], collection: CollectionReader, budget_tokens: int) -> list[str]:
    """The documents, best first, that fit the budget as a whole, one after the other."""
    ids = list(dict.fromkeys(hit.source.id for hit in hits))
    costs = collection.source_tokens(ids, budget_tokens)
    taken: list[str] = []
    for source_id in ids:
        if costs.get(source_id, budget_tokens + 1) <= budget_tokens:
            taken.append(source_id)
            budget_tokens -= costs[source_id]
    return taken


def _orders(chunk: Chunk, reach: int) -> Iterable[int]:
    first = (0,) if chunk.modality == "code" else ()
    return (*first, *range(max(0, chunk.order - reach), chunk.order + reach + 1))


def _owners(symbol: str) -> Iterator[str]:
    """The classes around a symbol, the innermost first."""
    while "." in symbol:
        symbol = symbol.rpartition(".")[0]
        yield symbol


def _sources(chunks: Iterable[Chunk]) -> Match:
    return Match("source_id", tuple(sorted({chunk.source_id for chunk in chunks})))


def _overlaps(chunk: Chunk, start_s: float, end_s: float) -> bool:
    place = chunk.locator
    return isinstance(place, TimeLocator) and place.start_s <= end_s and place.end_s >= start_s
