"""When the smaller model's answer is doubtful, so that the larger one should answer the same question."""

from __future__ import annotations

from phidex.generation.answer import Answer


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
    return ""
