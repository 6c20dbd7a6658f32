"""A collection goes from a fast static model to one behind an endpoint, which fails and is slow, while others search it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import Author, CommandLine, phidex_cli, settings_for
from tests.retrieval.engines import end_engine

from phidex.errors import ServiceError
from phidex.retrieval.embed import EmbedderIdentity
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

__all__ = ["phidex_cli"]  # a fixture
pytest.importorskip("sentence_transformers", reason="makes the tiny model")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]


class Endpoint:
    """Embeds by letters, with the noise of a GPU; fails behind `allowed` requests."""

    def __init__(self) -> None:
        self.allowed = 1_000_000
        self.texts: list[str] = []
        self.noise = np.random.default_rng(3)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.reply(200, {"data": [{"id": "letters"}]})

            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.allowed -= 1
                if endpoint.allowed < 0:
                    return self.reply(503, {"error": {"message": "out of memory"}})
                endpoint.texts += body["input"]
                rows = [{"index": n, "embedding": endpoint.vector(text)} for n, text in enumerate(body["input"])]
                return self.reply(200, {"data": rows})

            def reply(self, status: int, value: object) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def vector(self, text: str) -> list[float]:
        seeds = [np.random.default_rng(list(word.encode())).normal(size=48) for word in text.lower().split()] or [np.ones(48)]
        vector = np.sum(seeds, axis=0)
        return (vector + self.noise.normal(size=48) * 0.01 * np.linalg.norm(vector)).tolist()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def served(data: Path, endpoint: Endpoint, **values: Any) -> Settings:
    embed = EmbedSettings(url=endpoint.url, batch=64, retries=0, **values)
    return settings_for(data).model_copy(update={"embed": embed})


def test_from_fast_to_an_endpoint_that_breaks_off(tmp_path: Path, endpoint: Endpoint) -> None:
    from tests.retrieval.tiny_models import make_tiny_static

    model = make_tiny_static(tmp_path / "static")
    data, author = tmp_path / "data", Author(5)
    document = author.document("plan.md", 400)
    document.write(tmp_path / "docs")
    with Phidex(settings=settings_for(data, model=str(model))) as phidex:
        phidex.ingest(tmp_path / "docs")
        assert identity_of(phidex).dim == 64
    word = document.word
    with Phidex(settings=served(data, endpoint)) as phidex:
        assert "dense" in phidex.search(document.pages[0].text)[0].why  # the settings say `auto`: it keeps its model
        assert not endpoint.texts
        endpoint.allowed = 1 + 4 + 1  # the probes, four requests for the 256 passages that are written at once, and one more
        with pytest.raises(ServiceError, match="out of memory"):
            phidex.reindex(embedder="endpoint")
        assert identity_of(phidex).dim == 64
        assert phidex.search(word)
        endpoint.allowed = 1_000_000
        report = phidex.reindex(embedder="endpoint")
        assert (report.switched, report.pending) == (True, 0)
        assert report.embedded == report.chunks - 256 > 0  # what the first run wrote was not embedded again
        assert identity_of(phidex).model == "endpoint:letters"
        assert identity_of(phidex).dim == 48
        assert phidex.search(document.pages[3].text)[0].why["dense"].rank <= 3
        again = phidex.reindex(embedder="endpoint")
        assert not again.switched  # noise is no other model
    with Phidex(settings=served(data, endpoint)) as later:  # another program, by what the collection remembers
        endpoint.texts.clear()
        assert "dense" in later.search(document.pages[5].text)[0].why
        assert len(endpoint.texts) == 1 + 4
    with Phidex(settings=settings_for(data, model="auto")) as without:
        assert without.search(word)[0].why.keys() == {"lexical"}
    end_engine(data)


def test_by_the_command_line(phidex_cli: CommandLine, tmp_path: Path, endpoint: Endpoint) -> None:
    document = Author(6).document("plan.md", 3)
    phidex_cli("ingest", document.write(tmp_path))
    environment = {"PHIDEX_EMBED__URL": endpoint.url}
    report = phidex_cli.json("reindex", "--embedder", "endpoint", env=environment)
    assert report["switched"] is True
    assert report["after"]["embedder"]["model"] == "endpoint:letters"
    assert phidex_cli.json("reindex", "--embedder", "endpoint", env=environment)["switched"] is False
    down = {"PHIDEX_EMBED__URL": "http://127.0.0.1:9/v1", "PHIDEX_EMBED__RETRIES": "0"}
    refused = phidex_cli("reindex", "--embedder", "endpoint", env=down, code=3)
    assert "cannot be reached" in refused.stderr


def identity_of(phidex: Phidex) -> EmbedderIdentity:
    from phidex.retrieval.engines import open_store
    from phidex.retrieval.reindex import made_of

    store = open_store(phidex.settings.data, phidex.settings.store)
    try:
        found = made_of(store, "default").embedder
    finally:
        store.close()
    assert found is not None
    return found
