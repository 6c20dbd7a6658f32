"""Our search as a retriever of LangChain."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from phidex.adapters.metadata import hit_metadata
from phidex.retrieval.hit import Hit


class PhidexRetriever(BaseRetriever):
    """Documents with text, `score` and place of the passages that answer best. Thread-safe.

    Errors are Phidex's own, each with a hint; `ServiceError` is the one that is worth another try:
    `retriever.with_retry(retry_if_exception_type=(phidex.ServiceError,))`.

    Args:
        phidex: `Phidex`, or what speaks like it.
        limit: documents at most; default: the settings'.
        filters: `phidex.Filters` that limit what is found; operators in a question (`kind:code lang:de`) do too.
        aio: `AsyncPhidex` for `ainvoke`; default: `phidex` in a thread.
    """

    phidex: Any
    collection: str = "default"
    limit: int | None = None
    filters: Any = None
    aio: Any = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:  # noqa: ARG002  LangChain's
        return documents_of_hits(self.phidex.search(query, self.collection, self.limit, self.filters))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002  LangChain's
    ) -> list[Document]:
        if self.aio is not None:
            return documents_of_hits(await self.aio.search(query, self.collection, self.limit, self.filters))
        search = self.phidex.search
        return documents_of_hits(await asyncio.to_thread(search, query, self.collection, self.limit, self.filters))


def documents_of_hits(hits: list[Hit]) -> list[Document]:
    """A document a hit, best first."""
    return [
        Document(id=hit.chunk.id, page_content=hit.chunk.text, metadata={**hit_metadata(hit), "score": hit.score})
        for hit in hits
    ]
