"""The SDK: `Phidex` opens a data folder (or a Qdrant server) and does everything that the command line does.

Here is what writes; what reads is in reading.py, and both open stores and models through library.py.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from phidex.errors import ConfigError, PhidexError
from phidex.holdings import PathLike
from phidex.reading import Reading

if TYPE_CHECKING:
    from phidex.ingest.options import Ocr, Quality
    from phidex.ingest.run.pipeline import Listeners
    from phidex.ingest.run.plan import Hashes
    from phidex.ingest.run.report import FileReport, IngestReport
    from phidex.retrieval.backup import BackupReport
    from phidex.retrieval.rebuild import Progress
    from phidex.retrieval.reindex import ReindexReport
    from phidex.retrieval.tuning import IndexState
    from phidex.settings import IngestSettings

__all__ = ["PathLike", "Phidex"]

_LOOK_S = 0.2  # between two looks at an index that is being built


class Phidex(Reading):
    """A data folder with collections of documents. Thread-safe; several processes may open the same folder.

    Args:
        data: the folder; default: the settings' (`PHIDEX_DATA`, else `phidex-data`).
        settings: default: from the environment.
        embedder, reranker, chat: your own, in place of what the settings choose, such as those of LlamaIndex
            (`phidex.adapters.llamaindex`). A model that is given writes all answers.

    Example:
        >>> import tempfile
        >>> with Phidex(data=tempfile.mkdtemp()) as phidex:
        ...     phidex.status()["collections"]
        {}
    """

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
        from phidex.intake import describer_of, preview, run_settings, speech_of

        settings = run_settings(self.settings.ingest, passwords, quality=quality, ocr=ocr, workers=workers)
        run = partial(ingest_files, targets, tags=tags, ref=ref, only=only, sync=sync)
        listeners = Listeners(on_file, on_page, on_fetch)
        if dry_run:
            there = self._library.collection(collection) if collection in self.collections() else None
            run = partial(run, settings=settings, describe=describer_of(self.settings), speech=speech_of(self.settings))
            return preview(run, collection, there, self.settings, listeners)
        return self._take_in(run, settings, targets, collection, dense == "now", listeners, on_embed)

    def ingest_documents(
        self,
        documents: Iterable[object],
        *,
        collection: str = "default",
        tags: Sequence[str] | None = None,
        sync: bool = False,
        dry_run: bool = False,
        dense: Literal["now", "later"] = "now",
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> IngestReport:
        """Ingest texts that the program has: `TextDocument`s, and documents or nodes of LlamaIndex and LangChain readers.

        Those of one file or address become one source, with its pages. An unchanged document is skipped, an edited one is
        replaced in one step; a document is known by its uri (`phidex.adapters.documents` says how one is found).

        Args:
            sync: also remove documents that were given before and are not among these.
            tags, dry_run, dense, on_file, on_embed: see `ingest`.

        Raises:
            InputError: an object is no document.
            ConfigError, ServiceError: see `errors.py`.
        """
        from phidex.adapters.documents import documents_of
        from phidex.ingest.run.given import ingest_texts
        from phidex.ingest.run.pipeline import Listeners
        from phidex.intake import preview, take_in

        settings, listeners = self.settings.ingest, Listeners(on_file)
        run = partial(ingest_texts, documents_of(documents), settings=settings, tags=tags, sync=sync)
        if dry_run:
            there = self._library.collection(collection) if collection in self.collections() else None
            return preview(run, collection, there, self.settings, listeners)
        target = self._library.create(collection)
        embed = partial(self.complete, collection, on_embed=on_embed) if dense == "now" else None
        return take_in(run, target, self._library.embedder(target), self.settings, listeners=listeners, embed=embed)

    def watch(
        self,
        *targets: PathLike,
        collection: str = "default",
        tags: Sequence[str] | None = None,
        sync: bool = False,
        dense: Literal["now", "later"] = "now",
        stop: threading.Event | None = None,
        on_report: Callable[[IngestReport], None] | None = None,
        on_fault: Callable[[PhidexError], None] | None = None,
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_page: Callable[[str, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> None:
        """Ingest files and folders of this machine, and again whenever something in them changes; returns when `stop` is set.

        Args:
            stop: set from another thread; None to go on until an interrupt.
            on_report: called after each round with its report.
            on_fault: called when a service is down for the moment, which has the round repeated a little later, and when a
                target is gone, which is left out until it is back.
            tags, sync, dense, on_file, on_page, on_embed: see `ingest`.

        Raises:
            InputError: a target is no path of this machine.
        """
        from phidex.ingest.run.pipeline import Listeners, ingest_files
        from phidex.intake import follow

        hashes: Hashes = {}

        def take(there: Sequence[PathLike]) -> IngestReport:
            run = partial(ingest_files, there, tags=tags, sync=sync, hashes=hashes)
            told = Listeners(on_file, on_page)
            return self._take_in(run, self.settings.ingest, there, collection, dense == "now", told, on_embed)

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
        from phidex.intake import cluster_of, describer_of, embed_on, pool_of, speech_of, take_in

        check_paths(targets)
        describe = describer_of(self.settings)
        with cluster_of(settings) as cluster:
            target = self._library.create(name)
            choice = self._library.embedder(target)
            speech, pool = speech_of(self.settings), pool_of(cluster, settings)
            run = partial(run, settings=settings, pool=pool, describe=describe, speech=speech)
            embed = partial(self.complete, name, on_embed=on_embed)
            if cluster is not None:
                embed = partial(embed_on, cluster, target, choice, self.settings, on_embed)
            return take_in(run, target, choice, self.settings, listeners=listeners, embed=embed if now else None)

    def complete(self, collection: str = "default", *, on_embed: Callable[[int, int], None] | None = None) -> int:
        """Give all passages that wait their dense vector; returns how many got one.

        Raises:
            ConfigError: passages wait and their dense model cannot be had.
        """
        target = self._library.collection(collection)
        if not target.pending():
            return 0
        choice = self._library.embedder(target)
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
            embedder: "auto", "multilingual", "bundled", "fast", "endpoint", "none" (lexical search only), a hub id or a folder;
                None keeps the collection's own where the settings name no other.
            on_progress: called with what is being done, how many passages are done and how many there are.

        Raises:
            NotFoundError: there is no such collection.
            ConfigError: the embedder cannot be had.
            ServiceError: another reindex is at work, or the disk has no room for the collection a second time.
        """
        from phidex.retrieval.choose import renew_embedder
        from phidex.retrieval.reindex import check_room, made_of, reindex

        store = self._library.existing_store(collection)
        made = made_of(store, collection)
        identity, choice = renew_embedder(made.embedder, self.settings.embed, self.settings.cache, model=embedder)
        if not self.settings.store.url:
            check_room(self.settings.data, made, identity.dim if identity else 0, self.settings.store.min_free_mb)
        report = reindex(store, collection, identity, embedder=choice.embedder, on_progress=on_progress)
        self._library.keep(identity, choice)
        self._library.forget(collection)
        return report

    def backup(
        self,
        path: PathLike,
        collection: str = "default",
        *,
        blobs: bool = True,
        replace: bool = False,
        on_progress: Callable[[str, int, int], None] | None = None,
    ) -> BackupReport:
        """Write a collection to one file, from which either store can make it again. Others may search and ingest meanwhile.

        Args:
            blobs: with its pictures, and originals that lie nowhere else.
            replace: whether a file that is there may be replaced. It stays until the new one is whole.
            on_progress: called with the step ("points", "blobs"), how much of it is done and how much there is.

        Raises:
            InputError: the file exists, or cannot be written.
            NotFoundError: there is no such collection.
            ServiceError: the disk has no room, or the collection was reindexed meanwhile.
        """
        from phidex.retrieval.backup import backup

        kept = self._library.blobs(collection) if blobs else None
        target = self._library.collection(collection)
        return backup(target, Path(path), blobs=kept, replace=replace, on_progress=on_progress)

    def restore(
        self,
        path: PathLike,
        collection: str = "",
        *,
        replace: bool = False,
        on_progress: Callable[[str, int, int], None] | None = None,
    ) -> BackupReport:
        """Make a collection of a backup; it appears whole, with the last step.

        Args:
            collection: its name; "" for the one that it had.
            replace: whether a collection of that name may be replaced. It is searched until the new one is whole.
            on_progress: as for `backup`; further steps are "indexing" and "switching".

        Raises:
            InputError: the file is damaged or no backup, or the collection exists.
            ConfigError: the file was made by a newer version.
            ServiceError: the disk has no room, or the store failed.
        """
        from phidex.retrieval.archive import ArchiveReader
        from phidex.retrieval.restore import restore

        if not collection:
            with closing(ArchiveReader(Path(path))) as reader:
                collection = str(reader.manifest["collection"])
        data = None if self.settings.store.url else self.settings.data
        report = restore(
            self._library.store(),
            Path(path),
            collection,
            blobs=self._library.blobs(collection),
            replace=replace,
            data=data,
            on_progress=on_progress,
        )
        self._library.forget(collection)
        return report

    def optimize(self, collection: str = "default", *, on_state: Callable[[IndexState], None] | None = None) -> IndexState:
        """Bring a collection's index to what the settings say, and wait for it; it is searched all the while.

        Large collections do this by themselves, in the background.

        Args:
            on_state: called with how it stands, a few times a second.

        Raises:
            NotFoundError: there is no such collection.
        """
        target, store = self._library.collection(collection), self._library.store()
        store.optimize(target.points)
        while True:
            state = store.index_state(target.points)
            if on_state:
                on_state(state)
            if state.step not in ("due", "building"):
                return state
            time.sleep(_LOOK_S)

    def remove(self, *names: str, collection: str = "default") -> list[str]:
        """Remove sources given by id, uri, path or file name; returns the uris of what was removed.

        A document that is known by several names, since its bytes lie in several places, stays under the others.

        Raises:
            NotFoundError: a name fits no source; nothing is removed then.
            InputError: a file name fits several; likewise.
        """
        from phidex.inventory import remove_sources

        return remove_sources(self._library, names, collection)

    def rename_speakers(self, source: str, names: Mapping[str, str], collection: str = "default") -> list[str]:
        """Correct who speaks in a recording, in all that is stored of it; returns the names as they are now.

        Nothing is read or recognised again; passages in which a name changes get a new vector. A later ingest of the recording
        keeps the corrections.

        Args:
            source: by id, uri, path or file name.
            names: the right name by the one that is there: {"Speaker 1": "Ada"}. Two that become one are one speaker.

        Raises:
            NotFoundError: there is no such collection or source.
            InputError: nobody is called so, a name is none, or the source's name fits several.
        """
        from phidex.inventory import only_source
        from phidex.retrieval.speakers import rename_speakers

        target = self._library.collection(collection)
        speakers = rename_speakers(target, only_source(source, target), names)
        choice = self._library.embedder(target)
        if choice.embedder is not None and target.pending():
            target.embed_pending(choice.embedder)
        return speakers

    def drop(self, collection: str) -> None:
        """Remove a collection with all it holds; the documents themselves are not touched."""
        self._library.collection(collection).drop()
        self._library.forget(collection)
        self._library.blobs(collection).drop()
