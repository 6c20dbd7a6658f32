"""The real server in a process of its own, on a port, with keys and two collections of which each key sees one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.builders import Author, Document, settings_for
from tests.generation.faulty import MODELS, FaultyServer, Peer, reply
from tests.retrieval.engines import end_engine

from phidex.sdk import Phidex
from phidex.server.keys import KeyFile

_START_S = 60
_SMALL = {"PHIDEX_INGEST__MAX_ARCHIVE_MB": "4"}  # archives, so that a bomb need not be large
_ADDRESS = re.compile(r"at (http://\S+)")


class Served:
    """`phidex serve` on a data folder; `url` is where it is, `log` what it wrote to standard error so far."""

    def __init__(self, data: Path, *arguments: str, **settings: str) -> None:
        self.data = data
        self.log: list[str] = []
        self.url = ""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("PHIDEX_")}
        ours |= {"PHIDEX_DATA": str(data), "PHIDEX_EMBED__MODEL": "none", "PHIDEX_CACHE": str(data.parent / "cache")}
        ours |= {"PHIDEX_STORE__MIN_FREE_MB": "1", "PHIDEX_STORE__IDLE_S": "20", "PHIDEX_INGEST__WORKERS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "phidex", "serve", "--port", str(free_port()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**ours, **settings},
        )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(_START_S), f"the server did not start: {''.join(self.log)}"
        assert self.url, "".join(self.log)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if found := _ADDRESS.search(line):
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def client(self, token: str = "", **options: Any) -> httpx.Client:
        """A client with the key."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def stop(self) -> int:
        """End it in order; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(60)
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()
        assert "Traceback" not in "".join(self.log), "".join(self.log)
        return code

    def kill(self) -> None:
        """As the kernel does it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()


def free_port() -> int:
    """One that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(client: httpx.Client, job: dict[str, Any], *states: str, seconds: float = 60) -> dict[str, Any]:
    """The job once it is in one of the states (default: has ended)."""
    deadline = time.monotonic() + seconds
    while job["state"] not in (states or ("done", "failed", "cancelled")):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    return job


@dataclass
class Place:
    """A server with keys, and what is behind it."""

    served: Served
    data: Path
    mine: Document
    theirs: Document
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, name: str = "mine", **options: Any) -> httpx.Client:
        return self.served.client(self.tokens.get(name, ""), **options)

    def source_id(self, collection: str) -> str:
        with self.client("all") as client:
            return client.get(f"/v1/collections/{collection}/sources").json()["data"][0]["id"]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    """Collections `mine` and `theirs`; keys `mine` (all scopes, one collection), `all`, `reader`, `sender`, `slow`."""
    folder = tmp_path_factory.mktemp("place")
    data = folder / "data"
    author = Author(7)
    mine, theirs = author.document("mine.pdf", 3), author.document("theirs.pdf", 2)
    with Phidex(settings=settings_for(data)) as phidex:
        phidex.ingest(mine.write(folder / "mine"), collection="mine")
        phidex.ingest(theirs.write(folder / "theirs"), collection="theirs")
    keys = KeyFile(data)
    tokens = {
        "all": keys.create("all", ["admin"], ["*"], requests_per_minute=0)[1],
        "mine": keys.create("mine", ["read", "ingest", "admin"], ["mine"], requests_per_minute=0)[1],
        "reader": keys.create("reader", ["read"], ["mine"], requests_per_minute=0)[1],
        "sender": keys.create("sender", ["ingest"], ["mine"], requests_per_minute=0, max_upload_mb=1)[1],
        "slow": keys.create("slow", ["read"], ["mine"], requests_per_minute=3)[1],
    }
    served = Served(data, PHIDEX_SERVER__BODY_TIMEOUT_S="1.5", PHIDEX_SERVER__MAX_UPLOAD_FILES="20", **_SMALL)
    place = Place(served, data, mine, theirs, tokens)
    yield place
    with contextlib.suppress(AssertionError):
        served.stop()
    end_engine(data)


Script = Callable[[Peer], None]


@dataclass
class Modelled:
    """A server whose model endpoint plays the script that is set."""

    served: Served
    model: FaultyServer
    script: Script
    document: Document

    def play(self, script: Script) -> None:
        self.script = script

    def client(self) -> httpx.Client:
        return self.served.client()


@pytest.fixture(scope="session")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Generator[Modelled]:
    """On loopback and without keys; its collection is `default`."""
    folder = tmp_path_factory.mktemp("modelled")
    document = Author(11).document("report.md", 2)
    with Phidex(settings=settings_for(folder / "data")) as phidex:
        phidex.ingest(document.write(folder / "docs"))

    def script(peer: Peer) -> None:
        if "chat" in peer.request.line:
            found.script(peer)
        elif "models" in peer.request.line:
            reply(200, MODELS)(peer)
        else:
            reply(404, "no such path")(peer)

    model = FaultyServer([script])
    served = Served(folder / "data", PHIDEX_CHAT__URL=model.url, PHIDEX_CHAT__RETRIES="0", PHIDEX_SERVER__SHUTDOWN_S="3")
    found = Modelled(served, model, lambda peer: None, document)
    yield found
    served.stop()
    model.close()
    end_engine(folder / "data")
