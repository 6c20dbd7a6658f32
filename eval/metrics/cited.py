"""What an answer rests on: citations against gold places, claims that their sources bear out, absence, language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from phidex.eval.metrics.places import place_scores, touches
from phidex.eval.records import Gold, is_document
from phidex.generation.answer import Answer, Citation
from phidex.generation.extract import NOTICE, NOTICE_DOWN
from phidex.ingest.language import detect_language
from phidex.ingest.records import Locator
from phidex.retrieval.pack import Context

_MARKER = re.compile(r"\s*\[\s*\d{1,4}(?:\s*[,;]\s*\d{1,4})*\s*\]")
_SURE = 0.5  # of a language
_LEAST_CHARS = 12  # a shorter answer (a name, a number) has no language of its own


def bare_text(answer: Answer) -> str:
    """An answer's words: without markers, and without what the extractive answerer adds: its notice and quotation marks."""
    text = answer.text
    if answer.route.role == "extractive":
        text = text.replace("“", "").replace("”", "")
    for notice in (NOTICE, NOTICE_DOWN):
        text = text.replace(notice, "")
    return _MARKER.sub("", text).strip()


def citation_scores(citations: Sequence[Citation], gold: Sequence[Gold]) -> dict[str, float]:
    """Precision and recall of the cited places, and how near they come; empty where no gold place is known.

    An answer that cites nothing has a recall of 0 and no precision.
    """
    wanted = [one for one in gold if one.relevance > 0]
    if not wanted:
        return {}
    hits = [[_is_on(citation, one) for one in wanted] for citation in citations]
    scores = {"citation_recall": sum(any(row[at] for row in hits) for at in range(len(wanted))) / len(wanted)}
    if citations:
        scores["citation_precision"] = sum(map(any, hits)) / len(hits)
    near: dict[str, float] = {}
    for one in wanted:
        cited: list[Locator] = [
            citation.locator
            for citation in citations
            if is_document(citation.source.name, one.document, path=citation.source.uri)
        ]
        for name, value in place_scores(cited, one.places).items():
            best = min if name == "time_error_s" else max
            near[name] = best(near.get(name, value), value)
    return scores | near


def _is_on(citation: Citation, gold: Gold) -> bool:
    if not is_document(citation.source.name, gold.document, path=citation.source.uri):
        return False
    return not gold.places or any(touches(citation.locator, place) for place in gold.places)


def grounded(answer: Answer) -> float | None:
    """The share of the answer's claims that the passages they cite bear out (`generation/cite.py` checks them); of quotations
    without a model, which make no claims, the share of verified citations.

    None where there is nothing to support: the answer says that the documents do not answer, or is empty.
    """
    checked = [claim.status for claim in answer.claims] or [citation.status for citation in answer.citations]
    if not answer.found or not checked:
        return None
    return sum(status == "verified" for status in checked) / len(checked)


def behaviour_scores(answer: Answer, language: str, *, answerable: bool) -> dict[str, float]:
    """`honest` absence, and whether the answer is in the question's `language`, where both can be told."""
    scores = {"honest": float(answer.found == answerable)}
    text = bare_text(answer)
    if answer.found and language != "und" and len(text) >= _LEAST_CHARS:
        found, sure = detect_language(text)
        if sure >= _SURE:
            scores["language"] = float(found == language)
    return scores


def packing_scores(context: Context, gold: Sequence[Gold]) -> dict[str, float]:
    """Whether gold survived into the context (`packed`), where it begins (`packed_at`, of the packed tokens), and the cost."""
    scores: dict[str, float] = {
        "context_tokens": context.ledger.context_tokens,
        "prompt_tokens": context.ledger.prompt_tokens + context.ledger.context_tokens,
    }
    wanted = [one for one in gold if one.relevance > 0]
    if not wanted:
        return scores
    found: Mapping[int, float] = dict(_found(context, wanted))
    scores["packed"] = len(found) / len(wanted)
    if found:
        scores["packed_at"] = min(found.values())
    return scores


def _found(context: Context, wanted: Sequence[Gold]) -> list[tuple[int, float]]:
    """Each gold that is in the context, with the part of the packed characters before its first passage."""
    whole = max(1, sum(len(chunk.text) for block in context.blocks for chunk in block.chunks))
    places: list[tuple[int, float]] = []
    for number, one in enumerate(wanted):
        before = 0
        for block in context.blocks:
            for chunk in block.chunks:
                there = is_document(block.source.name, one.document, path=block.source.uri)
                if there and (not one.places or any(touches(chunk.locator, place) for place in one.places)):
                    places.append((number, before / whole))
                    break
                before += len(chunk.text)
            else:
                continue
            break
    return places
