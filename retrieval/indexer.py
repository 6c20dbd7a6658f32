"""Builds the index of one shard: `python -m phidex.retrieval.indexer --shard DIR …`, in a process of its own.

The embedded engine builds without ever letting go of its process, for half a minute per 100,000 points; so the engine's
process copies the shard, has the copy built here, and takes it over (`retrieval/builds.py`). What a layout means in the
engine's own types is here too.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from phidex.retrieval.store import Schema
from phidex.retrieval.tuning import Layout
from phidex.retrieval.wire import decode_schema

logger = logging.getLogger(__name__)

NEVER_KB = 1_000_000_000
"""An indexing threshold that nothing reaches: the engine's process never builds."""

_BUILD_KB = 64  # segments above it are indexed: all but the smallest
_SEGMENT_KB = 1_000_000  # of the largest vector; 250,000 passages or so: more would cost the build gigabytes at once
_SEGMENT_POINTS = 200_000
_FULL_SCAN_KB = 10_000  # a filter that leaves fewer is answered exactly
_PR_SET_PDEATHSIG = 1


def edge_config(schema: Schema, layout: Layout, *, points: int = 0) -> edge.EdgeConfig:
    """The engine's configuration. `points` is set to build an index; without, nothing is ever built."""
    vectors = edge.Memory.Cold if layout.on_disk else edge.Memory.Cached
    dense = (
        {"dense": edge.EdgeVectorParams(size=schema.dense_dim, distance=edge.Distance.Cosine, memory=vectors)}
        if schema.dense_dim
        else {}
    )
    terms = edge.Memory.Cold if layout.on_disk else edge.Memory.Pinned
    # The engine wants one vector at least; a collection of payloads alone gets a sparse one that stays empty.
    sparse = (
        {"sparse": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf, memory=terms)} if schema.sparse or not dense else {}
    )
    optimizers = edge.EdgeOptimizersConfig(
        indexing_threshold=_BUILD_KB if points else NEVER_KB,
        default_segment_number=2 + points // _SEGMENT_POINTS,
        max_segment_size=_SEGMENT_KB,
    )
    graph = edge.HnswIndexConfig(
        m=layout.m if layout.hnsw else 0,  # 0: no graph
        ef_construct=layout.ef_construct,
        full_scan_threshold=_FULL_SCAN_KB,
        memory=edge.Memory.Pinned,
    )
    return edge.EdgeConfig(
        vectors=dense,
        sparse_vectors=sparse,
        optimizers=optimizers,
        hnsw_config=graph,
        quantization_config=_quantization(layout),
        wal_enabled=True,
    )


def search_params(ef: int, *, rescore: bool, oversampling: float, exact: bool) -> edge.SearchParams:
    """How a dense leg is searched; what the collection has not, the engine passes over."""
    if exact:
        return edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))
    quantized = edge.QuantizationSearchParams(rescore=rescore, oversampling=oversampling if rescore else None)
    return edge.SearchParams(hnsw_ef=ef, quantization=quantized)


def _quantization(layout: Layout) -> Any:
    match layout.quantization:
        case "int8":
            return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned)
        case "binary":
            return edge.BinaryQuantizationConfig(memory=edge.Memory.Pinned)
        case "none":
            return None


def build(shard: Path, schema: Schema, layout: Layout, points: int) -> None:
    """Build the index of the shard, which no other process may hold."""
    opened = edge.EdgeShard.load(str(shard), edge_config(schema, layout, points=points))
    opened.optimize()
    opened.flush()
    opened.close()


def main(arguments: list[str] | None = None) -> int:
    """Build one shard; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m phidex.retrieval.indexer", description=__doc__)
    parser.add_argument("--shard", type=Path, required=True, help="the shard's folder")
    parser.add_argument("--schema", type=json.loads, required=True, help="the collection's schema, as JSON")
    parser.add_argument("--layout", type=json.loads, required=True, help="the layout to build, as JSON")
    parser.add_argument("--points", type=int, required=True, help="about how many points there are")
    parser.add_argument("--parent", type=int, required=True, help="the engine's process: without it, nothing is built")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(
        OSError, AttributeError
    ):  # Linux alone; elsewhere it ends by itself, and its folder is cleared away
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != given.parent:
        return 1  # it died before it could be watched; its folder may be gone
    with contextlib.suppress(OSError):
        os.nice(5)  # searches come first
    build(given.shard, decode_schema(given.schema), Layout.from_dict(given.layout), given.points)
    logger.info("built shard=%s points=%d", given.shard.name, given.points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
