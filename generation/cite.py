"""Markers in an answer -> citations, each checked against the stored text before it counts as verified."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from phidex.generation.answer import Citation
from phidex.generation.control import ZERO_WIDTH_SPACE
from phidex.generation.support import Rarity, best_sentence, numbers_agree
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.pack import Context, PackedBlock

_MARKER = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")
_QUOTED = re.compile(r"[\"“„«「]([^\"“”„«»「」]{8,400})[\"”“»」]")
_ITEM_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s+")  # of a numbered list: no claim of the sentence
_SUPPORTED = 0.5  # share of a claim's telling terms that one passage must have


def cite(text: str, context: Context, stored: Mapping[str, Chunk]) -> tuple[tuple[Citation, ...], tuple[str, ...]]:
    """The citations of an answer, one for each marker and passage that claims rest on, and warnings about markers and claims.

    A passage that supports nothing is cited only where its marker has no better one.

    Args:
        stored: the cited chunks as the store has them now, by id.
    """
    rarity = Rarity.of(chunk.text for block in context.blocks for chunk in block.chunks)
    found: dict[tuple[int, str], Citation] = {}
    warnings: list[str] = []
    for claim, markers in _claims(text):
        for marker in markers:
            block = context.block(marker)
            if block is None:
                warnings.append(f"[{marker}] names no source")
                continue
            citation = _check(claim, marker, block, stored, rarity)
            key = (marker, citation.chunk_id)
            if key not in found or (citation.verified and not found[key].verified):
                found[key] = citation
            if not citation.verified:
                warnings.append(f"[{marker}] does not clearly support: {_shortened(claim)}")
    verified = {citation.marker for citation in found.values() if citation.verified}
    first = {citation.marker: citation for citation in reversed(found.values())}  # of each marker, for those without support
    kept = [one for one in found.values() if one.verified or (one.marker not in verified and first[one.marker] is one)]
    return tuple(sorted(kept, key=lambda citation: citation.marker)), tuple(dict.fromkeys(warnings))


def _claims(text: str) -> Iterator[tuple[str, list[int]]]:
    """Each sentence that carries markers, without them, and the markers; markers behind the full stop belong before it."""
    text = re.sub(r"([.!?。！？])(\s*)((?:\[[\d\s,;]+\]\s*)+)", r" \3\1 ", text)
    for start, end in sentence_spans(text):
        sentence = text[start:end]
        markers = [int(number) for group in _MARKER.findall(sentence) for number in re.findall(r"\d+", group)]
        if markers:
            yield _ITEM_NUMBER.sub("", " ".join(_MARKER.sub("", sentence).split())), list(dict.fromkeys(markers))


def _check(claim: str, marker: int, block: PackedBlock, stored: Mapping[str, Chunk], rarity: Rarity) -> Citation:
    """The citation for one claim: the chunk and sentence of the block that support it best."""
    claim = claim.replace(ZERO_WIDTH_SPACE, "")
    quote, score, holder = "", 0.0, block.chunks[0]
    for chunk in block.chunks:
        sentence, covered = best_sentence(claim, chunk.text, rarity)
        for quoted in _QUOTED.findall(claim):
            if _stands_in(quoted, chunk.text):
                sentence, covered = quoted, 1.0
        if covered > score:
            quote, score, holder = sentence, covered, chunk
    now = stored.get(holder.id)
    whole = "\n".join(chunk.text for chunk in block.chunks)
    verified = (
        bool(quote) and score >= _SUPPORTED and now is not None and _stands_in(quote, now.text) and numbers_agree(claim, whole)
    )
    return Citation(marker, block.source, holder.locator, holder.id, quote if score >= _SUPPORTED / 2 else "", verified)


def _stands_in(quote: str, text: str) -> bool:
    return " ".join(quote.split()) in " ".join(text.split())


def _shortened(claim: str) -> str:
    return claim if len(claim) <= 120 else f"{claim[:117]}…"
