"""Who may do what: keys, scopes, grants and limits on every route; names, origins and sizes of requests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from tests.builders import CommandLine, phidex_cli
from tests.server.conftest import Modelled, Place

from phidex.errors import ConfigError, InputError, NotFoundError
from phidex.sdk import Phidex
from phidex.server.app import create_app, create_routes
from phidex.server.edge import MCP_PATH
from phidex.server.guard import PUBLIC, Caller, Needs
from phidex.server.keys import KeyFile
from phidex.server.run import check_start
from phidex.server.service import open_service
from phidex.settings import ServerSettings, Settings

__all__ = ["phidex_cli"]  # a fixture

BODIES: Mapping[str, Any] = {  # what a route is asked with; a new one that takes a body needs its own line
    "/v1/collections/{collection}/search": {"query": "boiler"},
    "/v1/collections/{collection}/ask": {"question": "boiler"},
    "/v1/collections/{collection}/summarize": {},
    "/v1/collections/{collection}/extract": {"schema": {"type": "object"}},
    "/v1/collections/{collection}/imports": {"targets": ["https://example.org/a.pdf"]},
    "/v1/collections/{collection}/uploads": None,
    "/v1/jobs/{job_id}/cancel": None,
    "/v1/chat/completions": {"model": "theirs", "messages": [{"role": "user", "content": "boiler"}]},
    "/v1/embeddings": {"model": "theirs", "input": "boiler"},
}
OPEN_TO_ALL = {"/v1/collections", "/v1/models", "/v1/jobs", "/v1/roles"}
"""Lists, which hold what the key sees alone."""


def routes_of(client: httpx.Client) -> Iterator[tuple[str, str]]:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path


def request(client: httpx.Client, method: str, path: str, values: Mapping[str, str], **more: Any) -> httpx.Response:
    options: dict[str, Any] = {}
    if method == "POST":
        body = BODIES[path]
        options = {"json": body} if body is not None else {"files": {"files": ("a.md", b"# A\n")}} if "uploads" in path else {}
    return client.request(method, path.format_map(values), **options, **more)


@pytest.fixture(scope="module")
def values(place: Place) -> dict[str, str]:
    """Of what is not the key's: a collection, a source and a job in it."""
    with place.client("all") as client:
        sent = client.post("/v1/collections/theirs/uploads", files={"files": ("quiet.md", b"# Quiet\n\nSilence.\n")})
    return {
        "collection": "theirs",
        "model": "theirs",
        "source_id": place.source_id("theirs"),
        "job_id": sent.json()["id"],
        "page_number": "1",
        "name": "0" * 32,
    }


def test_every_route_of_the_application_is_in_its_document(tmp_path: Path) -> None:
    """So that what is tried below is all there is; and each asks for a scope."""
    service = open_service(Phidex(data=tmp_path / "data"))
    app = create_routes(service)
    documented = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    found: set[tuple[str, str]] = set()
    for context in flattened(app.routes):
        found |= {(method, context.path) for method in context.methods or () if method != "HEAD"}
        if context.path not in PUBLIC:
            asks = [one.call for one in context.dependant.dependencies if isinstance(one.call, Needs)]
            assert asks, f"{context.path} asks for no scope"
    assert found == documented
    for lane in (service.lookups, service.pages, service.answers):
        lane.close()


def flattened(routes: Any) -> Iterator[Any]:
    for route in routes:
        if hasattr(route, "dependant"):
            yield route
        elif hasattr(route, "effective_candidates"):
            yield from flattened(route.effective_candidates())
        else:
            # What the tools of /mcp give away, test_mcp.py tries.
            assert route.path in ("/openapi.json", MCP_PATH), f"a route that nobody knows of: {route!r}"


def test_no_route_answers_without_a_key(place: Place, values: dict[str, str]) -> None:
    with place.client("nobody") as client:
        for method, path in routes_of(client):
            answered = request(client, method, path, values)
            assert (answered.status_code == 401) == (path not in PUBLIC), (method, path, answered.text)
            if path not in PUBLIC:
                assert answered.headers["www-authenticate"] == "Bearer"
                assert answered.json()["error"]["code"] == "no_key"


