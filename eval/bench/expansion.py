"""What hits should bring along: how much of the evidence is in a context of a given size, by each way of expansion.

XQuAD's paragraphs, those of an article as one document, cut into passages shorter than they are: the sentence that answers, and
the paragraph around it, may lie in several. All contexts cost the same: what is added takes the place of lower hits.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from phidex.eval.bench.options import Options
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.chunk import chunk_document
from phidex.ingest.records import Anchor, Block, Parsed, Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.retrieval.expand import Expand, expand
from phidex.retrieval.hit import Hit
from phidex.retrieval.search import search
from phidex.settings import StoreSettings

_LANGUAGES = ("en", "de")
_CHUNK_TOKENS = 128
_QUESTIONS = 400
_HITS = 30
_BUDGETS = (500, 1000, 2000)
_OVERHEAD = 8  # tokens of a block's header
_WAYS: tuple[tuple[str, Expand, int, int], ...] = (  # name, how, leading hits, reach
    ("off", "off", 5, 1),
    ("neighbours of 10", "neighbours", 10, 1),
    ("neighbours of 5", "neighbours", 5, 1),
    ("neighbours of 3", "neighbours", 3, 1),
    ("neighbours of 3, 2 each side", "neighbours", 3, 2),
    ("document", "document", 5, 1),
)
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the sentence that answers it, and all sentences of its paragraph."""

    text: str
    answer: str
    sentences: tuple[str, ...]


def run(options: Options) -> Outcome:
    """The benchmark; about a minute."""
    with scratch_folder() as folder:
        store = open_store(folder / "data", StoreSettings())  # pyright: ignore[reportCallIssue]  # all have defaults
        try:
            collection = Collection.create(store, "expansion", lambda: None)
            asked = [one for language in _LANGUAGES for one in _fill(collection, options.xquad / f"xquad.{language}.json")]
            sample = random.Random(1).sample(asked, min(_QUESTIONS, len(asked)))
            options.say(f"{collection.count():,} passages; asking {len(sample)} questions")
            rows, best = _measure(collection, sample)
            chunks = collection.count()
        finally:
            store.close()
    heads = ("way", *(f"{what} {budget}" for budget in _BUDGETS for what in ("answer", "paragraph")), "ms")
    return Outcome(
        "expansion",
        f"evidence in contexts of {', '.join(map(str, _BUDGETS))} tokens ({len(_LANGUAGES)} languages, {chunks:,} passages of "
        f"{_CHUNK_TOKENS} tokens, {len(sample)} questions, lexical leg alone)",
        [Table("Share of answering sentences, and of their paragraphs' sentences, in the context", heads, rows)],
        [Check("paragraph in 1000 tokens, neighbours of 3, above off", best, ">=", 0.05)],
        ["What hits bring along takes the place of lower hits: every context of a column costs the same."],
    )


def _measure(collection: Collection, asked: Sequence[Asked]) -> tuple[list[list[Cell]], float]:
    """A row for each way; and what the default gains at the middle budget."""
    shares: dict[tuple[str, int], list[tuple[bool, float]]] = {(way[0], budget): [] for way in _WAYS for budget in _BUDGETS}
    spent: dict[str, list[float]] = {way[0]: [] for way in _WAYS}
    for one in asked:
        hits = search(collection, one.text, embedder=None, limit=_HITS)
        for name, how, leading, reach in _WAYS:
            started = time.perf_counter()
            expanded = expand(hits, collection, how=how, leading=leading, reach=reach, budget_tokens=4000)
            spent[name].append(time.perf_counter() - started)
            for budget in _BUDGETS:
                text = _context(expanded, budget)
                held = sum(sentence in text for sentence in one.sentences)
                shares[name, budget].append((one.answer in text, held / len(one.sentences)))
    rows: list[list[Cell]] = []
    for name, *_ in _WAYS:
        row: list[Cell] = [name]
        for budget in _BUDGETS:
            row += [statistics.mean(answer for answer, _ in shares[name, budget])]
            row += [statistics.mean(share for _, share in shares[name, budget])]
        rows.append([*row, f"{1000 * statistics.median(spent[name]):.1f}"])
    gains = [statistics.mean(share for _, share in shares[name, _BUDGETS[1]]) for name in ("neighbours of 3", "off")]
    return rows, gains[0] - gains[1]


def _fill(collection: Collection, path: Path) -> Iterator[Asked]:
    """Ingest the articles of a language, each as one document; yields what is asked of them."""
    if not path.is_file():
        raise RuntimeError(f"there is no {path}: eval/bench/xquad.py says where to get it")
    language = path.name.split(".")[1]
    for number, article in enumerate(json.loads(path.read_text("utf-8"))["data"]):
        uri = f"file:///{language}-{number:03d}.txt"
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, uri))
        texts = [paragraph["context"] for paragraph in article["paragraphs"]]
        blocks = tuple(Block(text, "paragraph", (Anchor(0, line=2 * at + 1),)) for at, text in enumerate(texts))
        source = Source(identity, uri, "text", uri, "0" * 64, language, "text/plain")
        parsed = Parsed("text", blocks)
        chunks = chunk_document(parsed, source_id=identity, path=uri, language=language, limit_tokens=_CHUNK_TOKENS)
        collection.replace(source, "1", chunks)
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield _asked(question, paragraph["context"])


def _asked(question: dict[str, object], context: str) -> Asked:
    answers: list[dict[str, object]] = question["answers"]  # type: ignore[assignment]
    start = int(str(answers[0]["answer_start"]))
    pieces = _SENTENCE_END.split(context)
    at = bisect_right(list(accumulate(len(piece) + 1 for piece in pieces)), start)
    sentences = [" ".join(piece.split()) for piece in pieces]
    return Asked(str(question["question"]), sentences[at], tuple(sentences))


def _context(hits: Sequence[Hit], budget_tokens: int) -> str:
    """The text of the hits that fit, best first, in document order."""
    taken: list[Hit] = []
    for hit in hits:
        cost = hit.chunk.token_count + _OVERHEAD
        if cost <= budget_tokens:
            taken.append(hit)
            budget_tokens -= cost
    ordered = sorted(taken, key=lambda hit: (hit.source.id, hit.chunk.order))
    return " ".join(" ".join(hit.chunk.text for hit in ordered).split())
