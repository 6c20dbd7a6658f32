"""Question, hits and conversation -> the prompt that fits, counted as a whole by the model that reads it, with its context.

A conversation only appends: what was sent stays where it was, byte for byte, and new passages come with the new question. Where
that no longer fits its window the prompt begins afresh, with a recap of what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phidex.generation.chat_wire import Message, Usage
from phidex.generation.conversation import Conversation
from phidex.generation.prompt import answer_messages, follow_up_messages, part_messages
from phidex.generation.recap import Compact, recap_of
from phidex.generation.weigh import Scale
from phidex.retrieval.context.place import Number, canonical, from_one
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, Ledger, MapPart, MapPlan, PackedBlock, pack_context
from phidex.settings import PackSettings

_FIRST_SHARE = 0.75  # of a conversation's window that its first question may take
_RECAP_SHARE = 0.125  # of the window that what was said before may take after a compaction


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent, and what it holds.

    Args:
        messages: of the whole prompt.
        context: its blocks are all that the model has before it; the ledger accounts for this question's.
        new: the blocks that come with this question.
        afresh: the prompt shares nothing with the turn before.
        parts: the prompts of the parts, where the documents are read one part at a time (`context.plan`).
        note: what was done to come to it, for the route's reason; empty where there is nothing to say.
        warnings: what was left out of it.
        usages: of the requests that were made for it.
    """

    messages: list[Message]
    context: Context
    new: tuple[PackedBlock, ...]
    recap: str = ""
    afresh: bool = True
    parts: tuple[tuple[Message, ...], ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    usages: tuple[Usage, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembler:
    """Builds prompts for one model.

    Args:
        window: of the served model in tokens; None where it is not known.
        compact: sums up what a conversation's prompt has no more room for; default: without a model.
    """

    pack: PackSettings
    scale: Scale
    window: int | None = None
    compact: Compact | None = None

    @property
    def budget(self) -> int:
        """Tokens of prompt and answer together, for one question."""
        wanted = self.pack.budget_tokens if self.pack.mode == "focused" else self.pack.long_tokens
        return min(wanted, self.window or wanted)

    def single(self, question: str, hits: Sequence[Hit], *, is_sent: bool = True) -> Prompt:
        """The prompt for a question that stands alone.

        Args:
            is_sent: False where no model will read it: then the sum over passages is exact enough.

        Raises:
            BudgetError: the question does not fit.
        """

        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(answer_messages(question, blocks))

        context = pack_context(
            hits,
            budget_tokens=self.budget,
            reserve_tokens=self.pack.reserve_tokens,
            prompt_tokens=measure(()),
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure if is_sent else None,
            order=self.pack.order,
            quota=self._quota,
        )
        return Prompt(answer_messages(question, context.blocks), context, context.blocks)

    def turn(self, question: str, hits: Sequence[Hit], conversation: Conversation, *, model: str) -> Prompt:
        """The prompt for the next question of a conversation.

        Raises:
            BudgetError: the question does not fit even afresh.
        """
        limit = self._limit
        if conversation.in_window and conversation.model == model:
            follow_up = self._follow_up(question, hits, conversation, limit)
            if follow_up is not None:
                return follow_up
        recap = self.recap(conversation, limit)

        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(answer_messages(question, blocks, recap=recap))

        base = measure(())
        if recap and base + self.pack.reserve_tokens > limit:
            recap, base = "", self.scale.prompt(answer_messages(question, ()))
        room = min(self.budget, int(limit * _FIRST_SHARE)) - self.pack.reserve_tokens - base
        context = pack_context(
            hits,
            budget_tokens=limit,
            reserve_tokens=self.pack.reserve_tokens,
            prompt_tokens=base,
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure,
            room_tokens=max(0, room),
            order=self.pack.order,
            quota=self._quota,
            numbers=conversation.numbers,
        )
        if conversation.turns:
            context = replace(context, ledger=replace(context.ledger, compacted=True))
        return Prompt(answer_messages(question, context.blocks, recap=recap), context, context.blocks, recap)

    def _follow_up(self, question: str, hits: Sequence[Hit], conversation: Conversation, limit: int) -> Prompt | None:
        """What was sent, with the new question and new passages behind it; None where that does not fit."""

        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(follow_up_messages(conversation, question, blocks))

        base = measure(())
        sent = conversation.sent
        room = limit - self.pack.reserve_tokens - base
        wanted = min(self.pack.follow_up_tokens, sum(self._weight(hit) for hit in hits if hit.chunk.id not in sent))
        if room < wanted // 2:
            return None
        context = pack_context(
            hits,
            budget_tokens=limit,
            reserve_tokens=self.pack.reserve_tokens,
            prompt_tokens=base,
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure,
            room_tokens=min(room, self.pack.follow_up_tokens),
            history_tokens=max(0, base - self.scale.prompt(answer_messages(question, ()))),
            order=self.pack.order,
            quota=self._quota,
            numbers=conversation.numbers,
            sent=sent,
        )
        new = context.blocks
        seen = [replace(block, is_shown=False) for block in conversation.window_blocks]  # their pictures are not sent again
        before = replace(context, blocks=(*seen, *new))
        return Prompt(follow_up_messages(conversation, question, new), before, new, afresh=False)

    def whole(self, question: str, hits: Sequence[Hit], *, first: int = 1) -> Prompt:
        """The prompt with all passages from beginning to end; where they do not fit, those of parts that each do.

        Args:
            hits: every passage of the documents.
            first: the marker of the first block.

        Raises:
            BudgetError: the question does not fit.
        """
        ordered = sorted(hits, key=canonical)
        everything = self._stretch(question, ordered, first, is_part=False)
        if all(entry.status == "packed" for entry in everything.ledger.entries):
            return Prompt(answer_messages(question, everything.blocks), everything, everything.blocks)
        found: list[Context] = []
        left_out: list[Ledger] = []
        marker = first
        while ordered:
            part = self._stretch(question, ordered, marker, is_part=True)
            taken = len([entry for entry in part.ledger.entries if entry.status == "packed"])
            if taken:
                found.append(part)
                marker += len(part.blocks)
            else:  # one passage alone is longer than a prompt
                left_out.append(part.ledger)
            ordered = ordered[max(1, taken) :]
        return self._in_parts(question, found, left_out, everything.ledger)

    def _in_parts(self, question: str, found: Sequence[Context], left_out: Sequence[Ledger], ledger: Ledger) -> Prompt:
        parts = tuple(_part(number, context) for number, context in enumerate(found, 1))
        entries = [entry for context in found for entry in context.ledger.entries if entry.status == "packed"]
        entries += [one.entries[0] for one in left_out]
        blocks = tuple(block for context in found for block in context.blocks)
        tokens = sum(context.ledger.context_tokens for context in found)
        # The account is of all parts together: a budget for each, and its instructions and question every time.
        account = replace(
            ledger,
            budget_tokens=sum(context.ledger.budget_tokens for context in found),
            reserve_tokens=sum(context.ledger.reserve_tokens for context in found),
            prompt_tokens=sum(context.ledger.prompt_tokens for context in found),
            context_tokens=tokens,
            entries=tuple(entries),
        )
        plan = MapPlan(parts, self.budget, self.pack.note_tokens)
        messages = tuple(tuple(part_messages(question, context.blocks)) for context in found)
        return Prompt([], Context(blocks, account, plan), blocks, parts=messages)

    def _stretch(self, question: str, hits: Sequence[Hit], first: int, *, is_part: bool) -> Context:
        """As many passages, from the first one on, as fit one prompt."""
        write = part_messages if is_part else answer_messages

        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(write(question, blocks))

        def numbers() -> Number:
            ours = from_one()
            return lambda chunks: ours(chunks) + first - 1

        return pack_context(
            hits,
            budget_tokens=self.budget,
            reserve_tokens=self.pack.note_tokens if is_part else self.pack.reserve_tokens,
            prompt_tokens=measure(()),
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure,
            in_order=True,
            numbers=numbers,
        )

    @property
    def _quota(self) -> float:
        return self.pack.quota if self.pack.mode == "long" else 0.0

    @property
    def _limit(self) -> int:
        """Tokens of a conversation's prompt and its answer together."""
        wanted = self.pack.conversation_tokens if self.pack.mode == "focused" else self.pack.long_tokens
        return min(wanted, self.window or wanted)

    def _weight(self, hit: Hit) -> int:
        return hit.chunk.token_count or len(hit.chunk.text) // 4

    def recap(self, conversation: Conversation, limit: int) -> str:
        """What was said before, in an eighth of `limit` tokens; empty where nothing was."""
        return recap_of(conversation, int(limit * _RECAP_SHARE), self.scale, self.compact)


def _part(number: int, context: Context) -> MapPart:
    chunks = [chunk for block in context.blocks for chunk in block.chunks]
    first, last = context.blocks[0], context.blocks[-1]
    begin = f"{first.source.title}, {first.chunks[0].locator}"
    end = (
        f"{last.source.title}, {last.chunks[-1].locator}" if last.source.id != first.source.id else f"{last.chunks[-1].locator}"
    )
    return MapPart(
        number=number,
        markers=tuple(block.marker for block in context.blocks),
        chunk_ids=tuple(chunk.id for chunk in chunks),
        source_ids=tuple(dict.fromkeys(block.source.id for block in context.blocks)),
        tokens=context.ledger.prompt_tokens + context.ledger.context_tokens,
        place=begin if begin == end else f"{begin} to {end}",
    )
