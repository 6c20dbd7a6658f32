"""The benchmarks' own logic: metrics, page matching, tables, and their mechanics on tiny data. No peers, no timings judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf as _pymupdf
import pytest

from phidex.eval.bench import extract, ingest, reworded, xquad
from phidex.eval.bench.__main__ import main, parse
from phidex.eval.bench.metrics import distinct, first_rank, mrr_at, recall_at, scores
from phidex.eval.bench.options import Options, machine_facts
from phidex.eval.bench.pages import PageHit, PageJudge, PageQuestion, is_contained, manual_of
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Check, Outcome, Table, markdown, render
from phidex.eval.bench.vectors import RememberingEmbedder
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.runtime import is_held
from phidex.retrieval.store import Floats

pymupdf: Any = _pymupdf

PARAGRAPHS = {
    "en": [
        "The lighthouse at Cape Wrath was built in 1828 by Robert Stevenson and was manned until 1998.",
        "Sourdough bread rises with wild yeast and lactic acid bacteria instead of baker's yeast.",
        "The glacier has retreated two kilometres since the first survey of the valley was made.",
    ],
    "de": [
        "Der Leuchtturm am Kap Wrath wurde 1828 von Robert Stevenson gebaut und war bis 1998 bemannt.",
        "Sauerteigbrot geht mit wilder Hefe und Milchsäurebakterien auf statt mit Backhefe.",
        "Der Gletscher hat sich seit der ersten Vermessung des Tals um zwei Kilometer zurückgezogen.",
    ],
}
QUESTIONS = {
    "en": ["Who built the lighthouse at Cape Wrath?", "What makes sourdough bread rise?", "How far has the glacier retreated?"],
    "de": [
        "Wer baute den Leuchtturm am Kap Wrath?",
        "Womit geht Sauerteigbrot auf?",
        "Wie weit hat sich der Gletscher zurückgezogen?",
    ],
}
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi"


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    folder = tmp_path / "xquad"
    folder.mkdir()
    for language, contexts in PARAGRAPHS.items():
        paragraphs: list[dict[str, Any]] = [
            {"context": context, "qas": [{"id": f"{language}{at}", "question": QUESTIONS[language][at], "answers": []}]}
            for at, context in enumerate(contexts)
        ]
        data: dict[str, Any] = {"data": [{"title": "all", "paragraphs": paragraphs}]}
        (folder / f"xquad.{language}.json").write_text(json.dumps(data), "utf-8")
    return folder


def write_pdf(path: Path, pages: list[str]) -> Path:
    with pymupdf.open() as document:
        for text in pages:
            document.new_page().insert_textbox((72, 72, 520, 760), text, fontsize=11)
        document.save(path)
    return path


def ignore(_: object) -> None:
    """Says nothing, fetches nothing."""


def test_scores_of_known_ranks() -> None:
    ranks = [1, 3, 6, None]
    assert scores(ranks) == [0.25, 0.5, 0.75, pytest.approx((1 + 1 / 3 + 1 / 6) / 4)]
    assert recall_at([], 5) == mrr_at([], 10) == 0.0
    assert first_rank(distinct(["x", "x", "y"]), {"y"}) == 2


def test_a_check_knows_its_bar() -> None:
    assert Check("a", 20, ">=", 20).ok
    assert not Check("a", 2, "<", 2).ok
    assert Check("a", 1.15, "<=", 1.15).ok


def test_an_outcome_renders_with_the_bar_beside_the_figure() -> None:
    text = render(
        Outcome(
            "speed", "how fast", [Table("Seconds", ("who", "s"), [("us", 1.5)])], [Check("ratio", 1.5, ">=", 2, "x")], ["n"]
        )
    )
    assert "| us  | 1.500 |" in text
    assert "1.500x" in text
    assert ">= 2x" in text
    assert "**BELOW**" in text
    assert text.endswith("- n\n")


def test_a_table_without_rows_keeps_its_head() -> None:
    assert markdown(("a", "b"), []).splitlines() == ["| a | b |", "|---|---|"]


@pytest.mark.parametrize(("name", "manual"), [("debmake-doc.zh-cn.pdf", "debmake-doc"), ("R-FAQ.pdf", "R-FAQ")])
def test_editions_share_their_manual(name: str, manual: str) -> None:
    assert manual_of(name) == manual


def test_short_passages_are_no_copies() -> None:
    assert not is_contained("alpha beta gamma", WORDS)
    assert is_contained(WORDS, f"before {WORDS} behind")


@pytest.mark.parametrize(
    ("hit", "rank"),
    [
        (PageHit("m.de.pdf", 6, WORDS), 1),  # the untranslated copy: passed over
        (PageHit("m.de.pdf", 9, WORDS), 2),  # too far from the right page
        (PageHit("m.de.pdf", 6, "etwas ganz anderes " * 9), 2),  # translated
        (PageHit("n.pdf", 5, WORDS), 2),  # another manual
        (PageHit("m.en.pdf", 6, WORDS), 2),  # the same edition's next page is simply wrong
    ],
)
def test_only_copies_of_a_right_page_are_passed_over(hit: PageHit, rank: int) -> None:
    judge = PageJudge({"m.en.pdf": 20, "m.de.pdf": 20}, lambda document, page: f"{document} {page} {WORDS}")
    question = PageQuestion("?", "m.en.pdf", (5,))
    assert judge.rank(question, [hit, PageHit("m.en.pdf", 5, "right")]) == rank
    assert judge.rank(question, [hit]) is None


class CountingEmbedder:
    """Counts the texts that it is given."""

    identity = EmbedderIdentity(model="counting", dim=2, fingerprint="f")

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_passages(self, texts: Any) -> Floats:
        self.texts += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    def embed_query(self, text: str) -> Floats:
        return self.embed_passages([text])[0]


def test_vectors_are_remembered_between_runs(tmp_path: Path) -> None:
    first = RememberingEmbedder(CountingEmbedder(), tmp_path)
    assert first.embed_passages(["a", "bbb", "a"])[:, 0].tolist() == [1, 3, 1]
    first.save()
    counting = CountingEmbedder()
    second = RememberingEmbedder(counting, tmp_path)
    assert second.embed_passages(["bbb", "cc"])[:, 0].tolist() == [3, 2]
    assert (counting.texts, second.computed, second.reused) == (["cc"], 1, 1)


def test_the_reworded_questions_load() -> None:
    small = reworded.load_questions(reworded.QUESTIONS, reworded.SMALL)
    assert len(small) >= 60
    assert {question.document for question in small} == reworded.SMALL


def test_xquad_finds_tiny_paragraphs_in_two_languages(squad: Path) -> None:
    data = xquad.load_xquad(squad)
    assert (data.languages, len(data.paragraphs), len(data.questions)) == (["de", "en"], 6, 6)
    with scratch_folder() as folder:
        ranked, note = xquad.rank_phidex(data, folder, ignore, model="none")
        assert is_held(folder / "data")
    assert not folder.exists()
    assert not is_held(folder / "data")
    outcome = xquad.report(data, {"Phidex": xquad.judge(data, ranked)}, [note])
    assert [check.ok for check in outcome.checks] == [True, True, True, True]
    assert "6 paragraphs" in note


def test_xquad_says_where_to_get_the_data(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"github\.com/google-deepmind/xquad.*--data"):
        xquad.load_xquad(tmp_path)


def test_xquad_is_looked_for_where_a_user_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parse([]).data == Path("/home/ada/.cache/phidex/bench/xquad")
    assert parse(["--data", "x"]).data == Path("x")


def test_extract_measures_every_stage(tmp_path: Path) -> None:
    paths = [
        write_pdf(tmp_path / f"{name}.pdf", [f"{name} page {at}. " + PARAGRAPHS["en"][at] for at in (0, 1)]) for name in "ab"
    ]
    ours, bare = extract.measure(paths, rounds=1)
    times = ours["fast"]
    assert (times.pages, set(times.pages_of)) == (4, {"a.pdf", "b.pdf"})
    assert times.chunks >= 4
    assert min(times.parse, times.lexical, bare) > 0
    assert "PyMuPDF" in render(extract.report(ours, bare))


def test_ingest_measures_both_milestones_and_the_second_time(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", PARAGRAPHS["en"])
    with scratch_folder() as scratch:
        ours = ingest.ingest_phidex([path], scratch, ignore, model="none")
    assert (ours.pages, ours.embedded) == (3, 0)
    assert ours.chunks >= 3
    assert ours.searchable <= ours.complete.wall


def test_one_benchmark_that_cannot_run_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    assert main(["xquad", "--data", str(tmp_path / "none"), "--no-peers", "--json", str(out)]) == 1
    assert "NOT RUN: RuntimeError: no xquad" in capsys.readouterr().out
    assert json.loads(out.read_text())["benchmarks"][0]["error"]


def test_the_machine_is_described() -> None:
    assert {"processor", "cores", "versions"} <= {name for name, _ in machine_facts()}


def test_documents_that_cannot_be_had_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.eval.bench.options.fetch_manuals", ignore)
    options = Options(xquad=tmp_path, manuals=tmp_path, cache=tmp_path, peers=False, say=ignore)
    with pytest.raises(RuntimeError, match=r"gone\.pdf"):
        options.documents(["gone.pdf"])
