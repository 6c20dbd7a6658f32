"""The extractive answerer: no model, the sentences that answer, quoted with their places. It never pretends to be a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from phidex.generation.answer import Citation
from phidex.generation.routing.route import ADD_A_MODEL
from phidex.generation.support import CJK, Rarity, terms
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.context.place import Number, from_one
from phidex.retrieval.embed import Embedder
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock, with_markers

NOTICE_DOWN = "(Quoted without a model, since none was asked.)"
NOTICE = f"(Quoted without a model, since none is configured. For written answers, {ADD_A_MODEL}.)"

_PASSAGES = 6  # best hits whose sentences compete
_QUOTES = 3
_LEADERS = 4  # dotted leaders in a passage that make it a table of contents
_NEAR_BEST = 0.6  # of the best sentence's score: what is weaker is not quoted beside it
# A line of a table of contents or an index: dotted leaders, or the last entry's page before the next one's number.
_CONTENTS_LINE = re.compile(r"\u2026|\.{4}|(?:\. ){4}|^\d+ +(?:\d+|[A-Z])\.\d+(?:\.\d+)* ", re.MULTILINE)
_MIN_CHARS, _MIN_CHARS_CJK, _MAX_CHARS = 25, 8, 700
_DENSE_SENTENCES = 40  # sentences that are embedded, at 3-4 ms each


@dataclass(frozen=True, slots=True)
class _Candidate:
    block: PackedBlock
    chunk: Chunk
    text: str
    score: float


def extract_answer(
    question: str, hits: Sequence[Hit], context: Context, embedder: Embedder | None, number: Number | None = None
) -> tuple[str, tuple[Citation, ...], Context]:
    """Up to three quotations that answer best, a citation for each place quoted, and the context numbered in their order.

    Args:
        embedder: ranks sentences by meaning too, where it knows their language.
        number: gives blocks the numbers of a conversation, so that they go on where the last answer ended; default: from 1.
    """
    packed = {chunk.id: (block, chunk) for block in context.blocks for chunk in block.chunks}
    best = [hit for hit in hits if hit.chunk.id in packed]
    best = ([hit for hit in best if hit.chunk.text.count("\u2026") < _LEADERS] or best)[:_PASSAGES]  # contents come last
    rarity = Rarity.of(hit.chunk.text for hit in hits)
    candidates = _scored(question, best, packed, rarity, embedder)
    candidates.sort(key=lambda candidate: -candidate.score)
    distinct = {"".join(filter(str.isalnum, c.text)).casefold(): c for c in reversed(candidates)}  # parallel editions repeat
    chosen = sorted(distinct.values(), key=lambda candidate: -candidate.score)[:_QUOTES]
    chosen = [candidate for candidate in chosen if candidate.score >= _NEAR_BEST * chosen[0].score]
    cited = list(dict.fromkeys(candidate.block.marker for candidate in chosen))
    order = [block for marker in cited if (block := context.block(marker))]
    order += [block for block in context.blocks if block.marker not in cited]
    number = number or from_one()
    markers = {block.marker: number(block.chunks) for block in order}
    lines: list[str] = []
    citations: dict[tuple[int, str, str], Citation] = {}
    for candidate in chosen:
        marker, chunk = markers[candidate.block.marker], candidate.chunk
        lines.append(f"“{candidate.text}” [{marker}]")
        place = chunk.place_of(candidate.text)
        citation = Citation(marker, candidate.block.source, place, chunk.id, candidate.text, True)
        citations.setdefault((marker, chunk.id, str(place)), citation)
    return "\n\n".join(lines), tuple(citations.values()), with_markers(context, markers)


def rank_by_terms(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits that came in document order, best first by the question's telling terms."""
    rarity = Rarity.of(hit.chunk.text for hit in hits)
    wanted = terms(question)
    return sorted(hits, key=lambda hit: -rarity.coverage(wanted, terms(hit.chunk.text)))


def _scored(
    question: str,
    hits: Sequence[Hit],
    packed: dict[str, tuple[PackedBlock, Chunk]],
    rarity: Rarity,
    embedder: Embedder | None,
) -> list[_Candidate]:
    """Every sentence of the passages, scored by shared terms, by meaning, and by its passage's rank."""
    wanted = terms(question)
    found: list[_Candidate] = []
    for rank, hit in enumerate(hits):
        block, chunk = packed[hit.chunk.id]
        for start, end in _quotable(chunk.text):
            sentence = " ".join(chunk.text[start:end].split())
            score = rarity.coverage(wanted, terms(sentence)) + 0.6 / (1 + rank)
            found.append(_Candidate(block, chunk, sentence, score))
    if embedder is None:
        return found
    found.sort(key=lambda candidate: -candidate.score)
    query = embedder.embed_query(question)
    return [
        _Candidate(c.block, c.chunk, c.text, c.score + 1.5 * float(embedder.embed_query(c.text) @ query))
        if embedder.identity.knows(c.chunk.language)
        else c
        for c in found[:_DENSE_SENTENCES]
    ]


def _quotable(text: str) -> list[tuple[int, int]]:
    """Sentences long enough to say something, short enough to quote; the whole passage where there are none."""
    least = _MIN_CHARS_CJK if CJK.search(text) else _MIN_CHARS
    spans = [span for span in sentence_spans(text) if least <= span[1] - span[0] <= _MAX_CHARS]
    spans = [span for span in spans if not _CONTENTS_LINE.search(text, *span)] or spans
    return spans or [(0, min(len(text), _MAX_CHARS))]
