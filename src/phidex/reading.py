"""The half of the SDK that asks: `search`, `ask`, `summarize`, `extract`. `Phidex` (sdk.py) adds the half that writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from phidex.errors import ConfigError, InputError
from phidex.holdings import Holdings

if TYPE_CHECKING:
    from phidex.generation.answer import Answer, AnswerEvent, Role
    from phidex.generation.ask import Asker
    from phidex.generation.conversation import Conversation
    from phidex.generation.endpoints.brought import Brought
    from phidex.generation.endpoints.pool import Pool
    from phidex.generation.structured.batch import Classification, Extraction
    from phidex.generation.structured.record import DocumentRecord, Labels, StructuredAnswer
    from phidex.generation.structured.tables import DocumentTable
    from phidex.generation.summary.summary import Length, OnProgress, Style, Summary
    from phidex.generation.vision.attached import Attachment
    from phidex.retrieval.filters import Filters
    from phidex.retrieval.hit import Hit
    from phidex.retrieval.store import Floats

T = TypeVar("T")


class Reading(Holdings):
    """What can be asked of a data folder without changing it. Thread-safe; several processes may open the same folder."""

    def search(
        self,
        query: str,
        collection: str = "default",
        limit: int | None = None,
        filters: Filters | None = None,
        *,
        on_warning: Callable[[str], None] | None = None,
    ) -> list[Hit]:
        """The passages that answer best, best first; each has `.score`, `.source`, `.chunk.text`, `.chunk.locator`, `.why`.

        Args:
            query: a question or words; operators in it limit the search: `kind:code lang:de source:"Annual report" page:10-20
                path:src/ after:2024-01 -tag:draft`.
            filters: limit it too.
            on_warning: called with what people should know: an operator that is none, a reranker that is down.

        Raises:
            InputError: the query is empty, or `limit` is less than 1.
            NotFoundError: there is no such collection, or no source of a name that was given.
        """
        wanted = self.settings.search.limit if limit is None else limit
        return self._asker(collection).search(query, wanted, (filters,) if filters else (), on_warning)

    @overload
    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
        schema: None = None,
        stream: Literal[False] = False,
        cancelled: threading.Event | None = None,
    ) -> Answer: ...

    @overload
    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
        schema: None = None,
        stream: Literal[True],
        cancelled: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]: ...

    @overload
    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        schema: type[T],
        cancelled: threading.Event | None = None,
    ) -> StructuredAnswer[T]: ...

    @overload
    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        schema: Mapping[str, Any],
        cancelled: threading.Event | None = None,
    ) -> StructuredAnswer[dict[str, Any]]: ...

    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
        schema: type[Any] | Mapping[str, Any] | None = None,
        stream: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Answer | Iterator[AnswerEvent] | StructuredAnswer[Any]:
        """An answer with citations that name document, page and box.

        Args:
            conversation: what was asked before: follow-ups are understood from it, and this question and its answer are added.
            role: who is to answer ("mini", "moe", "vision", "extractive"); default: as the router decides, with a fallback.
            images: pictures that the question is about, image files or their bytes; the vision model looks at them.
            schema: a pydantic model, a dataclass or a JSON Schema: the answer is data that fits it, each value with its
                citations. It comes whole and stands alone: neither `stream` nor `conversation` goes with it.
            stream: return an iterator of events instead: the `Route`, the `Context`, `Delta`s of text, the whole `Answer`.
                Closing it stops the server's work.
            cancelled: setting it from another thread ends the answer where it is.

        Raises:
            InputError, NotFoundError: see `search`; one of `images` is not there, or no image.
            BudgetError: the question does not fit the token budget.
            ConfigError: with a schema, no model is configured.
            ServiceError: the model endpoint is down or broke off.
        """
        from phidex.generation.answer import Answer

        asker = self._asker(collection, cancelled)
        if schema is not None:
            from phidex.generation.structured.many import ask_for_data

            if stream or conversation is not None or images:
                hint = "leave stream, conversation and images out"
                raise InputError("an answer by a schema comes whole and alone", hint=hint)
            return ask_for_data(asker, question, schema, filters=filters, role=role, cancelled=cancelled)
        events = asker.events(
            question, filters=filters, conversation=conversation, role=role, images=images, cancelled=cancelled
        )
        if stream:
            return events
        last = None
        for last in events:  # noqa: B007  only the last event, the whole answer, is wanted
            pass
        assert isinstance(last, Answer)
        return last

    def summarize(
        self,
        source: str | Conversation | None = None,
        collection: str = "default",
        *,
        language: str = "",
        style: Style = "prose",
        length: Length = "medium",
        filters: Filters | None = None,
        role: Role | None = None,
        on_progress: OnProgress | None = None,
        cancelled: threading.Event | None = None,
    ) -> Summary:
        """A summary, every sentence with its citations; without a model, key sentences, quoted.

        Args:
            source: a document by id, uri, path, name or title; a repository, archive or folder; a conversation over the
                collection; None for all that the collection holds.
            language: ISO 639-1; default: that of the text.
            style: "prose", "bullets", "abstract" or "sections".
            length: "short", "medium" or "long": about 3, 7 or 15 sentences.
            role: see `ask`.
            on_progress: called with the step ("parts", "notes", "summary"; without a model "sentences"), how much of it is
                done and how much there is; from one thread.
            cancelled: setting it from another thread stops the server's work; the summary is then empty and says so.

        Raises:
            InputError: no such style, length or language code; a name fits several documents; an empty conversation.
            NotFoundError: there is no such collection or source, or no text in it.
            BudgetError: the served window holds no part of the text.
            ConfigError, ServiceError: see `ask`.
        """
        from phidex.generation.summary.summarize import Summarizer

        chat = self._chat(cancelled)
        summarizer = Summarizer(self.settings, self._library.collection(collection), chat, chat)
        return summarizer.summarize(
            source,
            language=language,
            style=style,
            length=length,
            filters=filters,
            role=role,
            on_progress=on_progress,
            cancelled=cancelled,
        )

    @overload
    def extract(
        self,
        schema: type[T],
        collection: str = "default",
        *,
        question: str = "",
        filters: Filters | None = None,
        strict: bool = False,
        on_document: Callable[[DocumentRecord[StructuredAnswer[T]], int, int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Extraction[T]: ...

    @overload
    def extract(
        self,
        schema: Mapping[str, Any],
        collection: str = "default",
        *,
        question: str = "",
        filters: Filters | None = None,
        strict: bool = False,
        on_document: Callable[[DocumentRecord[StructuredAnswer[dict[str, Any]]], int, int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Extraction[dict[str, Any]]: ...

    def extract(
        self,
        schema: type[Any] | Mapping[str, Any],
        collection: str = "default",
        *,
        question: str = "",
        filters: Filters | None = None,
        strict: bool = False,
        on_document: Callable[[DocumentRecord[StructuredAnswer[Any]], int, int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Extraction[Any]:
        """The same data from each document: one record a document, each value with its citations; `to_csv` writes them.

        A document is read whole where it fits the token budget, otherwise by its best passages. One that fails is in the
        records with its reason. Several are read at a time (`PHIDEX_CHAT__CONCURRENCY`).

        Args:
            schema: see `ask`.
            question: what to look for, where the schema does not say it all.
            strict: null for a value that no passage has, where the schema allows null.
            on_document: called after each document with its record, how many are done and how many there are.
            cancelled: setting it from another thread ends the run; what was not read has an error that says so.

        Raises:
            InputError, NotFoundError: the schema is none, a filter names nothing, or there is no such collection.
            ConfigError: no model is configured, or its endpoint is wrong.
        """
        from phidex.generation.structured.many import extract_documents

        return extract_documents(
            self._asker(collection, cancelled),
            schema,
            question=question,
            filters=filters,
            strict=strict,
            on_document=on_document,
            cancelled=cancelled,
        )

    def classify(
        self,
        labels: Sequence[str] | Mapping[str, str],
        collection: str = "default",
        *,
        several: bool = False,
        question: str = "",
        filters: Filters | None = None,
        on_document: Callable[[DocumentRecord[Labels], int, int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Classification:
        """The label of each document, with the passage that says most of what the label means; `to_csv` writes them.

        Args:
            labels: two at least; as a mapping, each with what it means.
            several: a document may have any number of labels, or none.
            question, on_document, cancelled: see `extract`.

        Raises:
            InputError, NotFoundError, ConfigError: see `extract`.
        """
        from phidex.generation.structured.many import classify_documents

        return classify_documents(
            self._asker(collection, cancelled),
            labels,
            several=several,
            question=question,
            filters=filters,
            on_document=on_document,
            cancelled=cancelled,
        )

    def tables(self, *names: str, collection: str = "default") -> list[DocumentTable]:
        """The tables of sources given by id, uri, path or file name, put together again where they were cut; without a model.

        Raises:
            NotFoundError: a name fits no source.
        """
        from phidex.generation.structured.many import tables_of

        return tables_of(self._library.collection(collection), self.find_sources(*names, collection=collection))

    def _asker(self, collection: str, cancelled: threading.Event | None = None) -> Asker:
        from phidex.generation.ask import Asker

        target = self._library.collection(collection)
        embedder = self._library.embedder(target).embedder
        chat = self._chat(cancelled)
        return Asker(self.settings, target, embedder, self._library.reranker(), chat, chat, self._library.blobs(collection))

    def _chat(self, cancelled: threading.Event | None) -> Pool | Brought | None:
        """The model endpoints, for work that ends once `cancelled` is set; None where none is set."""
        chat = self._library.chat()
        return None if chat is None else chat.until(cancelled)

    def embed(self, texts: Sequence[str], collection: str = "", *, query: bool = False) -> Floats:
        """Dense vectors of texts, float32, (n, d), rows L2-normalised.

        Args:
            collection: whose model is to be used; "" for the one that new collections are made with.
            query: the texts are questions, which some models embed otherwise than passages.

        Raises:
            NotFoundError: there is no such collection.
            ConfigError: there is no dense model, or it cannot be had.
        """
        import numpy as np

        library = self._library
        choice = library.embedder(library.collection(collection)) if collection else library.default_embedder()
        if choice.embedder is None:
            raise ConfigError(f"there is no dense model: {choice.reason}", hint="phidex doctor")
        if query:
            return np.stack([choice.embedder.embed_query(text) for text in texts])
        return choice.embedder.embed_passages(texts)
