"""A million chunks in the embedded engine: hybrid queries, memory and recall once the collection is indexed as by default.

Chunks are sentences of real manuals, five neighbours of each drawn at random, so that no two are alike and words keep their
frequencies; lexical vectors are the analyzer's of each sentence, put together. Dense vectors are in clusters of fifty (random
ones tell nothing of an index). All is asked through the engine's process, as everybody does; exact search of the same vectors
is what recall is measured against. 100,000 chunks by default, 1,000,000 with --full: 15 minutes, 25 GB of disk at the most.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import statistics
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phidex.eval.bench.bare import wait_for_index
from phidex.eval.bench.options import Options
from phidex.eval.bench.scratch import end_engine
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.collection import Collection
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.lexical import passage_vector
from phidex.retrieval.payload import chunk_payload, source_payload
from phidex.retrieval.search import search
from phidex.retrieval.store import Floats, Leg, Point, SparseVector
from phidex.retrieval.tuning import IndexState
from phidex.settings import StoreSettings

_SMALL, _LARGE = 100_000, 1_000_000
_DIM = 384
_CLUSTER = 50  # chunks that are about one thing
_NOISE = 0.04  # in each dimension: cosine of about 0.6 within a cluster
_SENTENCES = 5  # of a chunk: about 400 terms
_PER_SOURCE = 1_000
_STEP = 200_000  # chunks between two builds: what is not indexed is held in memory whole
_CANDIDATES = 100
_QUESTIONS = 200
_ROUNDS = 5
_DISK_BYTES = 25_000  # a chunk, while the index is built
_DOCUMENTS = ("debian-reference.en.pdf", "debian-policy-policy.pdf", "debmake-doc.en.pdf", "R-intro.pdf", "R-exts.pdf")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A real one, and its lexical vector."""

    text: str
    vector: SparseVector


