"""What the engine's process does for each request: a table of operations on one open shard, with the engine's own types.

Runs in the engine's process only. Each operation takes the open `Shard` and the request's decoded body, and returns what
msgpack can say. The engine's errors are plain `Exception`s with a text: `translate` makes ours of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from phidex.errors import InputError, NotFoundError, PhidexError, ServiceError
from phidex.retrieval.checks import decode_payloads
from phidex.retrieval.fuse import fuse
from phidex.retrieval.indexer import search_params
from phidex.retrieval.shards import Shard
from phidex.retrieval.store import HasId, HasVector, Leg, Match, Range, SparseVector, Where
from phidex.retrieval.wire import decode_leg, decode_where, split_ids

_AT_FAULT = ("Vector dimension error", "Not existing vector name", "No appropriate index", "Wrong input", "Bad request")

_MANY = 10_000  # ids at once


def translate(exc: Exception, operation: str) -> PhidexError:
    """Our error for what an operation raised."""
    text = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    if isinstance(exc, PhidexError):
        return exc
    if isinstance(exc, OSError):
        return ServiceError(f"{operation}: {text}", hint="see engine.log in the data folder; is the disk full?")
    if isinstance(exc, (ValueError, TypeError, OverflowError)) or text.startswith(_AT_FAULT):
        return InputError(f"{operation}: {text}")
    if text.startswith("No point with id"):
        return NotFoundError(f"{operation}: {text}")
    return ServiceError(f"{operation}: the engine says: {text}", hint="see engine.log in the data folder")


def upsert(shard: Shard, body: dict[str, Any]) -> None:
    """Write the points of `wire.encode_points`."""
    payloads = decode_payloads(body["payloads"])
    vectors: list[dict[str, Any]] = [{} for _ in payloads]
    if body["dense_rows"]:
        _check_dim(shard, body["dim"])
        # Lists, since the engine reads a numpy row at half the speed.
        rows: list[list[float]] = np.frombuffer(body["dense"], "<f4").reshape(-1, body["dim"]).tolist()
        for at, row in zip(body["dense_rows"], rows, strict=True):
            vectors[at]["dense"] = row
    if body["sparse_rows"]:
        _check_sparse(shard)
        indices: list[int] = np.frombuffer(body["indices"], "<u4").tolist()
        values: list[float] = np.frombuffer(body["values"], "<f4").tolist()
        start = 0
        for at, length in zip(body["sparse_rows"], body["lengths"], strict=True):
            vectors[at]["sparse"] = edge.SparseVector(indices[start : start + length], values[start : start + length])
            start += length
    ids = split_ids(body["ids"])
    points = [edge.Point(id=id_, payload=p, vector=v) for id_, p, v in zip(ids, payloads, vectors, strict=True)]
    shard.engine.update(edge.UpdateOperation.upsert_points(points))


def update_dense(shard: Shard, body: dict[str, Any]) -> None:
    """Give the points that exist their dense vectors."""
    _check_dim(shard, body["dim"])
    ids = split_ids(body["ids"])
    # The engine raises at an unknown id after it has done a part: ask first.
    found = {record.id for record in shard.engine.retrieve(ids, False, False)}
    rows: list[list[float]] = np.frombuffer(body["dense"], "<f4").reshape(-1, body["dim"]).tolist()
    known = [edge.PointVectors(id_, {"dense": row}) for id_, row in zip(ids, rows, strict=True) if id_ in found]
    if known:
        shard.engine.update(edge.UpdateOperation.update_vectors(known))


def set_payload(shard: Shard, body: dict[str, Any]) -> None:
    """Merge the payload into every point that matches."""
    (payload,) = decode_payloads(body["payload"])
    shard.engine.update(edge.UpdateOperation.set_payload_by_filter(_filter_of(body) or edge.Filter(), payload))


def amend(shard: Shard, body: dict[str, Any]) -> None:
    """Merge each payload into that of its point; 50 microseconds each."""
    for id_, payload in zip(split_ids(body["ids"]), decode_payloads(body["payloads"]), strict=True):
        only = edge.Filter(must=[edge.HasIdCondition({id_})])  # by filter, since the engine raises at an id that is unknown
        shard.engine.update(edge.UpdateOperation.set_payload_by_filter(only, payload))


def delete(shard: Shard, body: dict[str, Any]) -> None:
    """Delete every point that matches."""
    before = shard.engine.count(edge.CountRequest(exact=False))
    shard.engine.update(edge.UpdateOperation.delete_points_by_filter(_filter_of(body) or edge.Filter()))
    shard.changed += before - shard.engine.count(edge.CountRequest(exact=False))
    shard.shrunk = True


def retrieve(shard: Shard, body: dict[str, Any]) -> dict[str, Any]:
    """The records that exist, in the order asked."""
    wanted = split_ids(body["ids"])
    found = {record.id: record for record in shard.engine.retrieve(wanted, True, ["dense"] if body["dense"] else False)}
    return _encode_records([found[id_] for id_ in wanted if id_ in found], dense=body["dense"])


def scroll(shard: Shard, body: dict[str, Any]) -> dict[str, Any]:
    """A page of records in id order, and the next page's first id."""
    (after,) = split_ids(body["after"]) or (None,)
    fields: list[str] | None = body["fields"]
    request = edge.ScrollRequest(
        offset=after, limit=body["limit"], filter=_filter_of(body), with_payload=True if fields is None else fields
    )
    records, following = shard.engine.scroll(request)
    cursor = following.bytes if isinstance(following, UUID) else b""
    return {**_encode_records(records, dense=False), "next": cursor}


