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
from typing import TYPE_CHECKING

from phidex.generation.answer import Answer, AnswerEvent, Citation, Notice, Role, Route
from phidex.generation.chat import ChatModel, Message
from phidex.generation.conversation import Conversation
from phidex.generation.endpoints.state import Roles
from phidex.generation.passages import all_passages, best_passages
from phidex.generation.respond import Responder
from phidex.generation.rewrite import Rewriter, Rewritten, languages_to_cover
from phidex.generation.routing.kind import kind_of
from phidex.generation.routing.route import served_roles
from phidex.generation.vision.seen import answer_from_pictures, citation_of_picture, unseen_warning
from phidex.generation.vision.sight import Sight
from phidex.generation.vision.wanted import Files
from phidex.ingest.records import Chunk
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import Embedder
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context
from phidex.retrieval.query.resolve import resolve_filters
from phidex.retrieval.query.understand import Query, understand
from phidex.retrieval.rerank import Reranker
from phidex.retrieval.search import SearchOptions, search, with_words
from phidex.retrieval.store import Condition, Match, Range
from phidex.settings import Settings

if TYPE_CHECKING:
    from phidex.generation.vision.attached import Attachment

log = logging.getLogger(__name__)

_HISTORY_TURNS = 6  # that a follow-up may hang on


@dataclass(frozen=True, slots=True)
class Asker:
    """Answers questions over one collection.

    Args:
        embedder, reranker, chat: None where there is none; answers are then lexical, as found, extractive.
        roles: how those who can answer are.
        files: pictures out of documents, and originals that lie nowhere else; without them, none can be looked at.
    """

    settings: Settings
    collection: Collection
    embedder: Embedder | None = None
    reranker: Reranker | None = None
    chat: ChatModel | None = None
    roles: Roles | None = None
    files: Files | None = None

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
        images: Sequence[Attachment] = (),
        cancelled: threading.Event | None = None,
    ) -> Generator[AnswerEvent, None, None]:
        """The route, the context, pieces of text, then the whole answer (see `Responder.events`).

        Args:
            images: pictures that the question comes with.

        Raises:
            InputError, NotFoundError: the question is empty, a filter names nothing, or one of `images` is no image.
            BudgetError: the question alone exceeds the budget.
            ConfigError, ServiceError: see `Responder.events`.
        """
        started = time.monotonic()
        sight = self._sight(question, images, role, cancelled)
        asked = with_words(understand(question))  # its operators limit the search, and are no words of it from here on
        # Once for all wordings: a name or a path is looked for in the whole catalogue.
        limits = [resolve_filters(one, self.collection) for one in (asked.filters, filters) if one is not None]
        rewritten = self._rewrite(asked.text, conversation)
        timings = {"rewrite": time.monotonic() - started}
        started = time.monotonic()
        warnings = [*asked.warnings, *rewritten.warnings]
        whole = self.settings.pack.mode == "whole"
        hits = all_passages(self.collection, limits) if whole else self._evidence(rewritten, limits, warnings)
        timings["search"] = time.monotonic() - started
        responder = Responder(
            pack=self.settings.pack,
            settings=self.settings.chat,
            chat=self.chat,
            embedder=self.embedder,
            stored=self.collection.chunks,
            roles=self.roles,
            sight=sight,
        )
        shown: set[int] = set()
        early: dict[str, None] = {}  # what the search had to say, told beside the first route
        # A model reads the conversation itself; the extractive answerer has only words to go by.
        read = asked.text if self.chat is not None and self.settings.pack.mode != "whole" else rewritten.search
        for event in responder.events(read, hits, conversation=conversation, role=role, timings=timings, cancelled=cancelled):
            if isinstance(event, Answer):
                searched = rewritten.search if rewritten.search != rewritten.asked else ""
                unseen = unseen_warning(event, sight.wanted(hits), self.settings.chat) if sight is not None else ()
                answer = answer_from_pictures(event, shown)
                told = tuple(dict.fromkeys((*warnings, *unseen, *answer.warnings)))
                _log(answer)
                yield from (Notice(text) for text in told if text not in event.warnings and text not in early)
                yield replace(answer, question=question, searched=searched, warnings=told)
            else:
                if isinstance(event, Context):
                    shown = {block.marker for block in event.blocks if block.is_shown}
                yield citation_of_picture(event, shown) if isinstance(event, Citation) else event
                if isinstance(event, Route) and not early:
                    early = dict.fromkeys(warnings)
                    yield from map(Notice, early)

    def _sight(
        self, question: str, images: Sequence[Attachment], role: Role | None, cancelled: threading.Event | None
    ) -> Sight | None:
        """What can be looked at; None where the question has nothing to do with pictures."""
        asked = understand(question)
        if self.files is None or not (images or role == "vision" or kind_of(asked) == "visual"):
            return None
        attached = ()
        if images:
            from phidex.generation.vision.attached import read_attached  # Pillow: most questions come without pictures

            attached = read_attached(images, crops=self.settings.chat.vision_crops)
        return Sight(
            self.settings.chat,
            self.files,
            tuple(secret.get_secret_value() for secret in self.settings.ingest.passwords),
            attached,
            asked.pages,
            self._page_texts,
            self.chat,
            cancelled,
        )

    def _page_texts(self, pages: Sequence[tuple[str, int]]) -> list[Chunk]:
        """All passages on these pages (source id and page number)."""
        parts: list[tuple[Condition, ...]] = [
            (Match("source_id", (source_id,)), Range("page", page, page)) for source_id, page in pages
        ]
        return self.collection.chunks_where(parts)

    def _rewrite(self, question: str, conversation: Conversation | None) -> Rewritten:
        settings, chat = self.settings, self.settings.chat
        served = served_roles(chat)  # none of them where the vision model alone is served, which rewrites nothing
        rewriter = Rewriter(settings.search, self.chat if served else None, model=next(iter(served.values()), ""))
        turns = conversation.turns[-_HISTORY_TURNS:] if conversation is not None else []
        history: list[Message] = []
        for turn in turns:
            history += [Message("user", understand(turn.question).text), Message("assistant", turn.answer)]
        languages: Sequence[str] = ()
        if settings.search.translate and served:
            languages = languages_to_cover(question, self.collection.languages(), self.collection.meta.embedder)
        return rewriter.rewrite(question, history, languages=languages)

    def _evidence(self, rewritten: Rewritten, limits: Sequence[Filters], warnings: list[str]) -> list[Hit]:
        """The hits for a question and its other wordings, the best of them with what belongs to them."""

        def look(text: str, limit: int) -> list[Hit]:
            return self.search(text, limit, limits, warnings.append)

        words = {"wordings": rewritten.wordings, "parts": rewritten.parts}
        return best_passages(look, self.collection, self.settings, rewritten.search, **words, limits=limits)


def _log(answer: Answer) -> None:
    """One line a question: who answered, what it read and wrote, and where the time went; nothing of what was asked or said."""
    usage, checked = answer.usage, [citation.verified for citation in answer.citations]
    tokens = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) if usage else (0, 0, 0)
    log.info(
        "answer role=%s model=%s found=%s citations=%d verified=%d prompt=%d completion=%d cached=%d %s",
        *(answer.route.role, answer.route.model or "-", answer.found, len(checked), sum(checked), *tokens),
        " ".join(f"{stage}_ms={1000 * seconds:.1f}" for stage, seconds in answer.timings.items()),
    )
