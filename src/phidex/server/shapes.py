"""The shapes of answers and errors, as the OpenAPI document shows them.

Answers are made by the records' own `to_dict`; a test holds them to these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class PageLocatorOut(BaseModel):
    """A place on a page; boxes in points from the top left."""

    type: Literal["page"]
    page_number: int
    page_label: str
    boxes: list[list[float]]
    unit: Literal["page", "slide"]


class LineLocatorOut(BaseModel):
    """Lines of a file."""

    type: Literal["lines"]
    path: str
    start_line: int
    end_line: int
    commit: str


class PartLocatorOut(BaseModel):
    """Paragraphs or items of a part."""

    type: Literal["part"]
    part: str
    start: int
    end: int
    unit: Literal["paragraph", "item"]


class CellLocatorOut(BaseModel):
    """Cells of a sheet."""

    type: Literal["cells"]
    sheet: str
    cells: str


class TimeLocatorOut(BaseModel):
    """A stretch of a recording."""

    type: Literal["time"]
    start_s: float
    end_s: float
    frame: str
    slide: str = Field(default="", description="the page of a deck that the frame shows, where the deck was given too")


LocatorOut = Annotated[
    PageLocatorOut | LineLocatorOut | PartLocatorOut | CellLocatorOut | TimeLocatorOut, Field(discriminator="type")
]


class SourceOut(BaseModel):
    """A document."""

    id: str
    uri: str
    name: str
    kind: str
    title: str
    sha256: str
    language: str
    mime: str
    page_count: int
    size_bytes: int
    tags: list[str]
    metadata: dict[str, str]
    blob: str
    also: list[str]


class SourceEntryOut(SourceOut):
    """A document of a collection, and how far it is."""

    state: Literal["incomplete", "searchable", "complete"]
    chunks: int
    pending: int
    ingested_at: float


class SourcePageOut(BaseModel):
    """Some of the sources."""

    data: list[SourceEntryOut]
    next_cursor: str | None = Field(description="ask with it for the next ones; null at the end")


class CollectionOut(BaseModel):
    """What a collection holds."""

    name: str
    sources: int
    incomplete: int
    chunks: int
    pending: int
    languages: dict[str, int]
    embedder: str
    index: dict[str, Any]


class CollectionNameOut(BaseModel):
    """A collection by its name."""

    name: str


class CollectionListOut(BaseModel):
    """The collections that the key is for."""

    data: list[CollectionNameOut]


class RemovedOut(BaseModel):
    """What was removed."""

    removed: list[str]


class ChunkOut(BaseModel):
    """A passage."""

    id: str
    source_id: str
    locator: LocatorOut
    text: str
    modality: str
    language: str
    order: int
    heading: list[str]
    token_count: int
    links: list[str]
    symbol: str
    image: str


class HitOut(BaseModel):
    """A passage that was found, and why."""

    score: float
    text: str
    source: SourceOut
    locator: LocatorOut
    chunk: ChunkOut
    why: dict[str, Any]
    boosts: dict[str, float]
    also: list[dict[str, Any]]


class SearchOut(BaseModel):
    """Hits, best first."""

    hits: list[HitOut]
    warnings: list[str]


class CitationOut(BaseModel):
    """A place that an answer rests on."""

    marker: int
    source: SourceOut
    locator: LocatorOut
    chunk_id: str
    quote: str
    verified: bool
    status: Literal["verified", "unsupported", "missing"]
    reason: str = Field(description="what speaks against it, or could not be compared")


class RouteOut(BaseModel):
    """Who answered, and why."""

    role: Literal["extractive", "mini", "moe", "vision"]
    model: str
    reason: str
    signals: dict[str, Any]


class UsageOut(BaseModel):
    """Tokens as the model's server counted them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class AnswerOut(BaseModel):
    """An answer with what it rests on."""

    question: str
    searched: str
    text: str
    found: bool
    citations: list[CitationOut]
    claims: list[dict[str, Any]] = Field(description="its sentences that state something, each with its status")
    confidence: float | None
    route: RouteOut
    ledger: dict[str, Any]
    usage: UsageOut | None
    warnings: list[str]
    plan: dict[str, Any] | None
    timings: dict[str, float]
    conversation: dict[str, Any] | None = Field(default=None, description="to send with the next question")


