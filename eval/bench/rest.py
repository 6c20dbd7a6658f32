"""What REST adds to a search in process, and 200 clients that search at the same time.

A real server in a process of its own, and the SDK in this one, on one data folder: both ask the same engine, in turns, the
first of each pair changing. Lexical search of real text is asked for, since what is measured is what is added to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from phidex.eval.bench.options import ROOT, Options
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Check, Outcome, Table
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

_PAIRS = 400
_WARM = 40
_CLIENTS = 200
_SECONDS = 10.0
_SECONDS_FULL = 60.0
_START_S = 60.0
_SEARCH = "/v1/collections/default/search"
_QUESTIONS = (
    "how is a chunk stored",
    "what is a collection",
    "the prefix cache of the server",
    "documents that are encrypted",
    "which model answers",
    "bounded queues between stages",
    "where are pictures kept",
    "time limit of a worker",
)


@dataclass(frozen=True, slots=True)
class Load:
    """What many clients saw: seconds of each search that was answered, what was not, and how long all of it took."""

    seconds: Sequence[float]
    faults: Sequence[str]
    elapsed_s: float


def compare(phidex: Phidex, client: httpx.Client) -> tuple[list[float], list[float]]:
    """Milliseconds in process and over REST, pair by pair."""
    found: tuple[list[float], list[float]] = ([], [])

    def in_process(question: str) -> None:
        phidex.search(question, limit=10)

    def over_rest(question: str) -> None:
        client.post(_SEARCH, json={"query": question, "limit": 10}).raise_for_status().json()

    for number in range(_WARM + _PAIRS):
        question = _QUESTIONS[number % len(_QUESTIONS)]
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            (in_process, over_rest)[which](question)
            if number >= _WARM:
                found[which].append(1000 * (time.perf_counter() - started))
    return found


async def load(url: str, seconds: float) -> Load:
    """So many clients, each with a connection of its own, each asking as soon as it has its answer."""
    taken: list[float] = []
    faults: list[str] = []
    limits = httpx.Limits(max_connections=_CLIENTS, max_keepalive_connections=_CLIENTS)
    started = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:

        async def ask(number: int) -> None:
            while time.perf_counter() - started < seconds:
                begun = time.perf_counter()
                try:
                    answered = await client.post(_SEARCH, json={"query": _QUESTIONS[number % len(_QUESTIONS)], "limit": 10})
                except httpx.HTTPError as exc:
                    faults.append(type(exc).__name__)
                    continue
                if answered.status_code == 200 and answered.json()["hits"]:
                    taken.append(time.perf_counter() - begun)
                else:
                    faults.append(str(answered.status_code))

        await asyncio.gather(*map(ask, range(_CLIENTS)))
    return Load(taken, faults, time.perf_counter() - started)


@contextlib.contextmanager
def server(data: Path) -> Generator[str]:
    """The address of `phidex serve` on the data folder."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    environment = {**os.environ, "PHIDEX_DATA": str(data), "PHIDEX_EMBED__MODEL": "none"}
    command = [sys.executable, "-m", "phidex", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                httpx.get(f"{url}/readyz", timeout=5).raise_for_status()
                break
            except httpx.HTTPError as exc:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start") from exc
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def report(inside: Sequence[float], outside: Sequence[float], many: Load) -> Outcome:
    """Medians, and what stands against the bars."""
    added = statistics.median(outside) - statistics.median(inside)
    rows = [
        (name, statistics.median(found), statistics.quantiles(found, n=20)[-1])
        for name, found in (("in process", inside), ("over REST", outside))
    ]
    times = [1000 * seconds for seconds in many.seconds]
    busy = (f"{_CLIENTS} clients", len(times), len(times) / many.elapsed_s, statistics.median(times), max(times))
    return Outcome(
        "rest",
        f"search over REST beside search in process ({_PAIRS} pairs), and {_CLIENTS} clients for {many.elapsed_s:.0f} s",
        [
            Table("One client, milliseconds a search", ("search", "median", "95%"), rows),
            Table("Many clients", ("load", "searches", "a second", "median, ms", "longest, ms"), [busy]),
        ],
        [
            Check("what REST adds at the median", added, "<", 5.0, " ms"),
            Check(f"searches of {_CLIENTS} clients that failed", len(many.faults), "<=", 0),
        ],
        [f"faults: {', '.join(sorted(set(many.faults)))}"] if many.faults else [],
    )


def run(options: Options) -> Outcome:
    """The benchmark; about half a minute, a minute more with `--full`."""
    with scratch_folder() as folder:
        data = folder / "data"
        settings = Settings(data=data, embed=EmbedSettings(model="none"))  # pyright: ignore[reportCallIssue]  # defaults
        with Phidex(settings=settings) as phidex:
            phidex.ingest(*(ROOT / name for name in ("docs", "retrieval", "ingest", "generation")))
            with server(data) as url:
                with httpx.Client(base_url=url, timeout=60) as client:
                    options.say("one client")
                    inside, outside = compare(phidex, client)
                options.say(f"{_CLIENTS} clients")
                many = asyncio.run(load(url, _SECONDS_FULL if options.full else _SECONDS))
    return report(inside, outside, many)
