"""Question and hits -> route, context, streamed text, and the checked answer: the one path that every surface uses.

    route --attempt--> answer --(its role cannot be asked)--> the next best role's
                              --(doubtful, of the smaller model)--> the larger one's
                              --(claims that its sources do not bear)--> its own correction

Each of these begins the answer anew, with a route of its own in the stream. What one attempt is stands in `attempt.py`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from phidex.errors import PhidexError, ServiceError
from phidex.generation.absence import is_absent
from phidex.generation.answer import Answer, AnswerEvent, Notice, Role, Route
from phidex.generation.attempt import Answerer, Given, Question
from phidex.generation.chat import ChatModel, Delta
from phidex.generation.chat_wire import total_usage
from phidex.generation.conversation import Conversation
from phidex.generation.endpoints.state import Roles, RoleState
from phidex.generation.repair import Repairer
from phidex.generation.routing.escalate import doubt_of
from phidex.generation.routing.fallback import asked_in_turn
from phidex.generation.routing.kind import kind_of
from phidex.generation.routing.route import Asked, agreement_of, choose_route, fallbacks, served_roles
from phidex.generation.vision.sight import Sight
from phidex.ingest.records import Chunk
from phidex.retrieval.embed import Embedder
from phidex.retrieval.hit import Hit
from phidex.retrieval.query.understand import understand
from phidex.settings import ChatSettings, PackSettings

log = logging.getLogger(__name__)

_SURE = 0.5  # of a question's language


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers from hits.

    Args:
        chat: the endpoint's client; None for extractive answers.
        embedder: of the collection, for the extractive answerer; None without a dense leg.
        stored: reads chunks back from the store by id, for the check of citations.
        roles: how those who can answer are; None where nothing is known of them.
        sight: what can be looked at; None where the question has nothing to do with pictures.
    """

    pack: PackSettings
    settings: ChatSettings
    chat: ChatModel | None
    embedder: Embedder | None
    stored: Callable[[Sequence[str]], list[Chunk]]
    roles: Roles | None = None
    sight: Sight | None = None

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
        """The route, the context, pieces of text, citations as their sentences become whole, warnings; then the whole answer.
        Closing the iterator stops the server's work.

        A further route in the stream begins the answer anew: another role answers, since the first one could not be asked or
        its answer is doubtful; or the same one corrects its answer. Where the endpoint cannot count and refuses the prompt as
        too long, a smaller context follows.

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
        told: set[str] = set()
        asked = Question(question, hits, conversation, cancelled, dict(timings or {}))
        for event in self._answered(asked, role):
            if isinstance(event, Notice) and event.text in told:
                continue
            if isinstance(event, Answer):
                yield from (Notice(text) for text in event.warnings if text not in told)
            told |= {event.text} if isinstance(event, Notice) else set()
            yield event

    def _answered(self, question: Question, role: Role | None) -> Generator[AnswerEvent, None, None]:
        answerer = self._answerer
        route = self._route(question.text, question.hits, question.conversation, role)
        others = fallbacks(self.settings, route) if role is None and route.role != "extractive" else []
        given, troubles = yield from asked_in_turn([route, *others], lambda one: answerer.attempt(question, one))
        yield from map(Notice, troubles)
        if not question.is_stopped:
            alone = role is None and question.conversation is None and not troubles
            if alone and (doubt := self._doubt(question, given.answer)):
                given = yield from self._again(question, given, doubt)
            if self.settings.repair:
                given = yield from Repairer(answerer).repaired(question, given)
        answer = given.recorded(question.conversation)
        yield replace(answer, timings=question.spent, warnings=(*troubles, *answer.warnings))

    @property
    def _answerer(self) -> Answerer:
        """Asks how sure a model was only where that can lead to something: where there is a larger one."""
        return Answerer(self.pack, self.settings, self.chat, self.embedder, self.stored, self.sight, self._can_escalate)

    @property
    def _can_escalate(self) -> bool:
        served = served_roles(self.settings)
        return self.settings.escalate and self.roles is not None and "mini" in served and "moe" in served

    def _doubt(self, question: Question, answer: Answer) -> str:
        """Why the larger model should answer too; empty where it should not, or cannot."""
        if self.roles is None or not self._can_escalate or answer.route.role != "mini" or answer.plan is not None:
            return ""
        model = self.embedder.identity.model if self.embedder else ""
        doubt = doubt_of(answer, evidence=not is_absent(question.text, question.hits, model))
        states = self.roles.states()
        if doubt and ("moe" not in states or states["moe"].is_well) and self.roles.may_escalate():
            return doubt
        self.roles.answered()
        return ""

    def _again(self, question: Question, first: Given, doubt: str) -> Generator[AnswerEvent, None, Given]:
        """The larger model's answer to the same question; the first one where it gives none."""
        small, large = first.answer.route.model, served_roles(self.settings)["moe"]
        told = f"{small} {doubt}, so {large} answered again"
        route = Route("moe", large, told, {**first.answer.route.signals, "escalated": True})
        try:
            second = yield from self._answerer.attempt(question, route)
            if not second.is_whole:
                raise ServiceError("its answer did not come to its end")
        except PhidexError as exc:  # whatever is wrong with the second model, there is a first answer
            yield first.answer.route
            if first.citer is not None:
                yield first.citer.context
            yield Delta(first.answer.text)
            yield from first.answer.citations
            log.warning("respond.not_escalated error=%s", exc.message)
            warnings = (*first.answer.warnings, f"{small} {doubt}; {large} could not be asked: {exc}")
            return replace(first, answer=replace(first.answer, warnings=warnings))
        usage = total_usage([one.usage for one in (first.answer, second.answer) if one.usage is not None])
        return replace(second, answer=replace(second.answer, usage=usage, warnings=(told, *second.answer.warnings)))

    def _route(
        self, question: str, hits: Sequence[Hit], conversation: Conversation | None, forced: Role | None = None
    ) -> Route:
        asked = understand(question)
        # The route needs the context's size and the count needs the route's model: hits give the size well enough.
        budget = self.pack.budget_tokens if self.pack.mode == "focused" else self.pack.long_tokens
        rough = min(sum(hit.chunk.token_count for hit in hits), budget)
        to_see = self.sight.wanted(hits) if self.sight is not None else ()
        several = len(served_roles(self.settings)) > 1 or bool(to_see)
        states: Mapping[Role, RoleState] = self.roles.states() if several and self.roles is not None else {}
        language = asked.language if asked.language_score >= _SURE else "und"
        attached = sum(one.kind == "attached" for one in to_see)
        kind = kind_of(asked)
        question_is = Asked(kind, language, rough, agreement_of(hits), attached, len(to_see) - attached)
        route = choose_route(self.settings, question_is, states, forced=forced)
        if forced is not None or route.role == "vision":
            return route
        roles: dict[str, Role] = {name: role for role, name in served_roles(self.settings).items()}
        if conversation and conversation.model and route.model != conversation.model and conversation.model in roles:
            reason = f"{conversation.model} has read the conversation so far, and goes on with it"
            return Route(roles[conversation.model], conversation.model, reason, route.signals)
        return route
