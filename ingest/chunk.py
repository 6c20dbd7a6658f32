"""Cuts a parsed document into chunks: by page and section first, then blocks, then sentences, measured in tokens.

    Parsed.blocks -> units (a block, or a sentence of a block too long) -> runs (one page, one section) -> Chunk

A run longer than the limit is cut into parts of about equal size. No text is lost or invented: the chunks' texts are stretches
of block text, in order, joined by line breaks.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from operator import attrgetter

from phidex.ingest.code.chunks import code_chunks
from phidex.ingest.code.links import MOST_LINKS
from phidex.ingest.collecting import without_collecting
from phidex.ingest.language import chunk_language
from phidex.ingest.records import (
    Anchor,
    Block,
    Box,
    CellLocator,
    Chunk,
    LineLocator,
    Locator,
    Modality,
    PageLocator,
    Parsed,
    PartLocator,
)
from phidex.ingest.sentences import sentence_spans
from phidex.ingest.tablecut import header_end, row_spans
from phidex.ingest.tabular import cell_range
from phidex.ingest.tokens import Ruler, TokenStarts, piece_starts
from phidex.ingest.video.segments import recording_chunks

_MERGE_SHARE = 4  # a section shorter than limit / 4 shares its chunk with the next one on its page
_JOIN = "\n\n"
_start = attrgetter("start")  # of an anchor


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch of one block that is never cut further.

    `lead` is said before it: the caption of a table or figure, and a table's header where its rows are cut from it.
    `caption` is the block of the caption where the stretch is the first of its table or figure.
    """

    block: Block
    start: int
    end: int
    token_count: int
    heading: tuple[str, ...]
    lead: str = ""
    caption: Block | None = None


@without_collecting
def chunk_document(
    parsed: Parsed,
    *,
    source_id: str,
    path: str,
    language: str,
    limit_tokens: int = 256,
    token_starts: TokenStarts = piece_starts,
    images: Sequence[str] = (),
) -> list[Chunk]:
    """The chunks of a document, each at most `limit_tokens` long, in order.

    Args:
        path: what `LineLocator.path` says for documents without pages.
        images: ids of the document's pictures among the blobs, in their order in `Parsed.images`.
        language: the document's language, for passages too short to tell.
        token_starts: the ruler (`ingest/tokens.py`).
    """
    if parsed.kind == "code" and parsed.unit == "line":
        return code_chunks(
            parsed.blocks,
            source_id=source_id,
            path=path,
            language=language,
            limit_tokens=limit_tokens,
            token_starts=token_starts,
        )
    if parsed.kind in ("video", "audio"):
        return recording_chunks(
            parsed.blocks,
            source_id=source_id,
            language=language,
            limit_tokens=limit_tokens,
            token_starts=token_starts,
            images=images,
        )
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
                    links=tuple(dict.fromkeys(link for unit in part for link in unit.block.links))[:MOST_LINKS],
                    symbol=next((unit.block.symbol for unit in part if unit.block.symbol), ""),
                    image=next((images[n] for unit in part if (n := unit.block.image) is not None and n < len(images)), ""),
                )
            )
    return chunks


def _units(blocks: Sequence[Block], limit: int, token_starts: TokenStarts) -> Iterator[_Unit]:
    """Every block, or its sentences or rows where it is longer than the limit, with the headings it stands under."""
    ruler = Ruler(_JOIN.join(block.text for block in blocks), token_starts)
    offset = 0
    path: list[tuple[int, str]] = []
    heading: tuple[str, ...] = ()
    caption: Block | None = None
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, " ".join(block.text.split())))
            heading = tuple(title for _, title in path)
        length = len(block.text)
        count = ruler.count(offset, offset + length)
        floats = following is not None and following.kind in ("table", "figure") and _place(following) == _place(block)
        if block.kind == "caption" and floats and count <= limit // 2:
            caption = block
        elif block.kind == "table" or caption is not None:
            yield from _with_lead(ruler, block, offset, limit, caption, heading)
            caption = None
        elif count <= limit:
            yield _Unit(block, 0, length, count, heading)
        else:
            for start, end in _short_spans(ruler, offset, length, limit):
                yield _Unit(block, start, end, ruler.count(offset + start, offset + end), heading)
        offset += length + len(_JOIN)


