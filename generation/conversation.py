"""A conversation: its turns, the evidence that was sent and under which numbers. Kept by the caller; saved and resumed as JSON.

A number, once given, names the same passages for as long as the conversation lasts, also when its prompt was begun afresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phidex.errors import InputError
from phidex.ingest.records import Chunk, Cue, locator_from_dict
from phidex.retrieval.context.place import Number
from phidex.retrieval.pack import PackedBlock
from phidex.retrieval.payload import source_of

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer.

    Args:
        answer: as it was shown.
        reply: as the model wrote it: what later prompts repeat.
        markers: of the blocks that were sent with the question.
        recap: what stood before them, where the prompt was begun afresh.
    """

    question: str
    answer: str
    reply: str
    markers: tuple[int, ...]
    found: bool = True
    recap: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "question": self.question,
            "answer": self.answer,
            "reply": self.reply,
            "markers": list(self.markers),
            "found": self.found,
            "recap": self.recap,
        }


class Conversation:
    """Questions and answers over one collection. For one thread at a time.

    Attributes:
        turns: all of them, in order.
        blocks: every block that an answer can cite, by marker.
        start: index of the turn that the prompt begins with: the ones before it were compacted.
        model: the served name that has read the prompt; empty before the first answer, and without a model.
        summary: of the first turns, written when the prompt had no more room for them (`recap.py`).
        summarized: how many turns that are.
        title: what people call it; empty for its first question.
        collection: that it is over, where it was said.

    Example:
        >>> conversation = Conversation()
        >>> resumed = Conversation.from_dict(conversation.to_dict())
        >>> len(resumed.turns), resumed.blocks
        (0, {})
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.blocks: dict[int, PackedBlock] = {}
        self.start = 0
        self.model = ""
        self.summary = ""
        self.summarized = 0
        self.title = ""
        self.collection = ""

    def __len__(self) -> int:
        return len(self.turns)

    def __repr__(self) -> str:
        return f"Conversation({len(self.turns)} turns, {len(self.blocks)} sources)"

    @property
    def in_window(self) -> list[Turn]:
        """The turns that the prompt holds."""
        return self.turns[self.start :]

    @property
    def sent(self) -> dict[str, int]:
        """The chunks that the prompt holds, by id, with their markers."""
        return {chunk.id: block.marker for block in self.window_blocks for chunk in block.chunks}

    @property
    def window_blocks(self) -> list[PackedBlock]:
        """The blocks that the prompt holds, in its order."""
        return [self.blocks[marker] for turn in self.in_window for marker in turn.markers]

    def numbers(self) -> Number:
        """Gives known passages the number that they have, and others the next ones."""
        known = {_ids(block.chunks): marker for marker, block in self.blocks.items()}
        highest = max(self.blocks, default=0)

        def number(chunks: Sequence[Chunk]) -> int:
            nonlocal highest
            key = _ids(chunks)
            if key not in known:
                highest += 1
                known[key] = highest
            return known[key]

        return number

    def add(self, turn: Turn, blocks: Sequence[PackedBlock], *, model: str = "", afresh: bool = False) -> None:
        """Records a turn that ended, with the blocks that it brought.

        Args:
            afresh: the prompt began anew with this turn.
        """
        if afresh or (model and model != self.model):
            self.start = len(self.turns)
        self.model = model
        self.turns.append(turn)
        self.blocks.update((block.marker, block) for block in blocks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, evidence included: `from_dict` goes on where this one is."""
        blocks = [
            {
                "marker": block.marker,
                "source": block.source.to_dict(),
                "chunks": [chunk.to_dict() for chunk in block.chunks],
                "tokens": block.tokens,
            }
            for block in self.blocks.values()
        ]
        return {
            "version": _VERSION,
            "title": self.title,
            "collection": self.collection,
            "model": self.model,
            "start": self.start,
            "summary": self.summary,
            "summarized": self.summarized,
            "turns": [turn.to_dict() for turn in self.turns],
            "blocks": blocks,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Conversation:
        """The conversation that `to_dict` was called on.

        Raises:
            InputError: this is no saved conversation, or one of a later version.
        """
        if not isinstance(data, Mapping) or data.get("version") != _VERSION:  # pyright: ignore[reportUnnecessaryIsInstance]  JSON
            raise InputError("this is no saved conversation of this version", hint="begin a new conversation")
        found = Conversation()
        try:
            for block in data["blocks"]:
                chunks = tuple(_chunk(one) for one in block["chunks"])
                found.blocks[int(block["marker"])] = PackedBlock(
                    int(block["marker"]), source_of(block["source"]), chunks, int(block["tokens"])
                )
            found.turns = [_turn(turn) for turn in data["turns"]]
            found.start, found.model = int(data["start"]), str(data["model"])
            # Files of earlier versions have none of these.
            found.title, found.collection = str(data.get("title", "")), str(data.get("collection", ""))
            found.summary, found.summarized = str(data.get("summary", "")), int(data.get("summarized", 0))
            _ = found.window_blocks
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as exc:
            raise InputError("this saved conversation is damaged", hint="begin a new conversation") from exc
        return found


def _ids(chunks: Sequence[Chunk]) -> tuple[str, ...]:
    return tuple(chunk.id for chunk in chunks)


def _turn(data: Mapping[str, Any]) -> Turn:
    values: dict[str, Any] = dict(data)
    values["markers"] = tuple(data["markers"])
    return Turn(**values)


def _chunk(data: Mapping[str, Any]) -> Chunk:
    values: dict[str, Any] = dict(data)
    values["locator"] = locator_from_dict(data["locator"])
    values["heading"], values["links"] = tuple(data["heading"]), tuple(data["links"])
    values["cues"] = tuple(Cue(*cue) for cue in data.get("cues", ()))
    return Chunk(**values)
