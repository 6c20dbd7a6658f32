"""Our answers as a `Runnable` of LangChain: a question in, the answer with its cited passages out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

from langchain_core.documents import Document
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import AddableDict

from phidex.adapters.answering import Told
from phidex.adapters.doors import AsyncDoor, Door
from phidex.adapters.metadata import citation_metadata
from phidex.generation.answer import Role
from phidex.retrieval.filters import Filters


class PhidexAnswerer(Runnable[str, dict[str, Any]]):
    """A question -> {"input", "answer", "context", "metadata"}, under the names that LangChain's retrieval chains use.

    `context` are the cited passages, each with its `marker`, `quote` and whether that was `verified`; `metadata` holds route,
    usage, warnings and ledger. `stream` yields the same in parts that add up: the input, pieces of the answer, the rest.
    It keeps no history. Thread-safe.

    Args:
        phidex: `Phidex`, or what speaks like it.
        filters: limit what is read.
        role: who is to answer; default: as the router decides.
        aio: `AsyncPhidex` for `ainvoke` and `astream`; default: `phidex` in threads.
    """

    def __init__(
        self,
        phidex: Door,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        aio: AsyncDoor | None = None,
    ) -> None:
        self._phidex, self._aio, self._collection = phidex, aio, collection
        self._limits: dict[str, Any] = {"filters": filters, "role": role}

    def invoke(self, input: str, config: RunnableConfig | None = None, **_: Any) -> dict[str, Any]:
        """The whole answer."""
        return self._call_with_config(lambda question: _summed(self._parts(question)), input, config)

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **_: Any) -> dict[str, Any]:
        """The whole answer; see `invoke`."""

        async def answer(question: str) -> dict[str, Any]:
            return _summed([part async for part in self._aparts(question)])

        return await self._acall_with_config(answer, input, config)

    def stream(self, input: str, config: RunnableConfig | None = None, **_: Any) -> Iterator[dict[str, Any]]:
        """The answer as it comes. Leaving the loop stops the server's work."""

        def parts(questions: Iterator[str]) -> Iterator[dict[str, Any]]:
            for question in questions:
                yield from self._parts(question)

        yield from self._transform_stream_with_config(iter([input]), parts, config)

    async def astream(self, input: str, config: RunnableConfig | None = None, **_: Any) -> AsyncIterator[dict[str, Any]]:
        """The answer as it comes; see `stream`."""

        async def asked() -> AsyncIterator[str]:
            yield input

        async def parts(questions: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
            async for question in questions:
                async for part in self._aparts(question):
                    yield part

        async for part in self._atransform_stream_with_config(asked(), parts, config):
            yield part

    def _parts(self, question: str) -> Iterator[dict[str, Any]]:
        told = Told()
        yield AddableDict(input=question)
        events = self._phidex.ask(question, self._collection, stream=True, **self._limits)
        for text in told.pieces(events):
            yield AddableDict(answer=text)
        yield _rest(told)

    async def _aparts(self, question: str) -> AsyncIterator[dict[str, Any]]:
        told = Told()
        yield AddableDict(input=question)
        if self._aio is not None:
            async for event in self._aio.ask_stream(question, self._collection, **self._limits):
                if text := told.take(event):
                    yield AddableDict(answer=text)
        else:
            events = await asyncio.to_thread(self._phidex.ask, question, self._collection, stream=True, **self._limits)
            pieces = told.pieces(events)
            with closing(pieces):
                while (text := await asyncio.to_thread(next, pieces, None)) is not None:
                    yield AddableDict(answer=text)
        yield _rest(told)


def _rest(told: Told) -> dict[str, Any]:
    documents = [Document(id=one.chunk_id, page_content=text, metadata=citation_metadata(one)) for one, text in told.cited()]
    return AddableDict(context=documents, metadata=told.metadata())


def _summed(parts: Any) -> dict[str, Any]:
    whole = AddableDict()
    for part in parts:
        whole = whole + part
    whole.setdefault("answer", "")
    return dict(whole)
