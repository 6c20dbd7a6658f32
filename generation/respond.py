"""Question and hits -> route, context, streamed text, and the checked answer: the one path that every surface uses."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache

from phidex.errors import BudgetError
from phidex.generation.absence import absent_text, is_absent
from phidex.generation.answer import Answer, AnswerEvent, Route
from phidex.generation.chat import ChatModel, Delta, Done, Message
from phidex.generation.chat_wire import Usage
from phidex.generation.cite import cite
from phidex.generation.control import break_control_tokens
from phidex.generation.extract import NOTICE, extract_answer
from phidex.generation.prompt import ABSENT, answer_messages
from phidex.generation.route import choose_route
from phidex.ingest.language import detect_language
from phidex.ingest.records import Chunk
from phidex.retrieval.count import CountTokens, estimate_tokens, load_counter
from phidex.retrieval.embed import Embedder
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, pack_context
from phidex.settings import ChatSettings, PackSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers from hits.

    Args:
        chat: the endpoint's client; None for extractive answers.
        embedder: of the collection, for the extractive answerer; None without a dense leg.
        stored: reads chunks back from the store by id, for the check of citations.
    """

    pack: PackSettings
    settings: ChatSettings
    chat: ChatModel | None
    embedder: Embedder | None
    stored: Callable[[Sequence[str]], list[Chunk]]

    def events(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        timings: Mapping[str, float] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """The route, the context, pieces of text, then the whole answer. Closing the iterator stops the server's work.

        Raises:
            BudgetError: the question alone exceeds the budget.
            ServiceError: the endpoint is down, overloaded or broke off (see `errors.py`).
        """
        spent = dict(timings or {})
        started = time.monotonic()
        language, _ = detect_language(question)
        # The route needs the context's size and the count needs the route's model: hits give the size well enough.
        rough = min(sum(hit.chunk.token_count for hit in hits), self.pack.budget_tokens)
        route = choose_route(self.settings, language=language, context_tokens=rough)
        context = self._context(question, hits, route)
        spent["pack"] = time.monotonic() - started
        yield route
        yield context
        started = time.monotonic()
        if self.chat is None or route.role == "extractive":
            answer = self._extract(question, hits, context, route)
            yield Delta(answer.text)
        else:
            answer = yield from self._generate(question, context, route, cancelled)
        spent["answer"] = time.monotonic() - started
        yield replace(answer, timings=spent)

    def _context(self, question: str, hits: Sequence[Hit], route: Route) -> Context:
        """Packed so that prompt and reserve fit the budget by the count of the model that reads them."""
        count, counted_by = self._counter(route)
        messages = answer_messages(question, ())
        prompt_tokens = self._count_messages(messages, route, count)
        limit = budget = self._budget(route)
        while True:
            context = pack_context(
                hits,
                budget_tokens=budget,
                reserve_tokens=self.pack.reserve_tokens,
                prompt_tokens=prompt_tokens,
                count=count,
                counted_by=counted_by,
            )
            if route.role == "extractive":
                return context
            whole = self._count_messages(answer_messages(question, context.blocks), route, count)
            excess = whole + self.pack.reserve_tokens - limit
            if excess <= 0 or not context.blocks:
                tokens = max(0, whole - prompt_tokens)  # of the whole, seams and fences included
                return replace(context, ledger=replace(context.ledger, budget_tokens=limit, context_tokens=tokens))
            budget -= max(excess, context.ledger.free_tokens + 1)  # so that at least one block falls out: this ends

    def _budget(self, route: Route) -> int:
        """The setting, or the served model's window where that is smaller.

        Raises:
            BudgetError: the window has no room for the answer's reserve.
        """
        window = self.chat.window_tokens(route.model) if self.chat is not None and route.model else None
        if window is not None and window <= self.pack.reserve_tokens:
            hint = "lower PHIDEX_PACK__RESERVE_TOKENS, or serve the model with a larger window"
            raise BudgetError(f"{route.model} is served with a window of {window} tokens only", hint=hint)
        return min(self.pack.budget_tokens, window or self.pack.budget_tokens)

    def _counter(self, route: Route) -> tuple[CountTokens, str]:
        """The served model's own count where the server gives it, a tokenizer file, or the safe estimate."""
        chat = self.chat
        if chat is not None and route.model and chat.count_tokens("a", model=route.model) is not None:

            @lru_cache(maxsize=4096)
            def exact(text: str) -> int:
                counted = chat.count_tokens(break_control_tokens(text), model=route.model)
                return estimate_tokens(text) if counted is None else counted

            return exact, "server"
        return load_counter(self.pack.tokenizer), "tokenizer" if self.pack.tokenizer else "estimate"

    def _count_messages(self, messages: list[Message], route: Route, count: CountTokens) -> int:
        exact = self.chat.count_tokens(messages, model=route.model) if self.chat is not None and route.model else None
        return exact if exact is not None else sum(count(message.content) + 8 for message in messages)

    def _extract(self, question: str, hits: Sequence[Hit], context: Context, route: Route) -> Answer:
        model = self.embedder.identity.model if self.embedder else ""
        if not context.blocks or is_absent(question, hits, model):
            text = f"{absent_text(hits)}\n\n{NOTICE}"
            return Answer(question, text, False, (), route, context.ledger)
        text, citations, context = extract_answer(question, hits, context, self.embedder)
        return Answer(question, text, True, citations, route, context.ledger)

    def _generate(
        self, question: str, context: Context, route: Route, cancelled: threading.Event | None
    ) -> Generator[AnswerEvent, None, Answer]:
        assert self.chat is not None
        spoken = _Spoken()
        done: Done | None = None
        room = context.ledger.budget_tokens - context.ledger.prompt_tokens - context.ledger.context_tokens
        limit = max(16, min(self.settings.max_answer_tokens, room))
        messages = answer_messages(question, context.blocks)
        with closing(self.chat.stream(messages, model=route.model, max_tokens=limit, cancelled=cancelled)) as stream:
            for event in stream:
                if isinstance(event, Done):
                    done = event
                elif text := spoken.say(event.text):
                    yield Delta(text)
        text = spoken.text.strip()
        warnings = _stream_warnings(done, context)
        if text.startswith(ABSENT) or (not text and done is not None and done.finish_reason == "stop"):
            yield Delta(absent_text(()))
            return Answer(question, absent_text(()), False, (), route, context.ledger, _usage(done), warnings)
        if held := spoken.rest():
            yield Delta(held)
        if not text:
            return Answer(question, "", False, (), route, context.ledger, _usage(done), (*warnings, "the answer is empty"))
        stored = {chunk.id: chunk for chunk in self.stored([c.id for block in context.blocks for c in block.chunks])}
        citations, doubts = cite(text, context, stored)
        if not citations:
            doubts = (*doubts, "the answer cites nothing: check it against the sources")
        return Answer(question, text, True, citations, route, context.ledger, _usage(done), (*warnings, *doubts))


class _Spoken:
    """A model's text as it comes, held back while it may still be the word for absence."""

    def __init__(self) -> None:
        self.text = ""
        self._said = 0

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
    usage = _usage(done)
    sent = context.ledger.prompt_tokens + context.ledger.context_tokens
    if usage and context.ledger.counted_by == "server" and usage.prompt_tokens < 0.8 * sent:
        found.append(f"the server read {usage.prompt_tokens} of about {sent} tokens: it seems to have cut the context")
    return tuple(found)


def _usage(done: Done | None) -> Usage | None:
    return done.usage if done else None
