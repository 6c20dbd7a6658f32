"""One route's answer to a question: its prompt, its text as it comes, and what the text rests on, checked.

Where the endpoint cannot count and refuses the prompt as too long, a smaller context follows. Which route it is, and whether
there is another attempt after it, is for `respond.py` to say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from phidex.errors import BudgetError
from phidex.generation.absence import absent_text, is_absent
from phidex.generation.answer import Answer, AnswerEvent, Notice, Route
from phidex.generation.assemble import Assembler, Prompt
from phidex.generation.chat import ChatModel, Delta, Done, takes_extra
from phidex.generation.chat_faults import unanswered
from phidex.generation.chat_wire import Message, Usage, total_usage
from phidex.generation.cite import Citer
from phidex.generation.conversation import Conversation, Turn
from phidex.generation.extract import NOTICE, NOTICE_DOWN, extract_answer, rank_by_terms
from phidex.generation.notes import Note, NoteReader, Stop
from phidex.generation.prompt import ABSENT, notes_messages
from phidex.generation.recap import Compactor
from phidex.generation.routing.route import served_roles
from phidex.generation.vision.sight import Sight
from phidex.generation.weigh import Scale
from phidex.ingest.records import Chunk
from phidex.retrieval.embed import Embedder
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock
from phidex.settings import ChatSettings, PackSettings

log = logging.getLogger(__name__)

_SHRINKS = (1.0, 0.7, 0.5, 0.35)  # of the budget, one after another, where only the server's refusal tells that it was too much
_STOPPED = "the answer was stopped before its end"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered.

    Args:
        hits: best first; in mode `whole`, every passage of the documents.
        conversation: what was asked before.
        cancelled: set from another thread, ends the answer where it is.
        spent: seconds by stage, added to.
    """

    text: str
    hits: Sequence[Hit]
    conversation: Conversation | None = None
    cancelled: threading.Event | None = None
    spent: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def is_stopped(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.cancelled is not None and self.cancelled.is_set()

    def took(self, stage: str, started: float) -> None:
        """Adds the seconds since `started` (monotonic) to a stage."""
        self.spent[stage] = self.spent.get(stage, 0.0) + time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Given:
    """One route's answer, and what led to it.

    Args:
        sent: the messages that were answered; empty without a model.
        reply: as the model wrote it.
        is_whole: the model came to its own end.
        turn: what a conversation remembers of it; None where there is nothing to remember.
        brought: the blocks that came with the question.
        afresh: the prompt shared nothing with the turn before.
        citer: what its text is checked by.
    """

    answer: Answer
    sent: tuple[Message, ...] = ()
    reply: str = ""
    is_whole: bool = True
    turn: Turn | None = None
    brought: tuple[PackedBlock, ...] = ()
    afresh: bool = False
    citer: Citer | None = None

    def recorded(self, conversation: Conversation | None) -> Answer:
        """The answer, as a turn of the conversation."""
        if conversation is not None and self.turn is not None:
            route = self.answer.route
            # Quotations are no other model's reading: the one that has read so far can go on behind them.
            model = conversation.model if route.role == "extractive" else route.model
            model = "" if self.answer.plan is not None else model
            conversation.add(self.turn, self.brought, model=model, afresh=self.afresh)
        return self.answer


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers by one route at a time.

    Args:
        chat: the endpoint's client; None for extractive answers.
        embedder: of the collection, for the extractive answerer; None without a dense leg.
        stored: reads chunks back from the store by id, for the check of citations.
        sight: what can be looked at; None where the question has nothing to do with pictures.
        weighed: ask the server how sure the model was of each token, where it can tell.
    """

    pack: PackSettings
    settings: ChatSettings
    chat: ChatModel | None
    embedder: Embedder | None
    stored: Callable[[Sequence[str]], list[Chunk]]
    sight: Sight | None = None
    weighed: bool = False

    def attempt(self, question: Question, route: Route) -> Generator[AnswerEvent, None, Given]:
        """The route, the context, pieces of text with their citations; then the answer.

        Raises:
            BudgetError: the question alone exceeds the budget.
            ConfigError, ServiceError: see `ChatModel`.
        """
        started = time.monotonic()
        if route.role == "extractive" and self.pack.mode == "whole":
            question = replace(question, hits=rank_by_terms(question.text, question.hits))
        for shrink in _SHRINKS:
            prompt = self._prompt(question, route, shrink)
            route = replace(route, reason=f"{route.reason}; {prompt.note}") if prompt.note and shrink == 1 else route
            question.took("pack", started)
            if shrink == 1:
                yield route
            yield prompt.context
            yield from map(Notice, prompt.warnings)
            started = time.monotonic()
            try:
                if self.chat is None or route.role == "extractive":
                    given = self._extract(question, prompt.context, route)
                    yield Delta(given.answer.text)
                    yield from given.answer.citations
                else:
                    given = yield from self._generate(question, prompt, route)
            except BudgetError:
                if prompt.context.ledger.counted_by == "server" or shrink == _SHRINKS[-1]:
                    raise
                log.info("respond.too_long shrink=%g", shrink)
                continue
            question.took("answer", started)
            told = (*prompt.warnings, *given.answer.warnings)
            return replace(given, answer=replace(given.answer, plan=prompt.context.plan, warnings=told))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _prompt(self, question: Question, route: Route, shrink: float) -> Prompt:
        """Assembled so that prompt and reserve fit the budget by the count of the model that reads them."""
        pack, hits, conversation = self.pack, question.hits, question.conversation
        if shrink < 1:
            names = ("budget_tokens", "long_tokens", "conversation_tokens")
            smaller = {name: int(getattr(pack, name) * shrink) for name in names}
            pack = pack.model_copy(update=smaller)
        compactor = Compactor(self.chat if route.role != "extractive" else None, route.model, question.cancelled)
        scale = Scale(self.chat, route.model, pack.tokenizer)
        assembler = Assembler(pack, scale, self._window(route), compactor.compact)
        if route.role == "extractive":
            return assembler.single(question.text, hits, is_sent=False)
        if route.role == "vision" and self.sight is not None:
            prompt = self.sight.prompt(assembler, question.text, hits, model=route.model, conversation=conversation)
        elif pack.mode == "whole":
            first = 1 + max(conversation.blocks, default=0) if conversation else 1
            prompt = assembler.whole(question.text, hits, first=first)
        elif conversation is not None:
            prompt = assembler.turn(question.text, hits, conversation, model=route.model)
        else:
            prompt = assembler.single(question.text, hits)
        return replace(prompt, usages=(*prompt.usages, *compactor.usages))

    def _window(self, route: Route) -> int | None:
        """The served model's window, where the endpoint tells.

        Raises:
            BudgetError: the window has no room for the answer's reserve.
        """
        window = self.chat.window_tokens(route.model) if self.chat is not None and route.model else None
        if window is not None and window <= self.pack.reserve_tokens:
            hint = "lower PHIDEX_PACK__RESERVE_TOKENS, or serve the model with a larger window"
            raise BudgetError(f"{route.model} is served with a window of {window} tokens only", hint=hint)
        return window

    def _extract(self, question: Question, context: Context, route: Route) -> Given:
        """Quotations, or that the documents hold no answer."""
        notice = NOTICE_DOWN if served_roles(self.settings) else NOTICE
        model = self.embedder.identity.model if self.embedder else ""
        hits, conversation = question.hits, question.conversation
        if not context.blocks or is_absent(question.text, hits, model):
            said = absent_text(hits)
            answer = Answer(question.text, f"{said}\n\n{notice}", False, (), route, context.ledger)
            return Given(answer, turn=Turn(question.text, said, ABSENT, (), found=False))
        number = conversation.numbers() if conversation is not None else None
        quoted_text, citations, context = extract_answer(question.text, hits, context, self.embedder, number)
        quoted = [block for marker in {one.marker for one in citations} if (block := context.block(marker))]
        answer = Answer(question.text, f"{quoted_text}\n\n{notice}", True, citations, route, context.ledger)
        return Given(answer, turn=Turn(question.text, quoted_text, quoted_text, ()), brought=tuple(quoted))

    def _generate(self, question: Question, prompt: Prompt, route: Route) -> Generator[AnswerEvent, None, Given]:
        """The model's answer."""
        assert self.chat is not None
        context, usages, messages = prompt.context, list(prompt.usages), prompt.messages
        room = context.ledger.budget_tokens - context.ledger.prompt_tokens - context.ledger.context_tokens
        if context.plan is not None:
            messages = self._from_parts(question, prompt, route, usages)
            room = self.pack.reserve_tokens
            if question.is_stopped:
                answer = Answer(question.text, "", True, (), route, context.ledger, total_usage(usages), (_STOPPED,))
                return Given(answer, is_whole=False)
            if not messages:
                yield Delta(absent_text(()))
                return Given(Answer(question.text, absent_text(()), False, (), route, context.ledger, total_usage(usages)))
        limit = max(16, min(self.settings.max_answer_tokens, room))
        spoken, citer = _Spoken(), Citer(_citable(prompt, question.conversation), self.stored)
        done: Done | None = None
        with closing(self._stream(messages, route, limit, question.cancelled)) as stream:
            for event in stream:
                if isinstance(event, Done):
                    done = event
                elif text := spoken.say(event.text):
                    yield Delta(text)
                    yield from citer.settled(spoken.text)
        if not spoken.is_absent and (held := spoken.rest()):
            yield Delta(held)
        usages += [done.usage] if done is not None and done.usage is not None else []
        is_whole = done is not None and done.finish_reason == "stop"
        answer = self.answered(question, spoken.text, citer, route, is_whole=is_whole)
        warnings = (*_stream_warnings(done, context), *answer.warnings)
        confidence = done.confidence if done else None
        answer = replace(answer, ledger=context.ledger, usage=total_usage(usages), warnings=warnings, confidence=confidence)
        if not answer.found:
            yield Delta(answer.text)
        yield from citer.untold(answer.citations)
        return Given(
            answer,
            tuple(messages),
            spoken.text.strip(),
            is_whole,
            self._turn(answer, spoken.text.strip(), prompt),
            prompt.new,
            prompt.afresh,
            citer,
        )

    def _stream(
        self, messages: Sequence[Message], route: Route, limit: int, cancelled: threading.Event | None
    ) -> Generator[Delta | Done, None, None]:
        assert self.chat is not None
        chat, model = self.chat, route.model
        if self.weighed and takes_extra(chat):
            return chat.stream(messages, model=model, max_tokens=limit, cancelled=cancelled, extra={"logprobs": True})
        return chat.stream(messages, model=model, max_tokens=limit, cancelled=cancelled)

    def _from_parts(self, question: Question, prompt: Prompt, route: Route, usages: list[Usage]) -> list[Message]:
        """The prompt that asks for the answer from notes of all parts; none where no part says anything."""
        plan = prompt.context.plan
        assert plan is not None
        assert self.chat is not None
        scale = Scale(self.chat, route.model, self.pack.tokenizer)
        reader = NoteReader(
            self.chat,
            route.model,
            scale.prompt,
            prompt_tokens=plan.budget_tokens,
            note_tokens=plan.note_tokens,
            empty=ABSENT,
            stop=Stop(question.cancelled),
        )

        def asked(notes: Sequence[Note], *, is_last: bool) -> list[Message]:
            return notes_messages(question.text, [note.text for note in notes], is_last=is_last)

        def fits(notes: Sequence[Note]) -> bool:
            return scale.prompt(asked(notes, is_last=True)) + self.pack.reserve_tokens <= plan.budget_tokens

        with unanswered():
            found = reader.notes("parts", [part.place for part in plan.parts], prompt.parts)
            notes = [note for note in found if note is not None]
            if notes:
                notes = reader.merged(notes, fits, lambda some: asked(some, is_last=False))
        usages += reader.usages
        return asked(notes, is_last=True) if notes else []

    def answered(self, question: Question, written: str, citer: Citer, route: Route, *, is_whole: bool) -> Answer:
        """What a model wrote, with its citations checked.

        Args:
            is_whole: the model came to its own end.
        """
        text, ledger = written.strip(), citer.context.ledger
        if text.startswith(ABSENT) or (not text and is_whole):
            return Answer(question.text, absent_text(()), False, (), route, ledger)
        if not text:
            return Answer(question.text, "", True, (), route, ledger, warnings=("the answer is empty",))
        checked = citer.check(text)
        told = checked.warnings
        if not checked.citations:
            told = (*told, "the answer cites nothing: check it against the sources")
        return Answer(question.text, text, True, checked.citations, route, ledger, warnings=told, claims=checked.claims)

    def _turn(self, answer: Answer, reply: str, prompt: Prompt) -> Turn | None:
        """What a conversation remembers."""
        if not answer.text:
            return None
        # What was read in parts is in no prompt that a later turn could go on from.
        markers = () if prompt.context.plan else tuple(block.marker for block in prompt.new)
        said = reply if answer.found else ABSENT
        return Turn(answer.question, answer.text, said, markers, answer.found, prompt.recap)


def _citable(prompt: Prompt, conversation: Conversation | None) -> Context:
    """The context with all that an answer may cite: in a conversation, what earlier ones did too."""
    if conversation is None:
        return prompt.context
    blocks = {**conversation.blocks, **{block.marker: block for block in (*prompt.context.blocks, *prompt.new)}}
    return replace(prompt.context, blocks=tuple(blocks.values()))


class _Spoken:
    """A model's text as it comes, held back while it may still be the word for absence."""

    def __init__(self) -> None:
        self.text = ""
        self._said = 0

    @property
    def is_absent(self) -> bool:
        """Whether it says that the documents hold no answer."""
        return self.text.lstrip().startswith(ABSENT)

    def say(self, piece: str) -> str:
        """What can be shown once `piece` has come; empty while it is held back."""
        self.text += piece
        start = self.text.lstrip()
        return "" if ABSENT.startswith(start) or start.startswith(ABSENT) else self.rest()

    def rest(self) -> str:
        """What has not been shown yet."""
        said, self._said = self._said, len(self.text)
        return self.text[said:]


def _stream_warnings(done: Done | None, context: Context) -> tuple[str, ...]:
    found: list[str] = []
    if done is None:
        found.append(_STOPPED)
    elif done.finish_reason == "length":
        found.append("the answer was cut at its token limit: raise PHIDEX_CHAT__MAX_ANSWER_TOKENS")
    usage = done.usage if done else None
    sent = context.ledger.prompt_tokens + context.ledger.context_tokens
    if usage and context.plan is None and context.ledger.counted_by == "server" and usage.prompt_tokens < 0.8 * sent:
        found.append(f"the server read {usage.prompt_tokens} of about {sent} tokens: it seems to have cut the context")
    return tuple(found)