def count(shard: Shard, body: dict[str, Any]) -> int:
    """How many points match."""
    return shard.engine.count(edge.CountRequest(exact=True, filter=_filter_of(body)))


def facet(shard: Shard, body: dict[str, Any]) -> list[tuple[str, int]]:
    """Values and their counts, most frequent first."""
    key: str = body["key"]
    request = edge.FacetRequest(key=key, limit=body["limit"], exact=True, filter=_filter_of(body))
    hits = [(str(hit.value), hit.count) for hit in shard.engine.facet(request).hits if hit.count]
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def query(shard: Shard, body: dict[str, Any]) -> list[tuple[bytes, list[float]]]:
    """Ids and scores of each leg."""
    requests = [_request(shard, decode_leg(leg), body["search"]) for leg in body["legs"]]
    legs = shard.engine.query_batch(edge.QueryBatchRequest(requests))
    return [(b"".join([_bytes_of(hit.id) for hit in hits]), [hit.score for hit in hits]) for hits in legs]


def hybrid(shard: Shard, body: dict[str, Any]) -> dict[str, Any]:
    """The fused hits: their records, scores, and for each leg their ranks (0: not found) and scores there.

    `engine_s` are the seconds that the engine itself took: its search, and reading the records of what was found.
    """
    legs = [decode_leg(leg) for leg in body["legs"]]
    request = edge.QueryBatchRequest([_request(shard, leg, body["search"]) for leg in legs])
    started = time.perf_counter()
    found = shard.engine.query_batch(request)
    engine_s = time.perf_counter() - started
    # Whole numbers, since UUIDs are slow to compare; nothing of the hits that fall away is sent.
    ranked = {leg.using: [(_int_of(hit.id), hit.score) for hit in hits] for leg, hits in zip(legs, found, strict=True)}
    best = fuse(ranked.get("sparse", []), ranked.get("dense", []), body["limit"])
    wanted: list[int | UUID | str] = [UUID(int=key) for key, _ in best]
    fields: Any = True if body["fields"] is None else body["fields"]
    started = time.perf_counter()
    retrieved = shard.engine.retrieve(wanted, fields, False) if wanted else []
    engine_s += time.perf_counter() - started
    records = {_int_of(record.id): record for record in retrieved}
    best = [(key, score) for key, score in best if key in records]
    places: dict[str, list[tuple[int, float]]] = {}
    for using, hits in ranked.items():
        at = {key: (rank, score) for rank, (key, score) in enumerate(hits, 1)}
        places[using] = [at.get(key, (0, 0.0)) for key, _ in best]
    reply = _encode_records([records[key] for key, _ in best], dense=False)
    return {**reply, "scores": [score for _, score in best], "places": places, "engine_s": engine_s}


def points(shard: Shard, body: dict[str, Any]) -> dict[str, Any]:
    """A page of whole points in id order, by column, and the next page's first id."""
    (after,) = split_ids(body["after"]) or (None,)
    request = edge.ScrollRequest(offset=after, limit=body["limit"], with_payload=True, with_vector=True)
    records, following = shard.engine.scroll(request)
    return {**_encode_whole(records), "next": following.bytes if isinstance(following, UUID) else b""}


def read_points(shard: Shard, body: dict[str, Any]) -> dict[str, Any]:
    """The whole points that exist, in the order asked."""
    wanted = split_ids(body["ids"])
    found = {record.id: record for record in shard.engine.retrieve(wanted, True, True)}
    return _encode_whole([found[id_] for id_ in wanted if id_ in found])


def touches(operation: str, shard: Shard, body: dict[str, Any]) -> set[int]:
    """The points that a write is about to change, by id as a whole number."""
    if "ids" in body:
        return {_int_of(id_) for id_ in split_ids(body["ids"])}
    if operation not in ("set_payload", "delete"):
        return set()
    found: set[int] = set()
    after: Any = None
    while True:
        request = edge.ScrollRequest(offset=after, limit=_MANY, filter=_filter_of(body), with_payload=False)
        records, after = shard.engine.scroll(request)
        found.update(_int_of(record.id) for record in records)
        if after is None:
            return found


def compact(shard: Shard, _body: dict[str, Any]) -> bool:
    """Rewrite segments with many deleted points. The whole process stands still: 70 microseconds a point, measured.

    A collection with an index is left to the next build, which does so beside it.
    """
    if not shard.layout.plain or shard.touched is not None:
        shard.asked = True
        return True
    done = shard.engine.optimize()
    shard.engine.flush()
    shard.shrunk = False
    return done


