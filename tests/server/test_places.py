"""Pages as pictures, originals by range, figures."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.builders import Author, settings_for
from tests.retrieval.engines import end_engine
from tests.server.conftest import Place, wait_for

from phidex.ingest.pdf.painter import Painter
from phidex.sdk import Phidex
from phidex.server.app import create_app
from phidex.server.service import open_service
from phidex.settings import ServerSettings


@pytest.fixture(scope="module")
def source(place: Place) -> str:
    return f"/v1/collections/mine/sources/{place.source_id('mine')}"


def pixels(answered: httpx.Response, folder: Path) -> Image.Image:
    assert answered.headers["content-type"] == "image/png", answered.text
    path = folder / "page.png"
    path.write_bytes(answered.content)
    return Image.open(path).convert("RGB")


def test_page_with_its_place_marked(place: Place, source: str, tmp_path: Path) -> None:
    with place.client() as client:
        (hit,) = client.post("/v1/collections/mine/search", json={"query": place.mine.pages[1].marker, "limit": 1}).json()[
            "hits"
        ]
        boxes = [",".join(f"{value:.1f}" for value in box) for box in hit["locator"]["boxes"]]
        number = hit["locator"]["page_number"]
        own = f"/v1/collections/mine/sources/{hit['source']['id']}"
        plain = pixels(client.get(f"{own}/pages/{number}"), tmp_path)
        marked = pixels(
            client.get(f"{own}/pages/{number}", params={"box": boxes, "quote": place.mine.pages[1].marker}), tmp_path
        )
        assert plain.size == marked.size
        assert plain.tobytes() != marked.tobytes()
        assert pixels(client.get(f"{own}/pages/{number}", params={"box": boxes, "crop": True}), tmp_path).height < plain.height
        assert pixels(client.get(f"{own}/pages/{number}", params={"zoom": 1}), tmp_path).width == plain.width // 2
        assert client.get(f"{own}/pages/999").json()["error"]["code"] == "bad_input"
        assert client.get(f"{own}/pages/1", params={"box": "1,2,3"}).status_code == 422


def test_original_whole_and_by_range(place: Place) -> None:
    document = Author(31).document("film.md", 60)
    data = document.to_bytes()
    with place.client() as client:
        sent = client.post("/v1/collections/mine/uploads", files={"files": ("film.md", data)})
        wait_for(client, sent.json())
        (hit, *_) = client.post("/v1/collections/mine/search", json={"query": document.word}).json()["hits"]
        url = f"/v1/collections/mine/sources/{hit['source']['id']}/original"

        def part(span: str, **headers: str) -> httpx.Response:
            return client.get(url, headers={"Range": span, **headers})

        whole = client.get(url)
        assert (whole.status_code, whole.content) == (200, data)
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert whole.headers["content-disposition"] == "attachment; filename*=UTF-8''film.md"
        assert "sandbox" in whole.headers["content-security-policy"]
        for span, start, end in (("bytes=0-9", 0, 10), ("bytes=100-", 100, len(data)), ("bytes=-5", len(data) - 5, len(data))):
            found = part(span)
            assert (found.status_code, found.content) == (206, data[start:end])
            assert found.headers["content-range"] == f"bytes {start}-{end - 1}/{len(data)}"
        assert part(f"bytes={len(data)}-").status_code == 416
        assert part("bytes=5-1").status_code == 416
        assert part("bytes=0-1,3-4").status_code == part("lines=1-2").status_code == 200
        assert part("bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
        assert part("bytes=0-9", **{"If-None-Match": whole.headers["etag"]}).status_code == 304
        (place.data / "uploads" / "mine" / "film.md").write_bytes(data + b"more")
        assert client.get(url).json()["error"]["message"] == "film.md has changed since it was ingested"


def test_range_behind_the_end_tells_the_size(place: Place, source: str) -> None:
    with place.client() as client:
        size = len(client.get(f"{source}/original").content)
        refused = client.get(f"{source}/original", headers={"Range": f"bytes={size}-"})
    assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")


def test_file_that_cannot_be_read_is_not_gone(place: Place) -> None:
    with place.client() as client:
        sent = client.post("/v1/collections/mine/uploads", files={"files": ("shut.md", b"# Shut\n\nIt was open.\n")})
        wait_for(client, sent.json())
        listed = client.get("/v1/collections/mine/sources", params={"limit": 1000}).json()["data"]
        (identity,) = (one["id"] for one in listed if one["name"] == "shut.md")
        path = place.data / "uploads" / "mine" / "shut.md"
        path.unlink()
        url = f"/v1/collections/mine/sources/{identity}/original"
        assert client.get(url).json()["error"]["message"] == "shut.md is gone"
        path.mkdir()
        refused = client.get(url)
        path.rmdir()
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "shut.md cannot be read: Is a directory")


def test_page_of_a_document_whose_name_no_file_can_have(place: Place, tmp_path: Path) -> None:
    packed = io.BytesIO()
    name = f"{'long' * 75}.pdf"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, Author(71).document("a.pdf", 1).to_bytes())
    with place.client() as client:
        sent = client.post("/v1/collections/mine/uploads", files={"files": ("packed.zip", packed.getvalue())})
        job = wait_for(client, sent.json())
        assert job["counts"] == {"added": 1}, job
        listed = client.get("/v1/collections/mine/sources", params={"limit": 1000}).json()["data"]
        (identity,) = (one["id"] for one in listed if one["name"] == name)
        found = client.get(f"/v1/collections/mine/sources/{identity}/pages/1")
    assert found.status_code == 200, found.text
    assert pixels(found, tmp_path).width > 100


def test_pages_that_are_drawn_hold_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path / "data", server=ServerSettings(threads=1))  # pyright: ignore[reportCallIssue]
    phidex = Phidex(settings=settings)
    phidex.ingest(Author(72).document("a.pdf", 1).write(tmp_path / "docs"))
    (entry,) = phidex.sources()
    drawing, go = threading.Event(), threading.Event()

    def page(*_: Any) -> bytes:
        drawing.set()
        assert go.wait(30)
        return b"picture"

    monkeypatch.setattr(Painter, "page", page)
    with TestClient(create_app(open_service(phidex)), base_url="http://localhost") as client, ThreadPoolExecutor(2) as pool:
        drawn = pool.submit(client.get, f"/v1/collections/default/sources/{entry.source.id}/pages/1")
        assert drawing.wait(30)
        assert pool.submit(client.get, "/v1/collections").result(20).status_code == 200
        go.set()
        assert drawn.result(30).content == b"picture"
    end_engine(tmp_path / "data")


def test_figures_by_their_id(place: Place, source: str) -> None:
    identity = source.rsplit("/", 1)[1]
    with place.client() as client:
        assert client.get(f"/v1/collections/mine/blobs/{identity}/{'0' * 32}.png").status_code == 404
        assert client.get(f"/v1/collections/mine/blobs/{identity}/..%2f..%2fkeys.json").status_code in (404, 422)
        folder = place.data / "blobs" / "mine" / identity
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{'a' * 32}.png").write_bytes(b"picture")
        found = client.get(f"/v1/collections/mine/blobs/{identity}/{'a' * 32}.png")
        assert (found.content, found.headers["content-type"]) == (b"picture", "image/png")


def test_original_of_a_file_elsewhere_on_the_server(place: Place, source: str) -> None:
    with place.client() as client:
        found = client.get(f"{source}/original")
        assert found.headers["etag"] == f'"{hashlib.sha256(found.content).hexdigest()}"'
