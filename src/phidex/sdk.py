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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from phidex.errors import ConfigError, InputError, NotFoundError, ServiceError
from phidex.settings import Settings, load_settings

if TYPE_CHECKING:
    from phidex.generation.answer import Answer, AnswerEvent
    from phidex.generation.chat import OpenAIChat
    from phidex.ingest.options import Ocr, Quality
    from phidex.ingest.records import Source
    from phidex.ingest.run.blobs import Blobs
    from phidex.ingest.run.pipeline import Listeners
    from phidex.ingest.run.report import FileReport, IngestReport
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.choose import Choice
    from phidex.retrieval.collection import Collection
    from phidex.retrieval.embed import EmbedderIdentity
    from phidex.retrieval.rebuild import Progress
    from phidex.retrieval.reindex import ReindexReport
    from phidex.retrieval.search import Filters, Hit
    from phidex.retrieval.store import Store
    from phidex.settings import IngestSettings

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
        *targets: PathLike,
        collection: str = "default",
        tags: Sequence[str] | None = None,
        ref: str = "",
        only: Sequence[str] = (),
        sync: bool = False,
        dry_run: bool = False,
        dense: Literal["now", "later"] = "now",
        quality: Quality | None = None,
        ocr: Ocr | None = None,
        passwords: Sequence[str] = (),
        workers: int | None = None,
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_page: Callable[[str, int, int], None] | None = None,
        on_fetch: Callable[[str, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> IngestReport:
        """Ingest files, folders, repositories, archives and URLs: searchable as soon as their text is written, complete when
        dense vectors are too.

        Unchanged files are skipped; an edited one replaces its older version in one step; a file that fails, crashes or hangs
        costs itself alone and is in the report with its reason. Interrupted, the next call goes on. Files are read in worker
        processes, which end with the call.

        Args:
            tags: of all sources of this call; None leaves each the tags that it has.
            ref, only: of repositories, the branch, tag or commit to read, and the files, folders or patterns to take.
            sync: also remove sources whose files are gone from what is named.
            dry_run: write nothing: the report says what would change, chunk by chunk counted.
            dense: "later" leaves the dense vectors to a later call (or to `complete`).
            quality, ocr, passwords, workers: in place of the settings; passwords are tried before those of the settings.
            on_file: called after each file with its report, its number from 1, and how many were found so far.
            on_page: called while a long document is read, with its name, pages done and pages in all.
            on_fetch: called while something is downloaded, with its name, bytes so far and in all; from another thread.
            on_embed: called with how many passages have their dense vector, and how many there are to do.

        Raises:
            InputError: a path does not exist, or an address is not taken.
            ConfigError, ServiceError: see `errors.py`.
        """
        from phidex.ingest.run.pipeline import Listeners, ingest_files
        from phidex.intake import describer_of, preview, run_settings

        settings = run_settings(self.settings.ingest, passwords, quality=quality, ocr=ocr, workers=workers)
        run = partial(ingest_files, targets, tags=tags, ref=ref, only=only, sync=sync)
        listeners = Listeners(on_file, on_page, on_fetch)
        if dry_run:
            there = self._open(collection) if collection in self.collections() else None
            run = partial(run, settings=settings, describe=describer_of(self.settings))
            return preview(run, collection, there, self.settings, listeners)
        return self._take_in(run, settings, targets, collection, dense == "now", listeners, on_embed)

    def watch(
        self,
        *targets: PathLike,
        collection: str = "default",
        tags: Sequence[str] | None = None,
        sync: bool = False,
        dense: Literal["now", "later"] = "now",
        stop: threading.Event | None = None,
        on_report: Callable[[IngestReport], None] | None = None,
        on_fault: Callable[[ServiceError], None] | None = None,
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_page: Callable[[str, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> None:
        """Ingest files and folders of this machine, and again whenever something in them changes; returns when `stop` is set.

        Args:
            stop: set from another thread; None to go on until an interrupt.
            on_report: called after each round with its report.
            on_fault: called when a service is down for the moment: the round is repeated a little later.
            tags, sync, dense, on_file, on_page, on_embed: see `ingest`.

        Raises:
            InputError: a target is no path of this machine.
        """
        from phidex.ingest.run.pipeline import Listeners, ingest_files
        from phidex.intake import follow

        run = partial(ingest_files, targets, tags=tags, sync=sync, hashes={})
        take = partial(
            self._take_in, run, self.settings.ingest, targets, collection, dense == "now", Listeners(on_file, on_page), on_embed
        )
        follow(take, targets, self.settings, stop=stop, on_report=on_report, on_fault=on_fault)

    def _take_in(
        self,
        run: Callable[..., IngestReport],
        settings: IngestSettings,
        targets: Sequence[PathLike],
        name: str,
        now: bool,
        listeners: Listeners,
        on_embed: Callable[[int, int], None] | None,
    ) -> IngestReport:
        from phidex.ingest.sources.discover import check_paths
        from phidex.intake import cluster_of, describer_of, embed_on, pool_of, take_in

        check_paths(targets)
        describe = describer_of(self.settings)
        with cluster_of(settings) as cluster:
            target = self._create(name)
            choice = self._choice(target)
            run = partial(run, settings=settings, pool=pool_of(cluster, settings), describe=describe)
            embed = partial(self.complete, name, on_embed=on_embed)
            if cluster is not None:
                embed = partial(embed_on, cluster, target, choice, self.settings, on_embed)
            return take_in(run, target, choice, self.settings, listeners=listeners, embed=embed if now else None)

    def blob(self, identity: str, collection: str = "default") -> bytes:
        """The bytes of a picture (`Chunk.image`) or of an original that lies nowhere else (`Source.blob`).

        Raises:
            NotFoundError: there is no such blob.
        """
        return self._blobs(collection).get(identity)

    def _blobs(self, collection: str) -> Blobs:
        from phidex.ingest.run.blobs import Blobs
        from phidex.intake import blob_place

        return Blobs(blob_place(self.settings, collection))

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

    def reindex(
        self, collection: str = "default", embedder: str | None = None, *, on_progress: Progress | None = None
    ) -> ReindexReport:
        """Make a collection anew from its stored passages, for another embedder or for this version's analyzer and schema.

        No document is read again. The collection is searched, and may be ingested into, all the while, and is switched to the
        new vectors in one step. Interrupted, the same call goes on.

        Args:
            embedder: "auto", "multilingual", "bundled", "none" (lexical search only), a hub id or a folder; None keeps the
                collection's own where the settings name no other.
            on_progress: called with what is being done, how many passages are done and how many there are.

        Raises:
            NotFoundError: there is no such collection.
            ConfigError: the embedder cannot be had.
            ServiceError: another reindex is at work, or the disk has no room for the collection a second time.
        """
        from phidex.retrieval.choose import renew_embedder
        from phidex.retrieval.reindex import check_room, made_of, reindex

        self._check_data(collection)
        made = made_of(self._opened(), collection)
        identity, choice = renew_embedder(made.embedder, self.settings.embed, self.settings.cache, model=embedder)
        if not self.settings.store.url:
            check_room(self.settings.data, made, identity.dim if identity else 0, self.settings.store.min_free_mb)
        report = reindex(self._opened(), collection, identity, embedder=choice.embedder, on_progress=on_progress)
        with self._lock:
            self._choices.setdefault(identity, choice)
        self._collections.pop(collection, None)
        return report

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

        A document that is known by several names, since its bytes lie in several places, stays under the others.

        Raises:
            NotFoundError: a name fits no source; nothing is removed then.
            InputError: a file name fits several; likewise.
        """
        target, blobs = self._open(collection), self._blobs(collection)
        sources = {entry.source.id: entry.source for entry in target.entries()}
        for name in names:
            fitting = self._find([name], list(sources.values()), collection)
            uris = sorted({uri for found in fitting.values() for uri in found})
            if name not in sources and len(uris) > 1:
                raise InputError(
                    f"{name!r} fits {len(uris)} documents: {', '.join(uris[:5])}", hint="name one by its path or uri"
                )
        chosen = self._find(names, list(sources.values()), collection)
        for source_id, uris in chosen.items():
            whole = set(uris) == {sources[source_id].uri, *sources[source_id].also}
            if any(target.remove(source_id, uri) for uri in ([None] if whole else uris)):
                blobs.remove(source_id)
        target.compact()
        return [uri for uris in chosen.values() for uri in uris]

    def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """Ids of the sources given by id, uri, path or file name.

        Raises:
            NotFoundError: a name fits no source.
        """
        return list(self._find(names, [entry.source for entry in self._open(collection).entries()], collection))

    def _find(self, names: Sequence[str], sources: Sequence[Source], collection: str) -> dict[str, list[str]]:
        """The uris that the names mean, by source id; an id means all of a source's."""
        found: dict[str, list[str]] = {}
        for name in names:
            wanted, fits = {name, Path(name).resolve().as_uri()}, False
            for source in sources:
                for uri in (source.uri, *source.also):
                    if name == source.id or wanted & {uri, replace(source, uri=uri).name}:
                        fits = True
                        found.setdefault(source.id, []).append(uri)
            if not fits:
                raise NotFoundError(f"no source {name!r} in {collection!r}", hint="`phidex sources` lists them")
        return {source_id: list(dict.fromkeys(uris)) for source_id, uris in found.items()}

    def drop(self, collection: str) -> None:
        """Remove a collection with all it holds; the documents themselves are not touched."""
        self._open(collection).drop()
        self._collections.pop(collection, None)
        self._blobs(collection).drop()

    def collections(self) -> list[str]:
        """Names of the collections, sorted."""
        from phidex.retrieval.collection import Collection

        return sorted(Collection.names(self._opened())) if self._has_data() else []

    def status(self) -> dict[str, Any]:
        """Collections with their sources, chunks, languages and what is pending; the store; the models.

        Of a collection that cannot be opened as it is, only the `fault` is there, with its cure.
        """
        from phidex.generation.chat_faults import shown_url
        from phidex.retrieval.collection import Collection

        found: dict[str, Any] = {}
        for name in self.collections():
            try:
                target = Collection.open(self._opened(), name)
            except ConfigError as exc:  # of another version: the others are shown all the same
                found[name] = {"fault": f"{exc.message}: {exc.hint}"}
                continue
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

    def _check_data(self, collection: str) -> None:
        if not self._has_data():
            message = f"there is no collection {collection!r}, since there is no data folder {self.settings.data}"
            raise NotFoundError(message, hint="ingest into it first, or name the folder with --data")

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                from phidex.retrieval.engines import open_store

                self._store = open_store(self.settings.data, self.settings.store)
            return self._store

    def _open(self, name: str) -> Collection:
        """The collection; what it was made with is read again after a second, since others may make it anew."""
        from phidex.retrieval.collection import Collection

        self._check_data(name)
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
