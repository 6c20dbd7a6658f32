"""The SDK: `Phidex` opens a data folder (or a Qdrant server) and does everything that the command line does.

>>> import tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> _ = (folder / "note.md").write_text("# Boiler\\n\\nThe boiler was replaced in March 2021 by Ohm Ltd.")
>>> with Phidex(data=folder / "data") as phidex:
...     report = phidex.ingest(folder / "note.md")
...     hits = phidex.search("When was the boiler replaced?")
>>> report.count("added"), hits[0].source.name, str(hits[0].chunk.locator)
(1, 'note.md', 'lines 1-3')
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from phidex.errors import ConfigError, NotFoundError
from phidex.settings import Settings, load_settings

if TYPE_CHECKING:
    from phidex.generation.answer import Answer, AnswerEvent
    from phidex.generation.chat import OpenAIChat
    from phidex.ingest.pipeline import FileReport, IngestReport
    from phidex.retrieval.choose import Choice
    from phidex.retrieval.collection import Collection, SourceEntry
    from phidex.retrieval.embed import EmbedderIdentity
    from phidex.retrieval.search import Filters, Hit
    from phidex.retrieval.store import Store

PathLike = str | Path

_REOPEN_S = 1.0


class Phidex:
    """A data folder with collections of documents. Thread-safe; several processes may open the same folder.

    Args:
        data: the folder; default: the settings' (`PHIDEX_DATA`, else `phidex-data`).
        settings: default: from the environment.

    Example:
        >>> import tempfile
        >>> with Phidex(data=tempfile.mkdtemp()) as phidex:
        ...     phidex.status()["collections"]
        {}
    """

    def __init__(self, data: PathLike | None = None, settings: Settings | None = None) -> None:
        settings = settings or load_settings()
        self.settings = settings if data is None else settings.model_copy(update={"data": Path(data)})
        self._store: Store | None = None
        self._chat: OpenAIChat | None = None
        self._choices: dict[EmbedderIdentity | None, Choice] = {}  # one model for all collections made with it
        self._collections: dict[str, tuple[Collection, float]] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Phidex(data={str(self.settings.data)!r})"

    def close(self) -> None:
        """Let go of connections. The engine's process leaves by itself when nobody uses it."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            if self._chat is not None:
                self._chat.close()
            self._store = self._chat = None
            self._collections.clear()

    def ingest(
        self,
        *paths: PathLike,
        collection: str = "default",
        tags: Sequence[str] = (),
        dense: Literal["now", "later"] = "now",
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> IngestReport:
        """Ingest files and folders: searchable as soon as their text is written, complete when dense vectors are too.

        Unchanged files are skipped; an edited one replaces its older version in one step; a file that fails is in the report
        with its reason. Interrupted, the next call goes on.

        Args:
            dense: "later" leaves the dense vectors to a later call (or to `complete`).
            on_file: called after each file with its report, its number from 1, and how many there are.
            on_embed: called with how many passages have their dense vector, and how many there are to do.

        Raises:
            InputError: a path does not exist.
            ConfigError, ServiceError: see `errors.py`.
        """
        from phidex.ingest.discover import check_paths
        from phidex.ingest.pipeline import IngestReport, ingest_files

        started = time.monotonic()
        files = [Path(path) for path in paths]
        check_paths(files)
        target = self._create(collection)
        target.recover()
        choice = self._choice(target)
        warm_up = _once(getattr(choice.embedder, "load", None)) if dense == "now" else None

        def after_file(file: FileReport, number: int, total: int) -> None:
            if warm_up and file.outcome in ("added", "replaced"):
                warm_up()
            if on_file:
                on_file(file, number, total)

        report = IngestReport(embedder=choice.reason)
        report.files = ingest_files(
            files, target, self.settings.ingest, tags=tags, exclude=self.settings.data, on_file=after_file
        )
        report.seconds_to_searchable = time.monotonic() - started
        report.embedded = self.complete(collection, on_embed=on_embed) if dense == "now" and choice.embedder else 0
        report.pending = target.pending()
        target.compact()
        report.seconds_to_complete = time.monotonic() - started
        return report

    def complete(self, collection: str = "default", *, on_embed: Callable[[int, int], None] | None = None) -> int:
        """Give all passages that wait their dense vector; returns how many got one.

        Raises:
            ConfigError: passages wait and their dense model cannot be had.
        """
        target = self._open(collection)
        if not target.pending():
            return 0
        choice = self._choice(target)
        if choice.embedder is None:
            raise ConfigError(f"{target.pending()} passages wait for a dense vector: {choice.reason}", hint="phidex doctor")
        return target.embed_pending(choice.embedder, on_embed)

    def search(
        self, query: str, collection: str = "default", limit: int | None = None, filters: Filters | None = None
    ) -> list[Hit]:
        """The passages that answer best, best first; each has `.score`, `.source`, `.chunk.text`, `.chunk.locator`, `.why`.

        Raises:
            InputError: the query is empty, or `limit` is less than 1.
            NotFoundError: there is no such collection.
        """
        from phidex.retrieval.search import search

        target = self._open(collection)
        return search(
            target,
            query,
            embedder=self._choice(target).embedder,
            limit=self.settings.search.limit if limit is None else limit,
            candidates=self.settings.search.candidates,
            filters=filters,
        )

    @overload
    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
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
        stream: Literal[True],
        cancelled: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]: ...

    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        stream: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Answer | Iterator[AnswerEvent]:
        """An answer with citations that name document, page and box.

        Args:
            stream: return an iterator of events instead: the `Route`, the `Context`, `Delta`s of text, the whole `Answer`.
                Closing it stops the server's work.
            cancelled: setting it from another thread ends the answer where it is.

        Raises:
            InputError, NotFoundError: see `search`.
            BudgetError: the question does not fit the token budget.
            ServiceError: the model endpoint is down or broke off.
        """
        from phidex.generation.answer import Answer

        events = self._events(question, collection, filters, cancelled)
        if stream:
            return events
        last = None
        for last in events:  # noqa: B007  only the last event, the whole answer, is wanted
            pass
        assert isinstance(last, Answer)
        return last

    def sources(self, collection: str = "default") -> list[SourceEntry]:
        """The collection's sources with their state, sorted by name."""
        return self._open(collection).entries()

    def remove(self, *names: str, collection: str = "default") -> list[str]:
        """Remove sources given by id, uri, path or file name; returns the uris of what was removed.

        Raises:
            NotFoundError: a name fits no source; nothing is removed then.
        """
        target = self._open(collection)
        uris = {entry.source.id: entry.source.uri for entry in target.entries()}
        chosen = self.find_sources(*names, collection=collection)
        for source_id in chosen:
            target.remove(source_id)
        target.compact()
        return [uris[source_id] for source_id in chosen]

    def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """Ids of the sources given by id, uri, path or file name.

        Raises:
            NotFoundError: a name fits no source.
        """
        sources = [entry.source for entry in self._open(collection).entries()]
        found: list[str] = []
        for name in names:
            uri = Path(name).resolve().as_uri()
            fitting = [source.id for source in sources if name in (source.id, source.uri, source.name) or uri == source.uri]
            if not fitting:
                raise NotFoundError(f"no source {name!r} in {collection!r}", hint="`phidex sources` lists them")
            found += fitting
        return list(dict.fromkeys(found))

    def drop(self, collection: str) -> None:
        """Remove a collection with all it holds; the documents themselves are not touched."""
        self._open(collection).drop()
        self._collections.pop(collection, None)

    def collections(self) -> list[str]:
        """Names of the collections, sorted."""
        from phidex.retrieval.collection import Collection

        return sorted(Collection.names(self._opened())) if self._has_data() else []

    def status(self) -> dict[str, Any]:
        """Collections with their sources, chunks, languages and what is pending; the store; the models."""
        from phidex.generation.chat_faults import shown_url
        from phidex.retrieval.collection import Collection

        found: dict[str, Any] = {}
        for name in self.collections():
            target = Collection.open(self._opened(), name)
            entries = target.entries()
            found[name] = {
                "sources": len(entries),
                "incomplete": sum(entry.state == "incomplete" for entry in entries),
                "chunks": target.count(),
                "pending": target.pending(),
                "languages": target.languages(),
                "embedder": target.meta.embedder.model if target.meta.embedder else "",
            }
        chat = self.settings.chat
        return {
            "data": str(self.settings.data),
            "store": shown_url(self.settings.store.url) or "embedded",
            "chat": shown_url(chat.url),
            "collections": found,
        }

    def _events(
        self, question: str, collection: str, filters: Filters | None, cancelled: threading.Event | None
    ) -> Iterator[AnswerEvent]:
        from phidex.generation.respond import Responder

        started = time.monotonic()
        target = self._open(collection)
        hits = self.search(question, collection, self.settings.pack.hits, filters)
        responder = Responder(
            pack=self.settings.pack,
            settings=self.settings.chat,
            chat=self._chat_client(),
            embedder=self._choice(target).embedder,
            stored=target.chunks,
        )
        yield from responder.events(question, hits, timings={"search": time.monotonic() - started}, cancelled=cancelled)

    def _has_data(self) -> bool:
        """Whether there is anything to read: looking must not make a folder."""
        return bool(self.settings.store.url) or self.settings.data.is_dir()

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                from phidex.retrieval.engines import open_store

                self._store = open_store(self.settings.data, self.settings.store)
            return self._store

    def _open(self, name: str) -> Collection:
        """The collection; what it was made with is read again after a second, since others may make it anew."""
        from phidex.retrieval.collection import Collection

        if not self._has_data():
            message = f"there is no collection {name!r}, since there is no data folder {self.settings.data}"
            raise NotFoundError(message, hint="ingest into it first, or name the folder with --data")
        known = self._collections.get(name)
        if known is None or time.monotonic() - known[1] > _REOPEN_S:
            known = self._collections[name] = (Collection.open(self._opened(), name), time.monotonic())
        return known[0]

    def _create(self, name: str) -> Collection:
        from phidex.retrieval.choose import choose_embedder
        from phidex.retrieval.collection import Collection

        def identity() -> EmbedderIdentity | None:
            choice = choose_embedder(self.settings.embed, self.settings.cache)
            found = choice.embedder.identity if choice.embedder else None
            self._choices.setdefault(found, choice)
            return found

        return Collection.create(self._opened(), name, identity)

    def _choice(self, collection: Collection) -> Choice:
        """The collection's embedder; loaded once, with its model shared by later calls."""
        from phidex.retrieval.choose import Choice, open_embedder

        identity = collection.meta.embedder
        with self._lock:
            if identity not in self._choices:
                self._choices[identity] = (
                    open_embedder(identity, self.settings.embed, self.settings.cache)
                    if identity
                    else Choice(None, "the collection was made without dense vectors")
                )
            return self._choices[identity]

    def _chat_client(self) -> OpenAIChat | None:
        if not self.settings.chat.url:
            return None
        with self._lock:
            if self._chat is None:
                from phidex.generation.chat import OpenAIChat

                self._chat = OpenAIChat(self.settings.chat)
            return self._chat


def _once(load: Callable[[], None] | None) -> Callable[[], None] | None:
    """Starts `load` in a thread at the first call: the dense model loads while the next files are read."""
    if load is None:
        return None
    begun = threading.Event()

    def start() -> None:
        if not begun.is_set():
            begun.set()
            threading.Thread(target=load, name="phidex-load-model", daemon=True).start()

    return start
