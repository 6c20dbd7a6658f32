"""Hits -> the context that a model reads, within an exact token budget, with a ledger of what went in and what did not.

Best hits first are taken while they fit; equal texts count once; chunks that follow each other in a source become one block;
blocks of a source stand in document order, sources in the order of their best hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from phidex.errors import BudgetError
from phidex.ingest.records import Chunk, PartLocator, Source
from phidex.retrieval.count import CountTokens
from phidex.retrieval.hit import Hit

_BLOCK_OVERHEAD = 8  # line breaks and brackets around a block's header, more than they ever cost

LeftOut = Literal["duplicate", "budget"]


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Consecutive passages of one source, under one marker.

    Args:
        marker: the number it is cited by, from 1.
        chunks: at least one, in document order.
        tokens: what its text and header cost.
    """

    marker: int
    source: Source
    chunks: tuple[Chunk, ...]
    tokens: int

    @property
    def text(self) -> str:
        """The passages as running text."""
        return "\n".join(chunk.text for chunk in self.chunks)

    @property
    def header(self) -> str:
        """What stands above the text in the prompt: title, place, section."""
        return block_header(self.source, self.chunks)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One hit's fate: `status` is "packed", or why it was left out."""

    chunk_id: str
    source_id: str
    place: str
    tokens: int
    status: Literal["packed"] | LeftOut
    marker: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "chunk_id": self.chunk_id,
            "source_id": self.source_id,
            "place": self.place,
            "tokens": self.tokens,
            "status": self.status,
            "marker": self.marker,
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the token budget went.

    Args:
        budget_tokens: prompt and answer together.
        reserve_tokens: kept for the answer.
        prompt_tokens: instructions, question and history.
        context_tokens: the packed blocks.
        counted_by: "server", "tokenizer" or "estimate".
    """

    budget_tokens: int
    reserve_tokens: int
    prompt_tokens: int
    context_tokens: int
    counted_by: str
    entries: tuple[LedgerEntry, ...] = ()

    @property
    def free_tokens(self) -> int:
        """What is left over; never negative."""
        return self.budget_tokens - self.reserve_tokens - self.prompt_tokens - self.context_tokens

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, the entries split into what is packed and what was left out."""
        return {
            "budget_tokens": self.budget_tokens,
            "reserve_tokens": self.reserve_tokens,
            "prompt_tokens": self.prompt_tokens,
            "context_tokens": self.context_tokens,
            "free_tokens": self.free_tokens,
            "counted_by": self.counted_by,
            "packed": [entry.to_dict() for entry in self.entries if entry.status == "packed"],
            "left_out": [entry.to_dict() for entry in self.entries if entry.status != "packed"],
        }


@dataclass(frozen=True, slots=True)
class Context:
    """Packed blocks, by ascending marker, and the ledger."""

    blocks: tuple[PackedBlock, ...]
    ledger: Ledger

    def block(self, marker: int) -> PackedBlock | None:
        """The block cited as `marker`."""
        return self.blocks[marker - 1] if 1 <= marker <= len(self.blocks) else None


def renumber(context: Context, first: Sequence[int]) -> Context:
    """The same context with the blocks `first` (markers) numbered from 1 in that order, the others behind them."""
    rest = [block.marker for block in context.blocks if block.marker not in first]
    new = {old: number for number, old in enumerate([*first, *rest], 1)}
    blocks = sorted((replace(block, marker=new[block.marker]) for block in context.blocks), key=lambda block: block.marker)
    entries = tuple(replace(entry, marker=new.get(entry.marker, 0)) for entry in context.ledger.entries)
    return Context(tuple(blocks), replace(context.ledger, entries=entries))


def pack_context(
    hits: Sequence[Hit],
    *,
    budget_tokens: int,
    reserve_tokens: int,
    prompt_tokens: int,
    count: CountTokens,
    counted_by: str = "estimate",
) -> Context:
    """The context for a question.

    Args:
        hits: best first.
        prompt_tokens: what everything but the context costs.

    Raises:
        BudgetError: question and reserve alone exceed the budget.
    """
    room = budget_tokens - reserve_tokens - prompt_tokens
    if room < 0:
        raise BudgetError(
            f"question ({prompt_tokens} tokens) and answer's reserve ({reserve_tokens}) exceed the budget of {budget_tokens}",
            hint="shorten the question, or raise PHIDEX_PACK__BUDGET_TOKENS",
        )
    taken: list[Hit] = []
    costs: dict[str, int] = {}
    status: dict[str, Literal["packed"] | LeftOut] = {}
    texts: set[str] = set()
    used = 0
    for hit in hits:
        normal = " ".join(hit.chunk.text.split())
        cost = count(f"{block_header(hit.source, [hit.chunk])}\n{hit.chunk.text}\n") + _BLOCK_OVERHEAD
        costs[hit.chunk.id] = cost
        if normal in texts or hit.chunk.id in status:
            status.setdefault(hit.chunk.id, "duplicate")
        elif used + cost > room:
            status[hit.chunk.id] = "budget"
        else:
            status[hit.chunk.id] = "packed"
            texts.add(normal)
            taken.append(hit)
            used += cost
    blocks = _blocks(taken, costs)
    markers = {chunk.id: block.marker for block in blocks for chunk in block.chunks}
    entries = tuple(
        LedgerEntry(
            chunk_id=hit.chunk.id,
            source_id=hit.source.id,
            place=f"{hit.source.title}, {hit.chunk.locator}",
            tokens=costs[hit.chunk.id],
            status=status[hit.chunk.id],
            marker=markers.get(hit.chunk.id, 0),
        )
        for hit in hits
    )
    return Context(blocks, Ledger(budget_tokens, reserve_tokens, prompt_tokens, used, counted_by, entries))


def block_header(source: Source, chunks: Sequence[Chunk]) -> str:
    """Title, place and section of a block, for a reader."""
    first, last = chunks[0].locator, chunks[-1].locator
    place = str(first) if str(first) == str(last) else f"{first} to {last}"
    heading = chunks[0].heading
    is_named = isinstance(first, PartLocator) and first.part == " › ".join(heading)
    section = "" if is_named else " > ".join(heading)
    return f"{source.title} | {place}" + (f" | {section}" if section else "")


def _blocks(taken: Sequence[Hit], costs: dict[str, int]) -> tuple[PackedBlock, ...]:
    by_source: dict[str, list[Hit]] = {}
    for hit in taken:
        by_source.setdefault(hit.source.id, []).append(hit)
    blocks: list[PackedBlock] = []
    for hits in by_source.values():
        ordered = sorted(hits, key=lambda hit: hit.chunk.order)
        group: list[Chunk] = []
        for hit in ordered:
            if group and hit.chunk.order != group[-1].order + 1:
                blocks.append(_block(len(blocks) + 1, hits[0].source, group, costs))
                group = []
            group.append(hit.chunk)
        blocks.append(_block(len(blocks) + 1, hits[0].source, group, costs))
    return tuple(blocks)


def _block(marker: int, source: Source, chunks: list[Chunk], costs: dict[str, int]) -> PackedBlock:
    return PackedBlock(marker, source, tuple(chunks), sum(costs[chunk.id] for chunk in chunks))
