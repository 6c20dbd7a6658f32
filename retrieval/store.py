"""The store seam: points with a dense and a sparse vector and a flat payload, in named collections.

`EdgeStore` (the embedded engine in a process of its own) and `ServerStore` (a Qdrant server) implement `Store`; one contract
test runs on both. A store knows nothing of documents: `retrieval/collection.py` gives points their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from phidex.retrieval.tuning import IndexState

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Payload = dict[str, Any]
LegName = Literal["dense", "sparse"]


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Ascending term ids, uint32, and their weights, float32, of one length."""

    indices: Indices
    values: Floats


@dataclass(frozen=True, slots=True)
class Point:
    """What is written: an id (UUID text), a payload, and the vectors that it has."""

    id: str
    payload: Payload
    dense: Floats | None = None
    sparse: SparseVector | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is read back; `dense` only where it was asked for and exists."""

    id: str
    payload: Payload
    dense: Floats | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One hit of one leg, best first in its list."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Fused:
    """One hit of several legs: its payload, its fused score, and rank (from 1) and score in each leg that found it."""

    record: Record
    score: float
    places: dict[LegName, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Match:
    """The payload field `key` equals one of `values` (of a list field: holds one of them)."""

    key: str
    values: tuple[str | int | bool, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The integer or float field `key` lies between the bounds, both included."""

    key: str
    gte: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class HasVector:
    """The point has this vector."""

    name: LegName


@dataclass(frozen=True, slots=True)
class HasId:
    """The point is one of these."""

    ids: tuple[str, ...]


Condition = Match | Range | HasVector | HasId


@dataclass(frozen=True, slots=True)
class Where:
    """All of `must` hold and none of `must_not`; the empty `Where()` matches every point."""

    must: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Leg:
    """One nearest-neighbour question: a vector, where to look for it, how many to return.

    Args:
        exact: compare with every vector, also where the collection has an index.
    """

    vector: Floats | SparseVector
    limit: int
    where: Where = field(default_factory=Where)
    exact: bool = False

    @property
    def using(self) -> LegName:
        """The named vector that is searched."""
        return "sparse" if isinstance(self.vector, SparseVector) else "dense"


@dataclass(frozen=True, slots=True)
class Schema:
    """What a collection is made with.

    Args:
        dense_dim: length of dense vectors (cosine distance); None for a collection without them.
        sparse: whether points carry a sparse vector; the engine applies IDF to it.
        indexes: payload fields to index, with "keyword" or "integer".
    """

    dense_dim: int | None = None
    sparse: bool = False
    indexes: Mapping[str, Literal["keyword", "integer"]] = field(default_factory=dict[str, Literal["keyword", "integer"]])


class Store(Protocol):
    """Named collections of points. Every write is idempotent, and survives a kill of the process once the call returns.

    Raises (all methods): ServiceError when the engine cannot be reached or fails; NotFoundError for an unknown collection.
    """

    def create(self, collection: str, schema: Schema) -> None:
        """Make the collection; one that exists gets the indexes it lacks.

        Raises:
            InputError: it exists with other vectors.
        """
        ...

    def drop(self, collection: str) -> None:
        """Remove the collection and its points; no change when it does not exist."""
        ...

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        ...

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points, each replacing the one with its id whole; an empty sparse vector counts as none.

        Large calls are written in several steps: bad input in a later one leaves the earlier ones written.
        """
        ...

    def update_dense(self, collection: str, ids: Sequence[str], vectors: Floats) -> None:
        """Give existing points their dense vectors, (n, dim); ids that do not exist are passed over."""
        ...

    def set_payload(self, collection: str, where: Where, payload: Payload) -> None:
        """Merge `payload` into that of every point that matches, in one durable step; None removes a key."""
        ...

    def amend(self, collection: str, changes: Sequence[tuple[str, Payload]]) -> None:
        """Merge each payload into that of the point with its id, like `set_payload`; ids that do not exist are passed over."""
        ...

    def delete(self, collection: str, where: Where) -> None:
        """Delete every point that matches."""
        ...

    def retrieve(self, collection: str, ids: Sequence[str], *, dense: bool = False) -> list[Record]:
        """The points that exist among `ids`, in the order of `ids`."""
        ...

    def scroll(
        self, collection: str, where: Where, *, limit: int = 1000, after: str | None = None, fields: Sequence[str] | None = None
    ) -> tuple[list[Record], str | None]:
        """A page of points in id order, from the cursor `after`, and the next cursor (None at the end).

        `fields` limits the payload to these keys.
        """
        ...

    def count(self, collection: str, where: Where) -> int:
        """How many points match, exactly."""
        ...

    def facet(self, collection: str, key: str, where: Where, *, limit: int = 100) -> dict[str, int]:
        """How many matching points have each value of an indexed keyword field, most frequent first."""
        ...

    def query(self, collection: str, legs: Sequence[Leg]) -> list[list[Scored]]:
        """The hits of each leg, best first, all legs in one request."""
        ...

    def hybrid(
        self, collection: str, legs: Sequence[Leg], *, limit: int, beside: tuple[str, str], fields: Sequence[str] | None = None
    ) -> tuple[list[Fused], Record | None]:
        """The best `limit` of the hits of at most one leg of each vector, fused by `retrieval/fuse.py`, best first.

        With it comes, read behind the hits, the record of another collection: `beside` names that and the point.

        Args:
            fields: those of the hits' payloads that are read; None for all. Each one more takes time.
        """
        ...

    def points(self, collection: str, *, limit: int = 500, after: str | None = None) -> tuple[list[Point], str | None]:
        """A page of whole points in id order, from the cursor `after`, and the next cursor (None at the end).

        Dense vectors come as the engine normalised them.
        """
        ...

    def read_points(self, collection: str, ids: Sequence[str]) -> list[Point]:
        """The whole points that exist among `ids`, in the order of `ids`."""
        ...

    def index_state(self, collection: str) -> IndexState:
        """How the collection's vectors are indexed and held, and whether that is being changed."""
        ...

    def optimize(self, collection: str) -> IndexState:
        """Begin to bring the collection to the store's settings, in the background; searches and writes go on.

        The engines do so by themselves too, where much has changed. Ask `index_state` how far it is.
        """
        ...

    def compact(self, collection: str) -> bool:
        """Give back the space of deleted points, if the engine does not do so by itself; returns whether anything was done."""
        ...

    def close(self) -> None:
        """Let go of connections; calling it twice is fine."""
        ...
