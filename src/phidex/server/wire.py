"""The shapes of requests (those of answers: shapes.py), and how an answer is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

CollectionName = Annotated[str, Path(pattern=NAME, description="name of the collection", examples=["default"])]
SourceId = Annotated[str, Path(pattern=UUID, description="id of the source", examples=["0b9d5c9e-5f0e-5b55-9d4c-3a0a4d1f6a11"])]


def reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; what no text can hold (half of a surrogate pair in a file's name) becomes a question mark."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(text, status, headers, "application/json")


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterFields(_In):
    """What hits are limited to; all that is set must hold."""

    sources: list[str] = Field(default=[], max_length=1_000, description="ids of sources")
    kinds: list[str] = Field(default=[], max_length=100, description="pdf, text, markdown, html, code, video, …")
    languages: list[str] = Field(default=[], max_length=100, description="ISO 639-1")
    tags: list[str] = Field(default=[], max_length=100, description="any of them")
    pages: str | None = Field(default=None, description="12 or 10-20", examples=["10-20"])
    modalities: list[str] = Field(default=[], max_length=100, description="text, table, code, image, frame, speech")
    symbols: list[str] = Field(default=[], max_length=100, description="of code, dotted names of what is defined")
    names: list[str] = Field(default=[], max_length=100, description="file names, titles or uris, with small slips")
    paths: list[str] = Field(default=[], max_length=100, description='folders or files ("src/"), or patterns')
    after: str = Field(default="", description="the document's date is in or after it: 2024, 2024-01, 2024-01-15")
    before: str = Field(default="", description="it is before it")


class FiltersIn(FilterFields):
    """Likewise, and what hits must not be."""

    without: FilterFields | None = None


class SearchIn(_In):
    """A search."""

    query: str = Field(min_length=1, max_length=20_000, description="a question or words, in any language")
    limit: int | None = Field(default=None, ge=1, le=500, description="hits; default: the server's setting")
    filters: FiltersIn | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": "When was the boiler replaced?", "limit": 5}]}
    )


Role = Literal["mini", "moe", "vision", "extractive"]


class AskIn(_In):
    """A question."""

    question: str = Field(min_length=1, max_length=100_000)
    filters: FiltersIn | None = None
    role: Role | None = Field(default=None, description="who is to answer; default: as the router decides")
    conversation: dict[str, Any] | None = Field(
        default=None, description="what came back with the answer before; {} begins a conversation"
    )
    stream: bool = Field(default=False, description="the events as they come, as text/event-stream")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "When was the boiler replaced?", "stream": False}]}
    )


class SummarizeIn(_In):
    """What is to be summarised."""

    source: str | None = Field(default=None, max_length=4_096, description="id, name or title; null for the collection")
    language: str = Field(default="", description="ISO 639-1; default: that of the text")
    style: Literal["prose", "bullets", "abstract", "sections"] = "prose"
    length: Literal["short", "medium", "long"] = "medium"
    filters: FiltersIn | None = None
    role: Role | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"style": "bullets", "length": "short"}]})


class ExtractIn(_In):
    """What is to be read out of each document."""

    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema of one record")
    question: str = Field(default="", max_length=20_000, description="what to look for, where the schema does not say it all")
    filters: FiltersIn | None = None
    strict: bool = Field(default=False, description="null for a value that no passage has")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"schema": {"type": "object", "properties": {"signed_by": {"type": "string"}}}}]},
    )


class ImportIn(_In):
    """Documents and repositories that the server fetches."""

    targets: list[Annotated[str, Field(min_length=1, max_length=4_096)]] = Field(
        min_length=1, max_length=100, description="https:// URLs of documents or git repositories"
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=256)]] | None = Field(default=None, max_length=100)
    ref: str = Field(default="", max_length=256, description="of repositories: branch, tag or commit")
    only: list[Annotated[str, Field(min_length=1, max_length=1_024)]] = Field(
        default=[], max_length=100, description="of repositories: files, folders or patterns"
    )
    sync: bool = Field(default=False, description="also remove sources that are gone from there")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"targets": ["https://example.org/report.pdf"], "tags": ["2024"]}]}
    )
