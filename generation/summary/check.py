"""What a model wrote -> sentences, each with its citations, each compared with what the store holds at the cited places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from phidex.generation.answer import Citation
from phidex.generation.cite import cite
from phidex.generation.summary.summary import Sentence
from phidex.generation.support import numbers_agree
from phidex.ingest.language import UNDETERMINED
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.context.block import Context, PackedBlock
from phidex.retrieval.context.ledger import Ledger

_GROUP = r"\[\s*\d{1,6}(?:\s*[,;]\s*\d{1,6})*\s*\]"
_MARKERS = re.compile(_GROUP)
_TRAILING = re.compile(rf"([.!?…؟۔。！？]+[\"'’”»)\]」』）]*)(\s*)((?:{_GROUP}\s*)+)")
_HEADING = re.compile(r"^#{1,6}\s+(.+)$|^\*\*([^*]+)\*\*:?$")
_ITEM = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;:!?。、，])")
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    markers: tuple[int, ...]
    section: str
    item: int


def checked_sentences(
    written: str,
    blocks: Sequence[PackedBlock],
    ledger: Ledger,
    stored: Callable[[Sequence[str]], list[Chunk]],
    language: str,
) -> tuple[tuple[Sentence, ...], tuple[str, ...]]:
    """The sentences in order, their markers counted anew from 1, and a warning about each that nothing supports.

    Args:
        blocks: all that the model was shown, each with its marker.
        stored: reads chunks back from the store by id.
        language: that the summary is in: a passage in another one can be compared by its numbers alone.
    """
    said = _said(written)
    known = {block.marker: block for block in blocks}
    order = list(dict.fromkeys(marker for one in said for marker in one.markers if marker in known))
    renamed = {old: new for new, old in enumerate(order, 1)}
    context = Context(tuple(replace(known[old], marker=new) for old, new in renamed.items()), ledger)
    now = {chunk.id: chunk for chunk in stored([chunk.id for block in context.blocks for chunk in block.chunks])}
    found: list[Sentence] = []
    warnings: list[str] = []
    foreign = 0
    for one in said:
        unknown = [marker for marker in one.markers if marker not in renamed]
        warnings += [f"[{marker}] names no source: {_shortened(one.text)}" for marker in unknown]
        markers = [renamed[marker] for marker in one.markers if marker in renamed]
        citations = _citations(one.text, markers, context, now, language)
        bearing = [citation for citation in citations if citation.verified]
        supported = bool(bearing)
        foreign += supported and all(citation.reason for citation in bearing)  # by its numbers and names alone
        if citations and not supported and _is_foreign(context, markers, language):
            supported = numbers_agree(one.text, _passages(context, markers))
            foreign += supported
        if not one.markers:
            warnings.append(f"cites nothing: {_shortened(one.text)}")
        elif citations and not supported:
            shown = "".join(f"[{marker}]" for marker in markers)
            warnings.append(f"{shown} does not clearly support: {_shortened(one.text)}")
        found.append(Sentence(one.text, citations, one.section, one.item, supported))
    if foreign:
        warnings.append(
            f"{foreign} of {len(found)} sentences rest on passages in another language: only their numbers could be compared"
        )
    return tuple(found), tuple(dict.fromkeys(warnings))


def opening(written: str, count: int) -> str:
    """The first sentences of a text, one a line, each with its markers behind it.

    >>> opening("It rains. [2] It pours [3]. It ends.", 2)
    'It rains. [2]\\nIt pours. [3]'
    """
    said = _said(written)[:count]
    return "\n".join(" ".join([one.text, *(f"[{marker}]" for marker in one.markers)]) for one in said)


def _citations(
    text: str, markers: Sequence[int], context: Context, now: Mapping[str, Chunk], language: str
) -> tuple[Citation, ...]:
    if not markers:
        return ()
    mine = Context(tuple(block for block in context.blocks if block.marker in markers), context.ledger)
    citations = cite(f"{''.join(f'[{marker}]' for marker in markers)} {text}", mine, now, language).citations
    lost = [marker for marker in markers if marker not in {citation.marker for citation in citations}]
    if lost:  # the claim fell into two sentences, and its markers stand with the first
        more = cite(f"{text.rstrip('.!?。！？')} {''.join(f'[{marker}]' for marker in lost)}.", mine, now, language).citations
        citations = tuple(sorted({(c.marker, c.chunk_id): c for c in (*citations, *more)}.values(), key=lambda c: c.marker))
    return citations


def _said(written: str) -> list[_Said]:
    """The sentences with the markers that each carries; markers on a line of their own belong to the sentence before."""
    found: list[_Said] = []
    section, item = "", 0
    for line in written.splitlines():
        line = line.strip()
        if not line:
            item += 1
            continue
        if heading := _HEADING.match(line):
            section, item = _bare(heading.group(1) or heading.group(2)).rstrip(":"), item + 1
            continue
        item += _ITEM.match(line) is not None
        text = _TRAILING.sub(r" \3\1 ", _ITEM.sub("", line))
        for start, end in sentence_spans(text):
            markers = tuple(
                dict.fromkeys(int(one) for group in _MARKERS.findall(text[start:end]) for one in re.findall(r"\d+", group))
            )
            bare = _bare(text[start:end])
            if any(map(str.isalnum, bare)):
                found.append(_Said(bare, markers, section, item))
            elif found:
                found[-1] = replace(found[-1], markers=tuple(dict.fromkeys((*found[-1].markers, *markers))))
    return found


def _bare(text: str) -> str:
    return _SPACE_BEFORE_STOP.sub(r"\1", " ".join(_MARKERS.sub(" ", text).split())).strip()


def _is_foreign(context: Context, markers: Sequence[int], language: str) -> bool:
    languages = {chunk.language for block in context.blocks if block.marker in markers for chunk in block.chunks}
    return language != UNDETERMINED and UNDETERMINED not in languages and language not in languages


def _passages(context: Context, markers: Sequence[int]) -> str:
    return "\n".join(chunk.text for block in context.blocks if block.marker in markers for chunk in block.chunks)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
