"""Minutes that a model writes: the items of each part, each of which counts only where a sentence that was said bears it out.

parts that fit a prompt --four at a time--> items as JSON --the sentence each quotes, its verdict--> minutes
where an item does not hold, or the reply is none, the sentences that phrases find stand in for that kind and part
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pydantic import BaseModel, Field

from phidex.errors import BudgetError, IncompleteAnswerError, ServiceError
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message, Usage, total_usage
from phidex.generation.models.table import MODELS
from phidex.generation.notes import Stop
from phidex.generation.structured.obtain import obtain
from phidex.generation.structured.schema import Schema, read_json
from phidex.generation.structured.write import Reply, Writer, schema_forms
from phidex.generation.summary.items import Found, Kind, due_of
from phidex.generation.summary.meeting import Meeting, Number, by_topic, citation, found_items, minutes_of, quoted_item
from phidex.generation.summary.minutes import Minutes, MinutesItem
from phidex.generation.summary.parts import Budget, Part, Planner
from phidex.generation.summary.phrases import folded
from phidex.generation.summary.prompts import minutes_messages
from phidex.generation.summary.spoken import Utterance
from phidex.generation.summary.summary import Sentence, Summary
from phidex.generation.summary.writer import Wished
from phidex.generation.support import Rarity, terms
from phidex.generation.verdict import judge
from phidex.generation.weigh import Scale
from phidex.ingest.records import TimeLocator
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import PackedBlock
from phidex.settings import Settings

log = logging.getLogger(__name__)

_AT_ONCE = 4  # parts asked at the same time: a server batches them
_QUOTED = 0.6  # share of a quotation's telling terms that a sentence must have to be the one that is meant
_KINDS: tuple[Kind, ...] = ("decision", "action", "question")
_WRITTEN_TOKENS = 1_500  # of one part's items


class _Item(BaseModel):
    text: str = Field(description="one sentence that can be understood by itself")
    quote: str = Field(description="the sentence that says so, copied from the source word by word, in its language")


class _Task(_Item):
    owner: str = Field("", description="the name of who is to do it, as the source writes it; empty where nobody is named")
    due: str = Field("", description="by when, as the source says it; empty where it says nothing")


class _Items(BaseModel):
    """What one part of a meeting holds."""

    decisions: list[_Item] = Field(default_factory=list[_Item], description="what was decided here, not earlier or elsewhere")
    actions: list[_Task] = Field(default_factory=list[_Task], description="what somebody took on or was asked to do")
    questions: list[_Item] = Field(default_factory=list[_Item], description="what was left open")

    def of(self, kind: Kind) -> Sequence[_Item]:
        """The items of a kind."""
        return {"decision": self.decisions, "action": self.actions, "question": self.questions}[kind]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was said in one part of one recording, and the items that phrases find there."""

    meeting: Meeting
    said: tuple[Utterance, ...]
    found: tuple[Found, ...]


def with_written_minutes(
    settings: Settings, chat: ChatModel, wished: Wished, found: Summary, meetings: Sequence[Meeting], number: Number
) -> Summary:
    """A written summary with minutes by the same model. Where that fails, with those that phrases find, and a warning."""
    started = time.monotonic()
    writer = _MinutesWriter(settings, chat, wished, found, meetings, number)
    items, warnings = writer.items()
    minutes = minutes_of(meetings, items, found.length)
    return replace(
        found,
        minutes=minutes,
        sentences=_in_order(found, minutes),
        usage=total_usage([*([found.usage] if found.usage else []), *writer.usages]),
        warnings=(*found.warnings, *warnings),
        timings={**found.timings, "minutes": time.monotonic() - started},
    )


