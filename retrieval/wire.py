"""The wire between clients and the engine's process: length-prefixed msgpack frames over a Unix socket.

A request is `[operation, collection, body, min_free_mb]`, a reply `[True, result]` or `[False, error]`. Vectors travel as raw
little-endian bytes, ids as 16 bytes each, payloads that are written as one JSON text (which checks them on the way).
"""

from __future__ import annotations

import socket
import struct
import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import msgpack  # pyright: ignore[reportMissingTypeStubs]  # it has none
import numpy as np

from phidex import errors
from phidex.errors import InputError, PhidexError, ServiceError
from phidex.retrieval.checks import (
    check_dense,
    check_limit,
    check_sparse,
    decode_payloads,
    encode_payloads,
    parse_ids,
    sparse_of,
)
from phidex.retrieval.store import Floats, HasId, HasVector, Leg, Match, Point, Range, Schema, SparseVector, Where

PROTOCOL = 5  # an engine that speaks another one is asked to leave
FRAME_POINTS = 500  # a write holds the engine for 0.1 s or so, whatever the caller's batch
FRAME_BYTES = 4 << 20
MAX_FRAME = 1 << 30  # bytes; more is a broken peer
_HEADER = struct.Struct("<I")
_msgpack: Any = msgpack
_CLASSES = {name: getattr(errors, name) for name in ("InputError", "NotFoundError", "ConfigError", "BudgetError")}


def pack(message: Any) -> bytes:
    """The message as one frame. Raises: InputError for what msgpack cannot say or a frame over `MAX_FRAME`."""
    try:
        body: bytes = _msgpack.packb(message)
    except (TypeError, ValueError, OverflowError) as exc:
        raise InputError(f"an argument cannot be sent to the engine: {exc}") from exc
    if len(body) > MAX_FRAME:
        raise InputError(f"a message of {len(body)} bytes is over the wire's limit", hint="ask for less at once")
    return _HEADER.pack(len(body)) + body


def receive(connection: socket.socket, deadline: float | None = None) -> Any:
    """The next message.

    Raises: EOFError when the peer has left, TimeoutError past `deadline` (of time.monotonic()), OSError otherwise.
    """
    (size,) = _HEADER.unpack(_read(connection, _HEADER.size, deadline))
    if size > MAX_FRAME:
        raise ConnectionAbortedError(f"a frame of {size} bytes is over the wire's limit")
    try:
        return _msgpack.unpackb(_read(connection, size, deadline), strict_map_key=False)
    except (ValueError, _msgpack.UnpackException) as exc:
        raise ConnectionAbortedError(f"a frame of {size} bytes is no message: {exc}") from exc


def _read(connection: socket.socket, size: int, deadline: float | None) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if deadline is not None:
            connection.settimeout(max(deadline - time.monotonic(), 1e-3))
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return buffer


def encode_error(error: PhidexError) -> dict[str, Any]:
    """Class, message, hint and retryable, for `decode_error`."""
    retryable = isinstance(error, ServiceError) and error.retryable
    return {"class": type(error).__name__, "message": error.message, "hint": error.hint, "retryable": retryable}


def decode_error(error: dict[str, Any]) -> PhidexError:
    """The error that the engine met."""
    kind: type[PhidexError] | None = _CLASSES.get(error["class"])
    if kind is None:
        return ServiceError(error["message"], hint=error["hint"], retryable=error["retryable"])
    return kind(error["message"], hint=error["hint"])


def encode_ids(ids: Sequence[str]) -> bytes:
    """16 bytes an id."""
    return b"".join([parsed.bytes for parsed in parse_ids(ids)])


def decode_ids(raw: bytes) -> list[str]:
    """The ids as canonical UUID text.

    >>> decode_ids(encode_ids(["6BA7B8109DAD11D180B400C04FD430C8"]))
    ['6ba7b810-9dad-11d1-80b4-00c04fd430c8']
    """
    text = raw.hex()  # five times faster than str(UUID), and a query returns hundreds
    return [
        f"{text[i : i + 8]}-{text[i + 8 : i + 12]}-{text[i + 12 : i + 16]}-{text[i + 16 : i + 20]}-{text[i + 20 : i + 32]}"
        for i in range(0, len(text), 32)
    ]


def split_ids(raw: bytes) -> list[int | uuid.UUID | str]:
    """The ids as the UUID objects that the embedded engine takes."""
    return [uuid.UUID(bytes=raw[start : start + 16]) for start in range(0, len(raw), 16)]


