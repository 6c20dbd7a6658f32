"""The half of the SDK that only reads: `search`, `ask`, and what there is. `Phidex` (sdk.py) adds the half that writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from phidex.library import Library
from phidex.settings import Settings, load_settings

if TYPE_CHECKING:
    from phidex.generation.answer import Answer, AnswerEvent
    from phidex.generation.ask import Asker
    from phidex.generation.conversation import Conversation
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.embed import Embedder
    from phidex.retrieval.filters import Filters
    from phidex.retrieval.hit import Hit
    from phidex.retrieval.rerank import Reranker

PathLike = str | Path


class Reading:
    """What can be asked of a data folder without changing it. Thread-safe; several processes may open the same folder."""

    def __init__(
        self,
        data: PathLike | None = None,
        settings: Settings | None = None,
        *,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        settings = settings or load_settings()
        self.settings = settings if data is None else settings.model_copy(update={"data": Path(data)})
        self._library = Library(self.settings, embedder, reranker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={str(self.settings.data)!r})"

    def close(self) -> None:
        """Let go of connections. The engine's process leaves by itself when nobody uses it."""
        self._library.close()

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
        stream: Literal[True],
        cancelled: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]: ...

    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        stream: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Answer | Iterator[AnswerEvent]:
        """An answer with citations that name document, page and box.

        Args:
            conversation: what was asked before: follow-ups are understood from it, and this question and its answer are added.
            stream: return an iterator of events instead: the `Route`, the `Context`, `Delta`s of text, the whole `Answer`.
                Closing it stops the server's work.
            cancelled: setting it from another thread ends the answer where it is.

        Raises:
            InputError, NotFoundError: see `search`.
            BudgetError: the question does not fit the token budget.
            ServiceError: the model endpoint is down or broke off.
        """
        from phidex.generation.answer import Answer

        asker = self._asker(collection)
        events = asker.events(question, filters=filters, conversation=conversation, cancelled=cancelled)
        if stream:
            return events
        last = None
        for last in events:  # noqa: B007  only the last event, the whole answer, is wanted
            pass
        assert isinstance(last, Answer)
        return last

    def _asker(self, collection: str) -> Asker:
        from phidex.generation.ask import Asker

        target = self._library.collection(collection)
        embedder = self._library.embedder(target).embedder
        return Asker(self.settings, target, embedder, self._library.reranker(), self._library.chat())

    def sources(self, collection: str = "default") -> list[SourceEntry]:
        """The collection's sources with their state, sorted by name."""
        return self._library.collection(collection).entries()

    def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """Ids of the sources given by id, uri, path or file name.

        Raises:
            NotFoundError: a name fits no source.
        """
        from phidex.inventory import fitting

        return list(fitting(names, [entry.source for entry in self.sources(collection)], collection))

    def languages(self, collection: str = "default") -> dict[str, int]:
        """How many passages are in each language (ISO 639-1), most frequent first."""
        return self._library.collection(collection).languages()

    def collections(self) -> list[str]:
        """Names of the collections, sorted."""
        return self._library.names()

    def status(self) -> dict[str, Any]:
        """Collections with their sources, chunks, languages and what is pending; the store; the models.

        Of a collection that cannot be opened as it is, only the `fault` is there, with its cure.
        """
        from phidex.inventory import overview

        return overview(self._library)

    def blob(self, identity: str, collection: str = "default") -> bytes:
        """The bytes of a picture (`Chunk.image`) or of an original that lies nowhere else (`Source.blob`).

        Raises:
            NotFoundError: there is no such blob.
        """
        return self._library.blobs(collection).get(identity)
