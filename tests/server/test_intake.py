"""Uploads and imports as jobs: what is taken, what is refused, and how it is followed."""

from __future__ import annotations

import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import Author
from tests.server.conftest import Place, wait_for

from phidex.errors import InputError
from phidex.sdk import Phidex
from phidex.server.app import create_app
from phidex.server.faults import RefusedError
from phidex.server.jobs.record import Job
from phidex.server.service import open_service
from phidex.server.uploads import check_claim, safe_name

UPLOADS = "/v1/collections/mine/uploads"


def send(client: httpx.Client, *files: tuple[str, bytes] | tuple[str, bytes, str], **more: Any) -> httpx.Response:
    return client.post(UPLOADS, files=[("files", file) for file in files], **more)


def test_many_files_with_folders_and_tags(place: Place) -> None:
    author = Author(21)
    one, two = author.document("one.pdf", 2), author.document("two.md", 2)
    with place.client() as client:
        files = (("a/one.pdf", one.to_bytes()), ("b/two.md", two.to_bytes(), "text/markdown"))
        sent = send(client, *files, data={"tags": ["red", "blue"]})
        assert sent.status_code == 202, sent.text
        job = wait_for(client, client.get(sent.headers["location"]).json())
        assert (job["state"], job["counts"], job["refused"]) == ("done", {"added": 2}, [])
        hits = client.post("/v1/collections/mine/search", json={"query": two.word}).json()["hits"]
        source = hits[0]["source"]
        assert (source["name"], sorted(source["tags"])) == ("two.md", ["blue", "red"])
        kept = place.data / "uploads" / "mine" / "b" / "two.md"
        assert kept.read_bytes() == two.to_bytes()
        again = wait_for(client, send(client, *files).json())
        assert again["counts"] == {"unchanged": 2}
        assert client.delete(f"/v1/collections/mine/sources/{source['id']}").json()["removed"] == [source["uri"]]
        assert not kept.parent.exists(), "what was uploaded goes with its source"
        assert (place.data / "uploads" / "mine" / "a" / "one.pdf").exists()
        assert client.get(f"/v1/collections/mine/sources/{source['id']}").status_code == 404


def test_job_is_followed_to_its_end(place: Place) -> None:
    with place.client() as client:
        job = send(client, ("followed.md", b"# Followed\n\nStep by step.\n")).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            told = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
        assert told[-1]["state"] == "done"
        assert {one["id"] for one in told} == {job["id"]}
        pages = client.get("/v1/jobs", params={"limit": 1, "collection": "mine"}).json()
        assert pages["data"][0]["id"] == job["id"]
        following = client.get("/v1/jobs", params={"limit": 1, "cursor": pages["next_cursor"]}).json()
        assert following["data"][0]["created_at"] < pages["data"][0]["created_at"]
        assert client.post(f"/v1/jobs/{job['id']}/cancel").json()["error"]["code"] == "has_ended"


def test_same_request_sent_again_is_the_same_job(place: Place) -> None:
    with place.client() as client, place.client("all") as other:
        key = {"Idempotency-Key": "once-1"}
        first = send(client, ("once.md", b"# Once\n"), headers=key).json()
        assert send(client, ("once.md", b"# Once\n"), headers=key).json()["id"] == first["id"]
        assert send(client, ("once.md", b"# Once\n")).json()["id"] != first["id"]
        assert send(other, ("once.md", b"# Once\n"), headers=key).json()["id"] != first["id"]
        for file in (("once.md", b"# Other\n"), ("other.md", b"# Once\n")):
            reused = send(client, file, headers=key)
            assert (reused.status_code, reused.json()["error"]["code"]) == (409, "key_reused")
        wanted: dict[str, Any] = {"targets": ["https://127.0.0.1:1/a.pdf"]}
        bodies: list[dict[str, Any]] = [wanted, wanted, {**wanted, "tags": []}]
        imports = [client.post("/v1/collections/mine/imports", json=body, headers=key) for body in bodies]
        assert [one.status_code for one in imports] == [202, 202, 409]
        assert imports[0].json()["id"] == imports[1].json()["id"] != first["id"]
        assert "body" not in first, "its hash is nobody's concern"
        wait_for(client, first)


