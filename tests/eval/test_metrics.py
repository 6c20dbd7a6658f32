"""Metrics beside the libraries that the field uses, and beside numbers worked out by hand."""

from __future__ import annotations

import importlib
import random
from typing import Any

import numpy as np
import pytest

from phidex.errors import InputError
from phidex.eval.metrics.cited import citation_scores
from phidex.eval.metrics.doubt import kappa, mean_of, paired_p
from phidex.eval.metrics.places import box_iou, place_scores, touches
from phidex.eval.metrics.ranking import items_of, score_ranking, score_run
from phidex.eval.metrics.text import answer_scores, answer_tokens, contains, exact_match, f1, normalize_answer, rouge
from phidex.eval.records import Gold
from phidex.generation.answer import Citation
from phidex.ingest.records import Chunk, LineLocator, Locator, PageLocator, Source, TimeLocator
from phidex.retrieval.hit import Hit

MEASURES = ("nDCG@10", "R@5", "RR@10", "AP", "Success@1", "P@5")


def source(name: str) -> Source:
    return Source(name, f"file:///docs/{name}", "pdf", name, "0" * 64, "en", "application/pdf")


def hit(name: str, locator: Locator) -> Hit:
    return Hit(Chunk(f"{name} {locator}", name, locator, "text", "text", "en", 0), source(name), 1.0, {})


def test_rankings_agree_with_ir_measures_over_whole_files() -> None:
    library: Any = importlib.import_module("ir_measures")
    chance = random.Random(3)
    documents = [f"d{at}" for at in range(40)]
    qrels = {f"q{at}": {name: chance.choice((0, 1, 2)) for name in chance.sample(documents, 12)} for at in range(20)}
    run = {name: {one: chance.random() for one in chance.sample(documents, 25)} for name in list(qrels)[:-2]}
    ours = score_run(MEASURES, qrels, run)
    theirs = library.calc_aggregate([library.parse_measure(name) for name in MEASURES], qrels, run)
    for measure, value in theirs.items():
        assert np.mean([scores[str(measure)] for scores in ours.values()]) == pytest.approx(value), measure


def test_ranking_by_hand() -> None:
    scores = score_ranking(("nDCG@10", "RR@10", "AP", "R@5", "Success@1"), {"a": 1, "b": 1}, ["x", "a", "y", "b"])
    gain = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert scores == pytest.approx({"nDCG@10": gain, "RR@10": 0.5, "AP": 0.5, "R@5": 1.0, "Success@1": 0.0})
    assert score_ranking(("R@5",), {"a": 1}, []) == {"R@5": 0.0}
    with pytest.raises(InputError, match="no measure 'nonsense'"):
        score_ranking(("nonsense",), {"a": 1}, ["a"])


def test_hits_on_places_become_items() -> None:
    gold = [Gold("a.pdf", (PageLocator(3), PageLocator(4))), Gold("b.py", (LineLocator("b.py", 5, 9),))]
    hits = [
        hit("a.pdf", PageLocator(2)),
        hit("a.pdf", PageLocator(4)),
        hit("a.pdf", PageLocator(3)),  # the same gold again: passed over
        hit("b.py", LineLocator("b.py", 9, 30)),
    ]
    items, relevance = items_of(hits, gold)
    assert items == ["a.pdf p. 2", "gold 0", "gold 1"]
    assert relevance == {"gold 0": 1, "gold 1": 1}


def test_documents_count_once() -> None:
    hits = [hit("b.txt", LineLocator("", 1, 2)), hit("b.txt", LineLocator("", 3, 4)), hit("a.txt", LineLocator("", 1, 2))]
    assert items_of(hits, [Gold("a")])[0] == ["b.txt", "gold 0"]


@pytest.mark.parametrize(
    ("given", "right", "exact", "shared"),
    [  # worked by hand from SQuAD's rules: case, punctuation, articles and white space do not count
        ("The Eiffel Tower!", ["eiffel tower"], 1.0, 1.0),
        ("an  apple, a day", ["Apple day"], 1.0, 1.0),
        ("in Paris, France", ["Paris"], 0.0, 0.5),
        ("Denver Broncos won", ["the Denver Broncos", "Broncos"], 0.0, 0.8),
        ("cat", ["dog"], 0.0, 0.0),
        ("U.S.", ["US"], 1.0, 1.0),
        ("“rock”", ["rock"], 0.0, 0.0),  # only ASCII punctuation is left out in English
        ("to to be", ["to be"], 0.0, 0.8),
        ("", ["dog"], 0.0, 0.0),
    ],
)
def test_squad_by_hand(given: str, right: list[str], exact: float, shared: float) -> None:
    assert exact_match(given, right) == exact
    assert f1(given, right) == pytest.approx(shared)


