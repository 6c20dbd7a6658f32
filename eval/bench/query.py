"""A hybrid query over 100,000 chunks: what we add to embedding the query and to the engine's own search.

Real text of the manuals, repeated with words changed; dense vectors are synthetic, in clusters (random ones tell nothing),
and a stub embedder returns them, so that nothing has to be embedded. The engine's own search of the same two legs is measured
in this process, on the same files, behind it.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from phidex.eval.bench.bare import bare_shard, plain_request, wait_for_index
from phidex.eval.bench.options import ROOT, Options
from phidex.eval.bench.reworded import QUESTIONS, load_questions
from phidex.eval.bench.scratch import end_engine
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.chunk import chunk_document
from phidex.ingest.language import detect_language
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Chunk, Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.engines import open_store
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.search import search
from phidex.retrieval.store import Floats, Leg, Where
from phidex.settings import StoreSettings

CHUNKS = 100_000
CANDIDATES = 100
ROUNDS = 5
_DIM = 384
_CLUSTERS = 2_000
_KNOWN = (
    "en",
    "de",
    "fr",
    "es",
    "it",
    "nl",
    "pt",
    "la",
)  # so that the question's language is asked for, as with the bundled model
_PER_SOURCE = 1_000
_DOCUMENTS = (
    *("debian-reference.en.pdf", "debian-policy-policy.pdf", "debmake-doc.en.pdf", "R-intro.pdf", "R-exts.pdf"),
    *("asymptote.pdf", "gnuplot.pdf", "pari-users.pdf"),
)
_MODULES = ("collection", "payload", "fields", "lexical", "shards", "tuning", "indexer")  # what the stored points depend on


class StubEmbedder:
    """Unit vectors in clusters, from the text's own hash: the same text gets the same vector."""

    identity = EmbedderIdentity(model="clustered-stub", dim=_DIM, fingerprint="0" * 16, languages=_KNOWN)

    def __init__(self) -> None:
        centres = np.random.default_rng(7).standard_normal((_CLUSTERS, _DIM), dtype=np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        self._ready: dict[str, Floats] = {}

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`."""
        return np.stack([self._vector(text) for text in texts])

    def embed_query(self, text: str) -> Floats:
        """The vector made by `prepare`: this costs nothing."""
        return self._ready[text]

    def prepare(self, questions: Sequence[str]) -> None:
        """Make the questions' vectors before the clock."""
        self._ready = {text: self._vector(text) for text in questions}

    def _vector(self, text: str) -> Floats:
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
        noise = np.random.default_rng(seed).standard_normal(_DIM, dtype=np.float32)
        vector = self._centres[seed % _CLUSTERS] + 0.04 * noise  # cosine of about 0.6 within a cluster
        return vector / np.linalg.norm(vector)


def passages(paths: Sequence[Path], count: int) -> Iterator[list[Chunk]]:
    """Runs of chunks, one a source: the real ones first, then the same with every eighth word or so changed."""
    real: list[Chunk] = []
    for number, path in enumerate(paths):
        real += chunk_document(parse_file(path), source_id=str(uuid.UUID(int=number)), path=path.name, language="en")
    words = sorted({word for chunk in real for word in chunk.text.split() if word.isalpha()})
    chance = random.Random(7)
    for start in range(0, count, _PER_SOURCE):
        source_id = str(uuid.UUID(int=start + 1))
        run: list[Chunk] = []
        for order in range(start, min(start + _PER_SOURCE, count)):
            chunk = real[order % len(real)]
            text = chunk.text
            if order >= len(real):
                text = " ".join(chance.choice(words) if chance.random() < 0.12 else word for word in text.split())
            identity = str(uuid.UUID(int=order + 1))
            run.append(replace(chunk, id=identity, source_id=source_id, text=text, order=order - start, language="en"))
        yield run


def build(paths: Sequence[Path], data: Path, count: int, options: Options) -> None:
    """Write the collection, complete with dense vectors and indexed, as it is by default from 100,000 chunks on."""
    store = open_store(data, _store_settings())
    stub = StubEmbedder()
    collection = Collection.create(store, "default", lambda: stub.identity)
    for number, chunks in enumerate(passages(paths, count)):
        source = Source(
            id=chunks[0].source_id, uri=f"file:///bench/{number}.pdf", kind="pdf", title=f"Part {number}", sha256="0" * 64,
            language="en", mime="application/pdf",
        )  # fmt: skip
        collection.replace(source, f"{number:024d}", chunks)
    collection.embed_pending(stub)
    collection.compact()
    wait_for_index(store, collection.points)
    options.say(f"{collection.pending()} of {store.count('default', Where()):,} points without dense vector")
    store.close()
    end_engine(data)


def measure(data: Path, questions: Sequence[str]) -> dict[str, list[list[float]]]:
    """Milliseconds of each step, question and round: first through the engine's process, then the engine alone."""
    stub = StubEmbedder()
    stub.prepare(questions)
    legs = {text: [Leg(query_vector(text), CANDIDATES), Leg(stub.embed_query(text), CANDIDATES)] for text in questions}
    batches = {text: plain_request(of_text, _store_settings()) for text, of_text in legs.items()}
    store = open_store(data, _store_settings())
    collection = Collection.open(store, "default")
    for text in questions:
        search(collection, text, embedder=stub)
    times = _rounds(
        questions,
        {
            "whole": lambda text: search(collection, text, embedder=stub, candidates=CANDIDATES),
            "both legs through the socket": lambda text: store.query("default", legs[text]),
            "  lexical vector": query_vector,
            "  language": detect_language,
            "both legs, fused, with their chunks": lambda text: collection.hybrid(legs[text], 10),
        },
    )
    store.close()
    end_engine(data)  # only one process may hold the shard
    with bare_shard(data, "default") as shard:
        for text in questions:
            shard.query_batch(batches[text])
        return times | _rounds(questions, {"engine's own search": lambda text: shard.query_batch(batches[text])})


def _rounds(questions: Sequence[str], steps: dict[str, Callable[[str], object]]) -> dict[str, list[list[float]]]:
    taken: dict[str, list[list[float]]] = {name: [[] for _ in questions] for name in steps}
    for _ in range(ROUNDS):
        for at, text in enumerate(questions):
            for name, step in steps.items():
                started = time.perf_counter()
                step(text)
                taken[name][at].append(1000 * (time.perf_counter() - started))
    return taken


def _store_settings() -> StoreSettings:
    return StoreSettings(timeout_s=600)  # pyright: ignore[reportCallIssue]  # the rest: defaults


def report(times: dict[str, list[list[float]]], points: int) -> Outcome:
    """The median over questions, each at its best of some rounds (other work on the machine only ever adds), and over all."""
    best = {name: [min(values) for values in rows] for name, rows in times.items()}
    every = {name: [value for values in rows for value in values] for name, rows in times.items()}
    steps = [
        "whole",
        "engine's own search",
        "both legs through the socket",
        "both legs, fused, with their chunks",
        *(name for name in times if name[0] == " "),
    ]
    rows: list[list[Cell]] = [
        [name, statistics.median(best[name]), statistics.median(every[name]), _percentile(every[name], 95)] for name in steps
    ]
    added = {
        other: statistics.median([whole - part for whole, part in zip(best["whole"], best[other], strict=True)])
        for other in ("engine's own search", "both legs through the socket")
    }
    rows += [[f"whole less {other}", value, "", ""] for other, value in added.items()]
    return Outcome(
        "query",
        f"hybrid query over {points:,} chunks ({len(best['whole'])} questions, {CANDIDATES} candidates a leg, 10 hits)",
        [Table("Milliseconds", ("step", f"median, best of {ROUNDS}", "median", "95 %"), rows)],
        [Check("what we add to the engine's own search, median", added["engine's own search"], "<", 3, " ms")],
        ["embedding the question is in none of these figures; the engine's own search: `query_batch` on the same files, alone"],
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def ask_for(data: Path, count: int = 300) -> list[str]:
    """Questions of both kinds: reworded ones, and the beginnings of stored passages."""
    store = open_store(data, _store_settings())
    records, _ = store.scroll("default", Where(), limit=1000, fields=("text",))
    store.close()
    reworded = [question.text for question in load_questions(QUESTIONS)][: count // 2]
    literal = [" ".join(record.payload["text"].split()[:12]) for record in records[:: max(1, 2 * len(records) // count)]]
    return list(dict.fromkeys(reworded + [text for text in literal if len(text) > 20]))[:count]


def run(options: Options) -> Outcome:
    """The benchmark; about 3 minutes on two cores at first, half a minute when the collection is kept (1.5 GB)."""
    code = b"".join((ROOT / "retrieval" / f"{name}.py").read_bytes() for name in _MODULES)
    data = options.cache / f"query-{hashlib.sha256(code + str(CHUNKS).encode()).hexdigest()[:12]}"
    mark = data / "bench-complete"
    if not mark.exists():
        for old in options.cache.glob("query-*"):
            end_engine(old)
            shutil.rmtree(old, ignore_errors=True)
        options.say(f"building {CHUNKS:,} chunks in {data}")
        build(options.documents(_DOCUMENTS), data, CHUNKS, options)
        mark.touch()
    else:
        options.say(f"collection from the cache: {data}")
    return report(measure(data, ask_for(data)), CHUNKS)
