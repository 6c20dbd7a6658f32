"""Reworded questions over real manuals: page found exactly, by each of our legs, by both, by bm25s and by LlamaIndex.

The lexical leg cannot win here, and must not spoil what the dense leg finds. In English over eleven manuals, and in five other
languages over their editions of one manual; those and some more editions are distractors for each other. Data:
eval/data/README.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from phidex.eval.bench.bm25 import rank_bm25s
from phidex.eval.bench.metrics import SCORES, Rank, mrr_at, recall_at, scores
from phidex.eval.bench.options import ROOT, Options, has_bfloat16
from phidex.eval.bench.pages import PageHit, PageQuestion, pdf_judge
from phidex.eval.bench.peers import retrieve
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.eval.bench.vectors import RememberingEmbedder
from phidex.ingest.records import Chunk, PageLocator
from phidex.retrieval.choose import bundled_path, choose_embedder
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.store import Floats, Leg, SparseVector
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

QUESTIONS = ROOT / "eval" / "data" / "reworded.en.jsonl"
OTHERS = tuple(ROOT / "eval" / "data" / f"reworded.{language}.jsonl" for language in ("de", "fr", "ja", "pt", "zh"))
DISTRACTORS = (
    *(f"debian-reference.{language}.pdf" for language in ("de", "fr", "ja", "pt", "zh-cn")),
    *(f"debmake-doc.{language}.pdf" for language in ("de", "ja", "ru")),
)
SMALL = frozenset(  # 129 of the 170 questions on 1,514 of the 5,066 pages
    (
        *("debmake-doc.en.pdf", "debian-reference.en.pdf", "debian-policy-policy.pdf", "debian-policy-fhs-3.0.pdf"),
        *("R-FAQ.pdf", "R-intro.pdf", "R-admin.pdf", "R-data.pdf", "R-lang.pdf", "asymptote.pdf", "gnuplot.pdf"),
    )
)
LIMIT = 30  # asked for, so that ten are left when copies are passed over

Ranked = list[list[PageHit]]


def load_questions(path: Path, documents: frozenset[str] | None = None) -> list[PageQuestion]:
    """The questions of a file, of these documents only where they are given."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        PageQuestion(row["question"], row["document"], tuple(row["pages"]))
        for row in rows
        if documents is None or row["document"] in documents
    ]


def rank_phidex(paths: Sequence[Path], questions: Sequence[PageQuestion], options: Options) -> tuple[dict[str, Ranked], str]:
    """What both legs and each of them find, what bm25s finds among the same chunks, and a sentence on the vectors."""
    with scratch_folder() as folder:
        settings = Settings(data=folder / "data", embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]
        chosen = choose_embedder(settings.embed, settings.cache).embedder
        assert chosen is not None
        embedder = RememberingEmbedder(chosen, options.cache)
        with Phidex(settings=settings) as phidex:
            options.say(f"ingesting {len(paths)} manuals")
            failed = phidex.ingest(*paths, dense="later").failed
            if failed:
                raise RuntimeError(f"{failed[0].path} failed: {failed[0].reason}")
            store = open_store(settings.data, settings.store)
            collection = Collection.open(store, "default")
            options.say(f"{collection.pending():,} passages want a dense vector")
            collection.embed_pending(embedder, lambda done, total: embedded(done, total, options.say))
            embedder.save()
            options.say("asking Phidex and bm25s")
            names = {entry.source.id: entry.source.name for entry in collection.entries()}
            hybrid = [[page_hit(hit.chunk, names) for hit in phidex.search(q.text, limit=LIMIT)] for q in questions]
            lexical = [hits_of_leg(collection, names, query_vector(q.text)) for q in questions]
            dense = [hits_of_leg(collection, names, embedder.embed_query(q.text)) for q in questions]
            chunks = [page_hit(chunk, names) for source in names for chunk in collection.source_chunks(source)]
            store.close()
    bm25s = rank_bm25s([chunk.text for chunk in chunks], [q.text for q in questions], LIMIT)
    found = {
        "hybrid": hybrid,
        "dense leg": dense,
        "lexical leg": lexical,
        "bm25s": [[chunks[at] for at in row] for row in bm25s],
    }
    note = f"Phidex: {len(chunks):,} chunks; dense vectors: {embedder.computed:,} computed, {embedder.reused:,} from the cache"
    return found, note


def embedded(done: int, total: int, say: Callable[[str], None]) -> None:
    """Tell now and then how far the dense vectors are."""
    if done == total or done % 2048 == 0:
        say(f"  {done:,} of {total:,}")


def hits_of_leg(collection: Collection, names: dict[str, str], vector: Floats | SparseVector) -> list[PageHit]:
    """What one leg alone finds."""
    (found,) = collection.store.query(collection.name, [Leg(vector, LIMIT)])
    return [page_hit(chunk, names) for chunk in collection.chunks([hit.id for hit in found])]