def frames(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Runs of at most `FRAME_POINTS` points and about `FRAME_BYTES` of vectors and text."""
    start = size = 0
    for at, point in enumerate(points):
        sparse = 0 if point.sparse is None else 8 * len(point.sparse.indices)
        dense = 0 if point.dense is None else 4 * len(point.dense)
        grown = sparse + dense + sum(len(value) for value in point.payload.values() if isinstance(value, str)) + 256
        if at > start and (at - start == FRAME_POINTS or size + grown > FRAME_BYTES):
            yield points[start:at]
            start, size = at, 0
        size += grown
    if start < len(points):
        yield points[start:]


def encode_points(points: Sequence[Point]) -> dict[str, Any]:
    """The points by column: which rows have a vector, and all vectors end to end."""
    dense = [(row, point.dense) for row, point in enumerate(points) if point.dense is not None]
    sparse = [(row, vector) for row, point in enumerate(points) if (vector := sparse_of(point)) is not None]
    indices, values, lengths = check_sparse([vector for _, vector in sparse])
    matrix = check_dense([vector for _, vector in dense]) if dense else np.empty((0, 0), np.float32)
    return {
        "ids": encode_ids([point.id for point in points]),
        "payloads": encode_payloads([point.payload for point in points]),
        "dense_rows": [row for row, _ in dense],
        "dense": _raw(matrix),
        "dim": matrix.shape[1],
        "sparse_rows": [row for row, _ in sparse],
        "lengths": lengths,
        "indices": _raw(indices),
        "values": _raw(values),
    }


def decode_points(columns: dict[str, Any]) -> list[Point]:
    """The points that were told by column, payloads as they are or as one JSON text."""
    ids, payloads = decode_ids(columns["ids"]), columns["payloads"]
    if isinstance(payloads, bytes):
        payloads = decode_payloads(payloads)
    dense: dict[int, Floats] = {}
    if columns["dense_rows"]:
        matrix = np.frombuffer(columns["dense"], "<f4").reshape(len(columns["dense_rows"]), -1)
        dense = dict(zip(columns["dense_rows"], matrix, strict=True))
    indices, values = np.frombuffer(columns["indices"], "<u4"), np.frombuffer(columns["values"], "<f4")
    ends = [0, *accumulate(columns["lengths"])]
    sparse = {
        row: SparseVector(indices[start:end], values[start:end])
        for row, (start, end) in zip(columns["sparse_rows"], pairwise(ends), strict=True)
    }
    return [Point(id_, payloads[row], dense.get(row), sparse.get(row)) for row, id_ in enumerate(ids)]


def encode_where(where: Where) -> list[list[Any]]:
    """The two lists of conditions, each a tagged list."""
    return [[_encode_condition(condition) for condition in side] for side in (where.must, where.must_not)]


def _encode_condition(condition: Match | Range | HasVector | HasId) -> list[Any]:
    match condition:
        case Match(key, values):
            return ["match", key, list(values)]
        case Range(key, gte, lte):
            return ["range", key, gte, lte]
        case HasVector(name):
            return ["has_vector", name]
        case HasId(ids):
            return ["has_id", encode_ids(ids)]


def decode_where(sides: list[list[Any]]) -> Where:
    """The `Where` that `encode_where` wrote."""
    must, must_not = (tuple(_decode_condition(*condition) for condition in side) for side in sides)
    return Where(must, must_not)


def _decode_condition(tag: str, *rest: Any) -> Match | Range | HasVector | HasId:
    match tag:
        case "match":
            return Match(rest[0], tuple(rest[1]))
        case "range":
            return Range(*rest)
        case "has_vector":
            return HasVector(*rest)
        case "has_id":
            return HasId(tuple(decode_ids(rest[0])))
        case _:
            raise InputError(f"unknown condition {tag!r}")


def encode_leg(leg: Leg) -> list[Any]:
    """Vector (one bytes value for dense, two for sparse), limit, filter and whether it is exact, checked."""
    check_limit(leg.limit)
    if isinstance(leg.vector, SparseVector):
        indices, values, _ = check_sparse([leg.vector])
        return [[_raw(indices), _raw(values)], leg.limit, encode_where(leg.where), leg.exact]
    return [[_raw(check_dense([leg.vector]))], leg.limit, encode_where(leg.where), leg.exact]


def decode_leg(leg: list[Any]) -> Leg:
    """The `Leg` that `encode_leg` wrote."""
    vector, limit, where, exact = leg
    if len(vector) == 2:
        sparse = SparseVector(np.frombuffer(vector[0], "<u4"), np.frombuffer(vector[1], "<f4"))
        return Leg(sparse, limit, decode_where(where), exact)
    return Leg(np.frombuffer(vector[0], "<f4"), limit, decode_where(where), exact)


def encode_schema(schema: Schema) -> dict[str, Any]:
    """The schema as JSON types, also what `schema.json` holds."""
    return {"dense_dim": schema.dense_dim, "sparse": schema.sparse, "indexes": dict(schema.indexes)}


def decode_schema(schema: dict[str, Any]) -> Schema:
    """The `Schema` that `encode_schema` wrote."""
    return Schema(schema["dense_dim"], schema["sparse"], schema["indexes"])


def _raw(array: np.ndarray[Any, Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
