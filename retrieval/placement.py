"""What a layout means on a Qdrant server: the configuration of a collection, how it is searched, and across a cluster.

A server builds its indexes itself, beside what it serves, and turns a collection to a new configuration in the background.
"""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from phidex.retrieval.store import Schema
from phidex.retrieval.tuning import IndexState, Layout, Step, Tuning
from phidex.settings import StoreSettings


def creation(schema: Schema, settings: StoreSettings) -> dict[str, Any]:
    """Arguments of `create_collection`, with what is asked for at every size; what depends on the size comes later."""
    always = settings.on_disk == "always"
    dense = models.VectorParams(size=schema.dense_dim or 1, distance=models.Distance.COSINE, on_disk=always or None)
    arguments: dict[str, Any] = {
        "vectors_config": {"dense": dense} if schema.dense_dim else {},
        "sparse_vectors_config": {"sparse": _sparse(on_disk=always)} if schema.sparse else {},
        "hnsw_config": models.HnswConfigDiff(m=settings.hnsw_m, ef_construct=settings.hnsw_ef_construct),
        "quantization_config": None if settings.quantization == "auto" else _quantization(settings.quantization),
        "shard_number": settings.shards,
        "replication_factor": settings.replicas,
        "write_consistency_factor": settings.write_consistency,
    }
    return {key: value for key, value in arguments.items() if value is not None}


def changes(schema: Schema, layout: Layout, settings: StoreSettings) -> dict[str, Any]:
    """Arguments of `update_collection` that bring a collection to the layout."""
    arguments: dict[str, Any] = {
        "hnsw_config": models.HnswConfigDiff(m=layout.m, ef_construct=layout.ef_construct),
        "quantization_config": _quantization(layout.quantization) or models.Disabled.DISABLED,
    }
    if schema.dense_dim:
        arguments["vectors_config"] = {"dense": models.VectorParamsDiff(on_disk=layout.on_disk)}
    if schema.sparse:
        arguments["sparse_vectors_config"] = {"sparse": _sparse(on_disk=layout.on_disk)}
    copies = (settings.replicas, settings.write_consistency)
    if copies != (None, None):
        arguments["collection_params"] = models.CollectionParamsDiff(
            replication_factor=copies[0], write_consistency_factor=copies[1]
        )
    return arguments


def state_of(info: models.CollectionInfo, tuning: Tuning) -> IndexState:
    """How a collection is indexed, from what the server tells of it."""
    points = info.points_count or 0
    layout, wanted = layout_of(info), target(tuning, points)
    step: Step = "ready" if layout == wanted else "due"
    match info.status:
        case models.CollectionStatus.YELLOW | models.CollectionStatus.GREY:
            step = "building"
        case models.CollectionStatus.RED:
            step = "failed"
        case models.CollectionStatus.GREEN:
            pass
    return IndexState(layout, points, max(0, points - (info.indexed_vectors_count or 0)), step)


def target(tuning: Tuning, points: int) -> Layout:
    """The layout for so many points; a server makes its graph at a size of its own, so that one is always wanted."""
    layout = tuning.layout(points)
    return Layout(True, layout.quantization, layout.on_disk, layout.m, layout.ef_construct)


def layout_of(info: models.CollectionInfo) -> Layout:
    """The layout that a collection is configured for."""
    config = info.config
    vectors: Any = config.params.vectors if isinstance(config.params.vectors, dict) else {}
    terms = (config.params.sparse_vectors or {}).get("sparse")
    on_disk = vectors["dense"].on_disk if "dense" in vectors else terms is not None and terms.index and terms.index.on_disk
    match config.quantization_config:
        case models.ScalarQuantization():
            quantization = "int8"
        case models.BinaryQuantization():
            quantization = "binary"
        case _:
            quantization = "none"
    return Layout(True, quantization, bool(on_disk), config.hnsw_config.m, config.hnsw_config.ef_construct)


def search_params(settings: StoreSettings, *, exact: bool) -> models.SearchParams:
    """How a dense leg is searched."""
    if exact or settings.index == "exact":
        return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
    oversampling = settings.oversampling if settings.rescore else None
    quantized = models.QuantizationSearchParams(rescore=settings.rescore, oversampling=oversampling)
    return models.SearchParams(hnsw_ef=settings.hnsw_ef, quantization=quantized)


def consistency(settings: StoreSettings) -> models.ReadConsistencyType | int | None:
    """What a read asks of a cluster's copies."""
    asked = settings.read_consistency
    return models.ReadConsistencyType(asked) if isinstance(asked, str) else asked


def _sparse(*, on_disk: bool) -> models.SparseVectorParams:
    index = models.SparseIndexParams(on_disk=on_disk)
    return models.SparseVectorParams(modifier=models.Modifier.IDF, index=index)


def _quantization(kind: str) -> models.ScalarQuantization | models.BinaryQuantization | None:
    match kind:
        case "int8":
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
            return models.ScalarQuantization(scalar=scalar)
        case "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
        case _:
            return None
