"""Cuts code into chunks along its symbols: a class with all its methods where it fits, otherwise its head and each method.

    blocks of ingest/code/source.py -> groups (a symbol and what is in it) -> chunks, the longest cut between statements

Small functions stay apart, so that a chunk has one name. Sharing chunks would find more of 1,500 docstrings among the first 10
(0.50 against 0.46), but no more than 12 chunks so small do.

A chunk's text is a stretch of lines as they stand in the file: line n of it is line `start_line + n - 1` of the file.
"""

from __future__ import annotations

import hashlib
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phidex.ingest.records import Block, Chunk, LineLocator
from phidex.ingest.tokens import TokenStarts

Starts = NDArray[np.int64]

_CLOSERS = frozenset(("", "end", "end;", "#endif", "fi", "done", "esac", "?>"))
_SELECTORS = frozenset(".#:*@[&")
_NEVER = 1 << 30
_UNLIKELY = 40  # columns of indentation that a closing line counts as: a bad place to cut before
_BEHIND_BLANK = -4  # and a blank line in front: a good one


class _Piece(NamedTuple):
    """Lines of a block, whole or cut; rows are lines of the file from 0, `start` is an offset into the ruler's text."""

    block: Block
    text: str
    first_row: int
    last_row: int
    start: int
    tokens: int


def code_chunks(
    blocks: Sequence[Block], *, source_id: str, path: str, language: str, limit_tokens: int, token_starts: TokenStarts
) -> list[Chunk]:
    """The chunks of a file of code, each at most `limit_tokens` long, in order."""
    starts = token_starts("\n".join([block.text for block in blocks]))
    namespace = uuid.UUID(source_id).bytes
    chunks: list[Chunk] = []
    seen: set[str] = set()
    for part in _shared(_parts(_pieces(blocks, starts), starts, limit_tokens), limit_tokens):
        symbol = part[0].block.symbol or next((piece.block.symbol for piece in part if piece.block.symbol), "")
        first, last = part[0].first_row + 1, part[-1].last_row + 1
        text = part[0].text if len(part) == 1 else _text(part)
        identity = _identity(namespace, f"{path}\x1f{first}\x1f{last}\x1f{symbol}\x1f{text}")
        while identity in seen:  # of one long line, two parts may be alike
            identity = _identity(namespace, identity)
        seen.add(identity)
        chunks.append(
            Chunk(
                id=identity,
                source_id=source_id,
                locator=LineLocator(path, first, last),
                text=text,
                modality="code",
                language=language,
                order=len(chunks),
                heading=(symbol,) if symbol else (),
                token_count=sum([piece.tokens for piece in part]),
                links=part[0].block.links if len(part) == 1 else _links(part),
                symbol=symbol,
            )
        )
    return chunks