class Corpus:
    """Chunks by number, the same in every run."""

    def __init__(self, sentences: Sequence[Sentence], count: int) -> None:
        self._sentences = sentences
        self.count = count
        centres = np.random.default_rng(7).standard_normal((max(1, count // _CLUSTER), _DIM), dtype=np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)

    def dense(self, seed: int, number: int) -> Floats:
        """So many unit vectors, (number, dim)."""
        chance = np.random.default_rng(seed)
        chosen = self._centres[chance.integers(0, len(self._centres), number)]
        rows = chosen + _NOISE * chance.standard_normal((number, _DIM), dtype=np.float32)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def lexical(self, seed: int, number: int) -> list[tuple[str, SparseVector]]:
        """So many texts with their vectors."""
        chance = np.random.default_rng(seed)
        starts = chance.integers(0, len(self._sentences), (number, _SENTENCES))
        return [_put_together([self._sentences[int(at)] for at in row]) for row in starts]


def _put_together(sentences: Sequence[Sentence]) -> tuple[str, SparseVector]:
    terms = np.concatenate([sentence.vector.indices for sentence in sentences])
    weights = np.concatenate([sentence.vector.values for sentence in sentences])
    distinct, where = np.unique(terms, return_inverse=True)
    values = np.minimum(np.bincount(where, weights=weights), 2.2).astype(np.float32)  # BM25 saturates there
    return " ".join(sentence.text for sentence in sentences), SparseVector(distinct, values)


class StubEmbedder:
    """A vector near some cluster for each question, made before the clock."""

    identity = EmbedderIdentity(model="clustered-stub", dim=_DIM, fingerprint="1" * 16, languages=("en",))

    def __init__(self, questions: Sequence[str], corpus: Corpus) -> None:
        self.ready = dict(zip(questions, corpus.dense(991, len(questions)), strict=True))

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`."""
        return self.ready[text]

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`; never needed."""
        return np.stack([self.ready[text] for text in texts])


def read_sentences(paths: Sequence[Path]) -> list[Sentence]:
    """Those of the documents that are long enough to say something."""
    texts: list[str] = []
    for path in paths:
        for block in parse_file(path).blocks:
            texts += [block.text[start:end] for start, end in sentence_spans(block.text)]
    kept = dict.fromkeys(" ".join(text.split()) for text in texts)
    return [Sentence(text, passage_vector(text)) for text in kept if 60 < len(text) < 400]


def fill(store: EdgeStore, corpus: Corpus, options: Options) -> Collection:
    """Write the collection; every 200,000 chunks its index is brought up to date."""
    collection = Collection.create(store, "scale", lambda: StubEmbedder.identity)
    for start in range(0, corpus.count, _PER_SOURCE):
        number = min(_PER_SOURCE, corpus.count - start)
        identity = str(uuid.UUID(int=(1 << 80) + start))
        source = Source(
            identity, f"file:///bench/{start}.pdf", "pdf", f"Part {start}", "0" * 64, "en", "application/pdf", number
        )
        store.upsert(collection.points, list(_points(corpus, source, start, number)))
        record = {"digest": "0" * 24, "chunks": number, "ingested_at": 0, "phase": "stable", "moving": "", "version": "1"}
        collection.catalogue.put({identity: {**source_payload(source), **record, "copied": ""}})
        done = start + number
        if done % _STEP == 0 or done == corpus.count:
            began = time.monotonic()
            wait_for_index(store, collection.points)
            took, load = time.monotonic() - began, os.getloadavg()[0]
            options.say(f"{done:,} chunks written and indexed, the last {_STEP:,} in {took:.0f} s, load {load:.1f}")
    return collection


def _points(corpus: Corpus, source: Source, start: int, number: int) -> Iterator[Point]:
    rows = corpus.dense(start, number)
    for order, (text, vector) in enumerate(corpus.lexical(start, number)):
        identity = str(uuid.UUID(int=start + order + 1))
        chunk = Chunk(identity, source.id, PageLocator(order + 1, ()), text, "text", "en", order, token_count=len(text) // 4)
        payload = chunk_payload(chunk, source, version="1", embedder=StubEmbedder.identity)
        yield Point(identity, payload, rows[order], vector)


def ask(sentences: Sequence[Sentence]) -> list[str]:
    """Questions: some words of sentences that are there."""
    chance = random.Random(5)
    words = [sentence.text.split() for sentence in chance.sample(list(sentences), min(len(sentences), 2 * _QUESTIONS))]
    found = (" ".join(chance.sample(some, min(len(some), chance.randint(4, 9)))) for some in words)
    return list(dict.fromkeys(text for text in found if len(text) > 20))[:_QUESTIONS]


def resident(pid: int) -> tuple[float, float]:
    """MB of a process: its share of all that is mapped, and what of that is its own, not files that can be read anew."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    fields = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:]}
    return fields["Pss"], fields.get("Pss_Anon", fields["Pss"])


def recall(store: EdgeStore, points: str, vectors: Sequence[Floats]) -> float:
    """How many of the ten nearest vectors the index finds among the candidates' first ten."""
    shares: list[float] = []
    for vector in vectors:
        found, exact = store.query(points, [Leg(vector, _CANDIDATES), Leg(vector, 10, exact=True)])
        shares.append(len({hit.id for hit in found[:10]} & {hit.id for hit in exact}) / len(exact))
    return statistics.mean(shares)


class EngineTimes(logging.Handler):
    """Milliseconds that the engine itself took (its search, reading what was found), told by the store with each reply."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note what was told."""
        if isinstance(record.args, tuple) and str(record.msg).startswith("hybrid "):
            self._heard.append(float(str(record.args[1])))

    def take(self) -> float:
        """Of all requests since the last call."""
        spent = sum(self._heard)
        self._heard.clear()
        return spent


@contextmanager
def engine_times() -> Generator[EngineTimes]:
    """Listens to the store."""
    logger, times = logging.getLogger("phidex.retrieval.edge"), EngineTimes()
    level = logger.level
    logger.addHandler(times)
    logger.setLevel(logging.DEBUG)
    try:
        yield times
    finally:
        logger.removeHandler(times)
        logger.setLevel(level)


def timed(questions: Sequence[str], step: Callable[[str], object]) -> tuple[list[list[float]], list[list[float]]]:
    """Milliseconds of each question and round, and those of them that the engine took; one round before it only warms."""
    taken: list[list[float]] = [[] for _ in questions]
    searched: list[list[float]] = [[] for _ in questions]
    for text in questions:
        step(text)
    with engine_times() as times:
        for _ in range(_ROUNDS):
            for at, text in enumerate(questions):
                started = time.perf_counter()
                step(text)
                taken[at].append(1000 * (time.perf_counter() - started))
                searched[at].append(times.take())
    return taken, searched


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found; times in ms for each question and round, memory in MB."""

    whole: list[list[float]]
    engine: list[list[float]]
    memory: tuple[float, float]
    recall: float
    state: IndexState
    opened_s: float


def store_settings(count: int) -> StoreSettings:
    """The defaults; a collection smaller than they index is indexed all the same."""
    return StoreSettings(timeout_s=600, index_from=min(_SMALL, count))  # pyright: ignore[reportCallIssue]  # the rest: defaults


def write(data: Path, corpus: Corpus, options: Options) -> float:
    """Make the collection; seconds that it took."""
    started = time.monotonic()
    store = EdgeStore(data, store_settings(corpus.count))
    fill(store, corpus, options)
    store.close()
    end_engine(data)  # so that what is measured is what an engine holds, not what writing left
    return time.monotonic() - started


def measure(data: Path, corpus: Corpus, sentences: Sequence[Sentence]) -> Figures:
    """Ask the collection."""
    store = EdgeStore(data, store_settings(corpus.count))
    pid = store.info().pid
    collection = Collection.open(store, "scale")
    started = time.monotonic()
    state = store.index_state(collection.points)
    opened_s = time.monotonic() - started
    questions = ask(sentences)
    stub = StubEmbedder(questions, corpus)
    whole, engine = timed(questions, lambda text: search(collection, text, embedder=stub, candidates=_CANDIDATES))
    memory = resident(pid)
    share = recall(store, collection.points, list(stub.ready.values())[:100])
    store.close()
    end_engine(data)
    return Figures(whole, engine, memory, share, state, opened_s)


def report(found: Figures, written_s: float, disk: int) -> Outcome:
    """The figures beside their bars."""
    every = [value for row in found.whole for value in row]
    pairs = zip(found.whole, found.engine, strict=True)
    own = statistics.median([min(map(float.__sub__, whole, engine)) for whole, engine in pairs])
    state = found.state
    rows: list[list[Cell]] = [
        ["writing and indexing, s", round(written_s)],
        ["opening the collection, s", round(found.opened_s, 1)],
        ["hybrid query, median, ms", statistics.median(every)],
        ["hybrid query, 95 %, ms", _percentile(every, 95)],
        ["of it the engine itself, median, ms", statistics.median([value for row in found.engine for value in row])],
        ["memory of the engine's process (PSS), MB", round(found.memory[0])],
        ["of that its own, without mapped files, MB", round(found.memory[1])],
        ["disk, GB", round(disk / 1e9, 1)],
        ["points outside the index", state.outside],
    ]
    checks = [
        Check("hybrid query, 95 %", _percentile(every, 95), "<", 60, " ms"),
        Check("memory of the engine's process (PSS)", found.memory[0] / 1024, "<", 4, " GB"),
        Check("recall@10 of exact search, dense leg", found.recall, ">=", 0.95),
        Check("our own share, median", own, "<", 3, " ms"),
    ]
    layout = f"HNSW m={state.layout.m}, {state.layout.quantization}, on disk: {state.layout.on_disk}"
    title = f"{state.points:,} chunks in the embedded engine ({layout}; {len(found.whole)} questions)"
    load = f"load {os.getloadavg()[1]:.1f} while it was asked"
    return Outcome("scale", title, [Table("Figures", ("what", "value"), rows)], checks, [load])


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def run(options: Options) -> Outcome:
    """The benchmark; its data are removed behind it. Raises: RuntimeError where the disk has no room."""
    count = _LARGE if options.full else _SMALL
    free = shutil.disk_usage(options.cache).free
    if free < count * _DISK_BYTES:
        raise RuntimeError(f"{free >> 30} GB free in {options.cache}, {count * _DISK_BYTES >> 30} GB needed")
    sentences = read_sentences(options.documents(_DOCUMENTS))
    data = options.cache / f"scale-{count}"
    end_engine(data)
    shutil.rmtree(data, ignore_errors=True)
    try:
        corpus = Corpus(sentences, count)
        written_s = write(data, corpus, options)
        disk = sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())
        return report(measure(data, corpus, sentences), written_s, disk)
    finally:
        end_engine(data)
        shutil.rmtree(data, ignore_errors=True)
