"""Question and hits -> route, context, streamed text, and the checked answer: the one path that every surface uses."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from phidex.errors import BudgetError, IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.absence import absent_text, is_absent
from phidex.generation.answer import Answer, AnswerEvent, Role, Route
from phidex.generation.assemble import Assembler, Prompt
from phidex.generation.chat import ChatModel, Delta, Done
from phidex.generation.chat_wire import Usage, total_usage
from phidex.generation.cite import cite
from phidex.generation.conversation import Conversation, Turn
from phidex.generation.endpoints.state import Roles, RoleState
from phidex.generation.extract import NOTICE, NOTICE_DOWN, extract_answer, rank_by_terms
from phidex.generation.mapreduce import PartReader
from phidex.generation.prompt import ABSENT
from phidex.generation.routing.escalate import doubt_of
from phidex.generation.routing.kind import kind_of
from phidex.generation.routing.route import Asked, agreement_of, choose_route, fallbacks, served_roles
from phidex.generation.weigh import Scale
from phidex.ingest.records import Chunk
from phidex.retrieval.embed import Embedder
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context
from phidex.retrieval.query.understand import understand
from phidex.settings import ChatSettings, PackSettings

log = logging.getLogger(__name__)

_SURE = 0.5  # of a question's language
_SHRINKS = (1.0, 0.7, 0.5, 0.35)  # of the budget, one after another, where only the server's refusal tells that it was too much


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers from hits.

    Args:
        chat: the endpoint's client; None for extractive answers.
        embedder: of the collection, for the extractive answerer; None without a dense leg.
        stored: reads chunks back from the store by id, for the check of citations.
        roles: how those who can answer are; None where nothing is known of them.
    """

    pack: PackSettings
    settings: ChatSettings
    chat: ChatModel | None
    embedder: Embedder | None
    stored: Callable[[Sequence[str]], list[Chunk]]
    roles: Roles | None = None

    def events(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        conversation: Conversation | None = None,
        role: Role | None = None,
        timings: Mapping[str, float] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generator[AnswerEvent, None, None]:
        """The route, the context, pieces of text, then the whole answer. Closing the iterator stops the server's work.

        A second route in the stream begins the answer anew: another role answers, since the first one could not be asked or its
        answer is doubtful. Where the endpoint cannot count and refuses the prompt as too long, a smaller context follows.

        Args:
            hits: best first; in mode `whole`, every passage of the documents.
            conversation: what was asked before; a turn is added to it once the answer is whole.
            role: who is to answer, and nobody else.

        Raises:
            BudgetError: the question alone exceeds the budget.
            ConfigError: the role that is asked for is not configured; the endpoint's address, key or model name is wrong.
            IncompleteAnswerError: the answer began and broke off.
            ServiceError: the role that is asked for cannot be asked.
        """
        spent = dict(timings or {})
        route = self._route(question, hits, conversation, role)
        left = fallbacks(self.settings, route) if role is None and route.role != "extractive" else []
        troubles: list[str] = []
        while True:
            try:
                answer = yield from self._attempt(question, hits, route, conversation, spent, cancelled)
                break
            except IncompleteAnswerError:
                raise
            except ServiceError as exc:
                if not left:
                    raise
                log.warning("respond.fallback from=%s to=%s error=%s", route.role, left[0].role, exc.message)
                troubles.append(f"{route.model} could not be asked: {exc}")
                route = replace(left[0], reason=f"{route.model} could not be asked; {left.pop(0).reason}")
        stopped = cancelled is not None and cancelled.is_set()
        asked_one = role is None and conversation is None and not troubles and not stopped
        if asked_one and (doubt := self._doubt(question, hits, answer)):
            second = yield from self._again(question, hits, answer, doubt, spent, cancelled)
            answer = second or answer
        yield replace(answer, timings=spent, warnings=(*troubles, *answer.warnings))

    def _attempt(
        self,
        question: str,
        hits: Sequence[Hit],
        route: Route,
        conversation: Conversation | None,
        spent: dict[str, float],
        cancelled: threading.Event | None,
    ) -> Generator[AnswerEvent, None, Answer]:
        """One route's answer; the seconds that it took are added to `spent`."""
        started = time.monotonic()
        if route.role == "extractive" and self.pack.mode == "whole":
            hits = rank_by_terms(question, hits)
        answer, prompt = None, None
        for shrink in _SHRINKS:
            prompt = self._prompt(question, hits, route, conversation, shrink)
            spent["pack"] = spent.get("pack", 0.0) + time.monotonic() - started
            if shrink == 1:
                yield route
            yield prompt.context
            started = time.monotonic()
            try:
                if self.chat is None or route.role == "extractive":
                    answer = self._extract(question, hits, prompt.context, route, conversation)
                    yield Delta(answer.text)
                else:
                    answer = yield from self._generate(question, prompt, route, conversation, cancelled)
                break
            except BudgetError:
                if prompt.context.ledger.counted_by == "server" or shrink == _SHRINKS[-1]:
                    raise
                log.info("respond.too_long shrink=%g", shrink)
        assert answer is not None  # the last attempt answered or raised
        assert prompt is not None
        spent["answer"] = spent.get("answer", 0.0) + time.monotonic() - started
        return replace(answer, plan=prompt.context.plan)

    def _doubt(self, question: str, hits: Sequence[Hit], answer: Answer) -> str:
        """Why the larger model should answer too; empty where it should not, or cannot."""
        able = answer.route.role == "mini" and "moe" in served_roles(self.settings) and self.settings.escalate
        if not able or self.roles is None or answer.plan is not None:
            return ""
        model = self.embedder.identity.model if self.embedder else ""
        doubt = doubt_of(answer, evidence=not is_absent(question, hits, model))
        states = self.roles.states()
        if doubt and ("moe" not in states or states["moe"].is_well) and self.roles.may_escalate():
            return doubt
        self.roles.answered()
        return ""

    def _again(
        self,
        question: str,
        hits: Sequence[Hit],
        first: Answer,
        doubt: str,
        spent: dict[str, float],
        cancelled: threading.Event | None,
    ) -> Generator[AnswerEvent, None, Answer | None]:
        """The larger model's answer to the same question; None where it gives none."""
        small, large = first.route.model, served_roles(self.settings)["moe"]
        told = f"{small} {doubt}, so {large} answered again"
        route = Route("moe", large, told, {**first.route.signals, "escalated": True})
        try:
            answer = yield from self._attempt(question, hits, route, None, spent, cancelled)
        except PhidexError as exc:  # whatever is wrong with the second model, there is a first answer
            yield first.route
            yield Delta(first.text)
            log.warning("respond.not_escalated error=%s", exc.message)
            return replace(first, warnings=(*first.warnings, f"{small} {doubt}; {large} could not be asked: {exc}"))
        usage = total_usage([one.usage for one in (first, answer) if one.usage is not None])
        return replace(answer, usage=usage, warnings=(told, *answer.warnings))

    def _route(
        self, question: str, hits: Sequence[Hit], conversation: Conversation | None, forced: Role | None = None
    ) -> Route:
        asked = understand(question)
        # The route needs the context's size and the count needs the route's model: hits give the size well enough.
        budget = self.pack.budget_tokens if self.pack.mode == "focused" else self.pack.long_tokens
        rough = min(sum(hit.chunk.token_count for hit in hits), budget)
        several = len(served_roles(self.settings)) > 1
        states: Mapping[Role, RoleState] = self.roles.states() if several and self.roles is not None else {}
        language = asked.language if asked.language_score >= _SURE else "und"
        question_is = Asked(kind_of(asked), language, rough, agreement_of(hits))
        route = choose_route(self.settings, question_is, states, forced=forced)
        if forced is not None:
            return route
        roles: dict[str, Role] = {name: role for role, name in served_roles(self.settings).items()}
        if conversation and conversation.model and route.model != conversation.model and conversation.model in roles:
            reason = f"{conversation.model} has read the conversation so far, and goes on with it"
            return Route(roles[conversation.model], conversation.model, reason, route.signals)
        return route

    def _prompt(
        self, question: str, hits: Sequence[Hit], route: Route, conversation: Conversation | None, shrink: float
    ) -> Prompt:
        """Assembled so that prompt and reserve fit the budget by the count of the model that reads them."""
        pack = self.pack
        if shrink < 1:
            names = ("budget_tokens", "long_tokens", "conversation_tokens")
            smaller = {name: int(getattr(pack, name) * shrink) for name in names}
            pack = pack.model_copy(update=smaller)
        assembler = Assembler(pack, Scale(self.chat, route.model, pack.tokenizer), self._window(route))
        if route.role == "extractive":
            return assembler.single(question, hits, is_sent=False)
        if pack.mode == "whole":
            return assembler.whole(question, hits, first=1 + max(conversation.blocks, default=0) if conversation else 1)
        if conversation is not None:
            return assembler.turn(question, hits, conversation, model=route.model)
        return assembler.single(question, hits)

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

    @property
    def _notice(self) -> str:
        return NOTICE_DOWN if served_roles(self.settings) else NOTICE

    def _extract(
        self, question: str, hits: Sequence[Hit], context: Context, route: Route, conversation: Conversation | None
    ) -> Answer:
        model = self.embedder.identity.model if self.embedder else ""
        if not context.blocks or is_absent(question, hits, model):
            text = f"{absent_text(hits)}\n\n{self._notice}"
            if conversation is not None:
                conversation.add(Turn(question, absent_text(hits), ABSENT, (), found=False), ())
            return Answer(question, text, False, (), route, context.ledger)
        number = conversation.numbers() if conversation is not None else None
        quoted_text, citations, context = extract_answer(question, hits, context, self.embedder, number)
        text = f"{quoted_text}\n\n{self._notice}"
        if conversation is not None:
            quoted = [block for marker in {one.marker for one in citations} if (block := context.block(marker))]
            conversation.add(Turn(question, quoted_text, quoted_text, ()), quoted)
        return Answer(question, text, True, citations, route, context.ledger)

    def _generate(
        self,
        question: str,
        prompt: Prompt,
        route: Route,
        conversation: Conversation | None,
        cancelled: threading.Event | None,
    ) -> Generator[AnswerEvent, None, Answer]:
        assert self.chat is not None
        messages, context, usages = prompt.messages, prompt.context, list[Usage]()
        room = context.ledger.budget_tokens - context.ledger.prompt_tokens - context.ledger.context_tokens
        if prompt.context.plan is not None:
            scale = Scale(self.chat, route.model, self.pack.tokenizer)
            plan = prompt.context.plan
            reader = PartReader(self.chat, route.model, scale.prompt, plan.budget_tokens, plan.note_tokens, cancelled, usages)
            notes = reader.read(prompt.parts)
            if cancelled is not None and cancelled.is_set():
                stopped = ("the answer was stopped before its end",)
                return Answer(question, "", True, (), route, context.ledger, total_usage(usages), stopped)
            if not notes:
                yield Delta(absent_text(()))
                return Answer(question, absent_text(()), False, (), route, context.ledger, total_usage(usages))
            messages = reader.reduce(question, notes, self.pack.reserve_tokens)
            room = self.pack.reserve_tokens
        spoken = _Spoken()
        done: Done | None = None
        limit = max(16, min(self.settings.max_answer_tokens, room))
        with closing(self.chat.stream(messages, model=route.model, max_tokens=limit, cancelled=cancelled)) as stream:
            for event in stream:
                if isinstance(event, Done):
                    done = event
                elif text := spoken.say(event.text):
                    yield Delta(text)
        if not spoken.is_absent and (held := spoken.rest()):
            yield Delta(held)
        answer = self._checked(question, spoken, done, prompt, route, conversation)
        if not answer.found:
            yield Delta(answer.text)
        usages += [done.usage] if done is not None and done.usage is not None else []
        return replace(answer, usage=total_usage(usages))

    def _checked(
        self,
        question: str,
        spoken: _Spoken,
        done: Done | None,
        prompt: Prompt,
        route: Route,
        conversation: Conversation | None,
    ) -> Answer:
        """The answer with its citations checked, and recorded in the conversation."""
        text, context = spoken.text.strip(), prompt.context
        warnings = _stream_warnings(done, context)
        absent = spoken.is_absent or (not text and done is not None and done.finish_reason == "stop")
        if conversation is not None and (text or absent):
            shown = absent_text(()) if absent else text
            # What was read in parts is in no prompt that a later turn could go on from.
            markers = () if context.plan else tuple(block.marker for block in prompt.new)
            turn = Turn(question, shown, ABSENT if absent else text, markers, not absent, prompt.recap)
            conversation.add(turn, prompt.new, model="" if context.plan else route.model, afresh=prompt.afresh)
        if absent:
            return Answer(question, absent_text(()), False, (), route, context.ledger, None, warnings)
        if not text:
            return Answer(question, "", True, (), route, context.ledger, None, (*warnings, "the answer is empty"))
        if conversation is not None:  # an answer may cite what an earlier one did
            context = replace(context, blocks=tuple(conversation.blocks.values()))
        named = {int(number) for number in re.findall(r"\d{1,6}", text)}
        ids = [chunk.id for block in context.blocks if block.marker in named for chunk in block.chunks]
        stored = {chunk.id: chunk for chunk in self.stored(ids)} if ids else {}
        citations, doubts = cite(text, context, stored)
        if not citations:
            doubts = (*doubts, "the answer cites nothing: check it against the sources")
        return Answer(question, text, True, citations, route, context.ledger, None, (*warnings, *doubts))


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
        found.append("the answer was stopped before its end")
    elif done.finish_reason == "length":
        found.append("the answer was cut at its token limit: raise PHIDEX_CHAT__MAX_ANSWER_TOKENS")
    usage = done.usage if done else None
    sent = context.ledger.prompt_tokens + context.ledger.context_tokens
    if usage and context.plan is None and context.ledger.counted_by == "server" and usage.prompt_tokens < 0.8 * sent:
        found.append(f"the server read {usage.prompt_tokens} of about {sent} tokens: it seems to have cut the context")
    return tuple(found)
