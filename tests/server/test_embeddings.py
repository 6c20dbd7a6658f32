"""/v1/embeddings over the application itself, with an embedder of the program's own."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.builders import Author, settings_for
from tests.retrieval.engines import end_engine

from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Floats
from phidex.sdk import Phidex
from phidex.server.app import create_app
from phidex.server.service import open_service
from phidex.settings import ServerSettings


class Lengths:
    """Unit vectors by the length of a text; those of questions point the other way."""

    identity = EmbedderIdentity("lengths", 2, "0" * 16)

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """(n, 2)"""
        angles = np.array([len(text) for text in texts], np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def embed_query(self, text: str) -> Floats:
        """(2,)"""
        return -self.embed_passages([text])[0]


@pytest.fixture
def client(tmp_path: Path) -> Generator[TestClient]:
    phidex = Phidex(settings=settings_for(tmp_path / "data"), embedder=Lengths())
    phidex.ingest(Author(61).document("report.md", 1).write(tmp_path / "docs"))
    with TestClient(create_app(open_service(phidex)), base_url="http://localhost") as client:
        yield client
    end_engine(tmp_path / "data")


def test_embeddings(client: TestClient) -> None:
    texts = ["one", "three"]
    wanted = Lengths().embed_passages(texts)
    for model in ("default", "phidex/embedder"):
        found = client.post("/v1/embeddings", json={"model": model, "input": texts}).json()
        assert np.allclose([one["embedding"] for one in found["data"]], wanted)
        assert found["usage"]["total_tokens"] > 0
    packed = client.post("/v1/embeddings", json={"model": "default", "input": texts, "encoding_format": "base64"}).json()
    assert np.allclose(np.frombuffer(base64.b64decode(packed["data"][1]["embedding"]), "<f4"), wanted[1])
    asked = client.post("/v1/embeddings", json={"model": "default", "input": "one", "input_type": "query"}).json()
    assert np.allclose(asked["data"][0]["embedding"], -wanted[0])


class Wide(Lengths):
    """1,024 dimensions."""

    identity = EmbedderIdentity("wide", 1_024, "0" * 16)

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """(n, 1024)"""
        found = np.random.default_rng(1).standard_normal((len(texts), 1_024)).astype(np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_other_requests_go_on_beside_many_vectors(tmp_path: Path) -> None:
    async def main() -> float:
        app = create_app(open_service(Phidex(settings=settings_for(tmp_path / "data"), embedder=Wide())))
        longest, ended = 0.0, asyncio.Event()

        async def watch() -> None:
            nonlocal longest
            while not ended.is_set():
                since = time.perf_counter()
                await asyncio.sleep(0.005)
                longest = max(longest, time.perf_counter() - since)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            watching = asyncio.ensure_future(watch())
            body = {"model": "phidex/embedder", "input": ["x"] * 2_048}
            found = await client.post("/v1/embeddings", json=body)
            ended.set()
            await watching
        app.state.service.stop()
        data = found.json()["data"]
        assert (len(data), len(data[-1]["embedding"]), data[-1]["index"]) == (2_048, 1_024, 2_047)
        return longest

    assert asyncio.run(main()) < 0.7, "seconds for which nobody else was answered"


def test_vectors_that_take_too_long_are_given_up(tmp_path: Path) -> None:
    go = threading.Event()

    class Slow(Lengths):
        def embed_passages(self, texts: Sequence[str]) -> Floats:
            go.wait(30)
            return super().embed_passages(texts)

    settings = settings_for(tmp_path / "data", server=ServerSettings(answer_timeout_s=0.2))  # pyright: ignore[reportCallIssue]
    service = open_service(Phidex(settings=settings, embedder=Slow()))
    with TestClient(create_app(service), base_url="http://localhost") as client:
        refused = client.post("/v1/embeddings", json={"model": "phidex/embedder", "input": "one"})
        go.set()
    assert (refused.status_code, refused.json()["error"]["code"]) == (504, "timeout")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "default", "input": []}, 400),
        ({"model": "default", "input": ["one", ""]}, 400),
        ({"model": "default", "input": "one", "dimensions": 3}, 400),
        ({"model": "nowhere", "input": "one"}, 404),
        ({"model": "default", "input": [[1, 2]]}, 422),
    ],
)
def test_what_cannot_be_embedded(client: TestClient, body: dict[str, object], status: int) -> None:
    assert client.post("/v1/embeddings", json=body).status_code == status
