"""What a `Phidex` has open: the store, collections, models, blobs and the chat client, each opened when first needed, once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from phidex.errors import NotFoundError
from phidex.settings import Settings

if TYPE_CHECKING:
    from phidex.generation.endpoints.brought import Brought, NamedChat
    from phidex.generation.endpoints.pool import Pool
    from phidex.ingest.run.blobs import Blobs
    from phidex.retrieval.choose import Choice
    from phidex.retrieval.collection import Collection
    from phidex.retrieval.embed import Embedder, EmbedderIdentity
    from phidex.retrieval.rerank import Reranker
    from phidex.retrieval.store import Store

_REOPEN_S = 1.0


class Library:
    """A data folder as one program uses it. Thread-safe; nothing is made in it before something is written.

    Args:
        embedder, reranker, chat: the program's own, in place of what the settings choose.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        chat: NamedChat | None = None,
    ) -> None:
        self.settings = settings
        self._given = embedder
        self._reranking = reranker
        self._reranking_chosen = reranker is not None
        self._reranker_loading = threading.Lock()
        self._store: Store | None = None
        self._chat: Pool | Brought | None = None
        self._brought = chat
        self._choices: dict[EmbedderIdentity | None, Choice] = {}  # one model for all collections made with it
        self._default: Choice | None = None
        self._choosing = threading.Lock()
        self._loading: dict[EmbedderIdentity | None, threading.Lock] = {}
        self._collections: dict[str, tuple[Collection, float]] = {}
        self._lock = threading.RLock()  # held for moments: never while a model is fetched or read

    def close(self) -> None:
        """Let go of connections. The engine's process leaves by itself when nobody uses it."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            if self._chat is not None:
                self._chat.close()
            self._store = self._chat = None
            self._collections.clear()

    @property
    def exists(self) -> bool:
        """Whether there is anything to read: looking must not make a folder."""
        return bool(self.settings.store.url) or self.settings.data.is_dir()

    def store(self) -> Store:
        """The store; the embedded one makes its folder."""
        with self._lock:
            if self._store is None:
                from phidex.retrieval.engines import open_store

                self._store = open_store(self.settings.data, self.settings.store)
            return self._store

    def existing_store(self, name: str) -> Store:
        """The store, in which to look for the collection `name`.

        Raises:
            NotFoundError: there is no data folder.
        """
        if not self.exists:
            message = f"there is no collection {name!r}, since there is no data folder {self.settings.data}"
            raise NotFoundError(message, hint="ingest into it first, or name the folder with --data")
        return self.store()

    def names(self) -> list[str]:
        """Names of the collections, sorted."""
        from phidex.retrieval.collection import Collection

        return sorted(Collection.names(self.store())) if self.exists else []

    def collection(self, name: str) -> Collection:
        """The collection; what it was made with is read again after a second, since others may make it anew.

        Raises:
            NotFoundError: there is none of that name.
        """
        from phidex.retrieval.collection import Collection

        store = self.existing_store(name)
        known = self._collections.get(name)
        if known is None or time.monotonic() - known[1] > _REOPEN_S:
            known = self._collections[name] = (Collection.open(store, name), time.monotonic())
        return known[0]

    def create(self, name: str) -> Collection:
        """The collection, made with the embedder of the settings where there is none of that name."""
        from phidex.retrieval.choose import choose_embedder
        from phidex.retrieval.collection import Collection

        def identity() -> EmbedderIdentity | None:
            if self._given is not None:
                return self._given.identity
            choice = choose_embedder(self.settings.embed, self.settings.cache)
            found = choice.embedder.identity if choice.embedder else None
            self.keep(found, choice)
            return found

        return Collection.create(self.store(), name, identity)

    def forget(self, name: str) -> None:
        """Read anew, at its next use, what the collection was made with."""
        self._collections.pop(name, None)

    def embedder(self, collection: Collection) -> Choice:
        """The collection's embedder; opened once, with its model shared by later calls. Only who needs the same one waits."""
        from phidex.retrieval.choose import Choice, open_embedder, open_given

        identity = collection.meta.embedder
        if self._given is not None:
            return open_given(self._given, identity)
        if identity is None:
            return self._choices.get(None) or Choice(None, "the collection was made without dense vectors")
        with self._lock:
            loading = self._loading.setdefault(identity, threading.Lock())
        with loading:
            if identity not in self._choices:
                self.keep(identity, open_embedder(identity, self.settings.embed, self.settings.cache))
            return self._choices[identity]

    def default_embedder(self) -> Choice:
        """The embedder that a new collection would be made with; opened once."""
        from phidex.retrieval.choose import choose_embedder, open_given

        if self._given is not None:
            return open_given(self._given, self._given.identity)
        with self._choosing:
            if self._default is None:
                self._default = choose_embedder(self.settings.embed, self.settings.cache)
            return self._default

    def keep(self, identity: EmbedderIdentity | None, choice: Choice) -> None:
        """Share an embedder that was opened elsewhere, unless there is one."""
        with self._lock:
            self._choices.setdefault(identity, choice)

    def reranker(self) -> Reranker | None:
        """The reranker of the settings; None where reranking is switched off."""
        with self._reranker_loading:
            if not self._reranking_chosen:
                from phidex.retrieval.rerank import choose_reranker

                self._reranking = choose_reranker(self.settings.rerank, self.settings.embed.hub_timeout_s).reranker
                self._reranking_chosen = True
            return self._reranking

    def blobs(self, name: str) -> Blobs:
        """Pictures, and originals that lie nowhere else."""
        from phidex.ingest.run.blobs import Blobs
        from phidex.intake import blob_place

        return Blobs(blob_place(self.settings, name))

    def chat(self) -> Pool | Brought | None:
        """The model endpoints, or the model that was given; None where none is set."""
        from phidex.generation.routing.route import seeing_model, served_roles

        if not (served_roles(self.settings.chat) or seeing_model(self.settings.chat)):
            return None
        with self._lock:
            if self._chat is None and self._brought is not None:
                from phidex.generation.endpoints.brought import Brought

                self._chat = Brought(self._brought)
            elif self._chat is None:
                from phidex.generation.endpoints.pool import Pool

                self._chat = Pool(self.settings.chat)
            return self._chat