def page_hit(chunk: Chunk, names: dict[str, str]) -> PageHit:
    """Where a chunk stands; `names` are the file names of sources by id."""
    assert isinstance(chunk.locator, PageLocator)
    return PageHit(names[chunk.source_id], chunk.locator.page_number, chunk.text)


def rank_llamaindex(paths: Sequence[Path], questions: Sequence[PageQuestion], options: Options) -> tuple[Ranked, str]:
    """What LlamaIndex finds, its index kept between runs, and a sentence on it."""
    request = {
        "model": str(bundled_path()),
        "dtype": "bfloat16" if has_bfloat16() else "float32",
        "chunk_size": 256,
        "chunk_overlap": 20,
        "files": [str(path) for path in paths],
        "top_k": LIMIT,
        "texts": True,
    }
    reply = retrieve(request, [question.text for question in questions], options.cache, options.say)
    hits = [[PageHit(hit["id"], hit["page"], hit["text"]) for hit in row] for row in reply["hits"]]
    state = "its index from the cache" if reply["cached"] else f"indexed in {reply['seconds']['index']:.0f} s"
    return hits, (
        f"LlamaIndex: VectorStoreIndex over PyMuPDFReader pages, SentenceSplitter(256, 20), the same model, "
        f"in {request['dtype']}; {reply['nodes']:,} nodes, {state}"
    )


def report(
    systems: dict[str, list[Rank]],
    questions: Sequence[PageQuestion],
    notes: Sequence[str],
    others: dict[str, dict[str, list[Rank]]] | None = None,
) -> Outcome:
    """The tables and checks of all systems' ranks.

    Args:
        others: the ranks by language, for the questions in other languages.
    """
    rows: list[list[Cell]] = [[system, *scores(ranks)] for system, ranks in systems.items()]
    at_five = {system: recall_at(ranks, 5) for system, ranks in systems.items()}
    counts = Counter(question.document for question in questions)
    each: list[list[Cell]] = []
    for document, count in counts.most_common():
        its = [at for at, question in enumerate(questions) if question.document == document]
        each.append([document, count, *(recall_at([ranks[at] for at in its], 5) for ranks in systems.values())])
    return Outcome(
        "reworded",
        f"reworded English questions, the page found exactly ({len(questions)} questions, {len(counts)} manuals)",
        [
            Table("All questions", ("system", *SCORES), rows),
            Table("recall@5 by manual", ("manual", "questions", *systems), each),
            by_language({"en": systems, **(others or {})}),
        ],
        [
            Check("hybrid / dense leg, recall@5", _ratio(at_five["hybrid"], at_five["dense leg"]), ">=", 0.95, "x"),
            Check("hybrid / lexical leg, recall@5", _ratio(at_five["hybrid"], at_five["lexical leg"]), ">=", 2, "x"),
        ],
        notes,
    )


def by_language(ranks: dict[str, dict[str, list[Rank]]]) -> Table:
    """Recall@5 and MRR@10 of every system in each language, and how many times what the lexical leg finds the hybrid does."""
    systems = list(next(iter(ranks.values())))
    rows: list[list[Cell]] = []
    for language, of in ranks.items():
        cells: list[Cell] = [language, len(of[systems[0]])]
        for system in systems:
            cells += [recall_at(of[system], 5), mrr_at(of[system], 10)]
        gain = recall_at(of["hybrid"], 5) - recall_at(of["lexical leg"], 5)
        rows.append([*cells, gain])
    heads = [f"{system} {score}" for system in systems for score in ("R@5", "MRR")]
    return Table("By language", ("language", "questions", *heads, "hybrid - lexical, R@5"), rows)


def _ratio(value: float, base: float) -> float:
    return value / base if base else float("inf")


def run(options: Options) -> Outcome:
    """The benchmark; about 8 minutes on two cores at first, 1 minute when vectors and the peer's index are kept."""
    sets = {"en": load_questions(QUESTIONS, None if options.full else SMALL)}
    sets |= {path.name.split(".")[1]: load_questions(path) for path in OTHERS}
    questions = [question for of_language in sets.values() for question in of_language]
    paths = options.documents(sorted({question.document for question in questions} | set(DISTRACTORS)))
    judge = pdf_judge(paths)
    found, note = rank_phidex(paths, questions, options)
    notes = ["LlamaIndex is left out: --no-peers", note]
    if options.peers:
        found["LlamaIndex"], notes[0] = rank_llamaindex(paths, questions, options)
    ranks = {
        system: [judge.rank(question, hits) for question, hits in zip(questions, ranked, strict=True)]
        for system, ranked in found.items()
    }
    parts: dict[str, dict[str, list[Rank]]] = {}
    begin = 0
    for language, of_language in sets.items():
        end = begin + len(of_language)
        parts[language] = {system: of[begin:end] for system, of in ranks.items()}
        begin = end
    notes.append(
        "single legs and bm25s rank the same chunks; untranslated copies of right pages in other editions are passed over"
    )
    english = parts.pop("en")
    return report(english, sets["en"], notes, parts)
