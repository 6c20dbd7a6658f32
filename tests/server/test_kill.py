"""kill -9 and orderly ends of the real server, in the middle of jobs and answers; two servers on one data folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.builders import Author, Document, settings_for, stored, undisturbed
from tests.generation.faulty import MODELS, FaultyServer, Peer, reply
from tests.retrieval.engines import end_engine
from tests.server.conftest import Served, wait_for

from phidex.sdk import Phidex
from phidex.server.jobs.record import Job
from phidex.server.jobs.runner import Runner
from phidex.server.jobs.shelf import Shelf

UPLOADS = "/v1/collections/default/uploads"
IMPORTS = "/v1/collections/default/imports"


class Web:
    """Documents by their names, `slow.md` when it is let go; and a model that never ends what it began."""

    def __init__(self, seed: int) -> None:
        author = Author(seed)
        self.fast = [author.document(f"fast-{number}.md", 2) for number in range(4)]
        self.slow = author.document("slow.md", 2)
        self.go = threading.Event()
        self.answering: list[Peer] = []
        self.server = FaultyServer([self._play])
        base = self.server.url.removesuffix("/v1")
        self.targets = [f"{base}/{document.name}" for document in (*self.fast, self.slow)]
        self.settings = {"PHIDEX_INGEST__ALLOW_HTTP": "true", "PHIDEX_INGEST__ALLOW_PRIVATE_URLS": "true"}
        self.settings |= {"PHIDEX_CHAT__URL": self.server.url, "PHIDEX_CHAT__RETRIES": "0", "PHIDEX_SERVER__SHUTDOWN_S": "3"}

    def _play(self, peer: Peer) -> None:
        path = peer.request.line.split()[1]
        for document in (*self.fast, self.slow):
            if path == f"/{document.name}":
                if document is self.slow:
                    self.go.wait(60)
                data = document.to_bytes()
                head = f"Content-Type: text/markdown\r\nContent-Length: {len(data)}\r\nConnection: close"
                peer.send(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + data)
                return
        if "chat" not in path:
            reply(*((200, MODELS) if "models" in path else (404, "")))(peer)
            return
        self.answering.append(peer)
        peer.start_stream()
        peer.text("It begins ")
        peer.freeze()


@pytest.fixture
def web() -> Generator[Web]:
    found = Web(41)
    yield found
    found.go.set()
    found.server.close()


@pytest.fixture
def data(tmp_path: Path) -> Generator[Path]:
    yield tmp_path / "data"
    end_engine(tmp_path / "data")


def upload(client: httpx.Client, *some: Document) -> dict[str, Any]:
    return client.post(UPLOADS, files=[("files", (document.name, document.to_bytes())) for document in some]).json()


def begin(client: httpx.Client, web: Web) -> dict[str, Any]:
    """An import whose first documents are committed, and whose last one does not come."""
    job = client.post(IMPORTS, json={"targets": web.targets}).json()
    deadline = time.monotonic() + 60
    while job["counts"].get("added") != len(web.fast):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    assert job["state"] == "running"
    return job


def wait_until_refused(served: Served) -> None:
    """Until it takes no connection, since it ends."""
    deadline = time.monotonic() + 10
    while True:
        try:
            httpx.get(f"{served.url}/healthz", timeout=1)
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.02)


def check_all(client: httpx.Client, *some: Document) -> None:
    """Each document is found by its word, and there is nothing else."""
    listed = client.get("/v1/collections/default/sources").json()["data"]
    assert sorted(one["name"] for one in listed) == sorted(document.name for document in some)
    assert all(one["state"] == "complete" for one in listed)
    for document in some:
        hits = client.post("/v1/collections/default/search", json={"query": document.word, "limit": 50}).json()["hits"]
        assert {hit["source"]["name"] for hit in hits if document.word in hit["text"]} == {document.name}


def test_killed_server_loses_nothing_and_the_next_one_goes_on(data: Path, web: Web) -> None:
    sent = Author(42).document("sent.pdf", 2)
    first = Served(data, **web.settings)
    with first.client() as client:
        job = begin(client, web)
        waiting = upload(client, sent)
        wanted = {"question": f"Where is the {web.fast[0].word}?", "stream": True}
        with client.stream("POST", "/v1/collections/default/ask", json=wanted) as response:
            lines = response.iter_lines()
            assert next(line for line in lines if "It begins" in line)
            first.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
    assert web.answering[0].client_left.wait(5)
    second = Served(data, **web.settings)
    with second.client() as client:
        kept = {one["name"] for one in client.get("/v1/collections/default/sources").json()["data"]}
        assert kept == {document.name for document in web.fast}
        web.go.set()
        job = wait_for(client, client.get(f"/v1/jobs/{job['id']}").json())
        assert (job["state"], job["attempts"], job["counts"]) == ("done", 2, {"unchanged": 4, "added": 1})
        assert wait_for(client, client.get(f"/v1/jobs/{waiting['id']}").json())["state"] == "done"
        check_all(client, *web.fast, web.slow, sent)
    assert second.stop() == 0
    with Phidex(settings=settings_for(data)) as phidex:
        assert stored(phidex)["sent.pdf"] == undisturbed(data / "uploads" / "default" / "sent.pdf")["sent.pdf"]


def test_other_server_on_the_folder_takes_over_from_the_killed_one(data: Path, web: Web) -> None:
    first = Served(data, **web.settings)
    with first.client() as one:
        job = begin(one, web)
    second = Served(data, **web.settings)
    with second.client() as other:
        assert other.get(f"/v1/jobs/{job['id']}").json()["state"] == "running"
        sent = Author(43).document("sent.md", 1)
        assert wait_for(other, upload(other, sent))["state"] == "done", "each of them runs a job"
        first.kill()
        web.go.set()
        assert wait_for(other, job)["state"] == "done"
        check_all(other, *web.fast, web.slow, sent)
    assert second.stop() == 0


def test_orderly_end_hands_the_job_over_and_tells_whoever_waits(data: Path, web: Web) -> None:
    first = Served(data, **web.settings)
    with first.client() as client:
        job = begin(client, web)
        wanted = {"question": f"Where is the {web.fast[0].word}?", "stream": True}
        with client.stream("POST", "/v1/collections/default/ask", json=wanted) as response:
            lines = response.iter_lines()
            assert next(line for line in lines if "It begins" in line)
            started = time.monotonic()
            first.process.terminate()
            wait_until_refused(first)
            web.go.set()  # what the job waited for comes while the answer has its time to end
            assert "shutting_down" in "".join(lines)
        assert web.answering[0].client_left.wait(5)
    assert first.stop() == 0
    assert time.monotonic() - started < 20
    left = Shelf(data).get(job["id"])
    assert left is not None
    assert left.state == "queued", "jobs are told at once"
    second = Served(data, **web.settings)
    with second.client() as client:
        job = wait_for(client, client.get(f"/v1/jobs/{job['id']}").json())
        assert (job["state"], job["attempts"]) == ("done", 1), "an orderly end is no failure"
        check_all(client, *web.fast, web.slow)
    assert second.stop() == 0


def test_job_that_kills_its_server_again_and_again_is_given_up(data: Path) -> None:
    with Phidex(settings=settings_for(data)) as phidex:
        shelf = Shelf(data)
        shelf.open()
        job = Job("a" * 32, "upload", "default", ("x.md",), time.time(), attempts=5)
        assert shelf.add(job)
        assert not shelf.add(job), "one job of an id"
        runner = Runner(phidex, shelf, keep_days=1)
        runner.start()
        deadline = time.monotonic() + 10
        while not (found := shelf.get(job.id)) or not found.has_ended:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert runner.close(10)
    assert found.state == "failed"
    assert found.error is not None
    assert found.error["code"] == "given_up"
    assert shelf.waiting() == []