def _identity(namespace: bytes, name: str) -> str:
    """The same as `uuid.uuid5`, three times as fast."""
    digest = bytearray(hashlib.sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _pieces(blocks: Sequence[Block], starts: Starts) -> list[_Piece]:
    """A piece for each block."""
    ends = list(accumulate([len(block.text) + 1 for block in blocks]))
    sums = [0, *np.searchsorted(starts, ends).tolist()]  # tokens before each block
    pieces: list[_Piece] = []
    offset = 0
    for block, end, (before, upto) in zip(blocks, ends, pairwise(sums), strict=True):
        row = (block.anchors[0].line or 1) - 1
        pieces.append(_Piece(block, block.text, row, row + block.text.count("\n"), offset, upto - before))
        offset = end
    return pieces


def _parts(pieces: Sequence[_Piece], starts: Starts, limit: int) -> Iterator[list[_Piece]]:
    """Each symbol with all that is in it where that fits, otherwise its own lines, in parts where they are too many."""
    at = 0
    while at < len(pieces):
        first = pieces[at]
        symbol, within = first.block.symbol, first.block.symbol + "."
        end, count = at + 1, first.tokens
        while symbol and end < len(pieces) and count <= limit:
            other = pieces[end].block.symbol
            if other != symbol and not other.startswith(within):
                break
            count += pieces[end].tokens
            end += 1
        if count <= limit:
            yield list(pieces[at:end])
            at = end
        elif first.tokens <= limit:
            yield [first]
            at += 1
        else:
            yield from ([piece] for piece in _split(first, starts, limit))
            at += 1


def _shared(parts: Iterable[list[_Piece]], limit: int) -> Iterator[list[_Piece]]:
    """Closing lines join what they close; neighbours without a name, and rules of a style sheet, share a chunk."""
    kept: list[_Piece] = []
    count = 0
    for part in parts:
        tokens = sum([piece.tokens for piece in part])
        if kept and count + tokens <= limit and (_closes(part[0].text) or _may_share(kept[-1].block, part[0].block)):
            kept += part
            count += tokens
            continue
        if kept:
            yield kept
        kept, count = part, tokens
    if kept:
        yield kept


def _closes(text: str) -> bool:
    return text.strip("\n\t )}];,") in _CLOSERS


def _may_share(one: Block, other: Block) -> bool:
    """Whether two blocks are paragraphs of a file without symbols, or rules: a selector is no name that anyone looks up."""
    if one is other:  # parts of what was too long
        return False
    return one.symbol == other.symbol == "" or (_is_rule(one.symbol) and _is_rule(other.symbol))


def _is_rule(symbol: str) -> bool:
    return symbol[:1] in _SELECTORS or " " in symbol


def _links(part: Sequence[_Piece]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([link for piece in part for link in piece.block.links]))


def _text(part: Sequence[_Piece]) -> str:
    """The lines of a chunk with the blank ones between its pieces."""
    found = [part[0].text]
    for before, piece in pairwise(part):
        found.append("\n" * (piece.first_row - before.last_row) + piece.text)
    return "".join(found)


def _split(piece: _Piece, starts: Starts, limit: int) -> Iterator[_Piece]:
    """A piece too long in as few parts of about equal size as the limit allows, cut where statements begin.

    The best line to cut before is the least indented one, behind a blank line rather than not.
    """
    lines = piece.text.split("\n")
    offsets = list(accumulate([len(line) + 1 for line in lines], initial=piece.start))
    sums: list[int] = np.searchsorted(starts, offsets).tolist()  # tokens before each line
    first, end, total = 0, len(lines), sums[-1]
    while first < end:
        left = total - sums[first]
        last = end if left <= limit else _cut(lines, sums, first, limit)
        text = "\n".join(lines[first:last])
        row, offset, count = piece.first_row + first, offsets[first], sums[last] - sums[first]
        first = last
        if count > limit:  # one line
            yield from _split_line(piece, text, row, offset, starts, limit)
        elif stripped := text.strip("\n"):
            row += len(text) - len(text.lstrip("\n"))
            yield _Piece(piece.block, stripped, row, row + stripped.count("\n"), offset, count)


def _cut(lines: Sequence[str], sums: Sequence[int], first: int, limit: int) -> int:
    """The line before which the part that begins with line `first` ends."""
    base = sums[first]
    left = sums[-1] - base
    target = ceil(left / ceil(left / limit))
    earliest = max(first + 1, bisect_left(sums, base + target * 2 // 3, first))
    latest = min(bisect_right(sums, base + limit, first) - 1, len(lines) - 1)  # what is before it fits
    if latest < earliest:
        return max(latest, first + 1)
    best, best_cost, best_miss = latest, _NEVER, 0
    for at in range(earliest, latest + 1):
        line = lines[at]
        bare = line.lstrip()
        if not bare:
            continue
        cost = len(line) - len(bare)
        if cost and "\t" in line[:cost]:
            cost = len(line[:cost].expandtabs(4))
        if not lines[at - 1] or lines[at - 1].isspace():
            cost += _BEHIND_BLANK
        if len(bare) < 12 and _closes(bare):
            cost += _UNLIKELY
        if cost <= best_cost:
            miss = abs(sums[at] - base - target)
            if cost < best_cost or miss < best_miss:
                best, best_cost, best_miss = at, cost, miss
    return best


def _split_line(piece: _Piece, line: str, row: int, offset: int, starts: Starts, limit: int) -> Iterator[_Piece]:
    """A line longer than the limit, cut at white space or else between tokens."""
    start, token = 0, int(np.searchsorted(starts, offset))
    while start < len(line):
        end = min(int(starts[token + limit]) - offset, len(line)) if token + limit < len(starts) else len(line)
        if end < len(line):
            space = line.rfind(" ", start + 1, end)
            end = space if space > start + (end - start) // 2 else end
        upto = int(np.searchsorted(starts, offset + end))
        if text := line[start:end].strip():
            yield _Piece(piece.block, text, row, row, offset + start, upto - token)
        start, token = end, upto
