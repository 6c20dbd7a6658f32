"""The base of `AsyncPhidex`: what `Holdings` lists and shows, with awaitable methods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from phidex.holdings import PathLike
from phidex.sdk import Phidex
from phidex.settings import Settings

if TYPE_CHECKING:
    from phidex.generation.conversations import ConversationStore
    from phidex.generation.endpoints.brought import NamedChat
    from phidex.ingest.records import Chunk
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.embed import Embedder
    from phidex.retrieval.rerank import Reranker


class AsyncHoldings:
    """See `Holdings`; each call runs in a worker thread."""

    def __init__(
        self,
        data: PathLike | None = None,
        settings: Settings | None = None,
        *,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        chat: NamedChat | None = None,
    ) -> None:
        self._sync = Phidex(data, settings, embedder=embedder, reranker=reranker, chat=chat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def settings(self) -> Settings:
        """The settings it works with."""
        return self._sync.settings

    @property
    def conversations(self) -> ConversationStore:
        """See `Phidex.conversations`. Its files are small; of very many, call `list` in a thread."""
        return self._sync.conversations

    async def close(self) -> None:
        """See `Phidex.close`."""
        await asyncio.to_thread(self._sync.close)

    async def blob(self, identity: str, collection: str = "default") -> bytes:
        """See `Phidex.blob`."""
        return await asyncio.to_thread(self._sync.blob, identity, collection)

    async def sources(self, collection: str = "default") -> list[SourceEntry]:
        """See `Phidex.sources`."""
        return await asyncio.to_thread(self._sync.sources, collection)

    async def sources_page(
        self, collection: str = "default", *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[SourceEntry], str | None]:
        """See `Phidex.sources_page`."""
        return await asyncio.to_thread(self._sync.sources_page, collection, limit=limit, cursor=cursor)

    async def source(self, source_id: str, collection: str = "default") -> SourceEntry:
        """See `Phidex.source`."""
        return await asyncio.to_thread(self._sync.source, source_id, collection)

    async def open_original(self, source_id: str, collection: str = "default") -> BinaryIO:
        """See `Phidex.open_original`."""
        return await asyncio.to_thread(self._sync.open_original, source_id, collection)

    async def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """See `Phidex.find_sources`."""
        return await asyncio.to_thread(self._sync.find_sources, *names, collection=collection)

    async def languages(self, collection: str = "default") -> dict[str, int]:
        """See `Phidex.languages`."""
        return await asyncio.to_thread(self._sync.languages, collection)

    async def collections(self) -> list[str]:
        """See `Phidex.collections`."""
        return await asyncio.to_thread(self._sync.collections)

    async def overview(self, collection: str = "default") -> dict[str, Any]:
        """See `Phidex.overview`."""
        return await asyncio.to_thread(self._sync.overview, collection)

    async def status(self) -> dict[str, Any]:
        """See `Phidex.status`."""
        return await asyncio.to_thread(self._sync.status)

    async def passages(self, source_id: str, collection: str = "default") -> list[Chunk]:
        """See `Phidex.passages`."""
        return await asyncio.to_thread(self._sync.passages, source_id, collection)

    async def speakers(self, source: str, collection: str = "default") -> list[str]:
        """See `Phidex.speakers`."""
        return await asyncio.to_thread(self._sync.speakers, source, collection)

    async def subtitles(self, source: str, collection: str = "default") -> str:
        """See `Phidex.subtitles`."""
        return await asyncio.to_thread(self._sync.subtitles, source, collection)

    async def chapters(self, source: str, collection: str = "default") -> str:
        """See `Phidex.chapters`."""
        return await asyncio.to_thread(self._sync.chapters, source, collection)

    async def contact_sheet(self, source: str, collection: str = "default") -> bytes:
        """See `Phidex.contact_sheet`."""
        return await asyncio.to_thread(self._sync.contact_sheet, source, collection)
