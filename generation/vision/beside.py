"""Pictures that are shown, and hits -> the prompt: each picture beside the text of its place, under one marker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from phidex.generation.assemble import Assembler, Prompt
from phidex.generation.chat_wire import Message
from phidex.generation.conversation import Conversation
from phidex.generation.prompt import picture_messages
from phidex.retrieval.context.place import Number, from_one
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, LedgerEntry, PackedBlock, block_header, pack_context


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture in a prompt: the passage whose place it shows, its `data:` URL, and its tokens."""

    hit: Hit
    url: str = field(repr=False)
    tokens: int


def assemble_beside(
    assembler: Assembler,
    question: str,
    hits: Sequence[Hit],
    shown: Sequence[Shown],
    *,
    limit_tokens: int,
    conversation: Conversation | None = None,
    recap: str = "",
) -> Prompt:
    """The prompt; it begins afresh in a conversation, whose pictures are not sent again.

    Text keeps to its own budget, whatever the pictures cost.

    Args:
        shown: at least one.
        limit_tokens: of prompt and answer together.
        recap: of the conversation.

    Raises:
        BudgetError: question and pictures do not fit.
    """
    pack, scale = assembler.pack, assembler.scale
    numbers = conversation.numbers if conversation is not None else from_one
    cost = sum(one.tokens for one in shown)

    def measure(blocks: Sequence[PackedBlock]) -> int:
        return cost + text_tokens(assembler, picture_messages(question, *_illustrated(blocks, shown, numbers()), recap=recap))

    context = pack_context(
        hits,
        budget_tokens=limit_tokens,
        reserve_tokens=pack.reserve_tokens,
        prompt_tokens=measure(()),
        count=scale.each,
        counted_by=scale.counted_by,
        measure=measure,
        room_tokens=max(0, assembler.budget - pack.reserve_tokens),
        order=pack.order,
        numbers=numbers,
    )
    blocks, pictures = _illustrated(context.blocks, shown, numbers())
    markers = {chunk.id: block.marker for block in blocks for chunk in block.chunks}
    ledger = replace(
        context.ledger,
        prompt_tokens=context.ledger.prompt_tokens - cost,
        context_tokens=context.ledger.context_tokens + cost,
        entries=(*(picture_entry(one.hit, one.tokens, markers[one.hit.chunk.id]) for one in shown), *context.ledger.entries),
    )
    return Prompt(picture_messages(question, blocks, pictures, recap=recap), Context(blocks, ledger), blocks, recap)


def text_tokens(assembler: Assembler, messages: Sequence[Message]) -> int:
    """The tokens of messages without their pictures, whose cost is known and which need not go to a server to be counted."""
    return assembler.scale.prompt(
        [
            replace(message, content="\n".join([*(image.before for image in message.images), message.content]), images=())
            for message in messages
        ]
    )


def place_of(hit: Hit) -> str:
    """The place that a picture shows, for a reader."""
    return block_header(hit.source, (hit.chunk,))


def picture_entry(hit: Hit, tokens: int, marker: int) -> LedgerEntry:
    """A picture in the account of the budget; with marker 0, one that was left out."""
    source, chunk = hit.source, hit.chunk
    place = f"{source.title}, {chunk.locator} (picture)"
    if not marker:
        return LedgerEntry(chunk.id, source.id, place, tokens, "budget", 0, chunk.language, source.title)
    return LedgerEntry(chunk.id, source.id, place, tokens, "packed", marker, chunk.language, source.title, "score")


def _illustrated(
    blocks: Sequence[PackedBlock], shown: Sequence[Shown], number: Number
) -> tuple[tuple[PackedBlock, ...], dict[int, list[tuple[str, str]]]]:
    """The blocks, with one more for each pictured passage that is in none, and their pictures (place and URL) by marker."""
    holders = {chunk.id: block for block in blocks for chunk in block.chunks}
    for block in blocks:
        number(block.chunks)  # gives it the marker that it has
    pictures: dict[int, list[tuple[str, str]]] = {}
    added: list[PackedBlock] = []
    for one in shown:
        chunk = one.hit.chunk
        if chunk.id not in holders:
            holders[chunk.id] = PackedBlock(number([chunk]), one.hit.source, (chunk,), 0)
            added.append(holders[chunk.id])
        pictures.setdefault(holders[chunk.id].marker, []).append((place_of(one.hit), one.url))
    return tuple(replace(block, is_shown=block.marker in pictures) for block in (*blocks, *added)), pictures
