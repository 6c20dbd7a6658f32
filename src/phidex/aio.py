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
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from phidex.async_holdings import AsyncHoldings
from phidex.holdings import PathLike

if TYPE_CHECKING:
    from phidex.errors import PhidexError
    from phidex.generation.answer import Answer, AnswerEvent, Role
    from phidex.generation.conversation import Conversation
    from phidex.generation.structured.batch import Classification, Extraction
    from phidex.generation.structured.record import DocumentRecord, Labels, StructuredAnswer
    from phidex.generation.structured.tables import DocumentTable
    from phidex.generation.summary.summary import Length, OnProgress, Style, Summary
    from phidex.generation.vision.attached import Attachment
    from phidex.ingest.options import Ocr, Quality
    from phidex.ingest.run.report import FileReport, IngestReport
    from phidex.retrieval.backup import BackupReport
    from phidex.retrieval.filters import Filters
    from phidex.retrieval.hit import Hit
    from phidex.retrieval.rebuild import Progress
    from phidex.retrieval.reindex import ReindexReport
    from phidex.retrieval.store import Floats
    from phidex.retrieval.tuning import IndexState

T = TypeVar("T")


class AsyncPhidex(AsyncHoldings):
    """`Phidex` with awaitable methods. Cancelling a task that streams an answer stops the server's work."""

    async def ingest(
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
        """See `Phidex.ingest`; the callbacks are called from the worker thread."""
        return await asyncio.to_thread(
            self._sync.ingest,
            *targets,
            collection=collection,
            tags=tags,
            ref=ref,
            only=only,
            sync=sync,
            dry_run=dry_run,
            dense=dense,
            quality=quality,
            ocr=ocr,
            passwords=passwords,
            workers=workers,
            on_file=on_file,
            on_page=on_page,
            on_fetch=on_fetch,
            on_embed=on_embed,
        )

    async def ingest_documents(
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
        """See `Phidex.ingest_documents`; the callbacks are called from the worker thread."""
        return await asyncio.to_thread(
            self._sync.ingest_documents,
            documents,
            collection=collection,
            tags=tags,
            sync=sync,
            dry_run=dry_run,
            dense=dense,
            on_file=on_file,
            on_embed=on_embed,
        )

    async def watch(
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
        """See `Phidex.watch`; cancelling the task ends it behind the round that runs."""
        stop = stop or threading.Event()
        try:
            await asyncio.to_thread(
                self._sync.watch,
                *targets,
                collection=collection,
                tags=tags,
                sync=sync,
                dense=dense,
                stop=stop,
                on_report=on_report,
                on_fault=on_fault,
                on_file=on_file,
                on_page=on_page,
                on_embed=on_embed,
            )
        finally:
            stop.set()

    async def complete(self, collection: str = "default", *, on_embed: Callable[[int, int], None] | None = None) -> int:
        """See `Phidex.complete`."""
        return await asyncio.to_thread(self._sync.complete, collection, on_embed=on_embed)

    async def reindex(
        self, collection: str = "default", embedder: str | None = None, *, on_progress: Progress | None = None
    ) -> ReindexReport:
        """See `Phidex.reindex`; the callback is called from the worker thread."""
        return await asyncio.to_thread(self._sync.reindex, collection, embedder, on_progress=on_progress)

    async def search(
        self,
        query: str,
        collection: str = "default",
        limit: int | None = None,
        filters: Filters | None = None,
        *,
        on_warning: Callable[[str], None] | None = None,
    ) -> list[Hit]:
        """See `Phidex.search`; the callback is called from the worker thread."""
        return await asyncio.to_thread(self._sync.search, query, collection, limit, filters, on_warning=on_warning)

    @overload
    async def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
        schema: None = None,
    ) -> Answer: ...

    @overload
    async def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        schema: type[T],
    ) -> StructuredAnswer[T]: ...

    @overload
    async def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        schema: Mapping[str, Any],
    ) -> StructuredAnswer[dict[str, Any]]: ...

    async def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
        schema: type[Any] | Mapping[str, Any] | None = None,
    ) -> Answer | StructuredAnswer[Any]:
        """The whole answer; see `Phidex.ask`. `ask_stream` streams it."""
        if schema is None:
            return await asyncio.to_thread(
                self._sync.ask, question, collection, filters=filters, conversation=conversation, role=role, images=images
            )

        def ask() -> StructuredAnswer[Any]:
            asked: Any = self._sync.ask  # which checks what goes with a schema
            limits: dict[str, Any] = {"filters": filters, "conversation": conversation, "role": role, "images": images}
            return asked(question, collection, **limits, schema=schema, cancelled=cancelled)

        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(ask)
        finally:
            cancelled.set()

    async def ask_stream(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        conversation: Conversation | None = None,
        role: Role | None = None,
        images: Sequence[Attachment] = (),
    ) -> AsyncIterator[AnswerEvent]:
        """The events of `Phidex.ask(stream=True)`. Leaving the loop, or cancelling the task, stops the server's work."""
        cancelled = threading.Event()

        def begin() -> Iterator[AnswerEvent]:  # opens the collection and its models
            return self._sync.ask(
                question,
                collection,
                filters=filters,
                conversation=conversation,
                role=role,
                images=images,
                stream=True,
                cancelled=cancelled,
            )

        events = await asyncio.to_thread(begin)
        try:
            while (event := await asyncio.to_thread(next, events, None)) is not None:
                yield event
        finally:
            cancelled.set()

    async def summarize(
        self,
        source: str | Conversation | None = None,
        collection: str = "default",
        *,
        language: str = "",
        style: Style = "prose",
        length: Length = "medium",
        filters: Filters | None = None,
        role: Role | None = None,
        on_progress: OnProgress | None = None,
    ) -> Summary:
        """See `Phidex.summarize`; the callback is called from the worker thread. Cancelling the task ends the server's work."""
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(
                self._sync.summarize,
                source,
                collection,
                language=language,
                style=style,
                length=length,
                filters=filters,
                role=role,
                on_progress=on_progress,
                cancelled=cancelled,
            )
        finally:
            cancelled.set()

    async def extract(
        self,
        schema: type[Any] | Mapping[str, Any],
        collection: str = "default",
        *,
        question: str = "",
        filters: Filters | None = None,
        strict: bool = False,
        on_document: Callable[[DocumentRecord[StructuredAnswer[Any]], int, int], None] | None = None,
    ) -> Extraction[Any]:
        """See `Phidex.extract`; the callback is called from a worker thread. Cancelling the task ends the run."""
        cancelled = threading.Event()

        def extract() -> Extraction[Any]:
            limits: dict[str, Any] = {"question": question, "filters": filters, "strict": strict}
            run: Any = self._sync.extract
            return run(schema, collection, **limits, on_document=on_document, cancelled=cancelled)

        try:
            return await asyncio.to_thread(extract)
        finally:
            cancelled.set()

    async def classify(
        self,
        labels: Sequence[str] | Mapping[str, str],
        collection: str = "default",
        *,
        several: bool = False,
        question: str = "",
        filters: Filters | None = None,
        on_document: Callable[[DocumentRecord[Labels], int, int], None] | None = None,
    ) -> Classification:
        """See `Phidex.classify`; the callback is called from a worker thread. Cancelling the task ends the run."""
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(
                self._sync.classify,
                labels,
                collection,
                several=several,
                question=question,
                filters=filters,
                on_document=on_document,
                cancelled=cancelled,
            )
        finally:
            cancelled.set()

    async def tables(self, *names: str, collection: str = "default") -> list[DocumentTable]:
        """See `Phidex.tables`."""
        return await asyncio.to_thread(self._sync.tables, *names, collection=collection)

    async def embed(self, texts: Sequence[str], collection: str = "", *, query: bool = False) -> Floats:
        """See `Phidex.embed`."""
        return await asyncio.to_thread(self._sync.embed, texts, collection, query=query)

    async def backup(
        self,
        path: PathLike,
        collection: str = "default",
        *,
        blobs: bool = True,
        replace: bool = False,
        on_progress: Callable[[str, int, int], None] | None = None,
    ) -> BackupReport:
        """See `Phidex.backup`; the callback is called from the worker thread."""
        return await asyncio.to_thread(
            self._sync.backup, path, collection, blobs=blobs, replace=replace, on_progress=on_progress
        )

    async def restore(
        self,
        path: PathLike,
        collection: str = "",
        *,
        replace: bool = False,
        on_progress: Callable[[str, int, int], None] | None = None,
    ) -> BackupReport:
        """See `Phidex.restore`; the callback is called from the worker thread."""
        return await asyncio.to_thread(self._sync.restore, path, collection, replace=replace, on_progress=on_progress)

    async def optimize(
        self, collection: str = "default", *, on_state: Callable[[IndexState], None] | None = None
    ) -> IndexState:
        """See `Phidex.optimize`; the callback is called from the worker thread."""
        return await asyncio.to_thread(self._sync.optimize, collection, on_state=on_state)

    async def remove(self, *names: str, collection: str = "default") -> list[str]:
        """See `Phidex.remove`."""
        return await asyncio.to_thread(self._sync.remove, *names, collection=collection)

    async def rename_speakers(self, source: str, names: Mapping[str, str], collection: str = "default") -> list[str]:
        """See `Phidex.rename_speakers`."""
        return await asyncio.to_thread(self._sync.rename_speakers, source, names, collection)

    async def drop(self, collection: str) -> None:
        """See `Phidex.drop`."""
        await asyncio.to_thread(self._sync.drop, collection)
