"""From a folder of PDFs to searchable and to complete, beside LlamaIndex's own pipeline with the same model and chunk size.

Wall time without imports and without loading the model; each system alone on the machine, one after the other. The limit that
nothing gets below is the embedding alone: our embedder over the same texts, measured in turns with the ingest.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.eval.bench.options import Options
from phidex.eval.bench.peers import run_peer
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.run.report import IngestReport
from phidex.retrieval.choose import bundled_path, choose_embedder
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import Embedder
from phidex.retrieval.engines import open_store
from phidex.retrieval.payload import searchable_text
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

pymupdf: Any = _pymupdf  # its own types are incomplete
DOCUMENTS = ("debmake-doc.en.pdf", "R-intro.pdf", "R-data.pdf")  # 297 pages
CHUNK_TOKENS = 256
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and of this process's CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest by Phidex took: the best of two, as of embedding alone, which was measured in turns with it."""

    pages: int
    chunks: int
    embedded: int
    engine_start: float
    searchable: float
    complete: Spent
    embedding: Spent
    again: Spent


def clock(work: Callable[[], object]) -> Spent:
    """How long `work` takes."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Spent(time.monotonic() - wall, time.process_time() - cpu)


def ingest_phidex(paths: Sequence[Path], scratch: Path, say: Callable[[str], None], model: str = "bundled") -> Ingested:
    """Ingest a folder of these PDFs, twice from nothing and then unchanged."""
    folder = scratch / "documents"
    folder.mkdir()
    for path in paths:
        shutil.copy(path, folder)
    settings = Settings(data=scratch / "data", embed=EmbedSettings(model=model))  # pyright: ignore[reportCallIssue]
    embedder = choose_embedder(settings.embed, settings.cache).embedder
    complete: list[Spent] = []
    embedding: list[Spent] = []
    reports: list[IngestReport] = []
    with Phidex(settings=settings) as phidex:
        engine_start = clock(phidex.status).wall
        phidex.ingest(write_pdf(scratch / "warm.pdf"))  # imports everything and loads the model before the clock
        for turn in range(ROUNDS):
            phidex.remove(*(entry.source.id for entry in phidex.sources()))
            say(f"ingesting with Phidex ({turn + 1} of {ROUNDS})")
            complete.append(clock(lambda: reports.append(phidex.ingest(folder))))
            if embedder is not None:
                texts = embedded_texts(settings, embedder)
                say(f"embedding {len(texts):,} passages alone")
                embedding.append(time_embedding(embedder, texts))
        again = min((clock(lambda: phidex.ingest(folder)) for _ in range(3)), key=_wall)
    last = reports[-1]
    if last.failed:
        raise RuntimeError(f"{last.failed[0].path} failed: {last.failed[0].reason}")
    return Ingested(
        pages=sum(file.page_count for file in last.files),
        chunks=sum(file.chunk_count for file in last.files),
        embedded=last.embedded,
        engine_start=engine_start,
        searchable=min(report.seconds_to_searchable for report in reports),
        complete=min(complete, key=_wall),
        embedding=min(embedding, key=_wall, default=Spent(0, 0)),
        again=again,
    )


def write_pdf(path: Path) -> Path:
    """A PDF of one page, written to `path`."""
    with pymupdf.open() as document:
        document.new_page().insert_text((72, 72), "A short page of English text, read before the clock starts.")
        document.save(path)
    return path


def embedded_texts(settings: Settings, embedder: Embedder) -> list[str]:
    """The texts of the collection that have a dense vector, as they were embedded."""
    store = open_store(settings.data, settings.store)
    collection = Collection.open(store, "default")
    texts = [
        searchable_text(chunk.text, chunk.heading)
        for entry in collection.entries()
        for chunk in collection.source_chunks(entry.source.id)
        if embedder.identity.knows(chunk.language)
    ]
    store.close()
    return texts


def time_embedding(embedder: Embedder, texts: Sequence[str]) -> Spent:
    """How long our embedder needs for all texts in one call, its model loaded before."""
    embedder.embed_passages(texts[:1])
    return clock(lambda: embedder.embed_passages(texts))


def _wall(spent: Spent) -> float:
    return spent.wall


def report(ours: Ingested, peer: dict[str, Any] | None) -> Outcome:
    """Seconds of each stage, and the ratios."""
    rows: list[list[Cell]] = [
        ["Phidex: searchable", ours.searchable, "", ours.chunks],
        ["Phidex: complete", ours.complete.wall, f"{ours.complete.cpu:.1f}", ours.embedded],
        ["Phidex: embedding alone", ours.embedding.wall, f"{ours.embedding.cpu:.1f}", ours.embedded],
        ["Phidex: unchanged again", ours.again.wall, f"{ours.again.cpu:.2f}", 0],
    ]
    checks = [
        Check("complete / embedding alone", ours.complete.wall / max(ours.embedding.wall, 1e-9), "<=", 1.15, "x"),
        Check("unchanged again / first time", 100 * ours.again.wall / ours.complete.wall, "<", 2, " %"),
    ]
    notes = [f"the engine's process takes {ours.engine_start:.2f} s to start once; it is not in these figures, nor are imports"]
    if ours.embedding.cpu:
        ratio = ours.complete.cpu / ours.embedding.cpu
        notes.append(f"by CPU time of this process, complete is {ratio:.2f} times the embedding alone")
    if peer is not None:
        seconds = peer["seconds"]
        rows += [
            ["LlamaIndex: reading", seconds["read"], "", peer["pages"]],
            ["LlamaIndex: searchable and complete", seconds["total"], f"{seconds['cpu']:.1f}", peer["nodes"]],
            ["LlamaIndex: unchanged again", seconds["again"], "", 0],
        ]
        checks = [
            Check("searchable, times as fast as LlamaIndex", seconds["total"] / ours.searchable, ">=", 20, "x"),
            Check("complete, times as fast as LlamaIndex", seconds["total"] / ours.complete.wall, ">=", 2, "x"),
            *checks,
        ]
        notes.append(
            "LlamaIndex: PyMuPDFReader, IngestionPipeline(SentenceSplitter(256, 0), HuggingFaceEmbedding of the same model, "
            "docstore upserts), QdrantVectorStore local"
        )
    return Outcome(
        "ingest",
        f"a folder of PDFs to searchable and to complete ({ours.pages} pages, chunks of {CHUNK_TOKENS} tokens)",
        [Table("Seconds", ("stage", "wall s", "CPU s", "chunks"), rows)],
        checks,
        notes,
    )


def run(options: Options) -> Outcome:
    """The benchmark; about 3 minutes on two cores."""
    paths = options.documents(DOCUMENTS)
    with scratch_folder() as scratch:
        ours = ingest_phidex(paths, scratch, options.say)
    peer = None
    if options.peers:
        options.say("ingesting with LlamaIndex")
        with scratch_folder() as scratch:
            request = {"files": [str(path) for path in paths], "store": str(scratch / "qdrant"), "model": str(bundled_path())}
            peer = run_peer("ingest", {**request, "chunk_size": CHUNK_TOKENS, "chunk_overlap": 0}, options.say)
    return report(ours, peer)
