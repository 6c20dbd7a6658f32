"""When the smaller model's answer is doubtful, so that the larger one should answer the same question."""

from __future__ import annotations

from phidex.generation.answer import Answer

LEAST_CONFIDENCE = 0.5
"""Of a model in its own words. A model that copies from sources writes most tokens with near certainty; below one half, on the
geometric mean, it was on average no surer of its words than of all others together. Chosen by that meaning, not measured: a
lower one would hardly ever speak, a higher one speaks of long free answers as such. The least certain token alone tells little,
since every answer has a first word that could have been another."""


def doubt_of(answer: Answer, *, evidence: bool) -> str:
    """Why an answer is doubtful, as the rest of a sentence about the model; empty where it is not.

    Args:
        evidence: whether the passages come near the question, in words or in meaning.
    """
    if not answer.found:
        return "found no answer in passages that seem to hold one" if evidence else ""
    if not answer.text.strip():
        return "said nothing"
    if not answer.citations:
        return "cited nothing"
    if not any(citation.verified for citation in answer.citations):
        return "cited passages that do not bear it out"
    if answer.confidence is not None and answer.confidence < LEAST_CONFIDENCE:
        return f"was unsure of its words ({answer.confidence:.0%} a token)"
    return ""
