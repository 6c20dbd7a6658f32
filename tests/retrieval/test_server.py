"""What a client of a Qdrant server sees of its errors: every answer that is none becomes one of ours."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc  # pyright: ignore[reportMissingTypeStubs]  # it has none
import numpy as np
import pytest
from tests.retrieval.engines import SCHEMA, id_of, points_of, settings

from phidex.errors import ConfigError, InputError, NotFoundError, PhidexError, ServiceError
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Leg, Where


class Answer:
    """What the fake server says to every request."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b"{}"
        self.bodies: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.delay = threading.Event()
        self.delay.set()
        self.keys: list[str | None] = []
        self.methods: list[str] = []


@pytest.fixture
def answer() -> Answer:
    return Answer()


@pytest.fixture
def url(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer.methods.append(self.command)
            answer.keys.append(self.headers.get("api-key"))
            answer.delay.wait(5)
            body = answer.bodies.get(self.command, answer.body)
            with contextlib.suppress(OSError):  # a client that did not wait
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815  # the names are http.server's

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    answer.delay.set()
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def calls_of(store: ServerStore) -> list[Any]:
    return [
        store.names,
        lambda: store.create("c", SCHEMA),
        lambda: store.upsert("c", points_of(range(3))),
        lambda: store.update_dense("c", [id_of(1)], np.ones((1, 8), np.float32)),
        lambda: store.set_payload("c", Where(), {"a": 1}),
        lambda: store.delete("c", Where()),
        lambda: store.retrieve("c", [id_of(1)]),
        lambda: store.scroll("c", Where()),
        lambda: store.count("c", Where()),
        lambda: store.facet("c", "k", Where()),
        lambda: store.query("c", [Leg(np.ones(8, np.float32), 3)]),
        lambda: store.points("c"),
        lambda: store.read_points("c", [id_of(1)]),
        lambda: store.index_state("c"),
        lambda: store.optimize("c"),
    ]


def error(text: str) -> bytes:
    return json.dumps({"status": {"error": text}, "time": 0}).encode()


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, InputError, None),
        (401, ConfigError, None),
        (403, ConfigError, None),
        (422, InputError, None),
        (429, ServiceError, True),
        (500, ServiceError, True),
        (502, ServiceError, True),
        (503, ServiceError, True),
        (302, ServiceError, False),
    ],
)
def test_statuses(url: str, answer: Answer, status: int, kind: type[PhidexError], retryable: bool | None) -> None:
    answer.status, answer.body = status, error("so it is")
    store = ServerStore(url)
    for call in calls_of(store):
        with pytest.raises(kind) as caught:
            call()
        assert getattr(caught.value, "retryable", None) == retryable
        assert caught.value.hint or kind is InputError
    store.close()


def test_not_found_names_the_collection(url: str, answer: Answer) -> None:
    answer.status, answer.body = 404, error("Not found: Collection `phidex_c` doesn't exist!")
    store = ServerStore(url)
    with pytest.raises(NotFoundError, match="'c'"):
        store.count("c", Where())
    with pytest.raises(ServiceError):  # no Qdrant server at all
        store.names()
    store.close()


def test_a_server_that_asks_to_wait(url: str, answer: Answer) -> None:
    answer.status, answer.body, answer.headers = 429, error("slow down"), {"Retry-After": "3"}
    store = ServerStore(url)
    with pytest.raises(ServiceError, match="slow down") as caught:
        store.count("c", Where())
    assert caught.value.retryable
    store.close()


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"{}", b'{"result": 3}', b"\xff\xfe\x00", b"null", b"[1]"])
def test_garbage(url: str, answer: Answer, body: bytes) -> None:
    answer.body = body
    store = ServerStore(url)
    for call in calls_of(store):
        with pytest.raises(ServiceError, match="no Qdrant server"):
            call()
    store.close()


@pytest.mark.parametrize(("status", "sent"), [("grey", 1), ("yellow", 0), ("green", 0)])
def test_what_waits_for_an_update_gets_one_though_its_layout_is_as_wanted(
    url: str, answer: Answer, status: str, sent: int
) -> None:
    store = ServerStore(url)
    config: dict[str, Any] = {
        "params": {"vectors": {"dense": {"size": 8, "distance": "Cosine"}}, "sparse_vectors": {"sparse": {}}},
        "hnsw_config": {"m": settings().hnsw_m, "ef_construct": settings().hnsw_ef_construct, "full_scan_threshold": 10},
        "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0}
        | {"flush_interval_sec": 5, "max_segment_size": None},
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
    }
    info = {"status": status, "optimizer_status": "ok", "points_count": 9, "segments_count": 1}
    answer.body = json.dumps({"result": {**info, "config": config, "payload_schema": {}}, "status": "ok"}).encode()
    answer.bodies["PATCH"] = b'{"result": true, "status": "ok"}'
    assert store.optimize("c").step == ("ready" if status == "green" else "building")
    assert answer.methods.count("PATCH") == sent
    store.close()


@pytest.mark.parametrize("prefer_grpc", [False, True])
def test_a_closed_port(prefer_grpc: bool) -> None:
    store = ServerStore(f"http://127.0.0.1:{closed_port()}", settings(prefer_grpc=prefer_grpc, timeout_s=1))
    with pytest.raises(ServiceError, match="names") as caught:
        store.names()
    assert caught.value.retryable
    assert "PHIDEX_STORE__URL" in caught.value.hint
    store.close()
    store.close()


def test_a_slow_server(url: str, answer: Answer) -> None:
    answer.delay.clear()
    store = ServerStore(url, settings(timeout_s=1))
    with pytest.raises(ServiceError) as caught:
        store.names()
    assert caught.value.retryable
    store.close()


@pytest.mark.parametrize("url", ["ftp://example", "http://[::1", "http://127.0.0.1:99999999"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(PhidexError):
        ServerStore(url).names()


def test_the_key_travels_and_a_plain_connection_is_told(url: str, answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    answer.body = json.dumps({"result": {"collections": [{"name": "phidex_b"}, {"name": "other"}]}, "status": "ok"}).encode()
    store = ServerStore(url, settings(api_key="secret"))
    with caplog.at_level(logging.WARNING):
        assert store.names() == ["b"]
    assert answer.keys == ["secret"]
    assert any("insecure" in message for message in caplog.messages)
    assert "secret" not in caplog.text
    store.close()


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, ConfigError, None),
        (grpc.StatusCode.PERMISSION_DENIED, ConfigError, None),
        (grpc.StatusCode.NOT_FOUND, NotFoundError, None),
        (grpc.StatusCode.INVALID_ARGUMENT, InputError, None),
        (grpc.StatusCode.UNAVAILABLE, ServiceError, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ServiceError, True),
        (grpc.StatusCode.INTERNAL, ServiceError, True),
        (grpc.StatusCode.UNIMPLEMENTED, ServiceError, False),
    ],
)
def test_grpc_codes(monkeypatch: pytest.MonkeyPatch, code: Any, kind: type[PhidexError], retryable: bool | None) -> None:
    def refuse(_request: Any, context: Any) -> None:
        context.abort(code, "so it is")

    class Refusing(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(refuse)  # pyright: ignore[reportUnknownVariableType]

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setattr("phidex.retrieval.server.GRPC_PORT", port)
    store = ServerStore("http://127.0.0.1", settings(prefer_grpc=True, timeout_s=5))
    try:
        with pytest.raises(kind) as caught:
            store.count("c", Where())
        assert getattr(caught.value, "retryable", None) == retryable
    finally:
        store.close()
        server.stop(None)
