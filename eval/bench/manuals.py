"""Section titles and written questions over parallel manuals: the page found exactly, in each language, in one collection.

A title is asked for where it stands in one edition only (the PDF's outline says on which page the section begins); the written
questions are `eval/data/manuals.jsonl`. Other manuals are in the collection too: their titles were never looked at while the
weights of titles were chosen, and count as a group of their own. Beside bm25s over our chunks and LlamaIndex.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.eval.bench.bm25 import rank_bm25s
from phidex.eval.bench.metrics import Rank, mrr_at, recall_at
from phidex.eval.bench.options import ROOT, Options
from phidex.eval.bench.pages import PageHit, PageJudge, PageQuestion, pdf_judge, pymupdf
from phidex.eval.bench.reworded import page_hit, rank_llamaindex
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.eval.bench.vectors import RememberingEmbedder
from phidex.retrieval.choose import choose_embedder
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.retrieval.search import search
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

QUESTIONS = ROOT / "eval" / "data" / "manuals.jsonl"
PARALLEL = (
    *(f"debian-reference.{language}.pdf" for language in ("en", "de", "fr", "it", "pt", "ja", "zh-cn")),
    *(f"debmake-doc.{language}.pdf" for language in ("en", "de", "ja", "ru", "zh-cn")),
)
HELD_OUT = ("debian-policy-policy.pdf", "R-intro.pdf", "R-admin.pdf", "R-lang.pdf", "asymptote.pdf", "gnuplot.pdf")
LIMIT = 30  # asked for, so that ten are left when copies are passed over
_TITLES = 80  # a language at most
_LEAST_CHARS = 6
_LANGUAGE = re.compile(r"\.([a-z]{2})(?:-[a-z]{2})?\.pdf$")
_NUMBER = re.compile(r"^(?:\w+\s+)?[\dA-Z]+(?:\.\d+)*\.?\s+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its group: what kind it is, in which language."""

    question: PageQuestion
    kind: str
    language: str


def load_written(path: Path) -> list[Asked]:
    """The questions of a file."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Asked(PageQuestion(row["question"], row["document"], tuple(row["pages"])), "written", row["language"]) for row in rows
    ]


def titles_of(paths: Sequence[Path]) -> list[Asked]:
    """The titles of outlines that no other entry shares, each with the page it leads to."""
    found: list[tuple[str, Asked]] = []
    for path in paths:
        language = match.group(1) if (match := _LANGUAGE.search(path.name)) else "en"
        kind = "titles, held out" if path.name in HELD_OUT else "titles"
        with pymupdf.open(path) as opened:
            for _, title, page in opened.get_toc():
                text = " ".join(title.split())
                found.append((_bare(text), Asked(PageQuestion(text, path.name, (page,)), kind, language)))
    counts = Counter(bare for bare, _ in found)
    unique = [asked for bare, asked in found if counts[bare] == 1 and len(bare) >= _LEAST_CHARS]
    groups: dict[tuple[str, str], list[Asked]] = {}
    for asked in unique:
        groups.setdefault((asked.kind, asked.language), []).append(asked)
    return [asked for group in groups.values() for asked in group[:: -(-len(group) // _TITLES)]]


def _bare(title: str) -> str:
    return " ".join(re.findall(r"\w+", _NUMBER.sub("", title).lower()))


def rank_phidex(paths: Sequence[Path], asked: Sequence[Asked], options: Options) -> tuple[dict[str, list[list[PageHit]]], str]:
    """What is found, what bm25s finds among the same chunks, and a sentence on the vectors."""
    with scratch_folder() as folder:
        settings = Settings(data=folder / "data", embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]
        chosen = choose_embedder(settings.embed, settings.cache).embedder
        assert chosen is not None
        embedder = RememberingEmbedder(chosen, options.cache)
        with Phidex(settings=settings) as phidex:
            options.say(f"ingesting {len(paths)} manuals")
            phidex.ingest(*paths, dense="later")
            store = open_store(settings.data, settings.store)
            collection = Collection.open(store, "default")
            collection.embed_pending(embedder)
            embedder.save()
            names = {entry.source.id: entry.source.name for entry in collection.entries()}
            options.say(f"asking {len(asked)} questions")
            ours = [
                [page_hit(hit.chunk, names) for hit in search(collection, one.question.text, embedder=embedder, limit=LIMIT)]
                for one in asked
            ]
            chunks = [page_hit(chunk, names) for source in names for chunk in collection.source_chunks(source)]
            store.close()
    bm25s = rank_bm25s([chunk.text for chunk in chunks], [one.question.text for one in asked], LIMIT)
    note = f"Phidex: {len(chunks):,} chunks of {len(paths)} manuals; {embedder.computed:,} dense vectors computed"
    return {"Phidex": ours, "bm25s": [[chunks[at] for at in row] for row in bm25s]}, note


def report(asked: Sequence[Asked], systems: dict[str, list[Rank]], notes: Sequence[str]) -> Outcome:
    """A table a kind of question, by language; checks on each language of ours."""
    tables: list[Table] = []
    checks: list[Check] = []
    for kind in dict.fromkeys(one.kind for one in asked):
        rows: list[list[Cell]] = []
        for language in sorted({one.language for one in asked if one.kind == kind}):
            its = [at for at, one in enumerate(asked) if (one.kind, one.language) == (kind, language)]
            row: list[Cell] = [language, len(its)]
            for ranks in systems.values():
                part = [ranks[at] for at in its]
                row += [recall_at(part, 1), recall_at(part, 5), mrr_at(part, 10)]
            rows.append(row)
            ours = recall_at([systems["Phidex"][at] for at in its], 5)
            checks.append(Check(f"{kind}, {language}: recall@5", ours, ">=", 0.95))
        heads = [f"{system} {score}" for system in systems for score in ("R@1", "R@5", "MRR")]
        tables.append(Table(kind.capitalize(), ("language", "questions", *heads), rows))
    title = f"parallel manuals, the page found exactly ({len(asked)} questions)"
    return Outcome("manuals", title, tables, checks, notes)


def ranks_of(judge: PageJudge, asked: Sequence[Asked], ranked: Sequence[Sequence[PageHit]]) -> list[Rank]:
    """The rank of the right page of each question."""
    return [judge.rank(one.question, hits) for one, hits in zip(asked, ranked, strict=True)]


def run(options: Options) -> Outcome:
    """The benchmark; about 10 minutes on two cores at first with peers, 3 minutes when vectors and the index are kept."""
    paths = options.documents([*PARALLEL, *HELD_OUT])
    asked = [*load_written(QUESTIONS), *titles_of(paths)]
    judge = pdf_judge(paths)
    found, note = rank_phidex(paths, asked, options)
    notes = [note, "untranslated copies of right pages in other editions are passed over, for all systems alike"]
    if options.peers:
        found["LlamaIndex"], peer_note = rank_llamaindex(paths, [one.question for one in asked], options)
        notes.append(peer_note)
    return report(asked, {system: ranks_of(judge, asked, ranked) for system, ranked in found.items()}, notes)
