"""One repair of an answer: the model that wrote it gets it back with the statements that its sources do not bear, once.

The request only appends to what was sent, so that a server with a prefix cache reads the sources from there. The better of the
two answers is kept: the one with fewer faults, where it says no less that is borne out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from phidex.errors import PhidexError
from phidex.generation.answer import Answer, AnswerEvent, Claim, Notice
from phidex.generation.attempt import Answerer, Given, Question
from phidex.generation.chat import Delta, Done
from phidex.generation.chat_wire import Message, Usage, total_usage
from phidex.generation.control import fenced, neutral_messages
from phidex.generation.prompt import ABSENT
from phidex.generation.weigh import Scale

log = logging.getLogger(__name__)

_MOST_CLAIMS = 12  # that are named in one request
_LEAST_ROOM = 64  # tokens that an answer needs

REPAIR = f"""\
These statements of your answer are not borne out by the sources that they name, or name none:

{{claims}}

Write the whole answer again. Keep what the sources say, with the source's number in square brackets behind every statement.
Correct each of these statements by the sources, put the right number behind it, or leave it out. Add nothing else, and say
nothing about the correction. If nothing remains that the sources say, reply with {ABSENT} and nothing else."""


def faults_of(answer: Answer) -> list[Claim]:
    """The claims that a model could correct: unsupported where that can be told, or without a source."""
    return [claim for claim in answer.claims if claim.status != "verified" and claim.is_comparable]


def repair_messages(sent: Sequence[Message], reply: str, faults: Sequence[Claim]) -> list[Message]:
    """What was sent, byte for byte, then the reply and what is wrong with it."""
    lines = [f"- {fenced(claim.text)} ({claim.reason or 'names no source'})" for claim in faults[:_MOST_CLAIMS]]
    asked = REPAIR.format(claims="\n".join(lines))
    return [*sent, *neutral_messages([Message("assistant", reply), Message("user", asked)])]


@dataclass(frozen=True, slots=True)
class Repairer:
    """Has answers corrected by the model that wrote them."""

    answerer: Answerer

    def repaired(self, question: Question, given: Given) -> Generator[AnswerEvent, None, Given]:
        """The better of the answer and its correction, which begins the answer anew in the stream where it is kept."""
        first = given.answer
        faults = faults_of(first)
        able = given.is_whole and first.found and first.route.role in ("mini", "moe") and not question.is_stopped
        if not faults or not able or given.citer is None:
            return given
        started = time.monotonic()
        try:
            reply, done = self._ask(question, given, faults)
        except PhidexError as exc:  # whatever is wrong now, there is an answer
            log.warning("repair.failed error=%s", exc.message)
            return given
        question.took("repair", started)
        usages = [one for one in (first.usage, done.usage if done else None) if one is not None]
        if done is None or done.finish_reason != "stop":
            return _kept(given, usages)
        second = self.answerer.answered(question, reply, given.citer, first.route, is_whole=True)
        if not _is_better(second, first):
            log.info("repair.not_better faults=%d", len(faults))
            return _kept(given, usages)
        count = f"{len(faults)} statements that" if len(faults) > 1 else "a statement that"
        told = f"{first.route.model} corrected its answer: it had {count} the sources it names do not bear out"
        route = replace(first.route, reason=told, signals={**first.route.signals, "repaired": True})
        kept = tuple(text for text in first.warnings if text in _of_the_prompt(first))
        answer = replace(
            second,
            route=route,
            usage=total_usage(usages),
            warnings=(*kept, told, *second.warnings),
            confidence=done.confidence,
            plan=first.plan,
        )
        log.info("repair.kept faults=%d left=%d", len(faults), len(faults_of(answer)))
        yield route
        yield Notice(told)
        yield Delta(answer.text)
        yield from answer.citations
        turn = given.turn and replace(given.turn, answer=answer.text, reply=reply.strip())
        return replace(given, answer=answer, reply=reply.strip(), turn=turn)

    def _ask(self, question: Question, given: Given, faults: Sequence[Claim]) -> tuple[str, Done | None]:
        """The correction, held back until it is whole: the answer that is shown is not taken away for a worse one."""
        chat, model = self.answerer.chat, given.answer.route.model
        assert chat is not None
        messages = repair_messages(given.sent, given.reply, faults)
        room = self._room(messages, given)
        if room < _LEAST_ROOM:
            return "", None
        pieces: list[str] = []
        with closing(chat.stream(messages, model=model, max_tokens=room, cancelled=question.cancelled)) as stream:
            for event in stream:
                if isinstance(event, Done):
                    return "".join(pieces), event
                pieces.append(event.text)
        return "".join(pieces), None

    def _room(self, messages: Sequence[Message], given: Given) -> int:
        """Tokens that the correction may take: within the served window; within the budget, where that is not known."""
        chat, model, answer = self.answerer.chat, given.answer.route.model, given.answer
        window = chat.window_tokens(model) if chat is not None else None
        most = window or (answer.plan.budget_tokens if answer.plan is not None else answer.ledger.budget_tokens)
        taken = Scale(chat, model, self.answerer.pack.tokenizer).prompt(messages)
        return min(self.answerer.settings.max_answer_tokens, most - taken)


def _is_better(second: Answer, first: Answer) -> bool:
    """Whether the correction has fewer faults and says no less that is borne out."""
    borne = [sum(claim.status == "verified" for claim in one.claims) for one in (second, first)]
    return second.found and len(faults_of(second)) < len(faults_of(first)) and borne[0] >= max(1, borne[1])


def _kept(given: Given, usages: Sequence[Usage]) -> Given:
    """The first answer, with what the second one cost."""
    return replace(given, answer=replace(given.answer, usage=total_usage(usages)))


def _of_the_prompt(answer: Answer) -> set[str]:
    """The warnings that are not about what was written."""
    marks = (" does not clearly support: ", " names no source", "no source is named for: ", "the answer cites nothing")
    return {text for text in answer.warnings if not any(mark in text for mark in marks)}
