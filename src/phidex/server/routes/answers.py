"""Search, ask, summarize, extract. What a client no longer waits for is ended, at the model's server too."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from phidex.generation.answer import Answer, AnswerEvent, Notice, event_name
from phidex.generation.chat_wire import Delta
from phidex.generation.conversation import Conversation
from phidex.retrieval.context.block import Context
from phidex.retrieval.filters import Filters
from phidex.server.faults import refusal_of
from phidex.server.lanes import follow, run_cancellable
from phidex.server.routes.shared import Reader, TheService, router
from phidex.server.service import Service
from phidex.server.shapes import AnswerOut, ExtractOut, SearchOut, SummaryOut, errors
from phidex.server.streams import IDLE_S, KEEP_ALIVE, event
from phidex.server.wire import AskIn, CollectionName, ExtractIn, FiltersIn, SearchIn, SummarizeIn, reply

routes = router("search and answers")

_EVENTS = (
    "the whole answer; with `stream`, events: `route` (a second one begins the answer anew), `evidence` (what is read), "
    "`token` (the next piece of text), `citation`, `warning`, at last `done` (the whole answer) or `error` (an error's body)"
)


@routes.post("/collections/{collection}/search", response_model=SearchOut, responses=errors(404))
async def search(collection: CollectionName, wanted: SearchIn, service: TheService, _: Reader) -> Response:
    """The passages that answer best, best first. Operators in the query limit it: `kind:code lang:de page:10-20 -tag:draft`."""
    warnings: list[str] = []
    hits = await service.lookups(
        service.phidex.search, wanted.query, collection, wanted.limit, filters_of(wanted.filters), on_warning=warnings.append
    )
    return reply({"hits": [hit.to_dict() for hit in hits], "warnings": warnings})


@routes.post(
    "/collections/{collection}/ask",
    response_model=AnswerOut,
    responses={**errors(404, 504), 200: {"description": _EVENTS, "content": {"text/event-stream": {}}}},
)
async def ask(collection: CollectionName, wanted: AskIn, request: Request, service: TheService, _: Reader) -> Response:
    """An answer whose citations name document, page and box; whole, or as it is written."""
    conversation = None
    if wanted.conversation is not None:
        conversation = Conversation.from_dict(wanted.conversation) if wanted.conversation else Conversation()
    filters = filters_of(wanted.filters)

    def begin(cancelled: threading.Event) -> Iterator[AnswerEvent]:
        options: dict[str, Any] = {"filters": filters, "conversation": conversation, "role": wanted.role}
        return service.phidex.ask(wanted.question, collection, **options, stream=True, cancelled=cancelled)

    if wanted.stream:
        events = await opened(service, begin)
        return StreamingResponse(_stream(events, conversation, request.state.request_id), media_type="text/event-stream")
    answer = await whole_answer(request, service, begin)
    return reply(answer_dict(answer, conversation))


@routes.post("/collections/{collection}/summarize", response_model=SummaryOut, responses=errors(404, 504))
async def summarize(
    collection: CollectionName, wanted: SummarizeIn, request: Request, service: TheService, _: Reader
) -> Response:
    """A summary of a document or of the collection, every sentence with its citations."""

    def run(cancelled: threading.Event) -> dict[str, Any]:
        return service.phidex.summarize(
            wanted.source,
            collection,
            language=wanted.language,
            style=wanted.style,
            length=wanted.length,
            filters=filters_of(wanted.filters),
            role=wanted.role,
            cancelled=cancelled,
        ).to_dict()

    return reply(await watched(request, service, run))


@routes.post("/collections/{collection}/extract", response_model=ExtractOut, responses=errors(404, 504))
async def extract(collection: CollectionName, wanted: ExtractIn, request: Request, service: TheService, _: Reader) -> Response:
    """The same data from each document, by a JSON Schema, each value with its citations. It needs a model."""

    def run(cancelled: threading.Event) -> list[dict[str, Any]]:
        found = service.phidex.extract(
            wanted.json_schema,
            collection,
            question=wanted.question,
            filters=filters_of(wanted.filters),
            strict=wanted.strict,
            cancelled=cancelled,
        )
        return [record.to_dict() for record in found.records]

    return reply({"records": await watched(request, service, run)})


def filters_of(given: FiltersIn | None) -> Filters | None:
    """The filters of a request. Raises: InputError where a value is none."""
    return Filters.from_dict(given.model_dump(exclude_defaults=True)) if given is not None else None


def answer_dict(answer: Answer, conversation: Conversation | None) -> dict[str, Any]:
    """The answer as JSON, with the conversation where one was asked for."""
    return answer.to_dict() | {"conversation": conversation.to_dict() if conversation is not None else None}


async def opened(service: Service, begin: Any) -> AsyncGenerator[AnswerEvent | None]:
    """The events of an answer, once the first of them has come: until then an error has a status of its own."""
    settings = service.settings
    events = follow(service.answers, begin, timeout_s=settings.answer_timeout_s, closing=service.ending, idle_s=IDLE_S)
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    return _resumed(first, events)


async def _resumed(first: AnswerEvent | None, events: AsyncGenerator[AnswerEvent | None]) -> AsyncGenerator[AnswerEvent | None]:
    async with aclosing(events):
        yield first
        async for one in events:
            yield one


async def whole_answer(request: Request, service: Service, begin: Any) -> Answer:
    """The last event. Raises: see `run_cancellable`."""

    def run(cancelled: threading.Event) -> Answer:
        last = None
        for last in begin(cancelled):  # noqa: B007  only the last event, the whole answer, is wanted
            pass
        assert isinstance(last, Answer)
        return last

    return await watched(request, service, run)


async def watched(request: Request, service: Service, run: Any) -> Any:
    """What `run` returns, which takes as long as a model does. Raises: see `run_cancellable`."""
    timeout_s = service.settings.answer_timeout_s
    return await run_cancellable(request, service.answers, run, timeout_s=timeout_s, closing=service.ending)


async def _stream(
    events: AsyncGenerator[AnswerEvent | None], conversation: Conversation | None, request_id: str
) -> AsyncIterator[bytes]:
    async with aclosing(events):
        try:
            async for one in events:
                match one:
                    case None:
                        yield KEEP_ALIVE
                    case Delta(text) | Notice(text):
                        yield event(event_name(one), {"text": text})
                    case Answer():
                        yield event(event_name(one), answer_dict(one, conversation))
                    case Context():
                        yield event(event_name(one), {"ledger": one.ledger.to_dict(), "blocks": len(one.blocks)})
                    case _:
                        yield event(event_name(one), one.to_dict())
        except Exception as exc:  # noqa: BLE001  the status is sent: it is told in the stream
            yield event("error", refusal_of(exc).body(request_id))
