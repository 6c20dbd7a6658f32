"""Many documents -> a record each: what `Phidex.extract` and `Phidex.classify` do, and the tables of some documents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phidex.generation.ask import Asker
from phidex.generation.chat import ChatModel
from phidex.generation.routing.route import Asked
from phidex.generation.structured.batch import Classification, Extraction
from phidex.generation.structured.classify import Classifier, read_labels
from phidex.generation.structured.extract import Extractor
from phidex.generation.structured.record import DocumentRecord, Labels, StructuredAnswer
from phidex.generation.structured.roles import routes_for
from phidex.generation.structured.run import over_documents
from phidex.generation.structured.schema import Schema
from phidex.generation.structured.tables import DocumentTable, read_tables
from phidex.ingest.records import Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.filters import Filters
from phidex.retrieval.query.resolve import resolve_filters


def ask_for_data(
    asker: Asker, question: str, schema: type[Any] | Mapping[str, Any], *, strict: bool = False, **limits: Any
) -> StructuredAnswer[Any]:
    """The answer to one question as data; `limits` are those of `Extractor.ask`, which says what is raised."""
    wanted: Schema[Any] = Schema.of(schema)
    return Extractor.of(asker, _chat(asker), wanted, strict=strict).ask(question, **limits)


def extract_documents(
    asker: Asker,
    schema: type[Any] | Mapping[str, Any],
    *,
    question: str = "",
    filters: Filters | None = None,
    strict: bool = False,
    on_document: Callable[[DocumentRecord[StructuredAnswer[Any]], int, int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Extraction[Any]:
    """A record of each document that the filters leave.

    Raises:
        InputError, NotFoundError: the schema is none, or a filter names nothing.
        ConfigError: no model is configured, or its endpoint is wrong.
    """
    wanted: Schema[Any] = Schema.of(schema)
    extractor = Extractor.of(asker, _chat(asker), wanted, strict=strict)
    limits = _limits(asker.collection, filters)

    def work(source: Source, halt: threading.Event) -> StructuredAnswer[Any] | None:
        return extractor.document(source, question, limits, halt)

    records = over_documents(
        _sources(asker.collection, limits),
        work,
        workers=asker.settings.chat.concurrency,
        on_document=on_document,
        cancelled=cancelled,
    )
    return Extraction(records, tuple(wanted.nothing()))


def classify_documents(
    asker: Asker,
    labels: Sequence[str] | Mapping[str, str],
    *,
    several: bool = False,
    question: str = "",
    filters: Filters | None = None,
    on_document: Callable[[DocumentRecord[Labels], int, int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Classification:
    """A record of each document that the filters leave.

    Raises:
        InputError, NotFoundError: the labels are none, or a filter names nothing.
        ConfigError: no model is configured, or its endpoint is wrong.
    """
    classifier = Classifier.of(asker, _chat(asker), read_labels(labels), several=several, question=question)
    limits = _limits(asker.collection, filters)

    def work(source: Source, halt: threading.Event) -> Labels | None:
        return classifier.document(source, limits, halt)

    records = over_documents(
        _sources(asker.collection, limits),
        work,
        workers=asker.settings.chat.concurrency,
        on_document=on_document,
        cancelled=cancelled,
    )
    return Classification(records)


def tables_of(collection: Collection, source_ids: Sequence[str]) -> list[DocumentTable]:
    """The tables of some sources, in the order in which these are named."""
    sources = collection.sources(source_ids)
    found = [read_tables(sources[one], collection.source_chunks(one)) for one in source_ids if one in sources]
    return [table for tables in found for table in tables]


def _chat(asker: Asker) -> ChatModel:
    """Raises: ConfigError: no model is configured."""
    routes_for(asker, Asked(), None)
    assert asker.chat is not None  # or there is no route
    return asker.chat


def _limits(collection: Collection, filters: Filters | None) -> list[Filters]:
    return [resolve_filters(filters, collection)] if filters is not None else []


def _sources(collection: Collection, limits: Sequence[Filters]) -> list[Source]:
    """Those that the filters may leave, by name."""
    sources = [entry.source for entry in collection.entries()]
    return [one for one in sources if all(not limit.sources or one.id in limit.sources for limit in limits)]
