"""`AsyncPhidex`: the SDK for programs with an event loop; the same names, each call in a worker thread.

>>> import asyncio, tempfile
>>> async def main() -> int:
...     async with AsyncPhidex(data=tempfile.mkdtemp()) as phidex:
...         return len((await phidex.status())["collections"])
>>> asyncio.run(main())
0
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from phidex.sdk import PathLike, Phidex
from phidex.settings import Settings

if TYPE_CHECKING:
    from phidex.generation.answer import Answer, AnswerEvent
    from phidex.ingest.pipeline import FileReport, IngestReport
    from phidex.retrieval.collection import SourceEntry
    from phidex.retrieval.search import Filters, Hit


class AsyncPhidex:
    """`Phidex` with awaitable methods. Cancelling a task that streams an answer stops the server's work."""

    def __init__(self, data: PathLike | None = None, settings: Settings | None = None) -> None:
        self._sync = Phidex(data, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def settings(self) -> Settings:
        """The settings it works with."""
        return self._sync.settings

    async def close(self) -> None:
        """See `Phidex.close`."""
        await asyncio.to_thread(self._sync.close)

    async def ingest(
        self,
        *paths: PathLike,
        collection: str = "default",
        tags: Sequence[str] = (),
        dense: Literal["now", "later"] = "now",
        on_file: Callable[[FileReport, int, int], None] | None = None,
        on_embed: Callable[[int, int], None] | None = None,
    ) -> IngestReport:
        """See `Phidex.ingest`; the callbacks are called from the worker thread."""
        return await asyncio.to_thread(
            self._sync.ingest, *paths, collection=collection, tags=tags, dense=dense, on_file=on_file, on_embed=on_embed
        )

    async def complete(self, collection: str = "default", *, on_embed: Callable[[int, int], None] | None = None) -> int:
        """See `Phidex.complete`."""
        return await asyncio.to_thread(self._sync.complete, collection, on_embed=on_embed)

    async def search(
        self, query: str, collection: str = "default", limit: int | None = None, filters: Filters | None = None
    ) -> list[Hit]:
        """See `Phidex.search`."""
        return await asyncio.to_thread(self._sync.search, query, collection, limit, filters)

    async def ask(self, question: str, collection: str = "default", *, filters: Filters | None = None) -> Answer:
        """The whole answer; see `Phidex.ask`. `ask_stream` streams it."""
        return await asyncio.to_thread(self._sync.ask, question, collection, filters=filters)

    async def ask_stream(
        self, question: str, collection: str = "default", *, filters: Filters | None = None
    ) -> AsyncIterator[AnswerEvent]:
        """The events of `Phidex.ask(stream=True)`. Leaving the loop, or cancelling the task, stops the server's work."""
        cancelled = threading.Event()
        events = self._sync.ask(question, collection, filters=filters, stream=True, cancelled=cancelled)
        try:
            while (event := await asyncio.to_thread(next, events, None)) is not None:
                yield event
        finally:
            cancelled.set()

    async def sources(self, collection: str = "default") -> list[SourceEntry]:
        """See `Phidex.sources`."""
        return await asyncio.to_thread(self._sync.sources, collection)

    async def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """See `Phidex.find_sources`."""
        return await asyncio.to_thread(self._sync.find_sources, *names, collection=collection)

    async def remove(self, *names: str, collection: str = "default") -> list[str]:
        """See `Phidex.remove`."""
        return await asyncio.to_thread(self._sync.remove, *names, collection=collection)

    async def drop(self, collection: str) -> None:
        """See `Phidex.drop`."""
        await asyncio.to_thread(self._sync.drop, collection)

    async def collections(self) -> list[str]:
        """See `Phidex.collections`."""
        return await asyncio.to_thread(self._sync.collections)

    async def status(self) -> dict[str, Any]:
        """See `Phidex.status`."""
        return await asyncio.to_thread(self._sync.status)
