"""What a function does, in words: does a search find it, its docstring taken out? Beside LlamaIndex's CodeSplitter.

The first sentence of a docstring is the question (`docstrings.py`); a hit is right where half of it, or half of the function,
lies in the other. Then the same functions by name, and their files. Weights were chosen on the other half of the files.
"""

from __future__ import annotations

from collections.abc import Sequence

from phidex.eval.bench.docstrings import CodeCorpus, CodeQuestion, load_code
from phidex.eval.bench.metrics import SCORES, Rank, mrr_at, recall_at, scores
from phidex.eval.bench.options import Options, has_bfloat16
from phidex.eval.bench.peers import retrieve
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.eval.bench.vectors import RememberingEmbedder
from phidex.ingest.records import LineLocator
from phidex.retrieval.choose import bundled_path, choose_embedder
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.retrieval.hit import Hit
from phidex.retrieval.search import search
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

PACKAGES = ("click", "jinja2", "requests", "httpx", "urllib3", "fsspec", "trafilatura", "babel", "docx")
QUESTIONS = 500
LIMIT = 10
PEER_CHARS = 1050  # of a chunk at most: as much code as 256 tokens of ours
NAMED = ("{}", "What does `{}` do?", "where is {} defined")

Ranked = list[list[tuple[str, int, int]]]
"""Path, first and last line of each hit, for each question."""


def rank_phidex(corpus: CodeCorpus, asked: dict[str, list[str]], options: Options) -> tuple[dict[str, Ranked], str]:
    """What is found for each list of questions, and a sentence on the chunks."""
    with scratch_folder() as folder:
        for name, text in corpus.files.items():
            path = folder / "documents" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        settings = Settings(data=folder / "data", embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]
        chosen = choose_embedder(settings.embed, settings.cache).embedder
        assert chosen is not None
        embedder = RememberingEmbedder(chosen, options.cache)
        with Phidex(settings=settings) as phidex:
            options.say(f"ingesting {len(corpus.files)} files")
            phidex.ingest(folder / "documents", dense="later")
            store = open_store(settings.data, settings.store)
            collection = Collection.open(store, "default")
            collection.embed_pending(embedder)
            embedder.save()
            options.say("asking")
            found = {
                name: [[place(hit) for hit in search(collection, text, embedder=embedder, limit=LIMIT)] for text in questions]
                for name, questions in asked.items()
            }
            count = collection.count()
            store.close()
    return found, f"Phidex: {len(corpus.files)} files, {count:,} chunks"


def place(hit: Hit) -> tuple[str, int, int]:
    """Where a hit stands; its path from the folder that the files lie in."""
    locator = hit.chunk.locator
    assert isinstance(locator, LineLocator)
    return hit.source.uri.partition("/documents/")[2], locator.start_line, locator.end_line


def rank_peer(corpus: CodeCorpus, questions: list[str], options: Options) -> tuple[Ranked, str]:
    """The same of LlamaIndex."""
    request = {
        "model": str(bundled_path()),
        "dtype": "bfloat16" if has_bfloat16() else "float32",
        "code": PEER_CHARS,
        "documents": [{"id": name, "text": text} for name, text in corpus.files.items() if text.strip()],
        "top_k": LIMIT,
        "texts": True,
    }
    reply = retrieve(request, questions, options.cache, options.say)
    ranked: Ranked = []
    for hits in reply["hits"]:
        row: list[tuple[str, int, int]] = []
        for hit in hits:
            first = corpus.files[hit["id"]].count("\n", 0, hit["start"]) + 1
            row.append((hit["id"], first, first + hit["text"].count("\n")))
        ranked.append(row)
    return (
        ranked,
        f"LlamaIndex: CodeSplitter({PEER_CHARS} characters), {reply['nodes']:,} nodes, the same model, {request['dtype']}",
    )


def judge(questions: Sequence[CodeQuestion], ranked: Ranked) -> list[Rank]:
    """The rank of the first hit on each function."""
    return [
        next((rank for rank, hit in enumerate(hits, 1) if agrees(question, *hit)), None)
        for question, hits in zip(questions, ranked, strict=True)
    ]


def agrees(question: CodeQuestion, path: str, first: int, last: int) -> bool:
    """Whether half of these lines, or half of the function's, are the other's too."""
    begin, end = question.lines
    common = min(last, end) - max(first, begin) + 1
    return path == question.path and common > 0 and 2 * common >= min(last - first, end - begin) + 1


def run(options: Options) -> Outcome:
    """The benchmark; about 6 minutes on two cores at first, 1 minute when vectors and the peer's index are kept."""
    corpus = load_code(PACKAGES, QUESTIONS)
    asked = {"described": [question.text for question in corpus.questions]}
    asked |= {form: [form.format(question.symbol) for question in corpus.questions] for form in NAMED}
    asked["what is in FILE"] = [f"what is in {question.path}" for question in corpus.questions]
    found, note = rank_phidex(corpus, asked, options)
    notes = [note]
    systems = {"Phidex": found["described"]}
    if options.peers:
        systems["LlamaIndex"], peer_note = rank_peer(corpus, asked["described"], options)
        notes.append(peer_note)
    rows: list[list[Cell]] = []
    held: dict[str, float] = {}
    for system, ranked in systems.items():
        ranks = judge(corpus.questions, ranked)
        for kind, wanted in (("held out", True), ("tuned on", False)):
            part = [rank for rank, question in zip(ranks, corpus.questions, strict=True) if question.held_out == wanted]
            rows.append([f"{system}, {kind} ({len(part)})", *scores(part)])
            if wanted:
                held[system] = mrr_at(part, 10)
    named: list[list[Cell]] = [[form, *scores(judge(corpus.questions, found[form]))] for form in NAMED]
    files = [
        next((rank for rank, hit in enumerate(hits, 1) if hit[0] == question.path), None)
        for question, hits in zip(corpus.questions, found["what is in FILE"], strict=True)
    ]
    named.append(["what is in FILE: the file", *scores(files)])
    checks = [
        Check("a symbol finds its function, recall@5", recall_at(judge(corpus.questions, found["{}"]), 5), ">=", 0.95),
        Check("a file finds itself, recall@1", recall_at(files, 1), ">=", 0.99),
    ]
    if options.peers:
        checks.insert(0, Check("MRR@10 above LlamaIndex, held out", held["Phidex"] - held["LlamaIndex"], ">=", 0.15))
    return Outcome(
        "codesearch",
        f"descriptions of functions find them ({len(corpus.questions)} docstrings of {len(PACKAGES)} packages)",
        [Table("By description", ("system", *SCORES), rows), Table("By name", ("question", *SCORES), named)],
        checks,
        notes,
    )
