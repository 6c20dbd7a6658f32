"""What OpenAI's clients call with `base_url=http://host:8100/v1`: each collection is a model."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from phidex.generation.answer import Answer, AnswerEvent, Route
from phidex.generation.chat_wire import Delta
from phidex.retrieval.count import estimate_tokens
from phidex.retrieval.store import Floats
from phidex.server.faults import RefusedError, refusal_of
from phidex.server.guard import Caller
from phidex.server.history import Said, history_of
from phidex.server.routes.answers import opened, watched, whole_answer
from phidex.server.routes.shared import Reader, TheService, router
from phidex.server.shapes import CitationOut, RouteOut, errors
from phidex.server.streams import event
from phidex.server.wire import NAME, reply

routes = router("for OpenAI's clients")

EMBEDDER = "phidex/embedder"
"""The model of new collections, among those that embed; no collection can be called so."""

_CUT = "the answer was cut at its token limit"  # as warnings of answers begin
_MOST_TEXTS = 2_048


class StreamOptions(BaseModel):
    """What a stream holds."""

    include_usage: bool | None = None


class ChatIn(BaseModel):
    """A conversation; its last message is the question. What is not named here is taken, and changes nothing."""

    model: str = Field(pattern=NAME, description="the collection")
    messages: list[Said] = Field(min_length=1, max_length=2_000)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"model": "default", "messages": [{"role": "user", "content": "When was the boiler replaced?"}]}]
        },
    )


class EmbeddingsIn(BaseModel):
    """Texts to embed."""

    model: str = Field(pattern=rf"{NAME}|^{EMBEDDER}$", description=f"a collection, whose model it is, or {EMBEDDER}")
    input: str | list[str] = Field(description="one text or several")
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(default=None, ge=1, description="only the model's own number")
    input_type: Literal["query", "passage"] = Field(default="passage", description="questions are embedded otherwise")

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"model": EMBEDDER, "input": ["a first text", "a second one"]}]}
    )


class ModelOut(BaseModel):
    """A collection."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelListOut(BaseModel):
    """The collections that the key is for."""

    object: Literal["list"]
    data: list[ModelOut]


class CountsOut(BaseModel):
    """Tokens; zeros where no model wrote the answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessageOut(BaseModel):
    """The answer, its references at its end."""

    role: Literal["assistant"]
    content: str
    refusal: str | None


class ChoiceOut(BaseModel):
    """The only one."""

    index: int
    message: ChatMessageOut
    logprobs: None
    finish_reason: Literal["stop", "length"]


class ChatOut(BaseModel):
    """OpenAI's `chat.completion`, with what the answer rests on."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: CountsOut
    citations: list[CitationOut]
    route: RouteOut
    found: bool
    warnings: list[str]


class EmbeddingsOut(BaseModel):
    """Vectors, in the order of the texts."""

    object: Literal["list"]
    model: str
    data: list[dict[str, Any]]
    usage: dict[str, int]


@routes.get("/models", response_model=ModelListOut)
async def list_models(service: TheService, caller: Reader) -> Response:
    """The collections, each as a model."""
    names = await service.lookups(service.phidex.collections)
    return reply({"object": "list", "data": [_model(name) for name in names if caller.sees(name)]})


@routes.get("/models/{model}", response_model=ModelOut, responses=errors(404))
async def get_model(
    model: Annotated[str, Path(pattern=NAME)], request: Request, service: TheService, caller: Reader
) -> Response:
    """One of them."""
    _enter(request, caller, model)
    if model not in await service.lookups(service.phidex.collections):
        raise RefusedError(404, "model_not_found", f"there is no collection {model!r}", hint="GET /v1/models lists them")
    return reply(_model(model))


