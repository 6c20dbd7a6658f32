"""XQuAD: question to paragraph, all languages in one collection, through the SDK; beside bm25s, LlamaIndex and txtai.

A paragraph is a text file; its chunks count as the paragraph. Data: https://github.com/google-deepmind/xquad (CC BY-SA 4.0).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.eval.bench.bm25 import rank_bm25s
from phidex.eval.bench.metrics import SCORES, Rank, distinct, first_rank, mrr_at, recall_at, scores
from phidex.eval.bench.options import Options, has_bfloat16
from phidex.eval.bench.peers import retrieve, retrieve_txtai
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.retrieval.choose import bundled_path
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

LIMIT = 10


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the name of the one paragraph that answers it."""

    text: str
    language: str
    gold: str


@dataclass(frozen=True, slots=True)
class Xquad:
    """Paragraphs by name, and what is asked of them."""

    paragraphs: dict[str, str]
    questions: list[Question]

    @property
    def languages(self) -> list[str]:
        """The languages that there are, sorted."""
        return sorted({question.language for question in self.questions})


def load_xquad(folder: Path) -> Xquad:
    """Every `xquad.<language>.json` (SQuAD's form) of a folder.

    Raises:
        RuntimeError: there is none; the message says where to get them.
    """
    files = sorted(folder.glob("xquad.*.json")) if folder.is_dir() else []
    if not files:
        raise RuntimeError(
            f"no xquad.<language>.json in {folder}: get them from https://github.com/google-deepmind/xquad (CC BY-SA 4.0) "
            "and give their folder with --data"
        )
    paragraphs: dict[str, str] = {}
    questions: list[Question] = []
    for path in files:
        language = path.name.split(".")[1]
        for article_number, article in enumerate(json.loads(path.read_text("utf-8"))["data"]):
            for number, paragraph in enumerate(article["paragraphs"]):
                name = f"{language}-{article_number:03d}-{number:03d}.txt"
                paragraphs[name] = paragraph["context"]
                questions += [Question(qa["question"], language, name) for qa in paragraph["qas"]]
    return Xquad(paragraphs, questions)


def rank_phidex(data: Xquad, folder: Path, say: Callable[[str], None], model: str = "bundled") -> tuple[list[list[str]], str]:
    """The names of the best paragraphs of each question, and a sentence on what it took."""
    documents = folder / "documents"
    documents.mkdir()
    for name, text in data.paragraphs.items():
        (documents / name).write_text(text, "utf-8")
    settings = Settings(data=folder / "data", embed=EmbedSettings(model=model))  # pyright: ignore[reportCallIssue]  # defaults
    with Phidex(settings=settings) as phidex:
        report = phidex.ingest(documents)
        if report.failed:
            raise RuntimeError(f"{len(report.failed)} paragraphs failed, the first: {report.failed[0].reason}")
        say(f"ingested {report.count('added')} paragraphs in {report.seconds_to_complete:.0f} s; asking")
        started = time.monotonic()
        ranked = [distinct(hit.source.name for hit in phidex.search(q.text, limit=LIMIT)) for q in data.questions]
        seconds = time.monotonic() - started
    chunks = sum(file.chunk_count for file in report.files)
    return ranked, (
        f"Phidex: {report.count('added')} paragraphs, {chunks} chunks, {report.embedded} of them with a dense vector "
        f"({report.embedder}); searchable after {report.seconds_to_searchable:.1f} s, complete after "
        f"{report.seconds_to_complete:.1f} s (model loading included); {1000 * seconds / len(ranked):.1f} ms a question"
    )


def rank_peers(data: Xquad, options: Options) -> dict[str, list[list[str]]]:
    """The same of bm25s, LlamaIndex and txtai."""
    names, texts = list(data.paragraphs), list(data.paragraphs.values())
    questions = [question.text for question in data.questions]
    options.say("asking bm25s")
    found = {"bm25s": [[names[at] for at in row] for row in rank_bm25s(texts, questions, LIMIT)]}
    request = {
        "model": str(bundled_path()),
        "dtype": "bfloat16" if has_bfloat16() else "float32",
        "chunk_size": 256,
        "chunk_overlap": 20,
        "documents": [{"id": name, "text": text} for name, text in data.paragraphs.items()],
        "top_k": LIMIT,
        "texts": False,
    }
    reply = retrieve(request, questions, options.cache, options.say)
    found["LlamaIndex"] = [distinct(hit["id"] for hit in hits) for hits in reply["hits"]]
    asked = {"model": str(bundled_path()), "documents": request["documents"], "top_k": LIMIT}
    txtai = retrieve_txtai(asked, questions, options.cache, options.say)
    return found | {f"txtai {kind}": [[names[at] for at in row] for row in txtai[kind]] for kind in ("dense", "hybrid")}


def judge(data: Xquad, ranked: Sequence[Sequence[str]]) -> list[Rank]:
    """The rank of the right paragraph of each question."""
    return [first_rank(names, {q.gold}) for q, names in zip(data.questions, ranked, strict=True)]


def report(data: Xquad, systems: dict[str, list[Rank]], notes: Sequence[str]) -> Outcome:
    """Tables over all and by language; the checks are those of the first system."""
    ours = next(iter(systems.values()))
    by_language: dict[str, list[Rank]] = {
        language: [rank for q, rank in zip(data.questions, ours, strict=True) if q.language == language]
        for language in data.languages
    }
    overall: list[list[Cell]] = [[system, *scores(ranks)] for system, ranks in systems.items()]
    each: list[list[Cell]] = []
    for language in data.languages:
        row: list[Cell] = [language]
        for ranks in systems.values():
            of_language = [rank for q, rank in zip(data.questions, ranks, strict=True) if q.language == language]
            row += [recall_at(of_language, 1), recall_at(of_language, 5), mrr_at(of_language, 10)]
        each.append(row)
    heads = [f"{system} {score}" for system in systems for score in ("R@1", "R@5", "MRR")]
    worst = min(by_language, key=lambda language: recall_at(by_language[language], 5))
    return Outcome(
        "xquad",
        f"question to paragraph, {len(data.languages)} languages in one collection "
        f"({len(data.paragraphs):,} paragraphs, {len(data.questions):,} questions)",
        [Table("All languages", ("system", *SCORES), overall), Table("By language", ("language", *heads), each)],
        [
            Check("recall@1", recall_at(ours, 1), ">=", 0.91),
            Check("recall@5", recall_at(ours, 5), ">=", 0.98),
            Check("MRR@10", mrr_at(ours, 10), ">=", 0.945),
            Check(f"recall@5 of the worst language ({worst})", recall_at(by_language[worst], 5), ">=", 0.96),
        ],
        notes,
    )


def run(options: Options) -> Outcome:
    """The benchmark; about 4 minutes on two cores with peers."""
    data = load_xquad(options.xquad)
    with scratch_folder() as folder:
        ranked, note = rank_phidex(data, folder, options.say)
    systems = {"Phidex": judge(data, ranked)}
    notes = [note]
    if options.peers:
        systems.update((system, judge(data, found)) for system, found in rank_peers(data, options).items())
        notes.append(
            "bm25s with its default tokenizer; LlamaIndex: VectorStoreIndex, SentenceSplitter(256, 20), the same model, in "
            "bfloat16 where our passages are; txtai: Embeddings' defaults, and the same with hybrid=True, paragraphs whole"
        )
    return report(data, systems, notes)
