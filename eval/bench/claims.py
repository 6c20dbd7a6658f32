"""Whether the check of citations sees what a passage bears out and what not: precision and recall, and its time.

Two sets: statements written by hand about short passages in 16 languages, some across languages; and sentences of XQuAD's
paragraphs in six languages, as they stand, with one number or name altered, negated by a word, or beside another article's
paragraph. No model is asked. Data: eval/data/README.md.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phidex.eval.bench.options import ROOT, Options
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.generation.cite import cite
from phidex.generation.support import CJK
from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.count import load_counter
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, pack_context

CLAIMS = ROOT / "eval" / "data" / "claims.jsonl"
_XQUAD = ("ar", "de", "en", "ru", "th", "zh")
_EACH = 40  # sentences of a language, each in all its forms
_BESIDE = 6  # other passages in the context of one
_NUMBER = re.compile(r"(?<![\d.,])\d{2,4}(?![\d.,])")
_NAME = re.compile(r"(?<=[a-zа-я,] )[A-ZА-Я][a-zа-яё]{3,}(?: [A-ZА-Я][a-zа-яё]{3,})+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A statement, the passage that it cites, and whether that bears it out."""

    claim: str
    passage: str
    language: str
    written: str
    kind: str
    is_supported: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What was made of one, and in how many milliseconds."""

    pair: Pair
    is_verified: bool
    took_ms: float


def load_pairs() -> list[Pair]:
    """Those that were written by hand."""
    rows = [json.loads(line) for line in CLAIMS.read_text("utf-8").splitlines()]
    return [
        Pair(row["claim"], row["passage"], row["language"], row["passage_language"], row["kind"], row["label"] == "supported")
        for row in rows
    ]


def altered_pairs(folder: Path) -> Iterator[Pair]:
    """Sentences of XQuAD as they are and altered; the same each time."""
    for language in _XQUAD:
        articles = json.loads((folder / f"xquad.{language}.json").read_text("utf-8"))["data"]
        paragraphs = [one["context"] for article in articles for one in article["paragraphs"][:2]]
        chosen = random.Random(7)
        names = sorted({match.group() for text in paragraphs for match in _NAME.finditer(text)})
        told = [(text, sentence) for text in paragraphs for sentence in _sentences(text) if _NUMBER.search(sentence)]
        for at, (text, sentence) in enumerate(chosen.sample(told, min(_EACH, len(told)))):
            number = chosen.choice(_NUMBER.findall(sentence))
            other = paragraphs[(paragraphs.index(text) + 11) % len(paragraphs)]
            pair = Pair(sentence, text, language, language, "as it stands", True)
            yield pair
            yield replace(
                pair, claim=sentence.replace(number, str(int(number) + 1 + at % 7)), kind="number", is_supported=False
            )
            yield replace(pair, passage=other, kind="another article", is_supported=False)
            yield replace(pair, claim=_halved(sentence), kind="half of it")
            others = [one for one in names if one not in text]
            if (name := _NAME.search(sentence)) and others:
                swapped = sentence.replace(name.group(), chosen.choice(others))
                yield replace(pair, claim=swapped, kind="name", is_supported=False)


def _sentences(text: str) -> list[str]:
    found = [text[start:end] for start, end in sentence_spans(text)]
    least = 15 if CJK.search(text) else 40
    return [one for one in found if least <= len(one) <= 300]


def _halved(sentence: str) -> str:
    """Its longer clause, so that what is compared is no copy."""
    parts = re.split(r"[,;:،，、；]\s*(?!\d)", sentence)
    longest = max(parts, key=len)
    return longest if 2 * len(longest) > len(sentence) else sentence


def judge_all(pairs: Sequence[Pair]) -> list[Found]:
    """What the check of citations makes of each, beside other passages of its language."""
    by_language: dict[str, list[str]] = {}
    for pair in pairs:
        by_language.setdefault(pair.written, []).append(pair.passage)
    found: list[Found] = []
    for pair in pairs:
        beside = [one for one in dict.fromkeys(by_language[pair.written]) if one != pair.passage][:_BESIDE]
        context = _context([pair.passage, *beside], pair.written)
        stored = {chunk.id: chunk for block in context.blocks for chunk in block.chunks}
        marker = next(block.marker for block in context.blocks if block.chunks[0].text == pair.passage)
        started = time.perf_counter()
        checked = cite(f"{pair.claim.rstrip('.。')} [{marker}].", context, stored, pair.language)
        took_ms = 1000 * (time.perf_counter() - started)
        found.append(Found(pair, any(claim.status == "verified" for claim in checked.claims), took_ms))
    return found


def _context(texts: Sequence[str], language: str) -> Context:
    hits: list[Hit] = []
    for number, text in enumerate(texts):
        name = f"source-{number}"
        source = Source(name, f"file:///{name}.txt", "text", name, "0" * 64, language, "text/plain", 1)
        chunk = Chunk(f"{name}-0", name, PageLocator(1, ()), text, "text", language, 0)
        hits.append(Hit(chunk, source, 1.0, {}))
    return pack_context(
        hits, budget_tokens=100_000, reserve_tokens=100, prompt_tokens=100, count=load_counter(None), order="rank"
    )


def _figures(found: Sequence[Found]) -> list[Cell]:
    """Pairs, precision and recall of "unsupported", precision and recall of "verified"."""
    flagged = [one for one in found if not one.is_verified]
    passed = [one for one in found if one.is_verified]
    false = [one for one in found if not one.pair.is_supported]
    true = [one for one in found if one.pair.is_supported]
    return [
        len(found),
        _share([not one.pair.is_supported for one in flagged]),
        _share([not one.is_verified for one in false]),
        _share([one.pair.is_supported for one in passed]),
        _share([one.is_verified for one in true]),
    ]


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 1.0


def _kinds(found: Sequence[Found]) -> list[list[Cell]]:
    kinds = dict.fromkeys(one.pair.kind for one in found)
    rows: list[list[Cell]] = []
    for kind in kinds:
        its = [one for one in found if one.pair.kind == kind]
        rows.append([kind, len(its), _share([one.is_verified == one.pair.is_supported for one in its])])
    return rows


def report(written: Sequence[Found], altered: Sequence[Found]) -> Outcome:
    """Both sets, by language and by kind."""
    heads = ("language", "pairs", "unsupported: precision", "recall", "verified: precision", "recall")
    tables: list[Table] = []
    for title, found in (("written by hand", written), ("XQuAD, altered", altered)):
        if not found:
            continue
        languages = sorted({one.pair.language for one in found})
        rows = [[name, *_figures([one for one in found if one.pair.language == name])] for name in languages]
        tables.append(Table(f"By language, {title}", heads, [*rows, ["all", *_figures(found)]]))
        tables.append(Table(f"By kind, {title}", ("kind", "pairs", "seen rightly"), _kinds(found)))
    flagged = [one for one in written if not one.is_verified]
    passed = [one for one in written if one.is_verified]
    checks = [
        Check("unsupported, precision, by hand", _share([not one.pair.is_supported for one in flagged]), ">=", 0.85),
        Check("verified, precision, by hand", _share([one.pair.is_supported for one in passed]), ">=", 0.9),
        Check("a claim, milliseconds", statistics.median(one.took_ms for one in [*written, *altered]), "<", 10, " ms"),
    ]
    return Outcome("claims", f"what passages bear out ({len(written)} pairs by hand, {len(altered)} of XQuAD)", tables, checks)


def run(options: Options) -> Outcome:
    """The benchmark; some seconds."""
    has_xquad = all((options.xquad / f"xquad.{language}.json").is_file() for language in _XQUAD)
    altered = judge_all(list(altered_pairs(options.xquad))) if has_xquad else []
    return report(judge_all(load_pairs()), altered)
