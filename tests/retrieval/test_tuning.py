"""What settings ask for at a size, and what a Qdrant server is told of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from tests.retrieval.engines import points_of, settings

from phidex.retrieval.placement import changes, consistency, creation, layout_of, search_params, state_of, target
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Leg, Schema
from phidex.retrieval.tuning import Layout, Tuning

SCHEMA = Schema(384, sparse=True)
LARGE = Layout(hnsw=True, quantization="int8", on_disk=True)


@pytest.mark.parametrize(
    ("values", "points", "expected"),
    [
        ({}, 99_999, Layout()),
        ({}, 100_000, LARGE),
        ({"index": "exact"}, 500_000, Layout(on_disk=True)),
        ({"index": "exact", "on_disk": "never"}, 500_000, Layout()),
        ({"index": "hnsw"}, 5_000, Layout(hnsw=True)),
        ({"index": "hnsw"}, 500, Layout()),  # nothing is worth an index
        ({"quantization": "binary"}, 200_000, Layout(hnsw=True, quantization="binary", on_disk=True)),
        ({"quantization": "none", "on_disk": "never"}, 200_000, Layout(hnsw=True)),
        ({"index_from": 5000, "hnsw_m": 32, "hnsw_ef_construct": 200}, 5000, Layout(True, "int8", True, 32, 200)),
    ],
)
def test_layouts(values: dict[str, Any], points: int, expected: Layout) -> None:
    tuning = Tuning.of(settings(**values))
    assert tuning.layout(points) == expected
    assert Tuning.from_dict(tuning.to_dict()) == tuning
    assert Layout.from_dict(expected.to_dict()) == expected


def test_when_something_is_built() -> None:
    tuning = Tuning()
    assert tuning.wanted(99_999, Layout(), 99_999) is None
    assert tuning.wanted(100_000, Layout(), 100_000) == LARGE
    assert tuning.wanted(100_000, LARGE, 10_000) is None
    assert tuning.wanted(100_000, LARGE, 10_001) == LARGE
    assert tuning.wanted(100_000, LARGE, 1_001, asked=True) == LARGE
    assert tuning.wanted(50_000, LARGE, 50_000) is None  # a collection that shrank keeps its index
    assert tuning.wanted(200_000, Layout(hnsw=True, quantization="none", on_disk=True), 0) == LARGE


def test_what_a_server_is_told_at_creation() -> None:
    assert creation(SCHEMA, settings()).keys() == {"vectors_config", "sparse_vectors_config", "hnsw_config"}
    told = creation(
        SCHEMA,
        settings(
            quantization="int8", on_disk="always", shards=6, replicas=3, write_consistency=2, hnsw_m=32, hnsw_ef_construct=99
        ),
    )
    assert (told["shard_number"], told["replication_factor"], told["write_consistency_factor"]) == (6, 3, 2)
    assert told["vectors_config"]["dense"].on_disk
    assert told["sparse_vectors_config"]["sparse"].index.on_disk
    assert (told["hnsw_config"].m, told["hnsw_config"].ef_construct) == (32, 99)
    assert told["quantization_config"].scalar.always_ram
    assert creation(Schema(), settings())["vectors_config"] == {}
    assert QdrantClient(":memory:").create_collection("c", **told)  # the client takes it


def info_of(**values: Any) -> models.CollectionInfo:
    """What a server tells of a collection of 200,000 points."""
    client = QdrantClient(":memory:")
    client.create_collection("c", **creation(SCHEMA, settings()))
    info = client.get_collection("c").model_dump()
    config = {**info["config"], **values.pop("config", {})}
    return models.CollectionInfo.model_validate({**info, "points_count": 200_000, "config": config, **values})


def test_a_server_is_brought_to_a_layout() -> None:
    small = info_of(indexed_vectors_count=200_000)
    tuning = Tuning.of(settings())
    assert layout_of(small).quantization == "none"
    assert state_of(small, tuning).step == "due"
    told = changes(SCHEMA, target(tuning, 200_000), settings(replicas=2))
    assert told["quantization_config"].scalar.type == models.ScalarType.INT8
    assert told["vectors_config"]["dense"].on_disk
    assert told["sparse_vectors_config"]["sparse"].modifier == models.Modifier.IDF
    assert told["collection_params"].replication_factor == 2
    params = small.config.params.model_dump()
    params["vectors"]["dense"]["on_disk"] = True
    config = {
        "params": params,
        "quantization_config": told["quantization_config"],
        "hnsw_config": {**small.config.hnsw_config.model_dump(), "ef_construct": 64},
    }
    assert state_of(info_of(config=config, status="yellow"), tuning).step == "building"
    done = state_of(info_of(config=config, indexed_vectors_count=190_000), tuning)
    assert (done.step, done.outside, done.layout) == ("ready", 10_000, LARGE)
    assert state_of(info_of(config=config, status="red"), tuning).step == "failed"
    off = changes(SCHEMA, Layout(hnsw=True), settings())
    assert off["quantization_config"] == models.Disabled.DISABLED
    assert "collection_params" not in off


class Told:
    """A client of a server that remembers what it was told."""

    init_options: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, info: models.CollectionInfo) -> None:
        self.info, self.told = info, list[tuple[str, dict[str, Any]]]()

    def get_collection(self, _name: str) -> models.CollectionInfo:
        return self.info

    def update_collection(self, name: str, **told: Any) -> bool:
        self.told.append((name, told))
        return True

    def upsert(self, _name: str, _points: Any, *, wait: bool) -> None:
        assert wait

    def query_batch_points(self, name: str, requests: Any, **told: Any) -> list[Any]:
        self.told.append((name, {"requests": requests, **told}))
        return [SimpleNamespace(points=[]) for _ in requests]


def test_a_server_store_sends_it() -> None:
    client: Any = Told(info_of())
    store = ServerStore(client=client, settings=settings(read_consistency="majority", hnsw_ef=77, oversampling=3.0))
    assert store.optimize("c").step == "due"
    ((name, told),) = client.told
    assert name == "phidex_c"
    assert told["quantization_config"].scalar.always_ram
    client.told.clear()
    store.query("c", [Leg(np.ones(384, np.float32), 5), Leg(np.ones(384, np.float32), 5, exact=True)])
    ((_, told),) = client.told
    assert told["consistency"] == models.ReadConsistencyType.MAJORITY
    near, exact = (request.params for request in told["requests"])
    assert (near.hnsw_ef, near.quantization.rescore, near.quantization.oversampling) == (77, True, 3.0)
    assert exact.exact
    assert exact.quantization.ignore


def test_a_server_is_told_while_a_collection_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.retrieval.server._LOOK_EVERY", 100)
    client: Any = Told(info_of())
    store = ServerStore(client=client, settings=settings())
    store.upsert("c", points_of(range(90)))
    assert client.told == []
    store.upsert("c", points_of(range(90)))
    assert len(client.told) == 1


def test_search_and_consistency() -> None:
    assert search_params(settings(index="exact"), exact=False).exact
    assert search_params(settings(rescore=False), exact=False).quantization == models.QuantizationSearchParams(rescore=False)
    assert consistency(settings()) is None
    assert consistency(settings(read_consistency=2)) == 2
    assert consistency(settings(read_consistency="quorum")) == models.ReadConsistencyType.QUORUM
