"""Rankings judged by ir_measures: nDCG, recall, MRR, MAP, success, precision, at any cut.

Hits become items of a ranking: a gold place at its first hit, a document once, anything else as a miss.
Source: MacAvaney, Macdonald and Ounis, Streamlining Evaluation with ir-measures (2022).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from phidex.errors import ConfigError, InputError
from phidex.eval.metrics.places import touches
from phidex.eval.records import Gold, is_document
from phidex.retrieval.hit import Hit


def score_ranking(names: Sequence[str], relevance: Mapping[str, int], ranked: Sequence[str]) -> dict[str, float]:
    """The measures of one question's ranking, by their names.

    Args:
        names: in ir_measures' form: "nDCG@10", "R@5", "RR@10", "AP", "Success@5", "P@5".
        relevance: of each item that was judged.
        ranked: items, best first, each once.

    Raises:
        ConfigError: ir_measures is not installed.
        InputError: it knows no such measure.
    """
    run = {"q": {item: float(len(ranked) - at) for at, item in enumerate(ranked)}}
    return score_run(names, {"q": relevance}, run).get("q", {})


def score_run(
    names: Sequence[str], qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """The measures of every judged question, by question and name; one that the run leaves out has 0.

    Raises:
        ConfigError, InputError: see `score_ranking`.
    """
    library = _library()
    measures = {name: _measure(library, name) for name in names}
    if not qrels:
        return {}
    found: dict[str, dict[str, float]] = {question: {} for question in qrels}
    judged = {question: dict(of) for question, of in qrels.items()}
    scored = {question: dict(run.get(question) or {"": 0.0}) for question in judged}
    for metric in library.iter_calc(list(measures.values()), judged, scored):
        for name, measure in measures.items():
            if measure == metric.measure:
                found[metric.query_id][name] = float(metric.value)
    return found


def items_of(hits: Sequence[Hit], gold: Sequence[Gold]) -> tuple[list[str], dict[str, int]]:
    """The ranking that hits are, best first, and the relevance of its items and of gold that is missing.

    A hit on a gold place that a better hit has found already is neither right nor wrong: it is passed over. Where gold is whole
    documents, every document counts once.
    """
    names = [f"gold {at}" for at in range(len(gold))]
    by_document = all(not one.places for one in gold)
    ranked: dict[str, None] = {}
    for hit in hits:
        path = hit.source.uri
        found = [
            name
            for name, one in zip(names, gold, strict=True)
            if is_document(hit.source.name, one.document, path=path) and _is_there(hit, one)
        ]
        for item in found or [hit.source.id if by_document else hit.chunk.id]:
            ranked.setdefault(item)
    return list(ranked), {name: one.relevance for name, one in zip(names, gold, strict=True)}


def _is_there(hit: Hit, gold: Gold) -> bool:
    return not gold.places or any(touches(hit.chunk.locator, place) for place in gold.places)


def _library() -> Any:
    try:
        return importlib.import_module("ir_measures")
    except ImportError as exc:
        raise ConfigError("ir_measures, which judges rankings, is not installed", hint="pip install 'phidex[eval]'") from exc


def _measure(library: Any, name: str) -> Any:
    try:
        return library.parse_measure(name)
    except (NameError, ValueError, SyntaxError) as exc:
        raise InputError(f"there is no measure {name!r}", hint="such as nDCG@10, R@5, RR@10, AP, Success@1") from exc