def test_key_of_one_collection_cannot_reach_another_on_any_route(place: Place, values: dict[str, str]) -> None:
    with place.client("mine") as client:
        for method, path in routes_of(client):
            if path in PUBLIC:
                continue
            answered = request(client, method, path, values)
            if path in OPEN_TO_ALL:
                assert answered.status_code == 200
                assert "theirs" not in answered.text
                assert values["job_id"] not in answered.text
            else:
                assert answered.status_code == (404 if "{job_id}" in path else 403), (method, path, answered.text)
                assert place.theirs.word not in answered.text
    with place.client("all") as client:  # and nothing was done
        assert client.get("/v1/collections/theirs").json()["sources"] >= 1


def test_names_that_do_not_exist_answer_as_those_of_others(place: Place) -> None:
    with place.client("mine") as client:
        theirs, none = (client.get(f"/v1/collections/{name}") for name in ("theirs", "nowhere"))
        assert theirs.status_code == none.status_code == 403
        assert theirs.json()["error"]["code"] == none.json()["error"]["code"] == "no_grant"


def test_scopes(place: Place) -> None:
    source = place.source_id("mine")
    with place.client("reader") as reader, place.client("sender") as sender:
        assert reader.post("/v1/collections/mine/search", json={"query": place.mine.word}).status_code == 200
        for method, path in (
            ("DELETE", "/v1/collections/mine"),
            ("DELETE", f"/v1/collections/mine/sources/{source}"),
            ("GET", "/metrics"),
        ):
            assert reader.request(method, path).json()["error"]["code"] == "no_scope"
        assert sender.post("/v1/collections/mine/search", json={"query": "x"}).json()["error"]["code"] == "no_scope"
        assert sender.delete("/v1/collections/mine").json()["error"]["code"] == "no_scope"
        assert sender.get("/v1/jobs").status_code == 200


