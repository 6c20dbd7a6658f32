"""The plan: the passages of texts, in order, in parts that each fit a prompt of the served model; counted by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from phidex.generation.chat_wire import Message
from phidex.generation.weigh import Scale
from phidex.retrieval.context.place import Number, canonical, from_one
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, Ledger, LedgerEntry, MapPart, MapPlan, PackedBlock, pack_context

_NOTE_SHARE, _RESERVE_SHARE = 8, 4  # of a small budget, a note and the summary take an eighth and a quarter at most

Write = Callable[[Sequence[PackedBlock]], list[Message]]
"""Blocks -> the prompt that shows them."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of one prompt and what is written to it; of a note; of the summary."""

    prompt_tokens: int
    note_tokens: int
    reserve_tokens: int

    @staticmethod
    def of(prompt_tokens: int, note_tokens: int, reserve_tokens: int) -> Budget:
        """What is written takes no more than a share of a small window."""
        note, reserve = min(note_tokens, prompt_tokens // _NOTE_SHARE), min(reserve_tokens, prompt_tokens // _RESERVE_SHARE)
        return Budget(prompt_tokens, note, reserve)


@dataclass(frozen=True, slots=True)
class Part:
    """One prompt's worth of one text (`text_index`)."""

    text_index: int
    context: Context

    @property
    def place(self) -> str:
        """Where it begins and ends, for people and for the model."""
        first, last = self.context.blocks[0], self.context.blocks[-1]
        begin = f"{first.source.title}, {first.chunks[0].locator}"
        end = str(last.chunks[-1].locator)
        end = end if last.source.id == first.source.id else f"{last.source.title}, {end}"
        return begin if begin.endswith(end) else f"{begin} to {end}"


@dataclass(frozen=True, slots=True)
class Planner:
    """Cuts texts into parts."""

    scale: Scale
    budget: Budget

    def stretch(self, hits: Sequence[Hit], write: Write, *, first: int = 1, written_tokens: int) -> Context:
        """As many passages, from the first one on, as fit one prompt.

        Args:
            hits: in document order.
            first: the marker of the first block.
            written_tokens: kept free for what is written.

        Raises:
            BudgetError: not even the instructions fit.
        """

        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(write(blocks))

        def numbers() -> Number:
            ours = from_one()
            return lambda chunks: ours(chunks) + first - 1

        return pack_context(
            hits,
            budget_tokens=self.budget.prompt_tokens,
            reserve_tokens=written_tokens,
            prompt_tokens=measure(()),
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure,
            in_order=True,
            numbers=numbers,
        )

    def parts(self, texts: Sequence[Sequence[Hit]], write: Write) -> tuple[list[Part], list[LedgerEntry]]:
        """The parts of all texts, none with passages of two; and the entries of passages longer than any prompt."""
        found: list[Part] = []
        left_out: list[LedgerEntry] = []
        marker = 1
        for index, hits in enumerate(texts):
            rest = sorted(hits, key=canonical)
            while rest:
                context = self.stretch(rest, write, first=marker, written_tokens=self.budget.note_tokens)
                taken = sum(entry.status == "packed" for entry in context.ledger.entries)
                if taken:
                    found.append(Part(index, context))
                    marker += len(context.blocks)
                else:
                    left_out.append(context.ledger.entries[0])
                rest = rest[max(1, taken) :]
        return found, left_out


def plan_of(parts: Sequence[Part], budget: Budget) -> MapPlan:
    """The parts as a plan, for people and machines."""
    return MapPlan(
        tuple(_map_part(number, part) for number, part in enumerate(parts, 1)), budget.prompt_tokens, budget.note_tokens
    )


def ledger_of(parts: Sequence[Part], left_out: Sequence[LedgerEntry]) -> Ledger:
    """The account of all parts together: a budget for each, and its instructions every time."""
    ledgers = [part.context.ledger for part in parts]
    packed = [entry for one in ledgers for entry in one.entries if entry.status == "packed"]
    return replace(
        ledgers[0],
        budget_tokens=sum(one.budget_tokens for one in ledgers),
        reserve_tokens=sum(one.reserve_tokens for one in ledgers),
        prompt_tokens=sum(one.prompt_tokens for one in ledgers),
        context_tokens=sum(one.context_tokens for one in ledgers),
        entries=(*packed, *left_out),
    )


def _map_part(number: int, part: Part) -> MapPart:
    blocks, ledger = part.context.blocks, part.context.ledger
    return MapPart(
        number=number,
        markers=tuple(block.marker for block in blocks),
        chunk_ids=tuple(chunk.id for block in blocks for chunk in block.chunks),
        source_ids=tuple(dict.fromkeys(block.source.id for block in blocks)),
        tokens=ledger.prompt_tokens + ledger.context_tokens,
        place=part.place,
    )
