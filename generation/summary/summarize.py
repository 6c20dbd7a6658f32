"""Summaries, the one path that every surface uses: what is meant, who writes, and the steps between."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from phidex.errors import InputError, NotFoundError
from phidex.generation.answer import Citation, Role, Route
from phidex.generation.chat import ChatModel
from phidex.generation.conversation import Conversation
from phidex.generation.endpoints.state import Roles
from phidex.generation.routing.fallback import first_that_answers
from phidex.generation.routing.route import ADD_A_MODEL, Asked, choose_route, fallbacks
from phidex.generation.summary.key import key_sentences
from phidex.generation.summary.meeting import Meeting, by_topic, meetings_of, quoted_minutes
from phidex.generation.summary.minutes_writer import with_written_minutes
from phidex.generation.summary.scope import Scope, collection_scope, named_scope
from phidex.generation.summary.spoken import Utterance
from phidex.generation.summary.summary import SENTENCES, Length, OnProgress, Sentence, Style, Summary, check_wishes
from phidex.generation.summary.turns import quoted_turns
from phidex.generation.summary.writer import PART_TOKENS, Wished, write_conversation, write_summary
from phidex.ingest.language import UNDETERMINED, detect_language
from phidex.ingest.records import Chunk, Locator, TimeLocator
from phidex.retrieval.collection import Collection
from phidex.retrieval.context.place import canonical
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.query.resolve import resolve_filters
from phidex.retrieval.search import conditions_of
from phidex.settings import Settings

_NO_MODEL = f"no model is configured, so key sentences are quoted; for written summaries, {ADD_A_MODEL}"


@dataclass(frozen=True, slots=True)
class Summarizer:
    """Summarizes what a collection holds.

    Args:
        chat: None where there is none; summaries are then key sentences.
        roles: how those who can write are.
    """

    settings: Settings
    collection: Collection
    chat: ChatModel | None = None
    roles: Roles | None = None

    def summarize(
        self,
        source: str | Conversation | None,
        *,
        language: str = "",
        style: Style = "prose",
        length: Length = "medium",
        filters: Filters | None = None,
        role: Role | None = None,
        on_progress: OnProgress | None = None,
        cancelled: threading.Event | None = None,
    ) -> Summary:
        """The summary of a document, a repository, all of the collection (None), or a conversation over it.

        Args:
            role: who is to write; default: as the router decides, with a fallback.

        Raises:
            InputError: no such style, length or language code; a name fits several documents; an empty conversation.
            NotFoundError: the name fits nothing, or there is no text.
            ConfigError: the role that is asked for is not configured.
            BudgetError: the served window holds no part of the text.
            ServiceError: the endpoint is down, overloaded or broke off, and no other role can write.
        """
        check_wishes(language, style, length)
        started = time.monotonic()
        wished = Wished("", language, style, length, on_progress, cancelled)
        if isinstance(source, Conversation):
            return self._of_conversation(source, wished, role)
        entries = [entry.source for entry in self.collection.entries()]
        name = self.collection.name
        scope = collection_scope(name, entries) if source is None else named_scope(source, name, entries)
        texts = self._texts(scope, filters)
        if not texts:
            hint = "widen the filters" if filters else "`phidex sources` says what was read of it"
            raise NotFoundError(f"there is no text to summarize in {scope.title!r}", hint=hint)
        read_s = time.monotonic() - started
        chunks = [hit.chunk for _, hits in texts for hit in hits]
        own = _main_language(chunks)
        written = replace(wished, title=scope.title, language=language or own)

        meetings = meetings_of(texts)

        def write(chat: ChatModel, route: Route) -> Summary:
            found = write_summary(self.settings, chat, written, route, texts, self.collection.chunks)
            if not meetings:
                return found
            first = max((one.marker for one in found.citations), default=0) + 1
            return with_written_minutes(self.settings, chat, written, found, meetings, _Markers(first).said)

        def quote(route: Route) -> Summary:
            return _with_minutes(_quoted(scope, texts, wished, own, route, markers := _Markers()), meetings, markers)

        tokens = sum(chunk.token_count for chunk in chunks)
        found = self._first(Asked("summary", language or own, tokens), role, write, quote)
        return replace(found, timings={"read": read_s, **found.timings})

    def _of_conversation(self, conversation: Conversation, wished: Wished, role: Role | None) -> Summary:
        if not conversation.turns:
            raise InputError("the conversation is empty", hint="ask something first")
        own, _ = detect_language(" ".join(turn.question for turn in conversation.turns))
        written = replace(wished, title="Conversation", language=wished.language or own)

        def write(chat: ChatModel, route: Route) -> Summary:
            return write_conversation(self.settings, chat, written, route, conversation, self.collection.chunks)

        def quote(route: Route) -> Summary:
            return quoted_turns(conversation, wished.style, wished.length, route, own, self.collection.chunks)

        tokens = sum(len(turn.answer) for turn in conversation.turns) // 4
        return self._first(Asked("summary", written.language, tokens), role, write, quote)

    def _first(
        self,
        asked: Asked,
        role: Role | None,
        write: Callable[[ChatModel, Route], Summary],
        quote: Callable[[Route], Summary],
    ) -> Summary:
        """The summary of the first role that can be asked; without one that can write, key sentences."""
        settings = self.settings
        most = min(
            asked.context_tokens, PART_TOKENS, settings.pack.long_tokens
        )  # of one prompt: longer texts are read in parts
        states = self.roles.states() if self.roles is not None and role is None else None
        route = choose_route(settings.chat, replace(asked, context_tokens=most), states, forced=role)
        routes = [route, *(fallbacks(settings.chat, route) if role is None and route.role != "extractive" else ())]

        def ask(one: Route) -> Summary:
            if self.chat is None or one.role == "extractive":
                told = one.reason if role is not None or one is not route else _NO_MODEL
                return quote(replace(one, reason=told))
            return write(self.chat, replace(one, reason=one.reason.replace("the question is", "the summary is")))

        found, troubles = first_that_answers(routes, ask)
        return replace(found, warnings=(*troubles, *found.warnings))

    def _texts(self, scope: Scope, filters: Filters | None) -> list[tuple[str, list[Hit]]]:
        """The passages of each group in order, with its title; groups without any left out."""
        limits = [Filters(sources=tuple(scope.sources))]
        if filters is not None:
            limits.append(resolve_filters(filters, self.collection))
        must, must_not = conditions_of(limits, self.collection)
        hits: dict[str, list[Hit]] = {}
        sources = scope.sources
        for chunk in self.collection.chunks_where([must], must_not):
            hits.setdefault(chunk.source_id, []).append(Hit(chunk, sources[chunk.source_id], 0.0, {}))
        grouped = (
            (title, sorted((hit for one in some for hit in hits.get(one.id, ())), key=canonical))
            for title, some in scope.groups
        )
        return [(title, found) for title, found in grouped if found]


def _quoted(
    scope: Scope, texts: Sequence[tuple[str, Sequence[Hit]]], wished: Wished, own: str, route: Route, markers: _Markers
) -> Summary:
    """Key sentences, each cited; grouped by section, or by document where there are several."""
    started = time.monotonic()
    warnings: list[str] = []
    language, style, length = wished.language, wished.style, wished.length
    chunks = [[hit.chunk for hit in hits] for _, hits in texts]
    if language and language != own:
        wanted = [[chunk for chunk in some if chunk.language == language] for some in chunks]
        if any(wanted):
            chunks, own = wanted, language
        else:
            warnings.append(f"no passage is in the language {language!r}: without a model, sentences stay as they are written")
    sources = {source.id: source for source in scope.sources.values()}
    count = SENTENCES[length]
    if len(texts) > 1:  # a sentence for each of several, within reason
        count = max(count, min(len(texts), 2 * count))
    wished.tell("sentences", 0, 1)
    chosen = key_sentences(chunks, count)
    wished.tell("sentences", 1, 1)
    by_document = len(texts) > 1
    by_section = not by_document and (style == "sections" or length == "long") and style != "abstract"
    sentences: list[Sentence] = []
    for item, one in enumerate(chosen):
        chunk = one.candidate.chunk
        place = chunk.place_of(one.candidate.text)
        marker = markers.of(chunk.id, one.candidate.text if chunk.cues else "")
        citation = Citation(marker, sources[chunk.source_id], place, chunk.id, one.candidate.text, True)
        section = texts[one.text_index][0] if by_document and style != "abstract" else one.section if by_section else ""
        speaker = _speaker(chunk, place)
        sentences.append(
            Sentence(one.candidate.text, (citation,), section, item if style == "bullets" or speaker else 0, speaker=speaker)
        )
    if not sentences:
        warnings.append("no sentence can stand for this text: it holds only titles, tables, code or contents")
    spent = {"sentences": time.monotonic() - started}
    return Summary(scope.title, tuple(sentences), style, length, own, route, warnings=tuple(warnings), timings=spent)


def _with_minutes(quoted: Summary, meetings: Sequence[Meeting], markers: _Markers) -> Summary:
    """Of recordings, with their minutes as they were said, and by topic."""
    if not meetings:
        return quoted
    started = time.monotonic()
    minutes = quoted_minutes(meetings, quoted.length, markers.said)
    sentences = by_topic(quoted.sentences, minutes) if quoted.style != "abstract" else quoted.sentences
    spent = {**quoted.timings, "minutes": time.monotonic() - started}
    return replace(quoted, minutes=minutes, sentences=sentences, timings=spent)


class _Markers:
    """Numbers places: a passage, or in a recording a sentence."""

    def __init__(self, first: int = 1) -> None:
        self._first = first
        self._given: dict[tuple[str, str], int] = {}

    def of(self, chunk_id: str, quote: str) -> int:
        return self._given.setdefault((chunk_id, quote), len(self._given) + self._first)

    def said(self, one: Utterance) -> int:
        return self.of(one.chunk.id, one.text)


def _speaker(chunk: Chunk, place: Locator) -> str:
    """Who spoke then; "" where that is not known, and of what is no speech."""
    if not isinstance(place, TimeLocator):
        return ""
    return next((cue.speaker for cue in chunk.cues if cue.start_s == place.start_s), "")


def _main_language(chunks: Sequence[Chunk]) -> str:
    """The language of most of the running text."""
    counts: Counter[str] = Counter()
    for chunk in [one for one in chunks if one.modality in ("text", "speech")] or chunks:
        counts[chunk.language] += len(chunk.text)
    if len(counts) > 1:
        counts.pop(UNDETERMINED, None)
    return counts.most_common(1)[0][0]
