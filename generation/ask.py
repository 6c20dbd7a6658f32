"""A question, with what was asked before -> evidence -> the answer: the one path that every surface uses.

    question --rewrite--> texts --search, rerank--> hits --expand--> evidence --Responder--> events, the last one the answer

Each step is a part of its own and known by itself; here is their order, and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from phidex.generation.answer import Answer, AnswerEvent, Role
from phidex.generation.chat import ChatModel, Message
from phidex.generation.conversation import Conversation
from phidex.generation.endpoints.state import Roles
from phidex.generation.respond import Responder
from phidex.generation.rewrite import Rewriter, Rewritten, languages_to_cover
from phidex.generation.routing.route import served_roles
from phidex.ingest.records import Chunk
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import Embedder
from phidex.retrieval.expand import expand
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.query.many import search_many
from phidex.retrieval.query.resolve import resolve_filters
from phidex.retrieval.query.understand import Query, understand
from phidex.retrieval.rerank import Reranker
from phidex.retrieval.search import SearchOptions, conditions_of, search, with_words
from phidex.settings import Settings

log = logging.getLogger(__name__)

_HISTORY_TURNS = 6  # that a follow-up may hang on


@dataclass(frozen=True, slots=True)
class Asker:
    """Answers questions over one collection.

    Args:
        embedder, reranker, chat: None where there is none; answers are then lexical, as found, extractive.
        roles: how those who can answer are.
    """

    settings: Settings
    collection: Collection
    embedder: Embedder | None = None
    reranker: Reranker | None = None
    chat: ChatModel | None = None
    roles: Roles | None = None

    def search(
        self,
        query: str | Query,
        limit: int,
        filters: Sequence[Filters] = (),
        on_warning: Callable[[str], None] | None = None,
    ) -> list[Hit]:
        """The passages that answer best, best first, at most `limit`; see `retrieval/search.py`."""
        settings = self.settings.search
        return search(
            self.collection,
            query,
            embedder=self.embedder,
            limit=limit,
            candidates=settings.candidates,
            filters=filters,
            reranker=self.reranker,
            options=SearchOptions(
                rerank_candidates=self.settings.rerank.candidates,
                collapse=settings.collapse,
                diversity=settings.diversity,
            ),
            on_warning=on_warning,
        )

    def events(
        self,
        question: str,
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generator[AnswerEvent, None, None]:
        """The route, the context, pieces of text, then the whole answer (see `Responder.events`).

        Raises:
            InputError, NotFoundError: the question is empty, or a filter names nothing.
            BudgetError: the question alone exceeds the budget.
            ConfigError, ServiceError: see `Responder.events`.
        """
        started = time.monotonic()
        asked = with_words(understand(question))  # its operators limit the search, and are no words of it from here on
        # Once for all wordings: a name or a path is looked for in the whole catalogue.
        limits = [resolve_filters(one, self.collection) for one in (asked.filters, filters) if one is not None]
        rewritten = self._rewrite(asked.text, conversation)
        timings = {"rewrite": time.monotonic() - started}
        started = time.monotonic()
        warnings = [*asked.warnings, *rewritten.warnings]
        hits = self._whole(limits) if self.settings.pack.mode == "whole" else self._evidence(rewritten, limits, warnings)
        timings["search"] = time.monotonic() - started
        responder = Responder(
            pack=self.settings.pack,
            settings=self.settings.chat,
            chat=self.chat,
            embedder=self.embedder,
            stored=self.collection.chunks,
            roles=self.roles,
        )
        # A model reads the conversation itself; the extractive answerer has only words to go by.
        read = asked.text if self.chat is not None and self.settings.pack.mode != "whole" else rewritten.search
        for event in responder.events(read, hits, conversation=conversation, role=role, timings=timings, cancelled=cancelled):
            if isinstance(event, Answer):
                searched = rewritten.search if rewritten.search != rewritten.asked else ""
                told = tuple(dict.fromkeys((*warnings, *event.warnings)))
                _log(event)
                yield replace(event, question=question, searched=searched, warnings=told)
            else:
                yield event

    def _rewrite(self, question: str, conversation: Conversation | None) -> Rewritten:
        settings, chat = self.settings, self.settings.chat
        rewriter = Rewriter(settings.search, self.chat, model=next(iter(served_roles(chat).values()), ""))
        turns = conversation.turns[-_HISTORY_TURNS:] if conversation is not None else []
        history: list[Message] = []
        for turn in turns:
            history += [Message("user", understand(turn.question).text), Message("assistant", turn.answer)]
        languages: Sequence[str] = ()
        if settings.search.translate and self.chat is not None:
            languages = languages_to_cover(question, self.collection.languages(), self.collection.meta.embedder)
        return rewriter.rewrite(question, history, languages=languages)

    def _evidence(self, rewritten: Rewritten, limits: Sequence[Filters], warnings: list[str]) -> list[Hit]:
        """The hits for a question and its other wordings, the best of them with what belongs to them."""
        settings, pack = self.settings.search, self.settings.pack
        limit = pack.long_hits if pack.mode == "long" else pack.hits

        def ask(text: str) -> list[Hit]:
            return self.search(text, limit, limits, warnings.append)

        hits = search_many(ask, rewritten.search, wordings=rewritten.wordings, parts=rewritten.parts, limit=limit)
        must, must_not = conditions_of(limits, self.collection)
        return expand(
            hits,
            self.collection,
            how=settings.expand,
            leading=settings.expand_hits,
            budget_tokens=settings.expand_tokens,
            must=must,
            must_not=must_not,
        )

    def _whole(self, limits: Sequence[Filters]) -> list[Hit]:
        """Every passage of the documents that the filters leave, in document order."""
        must, must_not = conditions_of(limits, self.collection)
        chunks = sorted(self.collection.chunks_where([must], must_not), key=_place)
        sources = self.collection.sources(sorted({chunk.source_id for chunk in chunks}))
        return [Hit(chunk, sources[chunk.source_id], 0.0, {}) for chunk in chunks if chunk.source_id in sources]


def _log(answer: Answer) -> None:
    """One line a question: who answered, what it read and wrote, and where the time went; nothing of what was asked or said."""
    usage, checked = answer.usage, [citation.verified for citation in answer.citations]
    tokens = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) if usage else (0, 0, 0)
    log.info(
        "answer role=%s model=%s found=%s citations=%d verified=%d prompt=%d completion=%d cached=%d %s",
        *(answer.route.role, answer.route.model or "-", answer.found, len(checked), sum(checked), *tokens),
        " ".join(f"{stage}_ms={1000 * seconds:.1f}" for stage, seconds in answer.timings.items()),
    )


def _place(chunk: Chunk) -> tuple[str, int]:
    return chunk.source_id, chunk.order
