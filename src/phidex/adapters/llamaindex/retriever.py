"""Our search as a retriever of LlamaIndex."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from phidex.adapters.doors import AsyncDoor, Door
from phidex.adapters.llamaindex.nodes import nodes_of_hits
from phidex.retrieval.filters import Filters


class PhidexRetriever(BaseRetriever):
    """Nodes with text, score and place of the passages that answer best. Thread-safe.

    Errors are Phidex's own, each with a hint (`phidex.PhidexError`).

    Args:
        phidex: `Phidex`, or what speaks like it.
        limit: nodes at most; default: the settings'.
        filters: limit what is found; operators in a question (`kind:code lang:de`) do too.
        aio: `AsyncPhidex` for `aretrieve`; default: `phidex` in a thread.
    """

    def __init__(
        self,
        phidex: Door,
        collection: str = "default",
        *,
        limit: int | None = None,
        filters: Filters | None = None,
        aio: AsyncDoor | None = None,
        **options: Any,
    ) -> None:
        self._phidex, self._aio = phidex, aio
        self._collection, self._limit, self._filters = collection, limit, filters
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return nodes_of_hits(self._phidex.search(query_bundle.query_str, self._collection, self._limit, self._filters))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._aio is None:
            return await asyncio.to_thread(self._retrieve, query_bundle)
        return nodes_of_hits(await self._aio.search(query_bundle.query_str, self._collection, self._limit, self._filters))
