"""The embedded engine without its process: its own search on the same files, beside which ours is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from phidex.retrieval.indexer import search_params
from phidex.retrieval.store import Leg, SparseVector, Store
from phidex.settings import StoreSettings


@contextmanager
def bare_shard(data: Path, points: str) -> Generator[edge.EdgeShard]:
    """The shard of a collection in this process; no engine may hold it."""
    folder = data / "collections" / points
    shard = edge.EdgeShard.load(str(folder / json.loads((folder / "schema.json").read_bytes())["shard"]))
    try:
        yield shard
    finally:
        shard.close()


def plain_request(legs: Sequence[Leg], settings: StoreSettings) -> edge.QueryBatchRequest:
    """The legs as the engine takes them, of a collection that has an index."""
    params = search_params(settings.hnsw_ef, rescore=settings.rescore, oversampling=settings.oversampling, exact=False)

    def request(leg: Leg) -> edge.QueryRequest:
        if isinstance(leg.vector, SparseVector):
            terms: Any = edge.SparseVector(leg.vector.indices.tolist(), leg.vector.values.tolist())
            return edge.QueryRequest(limit=leg.limit, query=edge.Query.Nearest(terms, using="sparse"))
        near: Any = leg.vector.tolist()
        return edge.QueryRequest(limit=leg.limit, query=edge.Query.Nearest(near, using="dense"), params=params)

    return edge.QueryBatchRequest([request(leg) for leg in legs])


def wait_for_index(store: Store, points: str) -> None:
    """Returns when the collection is indexed as the settings ask. Raises: RuntimeError where that fails."""
    state = store.optimize(points)
    while state.step in ("due", "building"):
        time.sleep(0.2)
        state = store.index_state(points)
    if state.step != "ready":
        raise RuntimeError(f"the index was not built: {state.step}; see engine.log in the data folder")
