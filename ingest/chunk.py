"""Cuts a parsed document into chunks: by page and section first, then blocks, then sentences, measured in tokens.

    Parsed.blocks -> units (a block, or a sentence of a block too long) -> runs (one page, one section) -> Chunk

A run longer than the limit is cut into parts of about equal size. No text is lost or invented: the chunks' texts are stretches
of block text, in order, joined by line breaks.
"""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from phidex.ingest.language import chunk_language
from phidex.ingest.records import (
    Anchor,
    Block,
    Box,
    Chunk,
    LineLocator,
    Locator,
    Modality,
    PageLocator,
    Parsed,
)
from phidex.ingest.sentences import sentence_spans
from phidex.ingest.tokens import Ruler, TokenStarts, piece_starts

_MERGE_SHARE = 4  # a section shorter than limit / 4 shares its chunk with the next one on its page
_JOIN = "\n\n"


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch of one block that is never cut further."""

    block: Block
    start: int
    end: int
    token_count: int
    heading: tuple[str, ...]


def chunk_document(
    parsed: Parsed,
    *,
    source_id: str,
    path: str,
    language: str,
    limit_tokens: int = 256,
    token_starts: TokenStarts = piece_starts,
) -> list[Chunk]:
    """The chunks of a document, each at most `limit_tokens` long, in order.

    Args:
        path: what `LineLocator.path` says for documents without pages.
        language: the document's language, for passages too short to tell.
        token_starts: the ruler (`ingest/tokens.py`).
    """
    units = list(_units(parsed.blocks, limit_tokens, token_starts))
    chunks: list[Chunk] = []
    seen: dict[str, int] = {}
    for run in _runs(units, limit_tokens):
        for part in _balanced(run, limit_tokens):
            text = _text(part)
            heading = part[0].heading
            locator = _locator(part, parsed, path)
            key = "\x1f".join((repr(locator), *heading, text))  # a chunk is its place and words: points are immutable
            seen[key] = seen.get(key, 0) + 1
            chunks.append(
                Chunk(
                    id=str(uuid.uuid5(uuid.UUID(source_id), f"{key}\x1f{seen[key]}")),
                    source_id=source_id,
                    locator=locator,
                    text=text,
                    modality=_modality(part),
                    language=chunk_language(text, language),
                    order=len(chunks),
                    heading=heading,
                    token_count=sum(unit.token_count for unit in part),
                )
            )
    return chunks


def _units(blocks: Sequence[Block], limit: int, token_starts: TokenStarts) -> Iterator[_Unit]:
    """Every block, or its sentences where it is longer than the limit, with the headings it stands under."""
    ruler = Ruler(_JOIN.join(block.text for block in blocks), token_starts)
    offset = 0
    path: list[tuple[int, str]] = []
    for block in blocks:
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, " ".join(block.text.split())))
        heading = tuple(title for _, title in path)
        length = len(block.text)
        count = ruler.count(offset, offset + length)
        if count <= limit:
            yield _Unit(block, 0, length, count, heading)
        else:
            for start, end in _short_spans(ruler, offset, length, limit):
                yield _Unit(block, start, end, ruler.count(offset + start, offset + end), heading)
        offset += length + len(_JOIN)


def _short_spans(ruler: Ruler, offset: int, length: int, limit: int) -> Iterator[tuple[int, int]]:
    """Sentences of the block at `offset`; one longer than the limit is cut at white space, or else between tokens."""
    for start, end in sentence_spans(ruler.text, offset, offset + length):
        while ruler.count(start, end) > limit:
            cut = ruler.cut(start, limit)
            space = max(ruler.text.rfind(" ", start + 1, cut), ruler.text.rfind("\n", start + 1, cut))
            cut = space if space > start + (cut - start) // 2 else cut
            yield start - offset, start - offset + len(ruler.text[start:cut].rstrip())
            start = cut
            while start < end and ruler.text[start].isspace():
                start += 1
        if start < end:
            yield start - offset, end - offset


def _runs(units: Sequence[_Unit], limit: int) -> Iterator[list[_Unit]]:
    """Units of one page and section; short sections of a page are put together, and a heading opens a run, never ends one."""
    run: list[_Unit] = []
    count = 0
    for unit in units:
        new_page = bool(run) and unit.block.page_number != run[-1].block.page_number
        new_section = unit.block.kind == "heading" and count >= max(1, limit // _MERGE_SHARE) and not _only_headings(run)
        if new_page or new_section:
            yield run
            run, count = [], 0
        run.append(unit)
        count += unit.token_count
    if run:
        yield run


def _only_headings(run: Sequence[_Unit]) -> bool:
    return all(unit.block.kind == "heading" for unit in run)


def _balanced(run: list[_Unit], limit: int) -> Iterator[list[_Unit]]:
    """The run in as few parts as the limit allows, of about equal size, cut between units, not behind a heading."""
    left = sum(unit.token_count for unit in run)
    start = 0
    while left > limit:
        target = ceil(left / ceil(left / limit))
        end, count = start, 0
        while end < len(run):
            tokens = run[end].token_count
            if end > start and (count + tokens > limit or count + tokens // 2 > target):
                break
            end += 1
            count += tokens
        while end - 1 > start and run[end - 1].block.kind == "heading" and not _only_headings(run[start:end]):
            end -= 1
        part = run[start:end]
        yield part
        left -= sum(unit.token_count for unit in part)
        start = end
    if start < len(run):
        yield run[start:]


def _text(part: Sequence[_Unit]) -> str:
    pieces: list[str] = []
    for previous, unit in zip([None, *part[:-1]], part, strict=True):
        if previous is None:
            pieces.append(unit.block.text[unit.start : unit.end])
        elif previous.block is unit.block:
            pieces.append(unit.block.text[previous.end : unit.end])
        else:
            tight = previous.block.kind == unit.block.kind and unit.block.kind in ("list_item", "table")
            pieces.append(("\n" if tight else _JOIN) + unit.block.text[unit.start : unit.end])
    return "".join(pieces)


def _modality(part: Sequence[_Unit]) -> Modality:
    sizes = {"code": 0, "table": 0, "text": 0}
    for unit in part:
        kind = unit.block.kind if unit.block.kind in ("code", "table") else "text"
        sizes[kind] += unit.end - unit.start
    best = max(sizes, key=lambda kind: sizes[kind])
    return "code" if best == "code" else "table" if best == "table" else "text"


def _locator(part: Sequence[_Unit], parsed: Parsed, path: str) -> Locator:
    page_number = part[0].block.page_number
    if page_number is not None:
        boxes = tuple(box for unit in part for box in _boxes(unit))
        labels = parsed.page_labels
        label = labels[page_number - 1] if page_number <= len(labels) else ""
        return PageLocator(page_number, _merge(boxes), "" if label == str(page_number) else label)
    lines = [anchor.line for unit in part for anchor in _covered(unit) if anchor.line is not None]
    return LineLocator(path, min(lines, default=1), max(lines, default=1))


def _covered(unit: _Unit) -> Iterator[Anchor]:
    """The anchors of the unit's stretch: the one it starts in, and those after it."""
    anchors = unit.block.anchors
    first = max(0, bisect_right(anchors, unit.start, key=lambda anchor: anchor.start) - 1)
    for index in range(first, len(anchors)):
        if anchors[index].start >= unit.end:
            return
        yield anchors[index]


def _boxes(unit: _Unit) -> Iterator[Box]:
    for anchor in _covered(unit):
        if anchor.box is not None:
            yield anchor.box


def _merge(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes of lines that follow each other closely in one column become one box, rounded to a tenth of a point."""
    merged: list[Box] = []
    for box in boxes:
        if merged and _adjoins(merged[-1], box):
            last = merged[-1]
            merged[-1] = (min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3]))
        else:
            merged.append(box)
    return tuple((round(a, 1), round(b, 1), round(c, 1), round(d, 1)) for a, b, c, d in merged)


def _adjoins(above: Box, below: Box) -> bool:
    """Whether the second box continues the first: it overlaps it sideways and starts within a line's height below its end."""
    height = below[3] - below[1]
    overlaps = min(above[2], below[2]) - max(above[0], below[0]) > 0
    return overlaps and above[1] <= below[1] + height / 2 and below[1] - above[3] < height