@pytest.mark.parametrize(
    "name",
    [
        "../up.md",
        "a/../../up.md",
        "/etc/up.md",
        "..\\up.md",
        ".hidden",
        "a//b.md",
        "d/" * 520 + "a.md",
        f"{'d' * 200}/" * 6 + "a.md",
    ],
)
def test_names_that_lead_out_are_refused(place: Place, name: str) -> None:
    with place.client() as client:
        refused = send(client, ("good.md", b"# Good\n"), (name, b"# Bad\n"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_input")
    assert not list(place.data.rglob("*up.md"))
    assert not list((place.data / "server" / "jobs" / "incoming").iterdir()), "nothing of it stays"


@given(st.text(max_size=40))
def test_safe_names_stay_inside(name: str) -> None:
    try:
        kept = safe_name(name)
    except InputError:
        return
    assert not kept.startswith("/")
    assert all(part not in ("", ".", "..") and "\\" not in part and "\x00" not in part for part in kept.split("/"))


def test_types_that_lie_are_refused(place: Place) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100
    with place.client() as client:
        refused = send(client, ("report.pdf", png, "application/pdf"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (415, "lying_type")
        assert send(client, ("note.txt", b"MZ\x00\x01" * 50, "text/plain")).status_code == 415
    check_claim("a.pdf", "application/pdf; x=1", b"%PDF-1.7")
    check_claim("a.bin", "application/octet-stream", png)
    check_claim("a.txt", "text/plain", b"\xff\xfea\x00")
    with pytest.raises(RefusedError):
        check_claim("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"plain text")


def test_too_large_and_too_many_are_refused(place: Place) -> None:
    with place.client("sender") as client:  # whose key may send 1 MB
        assert send(client, ("big.md", b"x" * (2 << 20))).status_code == 413

        def endless() -> Iterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="endless.md"\r\n\r\n'
            for _ in range(64):
                yield b"x" * (1 << 16)

        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        assert client.post(UPLOADS, content=endless(), headers=kind).status_code == 413
        many = send(client, *((f"{number}.md", b"# Many\n") for number in range(21)))
        assert many.json()["error"]["code"] == "too_many_files"
    assert not list((place.data / "server" / "jobs" / "incoming").iterdir())


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=b", b"no form", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\nx',
            400,
        ),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n', 400),
    ],
)
def test_what_is_no_upload_is_refused(place: Place, kind: str, body: bytes, status: int) -> None:
    with place.client() as client:
        refused = client.post(UPLOADS, content=body, headers={"Content-Type": kind})
        assert refused.status_code == status, refused.text


def test_bomb_costs_itself_alone(place: Place) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.md", b"0" * (8 << 20))
    with place.client() as client:
        job = wait_for(client, send(client, ("bomb.zip", packed.getvalue()), ("fine.md", b"# Fine\n\nAll is well.\n")).json())
        assert job["state"] == "done"
        assert job["counts"]["added"] == 1
        assert job["refused"]
        assert all("bomb" in one["path"] and one["reason"] for one in job["refused"])


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "file:///etc/passwd", "git@github.com:a/b.git", "ssh://git@host/a.git", "relative.md", "ftp://host/a.pdf"],
)
def test_only_addresses_that_anybody_could_fetch_are_imported(place: Place, target: str) -> None:
    with place.client() as client:
        refused = client.post("/v1/collections/mine/imports", json={"targets": [target]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_input")


def test_import_into_the_private_network_fails_and_shows_no_secret(place: Place) -> None:
    with place.client() as client:
        wanted = {"targets": ["https://jo:hush@127.0.0.1:1/a.pdf?token=hush"]}
        sent = client.post("/v1/collections/mine/imports", json=wanted)
        assert sent.status_code == 202
        job = wait_for(client, sent.json())
        assert job["state"] == "done"
        assert job["counts"] == {"failed": 1}
        assert "hush" not in json.dumps(job)
        assert "127.0.0.1" in job["refused"][0]["path"]


def test_repositories_of_the_private_network_are_not_connected_to(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as private, place.client() as client:
        private.settimeout(0.2)
        wanted = {"targets": [f"https://127.0.0.1:{private.getsockname()[1]}/x.git"]}
        job = wait_for(client, client.post("/v1/collections/mine/imports", json=wanted).json())
        assert job["counts"] == {"failed": 1}
        assert job["refused"][0]["reason"] == "127.0.0.1 leads to a private address"
        with pytest.raises(TimeoutError):
            private.accept()


def test_job_that_waits_is_cancelled(place: Place) -> None:
    long = Author(22).document("long.md", 400)
    with place.client() as client:
        busy = send(client, ("long.md", long.to_bytes())).json()
        waiting = send(client, ("never.md", b"# Never\n\nUnheard.\n")).json()
        ended = client.post(f"/v1/jobs/{waiting['id']}/cancel").json()
        assert ended["cancelling"] or ended["state"] == "cancelled"
        assert wait_for(client, ended)["state"] == "cancelled"
        wait_for(client, busy)
        names = [one["name"] for one in client.get("/v1/collections/mine/sources", params={"limit": 1000}).json()["data"]]
        assert "never.md" not in names


def test_document_goes_with_all_files_that_it_was_uploaded_as(place: Place) -> None:
    text = b"# Twice\n\nThe same under two names.\n"
    with place.client() as client:
        wait_for(client, send(client, ("twice-a.md", text), ("more/twice-b.md", text)).json())
        listed = client.get("/v1/collections/mine/sources", params={"limit": 1000}).json()["data"]
        (source,) = (one for one in listed if "twice-" in one["uri"])
        assert source["also"]
        assert len(client.delete(f"/v1/collections/mine/sources/{source['id']}").json()["removed"]) == 2
    folder = place.data / "uploads" / "mine"
    assert not (folder / "twice-a.md").exists()
    assert not (folder / "more").exists()


def test_jobs_of_a_collection_that_is_not_there_yet_stay(tmp_path: Path) -> None:
    service = open_service(Phidex(data=tmp_path))
    service.shelf.open()
    job = Job("a" * 32, "upload", "coming", ("a.md",), time.time())
    service.shelf.add(job)
    client = TestClient(create_app(service), base_url="http://localhost")  # without its life: no job is run
    assert client.delete("/v1/collections/coming").json()["error"]["code"] == "not_found"
    assert not service.shelf.is_cancelled(job.id)
    service.stop()


def test_pages_of_sources_hold_each_once(place: Place) -> None:
    with place.client() as client:
        whole = client.get("/v1/collections/mine/sources", params={"limit": 1000}).json()
        assert whole["next_cursor"] is None
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = client.get("/v1/collections/mine/sources", params={"limit": 2, **cursor}).json()
            seen += [one["id"] for one in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [one["id"] for one in whole["data"]]


def test_collection_goes_with_all_that_was_uploaded(place: Place) -> None:
    with place.client("all") as client:
        sent = client.post("/v1/collections/brief/uploads", files={"files": ("brief.md", b"# Brief\n\nShort.\n")})
        wait_for(client, sent.json())
        assert client.get("/v1/collections/brief").json()["sources"] == 1
        assert client.delete("/v1/collections/brief").status_code == 200
        assert client.get("/v1/collections/brief").status_code == 404
        assert not (place.data / "uploads" / "brief").exists()


def test_metrics(place: Place) -> None:
    with place.client("all") as client:
        client.get("/v1/collections")
        text = client.get("/metrics").text
    assert 'phidex_http_requests_total{method="GET",route="/v1/collections",status="200"}' in text
    assert "mine" not in text, "no names of what is stored"
