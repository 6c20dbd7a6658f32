"""A packed block: consecutive passages of one source as running text, under one marker; and a context of such blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from phidex.ingest.records import Chunk, PartLocator, Source
from phidex.retrieval.context.ledger import Ledger
from phidex.retrieval.context.plan import MapPlan

_LEAST_OVERLAP = 20  # characters that must agree before the end of one passage counts as the beginning of the next
_MOST_OVERLAP = 4_000


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Consecutive passages of one source, under one marker.

    Args:
        marker: the number it is cited by, from 1.
        chunks: at least one, in document order.
        tokens: what its text and header cost.
        is_shown: a picture of its place goes with it, so that an answer may say of it what its text does not.
    """

    marker: int
    source: Source
    chunks: tuple[Chunk, ...]
    tokens: int
    is_shown: bool = False

    @property
    def text(self) -> str:
        """The passages as running text."""
        return running_text(self.chunks)

    @property
    def header(self) -> str:
        """What stands above the text in the prompt: title, place, section."""
        return block_header(self.source, self.chunks)


@dataclass(frozen=True, slots=True)
class Context:
    """Packed blocks in the order in which the model reads them, the ledger, and the plan where they are read part by part."""

    blocks: tuple[PackedBlock, ...]
    ledger: Ledger
    plan: MapPlan | None = None

    def block(self, marker: int) -> PackedBlock | None:
        """The block cited as `marker`."""
        if 1 <= marker <= len(self.blocks) and self.blocks[marker - 1].marker == marker:
            return self.blocks[marker - 1]
        return next((block for block in self.blocks if block.marker == marker), None)


def renumber(context: Context, first: Sequence[int]) -> Context:
    """The same context with the blocks `first` (markers) numbered from 1 in that order, the others behind them."""
    rest = [block.marker for block in context.blocks if block.marker not in first]
    return with_markers(context, {old: number for number, old in enumerate([*first, *rest], 1)})


def with_markers(context: Context, new: Mapping[int, int]) -> Context:
    """The same context with other markers, by the ones it has; blocks stand by ascending marker."""
    blocks = sorted((replace(block, marker=new[block.marker]) for block in context.blocks), key=lambda block: block.marker)
    entries = tuple(replace(entry, marker=new.get(entry.marker, entry.marker)) for entry in context.ledger.entries)
    return Context(tuple(blocks), replace(context.ledger, entries=entries), context.plan)


def block_header(source: Source, chunks: Sequence[Chunk]) -> str:
    """Title, place and section of a block, for a reader."""
    first, last = chunks[0].locator, chunks[-1].locator
    place = str(first) if str(first) == str(last) else f"{first} to {last}"
    heading = chunks[0].heading
    is_named = isinstance(first, PartLocator) and first.part == " › ".join(heading)
    section = "" if is_named else " > ".join(heading)
    return f"{source.title} | {place}" + (f" | {section}" if section else "")


def running_text(chunks: Sequence[Chunk]) -> str:
    """Passages as the document runs: what two neighbours share stands once, and a new section's titles stand before it.

    The first passage's section is said by the block's header, and a title is not repeated where the passage shows it.
    """
    parts = [chunks[0].text]
    for before, chunk in pairwise(chunks):
        shared = _shared(before, chunk)
        if not shared and chunk.modality != "code":
            parts += _new_titles(before, chunk)
        if text := chunk.text[shared:]:
            parts.append(text)
    return "\n".join(parts)


def _new_titles(before: Chunk, chunk: Chunk) -> list[str]:
    """The titles of sections that begin with this passage, where it does not show them itself."""
    same = 0
    while same < min(len(before.heading), len(chunk.heading)) and before.heading[same] == chunk.heading[same]:
        same += 1
    start = chunk.text[: 200 + sum(map(len, chunk.heading))]
    return [
        f"{'#' * min(level, 6)} {title}" for level, title in enumerate(chunk.heading, 1) if level > same and title not in start
    ]


def _shared(before: Chunk, chunk: Chunk) -> int:
    """How many characters at the start of a passage its predecessor has shown: an overlap, or a table's caption and header."""
    first, second = before.text, chunk.text
    if before.modality == chunk.modality == "table":
        return _same_lines(first, second)
    opening = second[:_LEAST_OVERLAP]
    if len(opening) < _LEAST_OVERLAP:
        return 0
    at = first.find(opening, max(0, len(first) - _MOST_OVERLAP))
    while at >= 0:
        if second.startswith(first[at:]):
            return len(first) - at
        at = first.find(opening, at + 1)
    return 0


def _same_lines(first: str, second: str) -> int:
    """The length of the lines that two texts begin with alike; nothing where that is all of the second."""
    end = 0
    for one, other in zip(first.splitlines(keepends=True), second.splitlines(keepends=True), strict=False):
        if one != other:
            break
        end += len(one)
    return end if end < len(second) else 0