@pytest.mark.parametrize(
    ("language", "given", "right"),
    [
        ("de", "Das „Brandenburger Tor“", "Brandenburger Tor"),
        ("fr", "la Tour Eiffel", "Tour Eiffel"),
        ("es", "¿los Andes?", "Andes"),
        ("ar", "الكتاب", "كتاب"),
        ("zh", "“北京”。", "北京"),
        ("pt", "o Porto", "Porto"),
    ],
)
def test_articles_and_punctuation_of_other_languages(language: str, given: str, right: str) -> None:
    assert exact_match(given, [right], language) == 1.0


def test_unspaced_scripts_are_compared_by_character() -> None:
    assert answer_tokens("成立于1949年", "zh") == ["成", "立", "于", "1949", "年"]
    assert f1("北京市", ["北京"], "zh") == pytest.approx(0.8)
    assert contains("答案是北京市。", ["北京"], "zh") == 1.0
    assert contains("She lives in Newport", ["port"], "en") == 0.0
    assert normalize_answer("Θέατρο", "el") == "θέατρο"


def test_rouge_agrees_with_the_package_in_english() -> None:
    scorer: Any = importlib.import_module("rouge_score.rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"])
    given, right = "the pump was closed after the fire", "After the fire, the old pump was closed."
    theirs = scorer.score(right, given)
    expected = {
        "rouge_1": theirs["rouge1"].fmeasure,
        "rouge_2": theirs["rouge2"].fmeasure,
        "rouge_l": theirs["rougeL"].fmeasure,
    }
    assert rouge(given, [right]) == pytest.approx(expected)


def test_rouge_reads_other_scripts() -> None:
    assert rouge("Насос закрыли", ["насос закрыли"])["rouge_l"] == 1.0
    assert rouge("関門は閉まる", ["関門は開く"])["rouge_1"] == pytest.approx(6 / 11)
    assert answer_scores("x", []) == {}


def test_boxes_lines_and_times() -> None:
    assert box_iou([(0, 0, 2, 2)], [(1, 1, 3, 3)]) == pytest.approx(1 / 7)
    assert box_iou([(0, 0, 2, 1), (0, 0, 2, 1)], [(0, 0, 2, 1)]) == 1.0
    assert box_iou([], []) == 0.0
    gold: list[Locator] = [LineLocator("a", 1, 10), TimeLocator(10, 20)]
    found: list[Locator] = [LineLocator("a", 6, 10), TimeLocator(22.5, 30)]
    assert place_scores(found, gold) == {"line_overlap": 0.5, "time_error_s": 2.5}
    assert touches(PageLocator(1, ((0, 0, 1, 1),)), PageLocator(1))
    assert not touches(PageLocator(1, ((0, 0, 1, 1),)), PageLocator(1, ((5, 5, 6, 6),)))
    assert not touches(PageLocator(1), LineLocator("a", 1, 2))


def test_citations_against_gold() -> None:
    gold = [Gold("a.pdf", (PageLocator(3, ((0, 0, 2, 2),)),)), Gold("a.pdf", (PageLocator(7),))]
    cited = [
        Citation(1, source("a.pdf"), PageLocator(3, ((1, 0, 3, 2),)), "c1", "q", True),
        Citation(2, source("a.pdf"), PageLocator(4), "c2", "q", True),
    ]
    scores = citation_scores(cited, gold)
    assert scores == pytest.approx({"citation_precision": 0.5, "citation_recall": 0.5, "box_iou": 1 / 3})
    assert citation_scores([], gold) == {"citation_recall": 0.0}
    assert citation_scores(cited, []) == {}


def test_bootstrap_covers_the_mean() -> None:
    values = np.random.default_rng(5).normal(0.6, 0.2, 200).tolist()
    mean = mean_of(values)
    half = 1.96 * float(np.std(values)) / np.sqrt(len(values))
    assert mean.low == pytest.approx(mean.value - half, abs=0.005)
    assert mean.high == pytest.approx(mean.value + half, abs=0.005)
    assert mean_of([]).count == 0


@pytest.mark.parametrize("count", [8, 60])
def test_randomisation_test_agrees_with_scipy(count: int) -> None:
    stats: Any = importlib.import_module("scipy.stats")
    chance = np.random.default_rng(count)
    first = chance.random(count)
    second = first + chance.normal(0.04, 0.1, count)
    theirs = stats.permutation_test(
        (second - first,), np.mean, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(1)
    ).pvalue
    assert paired_p(first.tolist(), second.tolist()) == pytest.approx(theirs, abs=0.02)
    assert paired_p(first.tolist(), first.tolist()) == 1.0


def test_kappa_by_hand() -> None:
    first = ["y"] * 20 + ["y"] * 5 + ["n"] * 10 + ["n"] * 15  # Cohen's own layout: 35 of 50 the same
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa("ab", "ba") == -1.0
    with pytest.raises(ValueError, match="beside"):
        kappa("a", "ab")