@routes.post(
    "/chat/completions",
    response_model=ChatOut,
    responses={**errors(404, 504), 200: {"description": "whole, or in chunks", "content": {"text/event-stream": {}}}},
)
async def complete_chat(wanted: ChatIn, request: Request, service: TheService, caller: Reader) -> Response:
    """An answer to the last message; the ones before it say what it hangs on. `citations` is beside the choices."""
    _enter(request, caller, wanted.model)
    _check_extras(wanted)
    question, conversation = history_of(wanted.messages)

    def begin(cancelled: Any) -> Iterator[AnswerEvent]:
        return service.phidex.ask(question, wanted.model, conversation=conversation, stream=True, cancelled=cancelled)

    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": wanted.model}
    if wanted.stream:
        counts = bool(wanted.stream_options and wanted.stream_options.include_usage)
        events = await opened(service, begin)
        return StreamingResponse(_chunks(events, head, request.state.request_id, counts=counts), media_type="text/event-stream")
    answer = await whole_answer(request, service, begin)
    message = {"role": "assistant", "content": answer.text + _references(answer), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return reply({**head, "object": "chat.completion", "choices": [choice], "usage": _counts(answer), **_extras(answer)})


@routes.post("/embeddings", response_model=EmbeddingsOut, responses=errors(404, 504))
async def create_embeddings(wanted: EmbeddingsIn, request: Request, service: TheService, caller: Reader) -> Response:
    """Dense vectors by a collection's model, rows L2-normalised."""
    collection = "" if wanted.model == EMBEDDER else wanted.model
    if collection:
        _enter(request, caller, collection)
    texts = [wanted.input] if isinstance(wanted.input, str) else wanted.input
    if not 1 <= len(texts) <= _MOST_TEXTS or not all(texts):
        hint = f"1 to {_MOST_TEXTS} texts, none of them empty"
        raise RefusedError(400, "bad_input", "there is nothing to embed, or too much", hint=hint, param="input")

    def embed(cancelled: threading.Event) -> bytes:
        vectors = service.phidex.embed(texts, collection, query=wanted.input_type == "query")
        return _embeddings(wanted, vectors, sum(map(estimate_tokens, texts)), cancelled)

    return Response(await watched(request, service, embed), media_type="application/json")


def _embeddings(wanted: EmbeddingsIn, vectors: Floats, tokens: int, cancelled: threading.Event) -> bytes:
    """The whole answer, written row by row: one call for all of them would keep every other thread waiting for seconds.

    Raises:
        RefusedError: vectors of another length are wanted.
    """
    if wanted.dimensions not in (None, vectors.shape[1]):
        message = f"the model makes vectors of {vectors.shape[1]} dimensions"
        raise RefusedError(400, "bad_input", message, hint="leave dimensions out", param="dimensions")
    floats = wanted.encoding_format != "base64"
    rows: list[str] = []
    for at, row in enumerate(np.ascontiguousarray(vectors, dtype="<f4")):
        if cancelled.is_set():  # nobody waits for it
            break
        values = row.tolist() if floats else base64.b64encode(row.tobytes()).decode()
        rows.append(json.dumps({"object": "embedding", "index": at, "embedding": values}, separators=(",", ":")))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    ends = json.dumps({"object": "list", "model": wanted.model, "usage": usage}, separators=(",", ":"))
    return f'{ends[:-1]},"data":[{",".join(rows)}]}}'.encode()


async def _chunks(
    events: AsyncGenerator[AnswerEvent | None], head: dict[str, Any], request_id: str, *, counts: bool
) -> AsyncIterator[bytes]:
    """OpenAI's chunks: the text, the references, then the end with the citations."""

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if counts else {}
        return event("", {**head, "object": "chat.completion.chunk", "choices": [choice], **usage, **more})

    begun, last = False, None
    async with aclosing(events):
        try:
            yield chunk({"role": "assistant", "content": ""})
            async for one in events:
                match one:
                    case None:
                        yield chunk({})  # some clients take a comment for the end of the connection
                    case Route() if begun:  # text cannot be taken back here: what follows counts
                        yield chunk({"content": f"\n\n---\n\n*{one.reason}:*\n\n"})
                    case Delta(text):
                        begun = True
                        yield chunk({"content": text})
                    case Answer():
                        last = one
                    case _:
                        pass
            if last is not None:
                if references := _references(last):
                    yield chunk({"content": references})
                yield chunk({}, _finish(last), **_extras(last))
                if counts:
                    usage = _counts(last)
                    yield event("", {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        except Exception as exc:  # noqa: BLE001  the status is sent: it is told in the stream
            yield event("", refusal_of(exc).body(request_id))
            return
    yield event("", "[DONE]")


def _enter(request: Request, caller: Caller, collection: str) -> None:
    """The collection stands in no path: the grant is looked at here. Raises: RefusedError."""
    request.state.collection = collection
    caller.check(("read",), collection)


def _check_extras(wanted: ChatIn) -> None:
    """Refuse what would change the answer's form, and cannot be done."""
    given = wanted.model_extra or {}
    form = given.get("response_format")
    refused = [name for name in ("tools", "functions") if given.get(name)]
    if isinstance(form, dict) and form.get("type", "text") != "text":  # pyright: ignore[reportUnknownMemberType]
        refused.append("response_format")
    if refused:
        hint = "leave it out; POST /v1/collections/{collection}/extract takes a schema"
        raise RefusedError(400, "unsupported_parameter", f"{refused[0]} is not supported", hint=hint, param=refused[0])


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "phidex"}


def _references(answer: Answer) -> str:
    """The cited places, a line each, to stand behind the text; "" without any."""
    lines = dict.fromkeys(str(citation) for citation in answer.citations)
    return "\n\nSources:\n" + "\n".join(lines) if lines else ""


def _finish(answer: Answer) -> str:
    return "length" if any(warning.startswith(_CUT) for warning in answer.warnings) else "stop"


def _counts(answer: Answer) -> dict[str, int]:
    read, written = (answer.usage.prompt_tokens, answer.usage.completion_tokens) if answer.usage else (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _extras(answer: Answer) -> dict[str, Any]:
    return {
        "citations": [citation.to_dict() for citation in answer.citations],
        "route": answer.route.to_dict(),
        "found": answer.found,
        "warnings": list(answer.warnings),
    }