class SummaryOut(BaseModel):
    """A summary with what it rests on."""

    title: str
    text: str
    language: str
    style: str
    length: str
    sentences: list[dict[str, Any]]
    participants: list[str] = []
    agenda: list[dict[str, Any]] = []
    decisions: list[dict[str, Any]] = []
    actions: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []
    slides: list[dict[str, Any]] = []
    citations: list[CitationOut]
    route: RouteOut
    plan: dict[str, Any] | None
    ledger: dict[str, Any] | None
    usage: UsageOut | None
    warnings: list[str]
    timings: dict[str, float]


class ExtractOut(BaseModel):
    """One record a document; see `phidex extract --json`."""

    records: list[dict[str, Any]]


class JobOut(BaseModel):
    """An ingest, and how far it is."""

    id: str
    kind: Literal["upload", "import"]
    collection: str
    targets: list[str]
    tags: list[str] | None
    ref: str
    only: list[str]
    sync: bool
    key: str = Field(description="id of the key that asked for it")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    step: str = Field(description="reading, fetching, embedding")
    name: str = Field(description="what is being read or fetched")
    done: int
    total: int = Field(description="0: not known")
    counts: dict[str, int] = Field(description="files by what became of them")
    refused: list[dict[str, str]] = Field(description="files that were not taken, each with its reason")
    notes: list[str]
    error: dict[str, str] | None
    created_at: float
    started_at: float
    ended_at: float
    attempts: int
    cancelling: bool


class JobPageOut(BaseModel):
    """Some of the jobs, newest first."""

    data: list[JobOut]
    next_cursor: str | None


class RoleOut(BaseModel):
    """How a model stands."""

    role: str
    state: Literal["ok", "broken", "missing", "off"]
    model: str
    served: str
    window_tokens: int | None
    effective_tokens: int
    detail: str
    cure: str


class RoleListOut(BaseModel):
    """The models that answer, embed and rerank."""

    data: list[RoleOut]


class HealthOut(BaseModel):
    """How the server is."""

    status: Literal["ok", "not ready"]
    checks: dict[str, str] = {}


class FaultOut(BaseModel):
    """What was wrong."""

    message: str
    type: str
    code: str
    param: str | None
    hint: str
    request_id: str


class ErrorOut(BaseModel):
    """The body of every error."""

    error: FaultOut


_ERRORS = {
    400: "the input is at fault: mend it as the hint says",
    401: "a valid key is needed",
    403: "the key is not for this, or a foreign web page asks",
    404: "there is no such thing",
    408: "the request came too slowly",
    409: "it cannot be done as things stand",
    413: "the request is too large",
    415: "the type is not taken, or is not what it is said to be",
    416: "the range lies behind the end",
    421: "the server is not known by that name",
    422: "the request is not as this document says",
    429: "the key asks too often; see Retry-After",
    500: "the server failed; its log says more under the request id",
    501: "a part of the server that this needs is not set up",
    502: "a model server or the store failed",
    503: "busy, or a service is down for the moment; see Retry-After",
    504: "it took too long",
}
_ALWAYS = (400, 401, 403, 408, 413, 415, 421, 422, 429, 500, 501, 502, 503)


def errors(*more: int, public: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors that a route can answer with, for its documentation: those of every route, and `more`."""
    statuses = (413, 415, 421, 403, 500) if public else _ALWAYS
    return {status: {"model": ErrorOut, "description": _ERRORS[status]} for status in sorted({*statuses, *more})}
