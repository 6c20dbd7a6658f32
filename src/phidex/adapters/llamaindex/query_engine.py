"""Our answers as a query engine of LlamaIndex: cited, streamed, with the citations as source nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks.base import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle

from phidex.adapters.answering import Told
from phidex.adapters.doors import AsyncDoor, Door
from phidex.adapters.llamaindex.nodes import nodes_of_citations, nodes_of_hits
from phidex.generation.answer import AnswerEvent, Role
from phidex.retrieval.filters import Filters


class PhidexQueryEngine(BaseQueryEngine):
    """Answers with citations; `source_nodes` are the cited passages, `metadata` holds route, usage, warnings and ledger.

    Who writes the answer is Phidex's to choose: its own settings, or `Phidex(chat=LlamaIndexChat(llm))`. Thread-safe.

    Args:
        phidex: `Phidex`, or what speaks like it.
        filters: limit what is read.
        role: who is to answer; default: as the router decides.
        streaming: return a `StreamingResponse`, whose source nodes and metadata are there once its text is.
        aio: `AsyncPhidex` for `aquery`; default: `phidex` in threads.
    """

    def __init__(
        self,
        phidex: Door,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        streaming: bool = False,
        aio: AsyncDoor | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self._phidex, self._aio = phidex, aio
        self._collection, self._streaming = collection, streaming
        self._limits: dict[str, Any] = {"filters": filters, "role": role}
        super().__init__(callback_manager)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}  # the prompts are Phidex's own

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The passages that an answer would be looked for in; see `PhidexRetriever`."""
        found = self._phidex.search(query_bundle.query_str, self._collection, None, self._limits["filters"])
        return nodes_of_hits(found)

    def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
        told = Told()
        pieces = told.pieces(self._phidex.ask(query_bundle.query_str, self._collection, stream=True, **self._limits))
        if self._streaming:
            streamed = StreamingResponse(response_gen=iter(()), metadata={})  # pyright: ignore[reportArgumentType]
            streamed.response_gen = _filling(streamed, pieces, told)
            return streamed
        for _ in pieces:
            pass
        return _response(told)

    async def _aquery(self, query_bundle: QueryBundle) -> Response | AsyncStreamingResponse:
        told = Told()
        events = self._events(query_bundle.query_str)
        if self._streaming:
            streamed = AsyncStreamingResponse(response_gen=_nothing(), metadata={})
            streamed.response_gen = _afilling(streamed, events, told)
            return streamed
        async with aclosing(events):
            async for event in events:
                told.take(event)
        return _response(told)

    async def _events(self, question: str) -> AsyncGenerator[AnswerEvent, None]:
        if self._aio is not None:
            events: AsyncIterator[AnswerEvent] = self._aio.ask_stream(question, self._collection, **self._limits)
            async for event in events:
                yield event
            return
        begun = await asyncio.to_thread(self._phidex.ask, question, self._collection, stream=True, **self._limits)
        try:
            while (event := await asyncio.to_thread(next, begun, None)) is not None:
                yield event
        finally:
            close = getattr(begun, "close", None)
            if close is not None:
                await asyncio.to_thread(close)


def _response(told: Told) -> Response:
    text = told.answer.text if told.answer else ""
    return Response(text, source_nodes=nodes_of_citations(told.cited()), metadata=told.metadata())


def _fill(response: StreamingResponse | AsyncStreamingResponse, told: Told) -> None:
    response.source_nodes = nodes_of_citations(told.cited())
    response.metadata = told.metadata()


def _filling(response: StreamingResponse, pieces: Iterator[str], told: Told) -> Generator[str, None, None]:
    """The pieces; behind the last of them the response has its source nodes."""
    yield from pieces
    _fill(response, told)


async def _afilling(
    response: AsyncStreamingResponse, events: AsyncGenerator[AnswerEvent, None], told: Told
) -> AsyncGenerator[str, None]:
    async with aclosing(events):
        async for event in events:
            if text := told.take(event):
                yield text
    _fill(response, told)


async def _nothing() -> AsyncGenerator[str, None]:
    return
    yield ""
