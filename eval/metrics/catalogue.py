"""Every measure of a run: its name for people, whether more of it is better, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

RANKING = ("nDCG@10", "R@1", "R@5", "R@10", "RR@10", "AP@10", "Success@1", "Success@5", "Success@10")
"""In ir_measures' own names; RR is the reciprocal rank (its mean is MRR), AP the average precision (its mean is MAP)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of a record's scores.

    Args:
        better: 1 where more is better, -1 where less is, 0 where neither is (a position, a cost that is chosen).
    """

    title: str
    better: int
    says: str


_GAINS = {
    "exact_match": ("exact match", "the answer is, normalised, one of the right ones"),
    "f1": ("F1", "words that the answer shares with the nearest right one"),
    "contains": ("contains", "a right answer stands in the answer"),
    "rouge_1": ("ROUGE-1", "words in common"),
    "rouge_2": ("ROUGE-2", "pairs of words in common"),
    "rouge_l": ("ROUGE-L", "longest common sequence of words"),
    "grounded": ("groundedness", "share of the answer's claims that the passages they cite bear out"),
    "honest": ("honest absence", "answered what the documents answer, and declined what they do not"),
    "language": ("language", "the answer is in the question's language"),
    "citation_precision": ("citation precision", "share of cited places that lie on a gold place"),
    "citation_recall": ("citation recall", "share of gold places that are cited"),
    "box_iou": ("box IoU", "area that cited and gold boxes share, of what they cover together"),
    "line_overlap": ("line overlap", "lines that cited and gold stretches share, of what they cover together"),
    "packed": ("gold in context", "share of gold places whose passage is in the context"),
    "needle": ("RULER score", "share of the wanted strings that stand in the answer"),
    "function_found": ("function found", "the function that was written is the one described"),
    "judged": ("judged", "the judge's grade, from 0 to 1"),
}
_COSTS = {
    "time_error_s": ("time error, s", "from the cited stretch to the gold one, 0 where they touch"),
    "search_s": ("search, s", "from the question to the hits"),
    "answer_s": ("answer, s", "from the question to the whole answer"),
}
_NEITHER = {
    "prompt_tokens": ("prompt, tokens", "as the server counted, or as estimated"),
    "packed_at": ("place of gold", "where in the context the first gold passage begins, from 0 to 1"),
    "context_tokens": ("context, tokens", "what was packed"),
    "escalated": ("to the larger model", "share of the questions that it answered"),
}

MEASURES: dict[str, Measure] = {
    **{name: Measure(name.replace("RR@", "MRR@").replace("AP@", "MAP@"), 1, "ranking of gold places") for name in RANKING},
    **{name: Measure(title, 1, says) for name, (title, says) in _GAINS.items()},
    **{name: Measure(title, -1, says) for name, (title, says) in _COSTS.items()},
    **{name: Measure(title, 0, says) for name, (title, says) in _NEITHER.items()},
}
TIMES = ("search_s", "answer_s")
"""Measures of the machine as much as of the system: compared, but no regression by themselves."""


def measure_of(name: str) -> Measure:
    """What is known of a measure; of any other name, that more of it is better.

    >>> measure_of("R@3").title, measure_of("time_error_s").better
    ('R@3', -1)
    """
    return MEASURES.get(name) or Measure(name, 1, "")