READS: dict[str, Callable[[Shard, dict[str, Any]], Any]] = {
    "retrieve": retrieve,
    "scroll": scroll,
    "count": count,
    "facet": facet,
    "query": query,
    "hybrid": hybrid,
    "points": points,
    "read_points": read_points,
}
WRITES: dict[str, Callable[[Shard, dict[str, Any]], Any]] = {
    "upsert": upsert,
    "update_dense": update_dense,
    "set_payload": set_payload,
    "amend": amend,
    "delete": delete,
    "compact": compact,
}


def _request(shard: Shard, leg: Leg, search: dict[str, Any]) -> edge.QueryRequest:
    if isinstance(leg.vector, SparseVector):
        _check_sparse(shard)
        vector: Any = edge.SparseVector(leg.vector.indices.tolist(), leg.vector.values.tolist())
        params = None
    else:
        _check_dim(shard, len(leg.vector))
        vector = leg.vector.tolist()
        params = None if shard.layout.plain else search_params(**{**search, "exact": leg.exact or search["exact"]})
    nearest = edge.Query.Nearest(vector, using=leg.using)
    return edge.QueryRequest(limit=leg.limit, query=nearest, filter=_filter(leg.where), params=params)


def _check_dim(shard: Shard, dim: int) -> None:
    if dim != shard.schema.dense_dim:
        raise InputError(f"the collection's dense vectors have {shard.schema.dense_dim or 0} dimensions, these {dim}")


def _check_sparse(shard: Shard) -> None:
    if not shard.schema.sparse:
        raise InputError("the collection has no sparse vectors")


def _bytes_of(id_: int | UUID | str) -> bytes:
    return _int_of(id_).to_bytes(16)


def _int_of(id_: int | UUID | str) -> int:
    return id_.int if isinstance(id_, UUID) else UUID(str(id_)).int


def _encode_records(records: list[edge.Record], *, dense: bool) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "ids": b"".join([_bytes_of(record.id) for record in records]),
        "payloads": [record.payload for record in records],
    }
    if dense:
        vectors = [record.vector for record in records]
        rows = [vector.get("dense") if isinstance(vector, dict) else None for vector in vectors]
        reply["dense"] = [None if row is None else np.asarray(row, "<f4").tobytes() for row in rows]
    return reply


def _encode_whole(records: list[edge.Record]) -> dict[str, Any]:
    vectors: list[dict[str, Any]] = [record.vector if isinstance(record.vector, dict) else {} for record in records]
    dense = [(row, found["dense"]) for row, found in enumerate(vectors) if "dense" in found]
    sparse = [(row, found["sparse"]) for row, found in enumerate(vectors) if "sparse" in found]
    indices, values = [vector.indices for _, vector in sparse], [vector.values for _, vector in sparse]
    return {
        "ids": b"".join([_bytes_of(record.id) for record in records]),
        "payloads": [record.payload or {} for record in records],
        "dense_rows": [row for row, _ in dense],
        "dense": np.asarray([vector for _, vector in dense], "<f4").tobytes(),
        "sparse_rows": [row for row, _ in sparse],
        "lengths": [len(terms) for terms in indices],
        "indices": np.fromiter(chain.from_iterable(indices), "<u4").tobytes(),
        "values": np.fromiter(chain.from_iterable(values), "<f4").tobytes(),
    }


def _filter_of(body: dict[str, Any]) -> edge.Filter | None:
    return _filter(decode_where(body["where"]))


def _filter(where: Where) -> edge.Filter | None:
    if not where.must and not where.must_not:
        return None
    return edge.Filter(must=[_condition(c) for c in where.must], must_not=[_condition(c) for c in where.must_not])


def _condition(condition: Match | Range | HasVector | HasId) -> Any:
    match condition:
        case Match(key, values):
            return _match(key, values)
        case Range(key, gte, lte):
            return edge.FieldCondition(key=key, range=edge.RangeFloat(gte=gte, lte=lte))
        case HasVector(name):
            return edge.HasVectorCondition(name)
        case HasId(ids):
            return edge.HasIdCondition({UUID(id_) for id_ in ids})


def _match(key: str, values: tuple[str | int | bool, ...]) -> Any:
    texts = [value for value in values if isinstance(value, str)]
    flags = [value for value in values if isinstance(value, bool)]
    numbers = [value for value in values if not isinstance(value, (str, bool))]
    # numpy's bool, since the engine takes Python's for an integer and matches nothing.
    options: list[Any] = [edge.FieldCondition(key=key, match=edge.MatchValue(np.bool_(flag))) for flag in flags]  # pyright: ignore[reportArgumentType]
    options += [edge.FieldCondition(key=key, match=edge.MatchAny(same)) for same in (texts, numbers) if same]
    if len(options) == 1:
        return options[0]
    return edge.Filter(should=options) if options else edge.FieldCondition(key=key, match=edge.MatchAny([]))