def test_rate_of_a_key(place: Place) -> None:
    with place.client("slow") as client:
        codes = [client.get("/v1/collections").status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = client.get("/v1/collections")
        assert 1 <= int(refused.headers["retry-after"]) <= 21
        assert refused.json()["error"]["type"] == "rate_limit_error"


def test_revoked_key_ends_at_once_on_a_server_that_runs(place: Place) -> None:
    keys = KeyFile(place.data)
    key, token = keys.create("guest", ["read"], ["mine"], days=1)
    with place.served.client(token) as client:
        assert client.get("/v1/collections").status_code == 200
        keys.revoke("guest")
        assert client.get("/v1/collections").status_code == 401
    with place.served.client(place.tokens["mine"][:-1]) as client:
        assert client.get("/v1/collections").status_code == 401
    assert keys.all()[key.id].revoked_at


def test_keys_are_kept_as_hashes_for_their_owner_alone(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    key, token = keys.create("ada", ["read"], ["*"])
    secret = token.rsplit("_", 1)[1]
    assert secret not in keys.path.read_text()
    assert keys.path.stat().st_mode & 0o077 == 0
    assert keys.find(token) == key
    assert [keys.find(wrong) for wrong in ("", "phidex", f"phidex_{key.id}_", token + "0", "phidex_x_y", "ü")] == [None] * 6
    _, short = keys.create("brief", ["read"], ["*"], days=1e-9)
    time.sleep(0.01)
    assert keys.find(short) is None
    with pytest.raises(InputError, match="there is a key 'ada' already"):
        keys.create("ada", ["read"], ["*"])
    with pytest.raises(InputError, match="no scope 'write'"):
        keys.create("bob", ["write"], ["*"])
    with pytest.raises(NotFoundError):
        keys.revoke("bob")


def test_damaged_keys_let_nobody_in(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    _, token = keys.create("ada", ["read"], ["*"])
    keys.path.write_text("{")
    with pytest.raises(ConfigError, match=r"keys\.json cannot be read"):
        KeyFile(tmp_path).find(token)


def test_damaged_keys_tell_callers_nothing_of_the_machine(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = KeyFile(tmp_path / "data")
    keys.create("ada", ["read"], ["*"])
    keys.path.write_text("{")
    app = create_app(open_service(Phidex(data=tmp_path / "data")))
    with TestClient(app, base_url="http://localhost") as client:
        refused = client.get("/v1/collections")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_keys")
    assert "json" not in refused.text
    assert "remove" not in caplog.text
    assert str(keys.path) in caplog.text


def test_the_valid_key_of_a_name_is_the_one_that_is_revoked(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    keys.create("ada", ["read"], ["*"], days=1e-9)
    time.sleep(0.01)
    key, token = keys.create("ada", ["read"], ["*"])
    assert keys.revoke("ada").id == key.id
    assert keys.find(token) is None
    assert keys.revoke("ada").id != key.id, "then the one that has expired"
    with pytest.raises(NotFoundError):
        keys.revoke("ada")


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_whoever_comes_through_a_proxy_is_not_here(modelled: Modelled, name: str) -> None:
    with modelled.client() as client:
        assert client.get("/v1/collections").status_code == 200
        assert client.get("/v1/collections", headers={name: "203.0.113.9"}).json()["error"]["code"] == "no_key"
        assert client.get("/healthz", headers={name: "203.0.113.9"}).status_code == 200


def test_methods_that_nobody_serves_do_not_fill_the_metrics(place: Place) -> None:
    with place.client("all") as client:
        assert client.request("BREW", "/v1/collections").status_code == 405
        text = client.get("/metrics").text
    assert "BREW" not in text
    assert 'phidex_http_requests_total{method="any",route="/v1/collections",status="405"}' in text


def test_other_addresses_need_keys(tmp_path: Path) -> None:
    def at(host: str) -> Settings:
        return Settings(data=tmp_path, server=ServerSettings(host=host))  # pyright: ignore[reportCallIssue]

    for host in ("127.0.0.1", "localhost", "::1"):
        check_start(at(host), without_keys=False)
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):
        with pytest.raises(ConfigError, match="there is no key"):
            check_start(at(host), without_keys=False)
        check_start(at(host), without_keys=True)
    key, _ = KeyFile(tmp_path).create("ada", ["read"], ["*"])
    check_start(at("0.0.0.0"), without_keys=False)
    KeyFile(tmp_path).revoke(key.id)
    with pytest.raises(ConfigError):
        check_start(at("0.0.0.0"), without_keys=False)


def test_keys_by_the_command_line(phidex_cli: CommandLine) -> None:
    refused = phidex_cli("serve", "--host", "0.0.0.0", code=2)
    assert "there is no key" in refused.stderr
    assert "phidex keys create NAME, or --without-keys" in refused.stderr
    token = phidex_cli("keys", "create", "ada", "--scope", "ingest", "-c", "reports", "--days", "30").stdout.strip()
    (listed,) = phidex_cli.json("keys", "list")
    assert KeyFile(phidex_cli.data).find(token) is not None
    assert (listed["name"], listed["scopes"], listed["collections"]) == ("ada", ["ingest"], ["reports"])
    assert "hash" not in listed
    assert "revoked" in phidex_cli("keys", "revoke", listed["id"]).stdout
    assert "revoked" in phidex_cli("keys", "list").stdout
    assert "no scope 'write'" in phidex_cli("keys", "create", "bob", "--scope", "write", code=2).stderr


def test_wrong_host_names_and_foreign_pages_are_refused(place: Place) -> None:
    def ask(**headers: str) -> int:
        with place.client("mine") as client:
            return client.get("/v1/collections", headers=headers).status_code

    assert ask() == ask(Host="localhost:1") == ask(Host="[::1]:1") == 200
    assert ask(Host="evil.example") == ask(Host="127.0.0.1.evil.example") == ask(Host="") == 421
    assert ask(Origin="https://evil.example") == ask(**{"Sec-Fetch-Site": "cross-site"}) == ask(Origin="null") == 403
    assert ask(Origin=place.served.url) == ask(**{"Sec-Fetch-Site": "same-origin"}) == 200


def test_pages_that_were_allowed_may_ask(tmp_path: Path) -> None:
    allowed = "https://app.example.org"
    settings = Settings(data=tmp_path / "data", server=ServerSettings(cors_origins=(allowed,)))  # pyright: ignore[reportCallIssue]
    KeyFile(settings.data).create("ada", ["read"], ["*"])
    service = open_service(Phidex(settings=settings))
    wish = {"Origin": allowed, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    with TestClient(create_app(service), base_url="http://localhost") as client:
        asked = client.options("/v1/collections", headers=wish)
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, allowed)
        assert client.get("/v1/collections", headers={"Origin": allowed}).status_code == 401
        assert client.get("/healthz", headers={"Origin": allowed}).headers["access-control-allow-origin"] == allowed
        assert client.get("/healthz", headers={"Origin": "https://evil.example"}).status_code == 403


def test_what_fails_inside_is_one_body_and_tells_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = open_service(Phidex(data=tmp_path / "data"))
    app = create_app(service)

    @app.get("/breaks")
    async def breaks() -> None:  # pyright: ignore[reportUnusedFunction]  asked below
        raise RuntimeError("the secret inside")

    with TestClient(app, base_url="http://localhost") as client:
        failed = client.get("/breaks")
    assert failed.status_code == 500
    assert failed.json()["error"]["code"] == "internal"
    assert "secret" not in failed.text
    assert "the secret inside" in caplog.text


def test_every_answer_has_its_headers(place: Place) -> None:
    with place.client("mine") as client:
        for path in ("/healthz", "/v1/collections", "/v1/nothing"):
            found = client.get(path, headers={"X-Request-ID": "mine-1"}).headers
            assert found["x-request-id"] == "mine-1"
            assert found["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in found["content-security-policy"]
            assert "access-control-allow-origin" not in found
            assert "server" not in found
        assert client.get("/healthz", headers={"X-Request-ID": "no\tgood"}).headers["x-request-id"] != "no\tgood"


def test_bodies_are_held_to_size_and_pace(place: Place) -> None:
    search = "/v1/collections/mine/search"
    with place.client("mine") as client:
        big = client.post(search, json={"query": "x" * (2 << 20)})
        assert (big.status_code, big.json()["error"]["code"]) == (413, "too_large")

        def pieces() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * (1 << 16)

        assert client.post(search, content=pieces(), headers={"Content-Type": "application/json"}).status_code == 413
        packed = client.post(search, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
        assert packed.status_code == 415

        def slowly() -> Iterator[bytes]:
            yield b'{"query"'
            time.sleep(4)
            yield b': "x"}'

        slow = client.post(search, content=slowly(), headers={"Content-Type": "application/json"})
        assert (slow.status_code, slow.json()["error"]["code"]) == (408, "too_slow")


def test_audit_says_who_did_what_and_nothing_of_the_contents(place: Place) -> None:
    with place.client("mine") as client:
        client.post("/v1/collections/mine/search", json={"query": "sibilant wording"}, headers={"X-Request-ID": "audited"})
    deadline, text = time.monotonic() + 5, ""
    lines: list[dict[str, Any]] = []
    while not lines and time.monotonic() < deadline:
        text = (place.data / "server" / "audit.jsonl").read_text("utf-8")
        lines = [line for line in map(json.loads, text.splitlines()) if line["request"] == "audited"]
    (line,) = lines
    assert (line["name"], line["collection"], line["status"], line["method"]) == ("mine", "mine", 200, "POST")
    assert line["route"] == "/v1/collections/{collection}/search"
    assert "sibilant" not in text
    assert not any(token in text for token in place.tokens.values())


def test_caller_without_a_key_sees_everything() -> None:
    Caller().check(("admin",), "any")
    assert Caller().sees("any")
