"""Summaries that a model writes: of what fits one prompt at once, otherwise by notes of its parts.

parts --read, four at a time--> notes --put together, text by text, in as many levels as it takes--> the summary --> checked
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from phidex.errors import BudgetError
from phidex.generation.answer import Route
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message, total_usage
from phidex.generation.conversation import Conversation
from phidex.generation.models.table import MODELS
from phidex.generation.notes import Note, NoteReader, Stop
from phidex.generation.summary.check import checked_sentences
from phidex.generation.summary.parts import Budget, Part, Planner, ledger_of, plan_of
from phidex.generation.summary.prompts import EMPTY, Wish, merge_messages, part_messages, summary_messages
from phidex.generation.summary.summary import STOPPED, Length, OnProgress, Style, Summary
from phidex.generation.summary.turns import NOTHING, turn_text
from phidex.generation.weigh import Scale
from phidex.ingest.records import Chunk
from phidex.retrieval.context.block import PackedBlock
from phidex.retrieval.context.ledger import Ledger
from phidex.retrieval.context.place import canonical
from phidex.retrieval.context.plan import MapPlan
from phidex.retrieval.hit import Hit
from phidex.settings import Settings

log = logging.getLogger(__name__)

_SHRINKS = (1.0, 0.7, 0.5, 0.35)  # of the budget, one after another, where only the server's refusal tells that it was too much
_CUT = "the summary was cut at its token limit: raise PHIDEX_PACK__RESERVE_TOKENS or PHIDEX_CHAT__MAX_ANSWER_TOKENS"

PART_TOKENS = MODELS["mini"].effective_tokens
"""Of a prompt: up to here both models read reliably, and of longer parts the middle is lost (RULER, on the models' cards)."""

Stored = Callable[[Sequence[str]], list[Chunk]]


@dataclass(frozen=True, slots=True)
class Wished:
    """What is wanted, and who is told how far it is. `language`: "" where none is asked for."""

    title: str
    language: str
    style: Style
    length: Length
    on_progress: OnProgress | None = None
    cancelled: threading.Event | None = None

    @property
    def wish(self) -> Wish:
        """As a prompt says it."""
        return Wish(self.title, self.language, self.style, self.length)

    def tell(self, step: str, done: int, total: int) -> None:
        """See `OnProgress`."""
        if self.on_progress is not None:
            self.on_progress(step, done, total)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What led to a text: the blocks that were shown, their account, and the plan where there were parts."""

    blocks: Sequence[PackedBlock]
    ledger: Ledger
    plan: MapPlan | None = None


def write_summary(
    settings: Settings,
    chat: ChatModel,
    wished: Wished,
    route: Route,
    texts: Sequence[tuple[str, Sequence[Hit]]],
    stored: Stored,
) -> Summary:
    """The summary of texts, each a title and its passages in order.

    Raises:
        BudgetError: the window holds no passage, or not two notes.
        ServiceError: see `ChatModel`.
    """
    for shrink in _SHRINKS:
        work = _Work(settings, chat, wished, route, shrink)
        try:
            return work.of_texts(texts, stored)
        except BudgetError:
            if work.scale.counted_by == "server" or shrink == _SHRINKS[-1]:
                raise
            log.info("summary.too_long shrink=%g", shrink)
    raise AssertionError("the last attempt returned or raised")


def write_conversation(
    settings: Settings, chat: ChatModel, wished: Wished, route: Route, conversation: Conversation, stored: Stored
) -> Summary:
    """The summary of what was asked and found, with the citations of the turns.

    Raises:
        BudgetError, ServiceError: see `write_summary`.
    """
    work = _Work(settings, chat, wished, route, 1.0)
    notes = [Note(f"question {number}", turn_text(turn)) for number, turn in enumerate(conversation.turns, 1)]
    return work.of_notes(notes, _Shown(list(conversation.blocks.values()), NOTHING), stored, {})


class _Work:
    """One attempt, with one budget."""

    def __init__(self, settings: Settings, chat: ChatModel, wished: Wished, route: Route, shrink: float) -> None:
        pack, model = settings.pack, route.model
        self.scale = Scale(chat, model, pack.tokenizer)
        prompt = min(pack.long_tokens, chat.window_tokens(model) or pack.long_tokens, PART_TOKENS)
        self._budget = Budget.of(
            int(prompt * shrink), pack.note_tokens, min(pack.reserve_tokens, settings.chat.max_answer_tokens)
        )
        self._wished, self._route = wished, route
        self._stop = Stop(wished.cancelled)
        self._reader = NoteReader(
            chat,
            model,
            self.scale.prompt,
            prompt_tokens=self._budget.prompt_tokens,
            note_tokens=self._budget.note_tokens,
            empty=EMPTY,
            stop=self._stop,
            tell=wished.tell,
        )

    def of_texts(self, texts: Sequence[tuple[str, Sequence[Hit]]], stored: Stored) -> Summary:
        started = time.monotonic()
        planner, wish = Planner(self.scale, self._budget), self._wished.wish
        ordered = sorted((hit for _, hits in texts for hit in hits), key=canonical)
        whole = planner.stretch(
            ordered, lambda blocks: summary_messages(wish, blocks=blocks), written_tokens=self._budget.reserve_tokens
        )
        if all(entry.status == "packed" for entry in whole.ledger.entries):
            spent = {"plan": time.monotonic() - started}
            messages = summary_messages(wish, blocks=whole.blocks)
            return self._written(messages, _Shown(whole.blocks, whole.ledger), stored, spent)
        title = self._wished.title
        parts, left_out = planner.parts([hits for _, hits in texts], lambda blocks: part_messages(title, blocks))
        if not parts:
            raise BudgetError("every passage is longer than a prompt", hint="serve the model with a larger window")
        shown = _Shown(
            [block for part in parts for block in part.context.blocks],
            ledger_of(parts, left_out),
            plan_of(parts, self._budget),
        )
        spent = {"plan": time.monotonic() - started}
        started = time.monotonic()
        prompts = [part_messages(title, part.context.blocks) for part in parts]
        notes = self._reader.notes("parts", [part.place for part in parts], prompts)
        spent["parts"] = time.monotonic() - started
        started = time.monotonic()
        kept = self._digests([name for name, _ in texts], parts, notes)
        spent["notes"] = time.monotonic() - started
        return self.of_notes(kept, shown, stored, spent)

    def of_notes(self, notes: Sequence[Note], shown: _Shown, stored: Stored, spent: dict[str, float]) -> Summary:
        """The summary from notes, which are put together until they fit one prompt."""
        started = time.monotonic()
        wish = self._wished.wish

        def fits(some: Sequence[Note]) -> bool:
            prompt = self.scale.prompt(summary_messages(wish, notes=some))
            return prompt + self._budget.reserve_tokens <= self._budget.prompt_tokens

        kept = self._reader.merged(notes, fits, self._merging(self._wished.title))
        spent["notes"] = spent.get("notes", 0.0) + time.monotonic() - started
        if self._stop.is_set():
            return self._summary("", shown, stored, spent, [STOPPED])
        if not kept:
            return self._summary("", shown, stored, spent, ["the model noted nothing in any part"])
        return self._written(summary_messages(wish, notes=kept), shown, stored, spent)

    def _merging(self, title: str) -> Callable[[Sequence[Note]], list[Message]]:
        return lambda notes: merge_messages(title, notes, self._budget.note_tokens)

    def _digests(self, names: Sequence[str], parts: Sequence[Part], notes: Sequence[Note | None]) -> list[Note]:
        """Of one text, its notes; of several, one for each: documents first, then across them."""
        if len(names) == 1:
            return [note for note in notes if note is not None]
        found: list[Note] = []
        paired = groupby(zip(parts, notes, strict=True), key=lambda pair: pair[0].text_index)
        for index, pairs in paired:
            mine = [note for _, note in pairs if note is not None]
            digest = self._reader.merged(mine, lambda some: len(some) <= 1, self._merging(names[index]))
            found += [replace(note, name=names[index]) for note in digest]
        return found

    def _written(self, messages: Sequence[Message], shown: _Shown, stored: Stored, spent: dict[str, float]) -> Summary:
        started = time.monotonic()
        self._wished.tell("summary", 0, 1)
        text = self._reader.write(messages, self._budget.reserve_tokens)
        spent["summary"] = time.monotonic() - started
        warnings: list[str] = []
        if self._stop.is_set():
            text, warnings = "", [STOPPED]
        elif self._reader.finish_reason == "length":
            warnings.append(_CUT)
        elif not text:
            warnings.append("the summary is empty")
        found = self._summary(text, shown, stored, spent, warnings)
        if not self._stop.is_set():
            self._wished.tell("summary", 1, 1)
        return found

    def _summary(self, text: str, shown: _Shown, stored: Stored, spent: dict[str, float], warnings: Sequence[str]) -> Summary:
        started = time.monotonic()
        wished = self._wished
        sentences, doubts = checked_sentences(text, shown.blocks, shown.ledger, stored, wished.language)
        spent["check"] = time.monotonic() - started
        return Summary(
            wished.title,
            sentences,
            wished.style,
            wished.length,
            wished.language,
            self._route,
            shown.plan,
            shown.ledger,
            total_usage(self._reader.usages),
            (*warnings, *doubts),
            spent,
        )
