"""What Phidex adds to a model server: time to the first text and tokens a second beside a bare HTTP client; 64 streams at once.

A real vLLM on the CPU with a tiny model. Both clients ask in turns, the first of each pair changing; the bare one reads
the lines of the stream and parses them. Of the 64 streams each is held to a word of its own by the server, so that a stream
that is cut, or gets another's text, is seen.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from phidex.eval.bench.options import Options
from phidex.eval.bench.serving import served_model
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.generation.chat import Delta, Message
from phidex.generation.endpoints.pool import Pool
from phidex.settings import ChatSettings

MODEL = "phi-3.5-mini"
_ROUNDS = 24
_TOKENS = 128
_STREAMS = 64
_PROMPT = "Where is the harbour, and how deep is it? " * 40


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one answer; tokens by the time from the question to the end."""

    first_ms: float
    tokens_per_s: float


def ask_phidex(pool: Pool, prompt: str, salt: str) -> Timing:
    """Through the pool, as every answer is."""
    started = time.perf_counter()
    first = 0.0
    for event in pool.stream(
        [Message("user", prompt)], model=MODEL, max_tokens=_TOKENS, extra={"ignore_eos": True, "cache_salt": salt}
    ):
        if isinstance(event, Delta):
            first = first or time.perf_counter()
    return _timing(started, first)


def ask_bare(client: httpx.Client, url: str, prompt: str, salt: str) -> Timing:
    """The least that a client can do."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": _TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
        "cache_salt": salt,
    }
    started = time.perf_counter()
    first = 0.0
    with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line.startswith("data: {") and any(choice["delta"].get("content") for choice in json.loads(line[6:])["choices"]):
                first = first or time.perf_counter()
    return _timing(started, first)


def _timing(started: float, first: float) -> Timing:
    ended = time.perf_counter()
    return Timing(1000 * (first - started), _TOKENS / (ended - started))


def alternate(ours: Callable[[str, str], Timing], bare: Callable[[str, str], Timing]) -> tuple[list[Timing], list[Timing]]:
    """The timings of both, pair by pair: the same prompt, so that the answer is the same, and nothing of it cached."""
    found: tuple[list[Timing], list[Timing]] = ([], [])
    for number in range(_ROUNDS + 2):
        order = (0, 1) if number % 2 else (1, 0)
        for which in order:
            timing = (ours, bare)[which](f"{number} {_PROMPT}", f"{number}-{which}")
            if number >= 2:
                found[which].append(timing)
    return found


def many(pool: Pool) -> tuple[int, float]:
    """How many of the streams came back whole and unmixed, and the seconds of all."""

    def one(number: int) -> bool:
        word = f"harbour-{number:03d}-{number * 7919 % 1000:03d}"
        extra = {"structured_outputs": {"choice": [word]}}
        events = pool.stream([Message("user", f"Say {word}. {_PROMPT}")], model=MODEL, max_tokens=64, extra=extra)
        return "".join(event.text for event in events if isinstance(event, Delta)) == word

    started = time.perf_counter()
    with ThreadPoolExecutor(_STREAMS) as threads:
        whole = sum(threads.map(one, range(_STREAMS)))
    return whole, time.perf_counter() - started


def report(ours: list[Timing], bare: list[Timing], whole: int, seconds: float) -> Outcome:
    """Means, and the medians of the ratios of pairs."""
    rows: list[list[Cell]] = [
        [name, statistics.mean(t.first_ms for t in found), statistics.mean(t.tokens_per_s for t in found)]
        for name, found in (("Phidex", ours), ("bare client", bare))
    ]
    pairs = list(zip(ours, bare, strict=True))
    first = statistics.median([one.first_ms / other.first_ms for one, other in pairs])
    speed = statistics.median([one.tokens_per_s / other.tokens_per_s for one, other in pairs])
    return Outcome(
        "overhead",
        f"what Phidex adds to a model server ({_ROUNDS} answers of {_TOKENS} tokens each; {_STREAMS} streams at once)",
        [Table("Mean", ("client", "first text, ms", "tokens a second"), rows)],
        [
            Check("time to the first text, beside the bare client", first, "<=", 1.05, "x"),
            Check("tokens a second, beside the bare client", speed, ">=", 0.95, "x"),
            Check(f"streams of {_STREAMS} that came whole and unmixed", whole, ">=", _STREAMS),
        ],
        [f"{_STREAMS} streams at once took {seconds:.1f} s"],
    )


def run(_: Options) -> Outcome:
    """The benchmark; about 2 minutes on two cores."""
    with served_model() as url, httpx.Client(timeout=60) as client:
        settings = ChatSettings(url=url, concurrency=_STREAMS)  # pyright: ignore[reportCallIssue]  # the rest: defaults
        with Pool(settings) as pool:
            ours, bare = alternate(
                lambda prompt, salt: ask_phidex(pool, prompt, salt), lambda prompt, salt: ask_bare(client, url, prompt, salt)
            )
            whole, seconds = many(pool)
    return report(ours, bare, whole, seconds)
