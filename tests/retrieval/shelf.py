"""Sources and chunks to put into collections, an embedder that costs nothing, and a store that dies when it is told to."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from qdrant_client import QdrantClient
from tests.retrieval.engines import end_engine

from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.search import search
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Floats, Store
from phidex.settings import StoreSettings

WRITES = {"create", "drop", "upsert", "update_dense", "set_payload", "amend", "delete", "compact"}


class Sums:
    """An embedder: equal texts have equal vectors; remembers all that it was asked for."""

    def __init__(self, name: str = "sums", dim: int = 4, languages: tuple[str, ...] | None = None) -> None:
        self.identity = EmbedderIdentity(name, dim, f"{name}/1", languages)
        self.asked: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Floats:
        seed = zlib.crc32(f"{self.identity.model}{text}".encode())
        vector = np.random.default_rng(seed).standard_normal(self.identity.dim).astype(np.float32)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def source(name: str, *, tags: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> Source:
    """A source of that name."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    return Source(identity, f"file:///{name}", "pdf", name, "0" * 64, "en", "x/y", 3, tags=tags, also=also)


def chunks(of: Source, *texts: str, first_page: int = 1) -> list[Chunk]:
    """One chunk a text, each on a page of its own; a chunk's id holds its page and its text."""
    return [
        Chunk(
            id=str(uuid.uuid5(uuid.UUID(of.id), f"{page} {text}")),
            source_id=of.id,
            locator=PageLocator(page, ((1.5, 2.25, 3.1, 4.7),)),
            text=text,
            modality="text",
            language=of.language,
            order=order,
            token_count=len(text.split()),
        )
        for order, (page, text) in enumerate(enumerate(texts, first_page))
    ]


def texts_of(collection: Collection, of: Source) -> tuple[str, ...]:
    """The visible texts of a source, in order."""
    return tuple(chunk.text for chunk in collection.source_chunks(of.id))


def found(collection: Collection, word: str) -> set[tuple[str, str]]:
    """Source titles and texts that a search for a word finds, copies in other sources included."""
    hits = search(collection, word, embedder=None, limit=500)
    return {(place.source.title, hit.chunk.text) for hit in hits for place in (hit, *hit.also)}


@pytest.fixture
def memory() -> Store:
    """qdrant-client's in-process store: quick to make, and not for several threads."""
    return ServerStore(client=QdrantClient(":memory:"))


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Store]:
    """The embedded engine."""
    opened = EdgeStore(tmp_path / "data", StoreSettings(min_free_mb=1))  # pyright: ignore[reportCallIssue]  # all have defaults
    yield opened
    opened.close()
    end_engine(tmp_path / "data")


class Kill(BaseException):
    """The end of a process, as far as its store can tell."""


class Mortal:
    """A store that dies before a certain write, counted from 1, and does nothing any more from then on."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store, self._left = store, writes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def request(*arguments: Any, **named: Any) -> Any:
            self._left -= name in WRITES and self._left > 0
            if not self._left:
                raise Kill
            return method(*arguments, **named)

        return request


def killed_before(store: Store, write: int, work: Callable[[Store], object]) -> bool:
    """Do the work up to that write; False when it has fewer."""
    try:
        work(cast(Store, Mortal(store, write)))
    except Kill:
        return True
    return False


class Stepping:
    """A store that calls `before` with the name of each request."""

    def __init__(self, store: Store, before: Callable[[str], None]) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def request(*arguments: Any, **named: Any) -> Any:
            self._before(name)
            return method(*arguments, **named)

        return request