def _with_lead(
    ruler: Ruler, block: Block, offset: int, limit: int, caption: Block | None, heading: tuple[str, ...]
) -> Iterator[_Unit]:
    """A table or figure with its caption; one that is too long in parts, each of which begins with caption and header."""
    length = len(block.text)
    lead = caption.text + _JOIN if caption is not None else ""
    said = ruler.count(offset - len(lead), offset)  # the caption stands right before its block
    if said + ruler.count(offset, offset + length) <= limit:
        yield _Unit(block, 0, length, said + ruler.count(offset, offset + length), heading, lead, caption)
        return
    body = header_end(block.text) if block.kind == "table" else 0
    header = ruler.count(offset, offset + body)
    if said + header > limit // 2:
        body = header = 0
    first, left = True, limit - said - header
    stretches = (
        row_spans(ruler, offset + body, offset + length, left) if block.kind == "table" else ((offset, offset + length),)
    )
    for a, b in stretches:
        pieces = [(0, b - a)] if ruler.count(a, b) <= left else _short_spans(ruler, a, b - a, left)
        for start, end in ((x + a - offset, y + a - offset) for x, y in pieces):
            if first:
                yield _Unit(block, 0, end, said + ruler.count(offset, offset + end), heading, lead, caption)
            else:
                tokens = said + header + ruler.count(offset + start, offset + end)
                yield _Unit(block, start, end, tokens, heading, lead + block.text[:body])
            first = False


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
        new_page = bool(run) and _place(unit.block) != _place(run[-1].block)
        new_section = unit.block.kind == "heading" and count >= max(1, limit // _MERGE_SHARE) and not _only_headings(run)
        alone = bool(run) and (_is_picture(unit) or _is_picture(run[-1])) and not _only_headings(run)
        if new_page or new_section or alone:
            yield run
            run, count = [], 0
        run.append(unit)
        count += unit.token_count
    if run:
        yield run


def _place(block: Block) -> tuple[int | None, str]:
    """What a chunk never mixes: pages, and parts such as sheets, chapters and attachments."""
    return block.page_number, block.part


def _is_picture(unit: _Unit) -> bool:
    """Whether a unit is shown as a picture, and so is a chunk of its own."""
    return unit.block.kind == "figure" and unit.block.image is not None


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
            pieces.append(unit.lead + unit.block.text[unit.start : unit.end])
        elif previous.block is unit.block:
            pieces.append(unit.block.text[previous.end : unit.end])
        else:
            both = previous.block.kind, unit.block.kind
            tight = both == ("list_item", "list_item") or (both == ("table", "table") and not header_end(unit.block.text))
            pieces.append(("\n" if tight and not unit.lead else _JOIN) + unit.lead + unit.block.text[unit.start : unit.end])
    return "".join(pieces)


def _modality(part: Sequence[_Unit]) -> Modality:
    if any(map(_is_picture, part)):
        return "image"
    sizes = {"code": 0, "table": 0, "text": 0}
    for unit in part:
        kind = unit.block.kind if unit.block.kind in ("code", "table") else "text"
        sizes[kind] += unit.end - unit.start
    best = max(sizes, key=lambda kind: sizes[kind])
    return "code" if best == "code" else "table" if best == "table" else "text"


def _locator(part: Sequence[_Unit], parsed: Parsed, path: str) -> Locator:
    """Where the chunk stands, in the terms of its document: a page, cells, paragraphs or items of a part, or lines."""
    block = part[0].block
    anchors = [anchor for unit in part for anchor in _covered(unit)]
    if cells := [anchor.cells for anchor in anchors if anchor.cells is not None]:
        rows, columns = (
            (min(c[0] for c in cells), max(c[2] for c in cells)),
            (min(c[1] for c in cells), max(c[3] for c in cells)),
        )
        return CellLocator(block.part, cell_range((rows[0], columns[0], rows[1], columns[1])))
    if block.page_number is not None:
        number = block.page_number
        boxes = [anchor.box for anchor in anchors if anchor.box is not None]
        label = parsed.page_labels[number - 1] if number <= len(parsed.page_labels) else ""
        found = _touching(boxes) if parsed.unit == "slide" else _merge(boxes)
        return PageLocator(number, found, "" if label == str(number) else label, "slide" if parsed.unit == "slide" else "page")
    lines = [anchor.line for anchor in anchors if anchor.line is not None]
    first, last = min(lines, default=1), max(lines, default=1)
    if parsed.unit in ("paragraph", "item"):
        return PartLocator(block.part or " › ".join(part[0].heading), first, last, parsed.unit)
    return LineLocator(path, first, last)


def _covered(unit: _Unit) -> tuple[Anchor, ...]:
    """The anchors of the unit's stretch, its caption's first: the one it starts in, and those after it."""
    anchors = unit.block.anchors
    first, end = 0, len(anchors)
    if unit.start or (end > 1 and anchors[1].start == 0):
        first = max(0, bisect_right(anchors, unit.start, key=_start) - 1)
    if end and anchors[-1].start >= unit.end:
        end = bisect_left(anchors, unit.end, first, key=_start)
    return (unit.caption.anchors if unit.caption is not None else ()) + anchors[first:end]


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


def _touching(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes of shapes, each once; only those of one width that touch, as a table's rows do, become one."""
    merged: list[Box] = []
    for box in dict.fromkeys((round(a, 1), round(b, 1), round(c, 1), round(d, 1)) for a, b, c, d in boxes):
        last = merged[-1] if merged else None
        if last and (last[0], last[2]) == (box[0], box[2]) and abs(last[3] - box[1]) < 1:
            merged[-1] = (last[0], last[1], last[2], box[3])
        else:
            merged.append(box)
    return tuple(merged)


def _adjoins(above: Box, below: Box) -> bool:
    """Whether the second box continues the first: it overlaps it sideways and starts within a line's height below its end."""
    height = below[3] - below[1]
    overlaps = min(above[2], below[2]) - max(above[0], below[0]) > 0
    return overlaps and above[1] <= below[1] + height / 2 and below[1] - above[3] < height