class _MinutesWriter:
    """Asks one model for the items of all parts, and checks them."""

    def __init__(
        self, settings: Settings, chat: ChatModel, wished: Wished, found: Summary, meetings: Sequence[Meeting], number: Number
    ) -> None:
        self.usages: list[Usage] = []
        self._schema: Schema[_Items] = Schema.of(_Items)
        self._writer = Writer(chat, schema_forms("minutes", self._schema.definition))
        self._model, self._wished, self._meetings, self._number = found.route.model, wished, meetings, number
        pack = settings.pack
        prompt = min(pack.long_tokens, chat.window_tokens(self._model) or pack.long_tokens, MODELS["mini"].effective_tokens)
        self._budget = Budget.of(prompt, _WRITTEN_TOKENS, pack.reserve_tokens)
        self._planner = Planner(Scale(chat, self._model, pack.tokenizer), self._budget)
        self._stop = Stop(wished.cancelled)
        self._found = {meeting.source.id: found_items(meeting) for meeting in meetings}
        self._rarity = Rarity.of(one.text for meeting in meetings for one in meeting.said)
        self._lost = 0
        self._lock = threading.Lock()

    def items(self) -> tuple[list[tuple[str, MinutesItem]], list[str]]:
        """The items with their kinds, and what to know of them."""
        try:
            parts, _ = self._planner.parts([_hits(meeting) for meeting in self._meetings], self._messages)
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="phidex-minutes") as pool:
                replies = list(pool.map(self._asked, parts))
        except (BudgetError, ServiceError) as exc:
            log.info("minutes.quoted error=%s", type(exc).__name__)
            told = [f"decisions and tasks are quoted, since the model did not list them: {exc.message}"]
            everything = [(meeting, one) for meeting in self._meetings for one in self._found[meeting.source.id]]
            return [(one.kind, quoted_item(meeting, one, self._number)) for meeting, one in everything], told
        kept: list[tuple[str, MinutesItem]] = []
        for part, reply in zip(parts, replies, strict=True):
            kept += self._checked(self._stretch(part), reply)
        for stretch in self._unread(parts):
            kept += self._checked(stretch, None)
        silent = sum(reply is None for reply in replies)
        warnings = (
            [f"{self._lost} items of the model were left out: the transcript does not bear them out"] if self._lost else []
        )
        warnings += (
            [f"of {silent} of {len(parts)} parts, decisions and tasks are quoted: the reply was no list"] if silent else []
        )
        return _distinct(kept), warnings

    def _messages(self, blocks: Sequence[PackedBlock]) -> list[Message]:
        return minutes_messages(self._wished.wish, self._schema.definition, blocks)

    def _asked(self, part: Part) -> _Items | None:
        """What the model lists; None where its reply is no list, or it was stopped."""

        def read(reply: Reply) -> _Items:
            return self._schema.read(read_json(reply.text))

        messages = self._messages(part.context.blocks)
        try:
            got = obtain(
                self._writer, messages, read, model=self._model, max_tokens=self._budget.note_tokens, cancelled=self._stop
            )
        except IncompleteAnswerError:
            return None
        with self._lock:
            self.usages.extend(got.usages)
        return got.value

    def _stretch(self, part: Part) -> _Stretch:
        meeting = self._meetings[part.text_index]
        return self._of(meeting, {chunk.id for block in part.context.blocks for chunk in block.chunks})

    def _of(self, meeting: Meeting, ids: set[str]) -> _Stretch:
        said = tuple(one for one in meeting.said if one.chunk.id in ids)
        return _Stretch(meeting, said, tuple(one for one in self._found[meeting.source.id] if one.said.chunk.id in ids))

    def _unread(self, parts: Sequence[Part]) -> Iterator[_Stretch]:
        """Passages that are longer than a prompt."""
        read = {chunk.id for part in parts for block in part.context.blocks for chunk in block.chunks}
        for meeting in self._meetings:
            left = {chunk.id for chunk in meeting.chunks} - read
            if left:
                yield self._of(meeting, left)

    def _checked(self, stretch: _Stretch, reply: _Items | None) -> Iterator[tuple[str, MinutesItem]]:
        """The model's items that hold; of kinds where not all did, or none is listed, also what phrases find."""
        for kind in _KINDS:
            listed = reply.of(kind) if reply is not None else ()
            held = [item for one in listed if (item := self._held(one, stretch)) is not None]
            self._lost += len(listed) - len(held)
            yield from ((kind, item) for item in held)
            if held and len(held) == len(listed):
                continue
            covered = {item.citations[0].quote for item in held}
            quoted = (one for one in stretch.found if one.kind == kind and one.said.text not in covered)
            yield from ((kind, quoted_item(stretch.meeting, one, self._number)) for one in quoted)

    def _held(self, one: _Item, stretch: _Stretch) -> MinutesItem | None:
        """The item with the sentence that bears it out; None where none does."""
        at = self._quoted_at(one.quote, stretch.said)
        if at is None or not one.text.strip():
            return None
        said = stretch.said[at]
        around = [other.text for other in stretch.said[max(0, at - 1) : at + 2]]
        language, written = self._wished.language, said.chunk.language
        verdict = judge(one.text, ["\n".join(around)], self._rarity, language=language, written=written)
        if not verdict.is_borne_out and verdict.is_comparable:
            return None
        phrase = next((found for found in stretch.found if found.said is said), None)
        owner, due = (one.owner.strip(), one.due.strip()) if isinstance(one, _Task) else ("", "")
        if isinstance(one, _Task):
            owner = self._owner(owner, around, stretch.meeting) or (phrase.owner if phrase else "")
            due = due if due and folded(due) in folded(" ".join(around)) else due_of(said.text, written)
        cited = replace(citation(stretch.meeting.source, said, self._number), reason=verdict.reason)
        text = " ".join(one.text.split())
        return MinutesItem(text, (replace(cited, verified=verdict.is_borne_out),), said.speaker, owner, due, is_written=True)

    def _quoted_at(self, quote: str, said: Sequence[Utterance]) -> int | None:
        """Which sentence is quoted: verbatim, otherwise the one that has most of the quotation."""
        wanted = " ".join(folded(quote).split()).strip(" .\"'“”«»")
        if not wanted:
            return None
        verbatim = [at for at, one in enumerate(said) if wanted in " ".join(folded(one.text).split())]
        if verbatim:
            return verbatim[0]
        asked = terms(quote)
        scored = [(self._rarity.support(asked, terms(one.text)), -at) for at, one in enumerate(said)]
        best, at = max(scored, default=(0.0, 0))
        return -at if best >= _QUOTED else None

    def _owner(self, owner: str, around: Sequence[str], meeting: Meeting) -> str:
        """The owner by the name that the recording knows; what nobody is called, and nobody said, is nobody."""
        known = [name for name in meeting.participants if owner and (folded(owner) in (folded(name), *folded(name).split()))]
        if known:
            return known[0]
        return owner if owner and folded(owner) in folded(" ".join(around)) and owner[:1].isupper() else ""


def _hits(meeting: Meeting) -> list[Hit]:
    return [Hit(chunk, meeting.source, 0.0, {}) for chunk in meeting.chunks]


def _distinct(items: Sequence[tuple[str, MinutesItem]]) -> list[tuple[str, MinutesItem]]:
    """Each sentence once of each kind."""
    found: dict[tuple[str, int], tuple[str, MinutesItem]] = {}
    for kind, item in items:
        found.setdefault((kind, item.citations[0].marker), (kind, item))
    return list(found.values())


def _in_order(found: Summary, minutes: Minutes) -> tuple[Sentence, ...]:
    """The sentences by topic where they follow the agenda; otherwise as the model put them."""
    if found.style in ("abstract", "sections"):
        return found.sentences
    topics = by_topic(found.sentences, minutes)
    starts = [cited.locator.start_s for one in topics for cited in one.citations[:1] if isinstance(cited.locator, TimeLocator)]
    is_whole = len(starts) == len(topics) and len(minutes.recordings) == 1
    return topics if is_whole and starts == sorted(starts) else found.sentences
