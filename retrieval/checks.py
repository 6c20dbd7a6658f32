"""What both stores refuse before anything is sent: bad names, ids, vectors and payloads, each as an InputError.

The embedded engine takes NaN and zero vectors in silence and a server refuses some of them with a text of its own; checked
here, both say the same.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from phidex.errors import InputError
from phidex.retrieval.store import Floats, Indices, Payload, Point, SparseVector

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}(@[0-9]{1,6})?")  # the number: `CollectionMeta.points`


def check_name(collection: str) -> str:
    """The collection's name, which becomes a folder's.

    >>> check_name("manuals-2024")
    'manuals-2024'

    Raises: InputError.
    """
    if not _NAME.fullmatch(collection):
        hint = "1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        raise InputError(f"{collection!r} is no name for a collection", hint=hint)
    return collection


def parse_ids(ids: Iterable[str]) -> list[uuid.UUID]:
    """The ids as UUIDs; InputError names the first that is none."""
    parsed: list[uuid.UUID] = []
    for text in ids:
        try:
            parsed.append(uuid.UUID(text))
        except (ValueError, AttributeError, TypeError) as exc:
            raise InputError(f"{text!r} is no UUID", hint="the ids of points are UUIDs") from exc
    return parsed


def check_dense(vectors: Floats | Sequence[Floats]) -> Floats:
    """The vectors as float32, (n, dim), C order; every value finite and no row zero."""
    try:
        rows: Floats = np.ascontiguousarray(vectors, dtype=np.float32)
    except (ValueError, TypeError) as exc:
        raise InputError("the dense vectors differ in length or are no numbers") from exc
    if rows.ndim != 2:
        raise InputError(f"dense vectors come as (n, dim), not in {rows.ndim} dimensions")
    bad = np.flatnonzero(~(np.isfinite(rows).all(axis=1) & rows.any(axis=1)))
    if bad.size:
        raise InputError(f"dense vector {int(bad[0])} of {len(rows)} is zero or holds NaN or infinity")
    return rows


def check_sparse(vectors: Sequence[SparseVector]) -> tuple[Indices, Floats, list[int]]:
    """All indices, all values and the length of each vector; indices ascend without repeats, values are finite."""
    lengths = [len(vector.indices) for vector in vectors]
    if lengths != [len(vector.values) for vector in vectors]:
        raise InputError("a sparse vector's indices and values differ in length")
    if not vectors:
        return np.empty(0, np.uint32), np.empty(0, np.float32), lengths
    wide = np.concatenate([np.asarray(vector.indices, dtype=np.int64) for vector in vectors])
    values: Floats = np.concatenate([np.asarray(vector.values, dtype=np.float32) for vector in vectors])
    if wide.size and (wide.min() < 0 or wide.max() > np.iinfo(np.uint32).max):
        raise InputError("a sparse vector's indices must lie in 0 to 2**32-1")
    ends = np.cumsum(np.asarray(lengths))[:-1]
    falls = np.diff(wide) <= 0
    falls[ends[(ends > 0) & (ends < wide.size)] - 1] = False  # where one vector ends and the next begins
    if falls.any():
        raise InputError("a sparse vector's indices must ascend without repeats")
    if not np.isfinite(values).all():
        raise InputError("a sparse vector holds NaN or infinity")
    return wide.astype(np.uint32), values, lengths


def encode_payloads(payloads: Sequence[Payload]) -> bytes:
    """The payloads as one JSON list, UTF-8: what JSON cannot say (bytes, dates, NaN, lone surrogates) is an InputError."""
    try:
        return json.dumps(payloads, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise InputError(f"a payload is not JSON: {exc}") from exc


def check_limit(limit: int) -> None:
    """InputError where a page's limit is not positive."""
    if limit < 1:
        raise InputError(f"the limit must be 1 or more, not {limit}")


def sparse_of(point: Point) -> SparseVector | None:
    """The point's sparse vector; None for an empty one, which engines count as present or not as they please."""
    return point.sparse if point.sparse is not None and len(point.sparse.indices) else None


def decode_payloads(text: bytes) -> list[dict[str, Any]]:
    """The payloads that `encode_payloads` wrote."""
    return json.loads(text)
