"""Summaries without a model over manuals: which share of their sections' topics they touch, beside simple ways.

A topic is a title of the PDF's outline (two levels, without contents, indexes and references); it is touched where the summary
has most of its telling terms. The rivals get as many characters: the text's first sentences, and random ones (mean of ten
draws). Jensen-Shannon divergence of the words (lower is better) goes with people's judgement of summaries (Louis and Nenkova,
Computational Linguistics 39(2), 2013).
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phidex.eval.bench.options import Options
from phidex.eval.bench.pages import pymupdf
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.generation.summary.candidates import candidates
from phidex.generation.summary.key import key_sentences
from phidex.generation.summary.matter import bare_title, is_back_matter
from phidex.generation.support import Rarity, terms
from phidex.ingest.records import Chunk
from phidex.retrieval.lexical import normalize
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

MANUALS = (
    *(f"debian-reference.{language}.pdf" for language in ("en", "de", "fr", "it", "pt", "ja", "zh-cn")),
    *(f"debmake-doc.{language}.pdf" for language in ("en", "ja", "ru", "zh-cn")),
)
HELD_OUT = ("debian-policy-policy.pdf", "R-intro.pdf", "R-lang.pdf", "gnuplot.pdf", "octave.pdf")
_SENTENCES = 15
_DRAWS = 10
_TOUCHED = 0.5  # of a title's telling terms
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one way to choose: the share of topics touched, and the divergence of its words from the text's."""

    touched: float
    divergence: float


def topics_of(path: Path) -> list[str]:
    """The outline's titles of two levels that say something."""
    with pymupdf.open(path) as opened:
        titles = [bare_title(title) for level, title, _ in opened.get_toc() if level <= 2 and not is_back_matter(title)]
    return list(dict.fromkeys(title for title in titles if len(title) > 2))


def measure(chunks: Sequence[Chunk], topics: Sequence[str]) -> tuple[dict[str, Measured], float, int]:
    """Each way's figures, the seconds that ours took, and how many characters each was given."""
    started = time.perf_counter()
    ours = [one.candidate.text for one in key_sentences([chunks], _SENTENCES)]
    seconds = time.perf_counter() - started
    room = sum(map(len, ours))
    listed = [one.text for one in candidates(chunks)]
    rarity = Rarity.of(chunk.text for chunk in chunks)
    words = _words([chunk.text for chunk in chunks])

    def judge(sentences: Sequence[str]) -> Measured:
        have = terms("\n".join(sentences))
        touched = sum(rarity.coverage(terms(topic), have) >= _TOUCHED for topic in topics) / len(topics)
        return Measured(touched, _divergence(words, _words(sentences)))

    draws = [judge(_within(random.Random(seed).sample(listed, len(listed)), room)) for seed in range(_DRAWS)]
    drawn = Measured(*(float(np.mean([getattr(one, key) for one in draws])) for key in ("touched", "divergence")))
    return {"key sentences": judge(ours), "first": judge(_within(listed, room)), "random": drawn}, seconds, room


def _within(sentences: Sequence[str], room: int) -> list[str]:
    """Sentences from the first on, the last one cut, until `room` characters are full."""
    found: list[str] = []
    for sentence in sentences:
        if room <= 0:
            break
        found.append(sentence[:room])
        room -= len(sentence)
    return found


def _words(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(normalize(text)))


def _divergence(first: Counter[str], second: Counter[str]) -> float:
    """Jensen-Shannon divergence in bits, in [0, 1]."""
    names = list(first | second)
    one, other = (np.array([counts[name] for name in names]) / max(1, counts.total()) for counts in (first, second))
    middle = (one + other) / 2

    def towards(part: np.ndarray) -> float:
        some = part > 0
        return float(np.sum(part[some] * np.log2(part[some] / middle[some])))

    return (towards(one) + towards(other)) / 2


def run(options: Options) -> Outcome:
    """Summaries of the manuals, those that nothing was chosen on last."""
    paths = options.documents([*MANUALS, *HELD_OUT])
    rows: list[list[Cell]] = []
    won = 0
    slowest = 0.0
    with scratch_folder() as folder:
        settings = Settings(data=folder / "data", embed=EmbedSettings(model="none"))  # pyright: ignore[reportCallIssue]
        with Phidex(settings=settings) as phidex:
            options.say(f"ingesting {len(paths)} manuals")
            phidex.ingest(*paths)
            rows, won, slowest = _rows(paths, _reader(phidex))
    columns = ("manual", "pages", "topics", "s", "key sentences", "first", "random", "JSD key", "JSD first", "JSD random")
    title = f"Share of topics touched by {_SENTENCES} sentences, and divergence of words; the last {len(HELD_OUT)} held out"
    checks = (
        Check("manuals where key sentences touch more topics than both rivals", 100 * won / len(paths), ">=", 90, "%"),
        Check("seconds for the slowest manual", slowest, "<=", 5, " s"),
    )
    return Outcome("summary", "key sentences without a model", (Table(title, columns, rows),), checks)


def _reader(phidex: Phidex) -> Callable[[str], tuple[list[Chunk], int]]:
    """Reads the chunks of a manual, and how many pages it has."""
    from phidex.retrieval.collection import Collection
    from phidex.retrieval.engines import open_store

    store = open_store(phidex.settings.data, phidex.settings.store)
    collection = Collection.open(store, "default")
    known = {entry.source.name: entry.source for entry in collection.entries()}
    return lambda name: (collection.source_chunks(known[name].id), known[name].page_count)


def _rows(paths: Sequence[Path], read: Callable[[str], tuple[list[Chunk], int]]) -> tuple[list[list[Cell]], int, float]:
    rows: list[list[Cell]] = []
    won, slowest = 0, 0.0
    for path in paths:
        (chunks, pages), topics = read(path.name), topics_of(path)
        ways, seconds, _ = measure(chunks, topics)
        ours, *others = (way.touched for way in ways.values())
        won += ours > max(others)
        slowest = max(slowest, seconds)
        rows.append(
            [
                path.name,
                pages,
                len(topics),
                seconds,
                *(w.touched for w in ways.values()),
                *(w.divergence for w in ways.values()),
            ]
        )
    return rows, won, slowest
