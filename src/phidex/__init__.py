"""Phidex: document intelligence on Microsoft's Phi-3.5 models.

from phidex import Phidex

with Phidex(data="library") as phidex:
    phidex.ingest("reports/")
    answer = phidex.ask("Who signed the lease?")
    print(answer.text, *answer.citations, sep="\\n")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phidex.aio import AsyncPhidex
    from phidex.errors import (
        BudgetError,
        ConfigError,
        IncompleteAnswerError,
        InputError,
        NotFoundError,
        PhidexError,
        ServiceError,
    )
    from phidex.generation.answer import Answer, Citation, Claim, Notice, Route
    from phidex.generation.chat_wire import Delta, Usage
    from phidex.generation.conversation import Conversation
    from phidex.generation.conversations import ConversationStore
    from phidex.generation.structured.batch import Classification, Extraction
    from phidex.generation.structured.record import DocumentRecord, FieldEvidence, Labels, StructuredAnswer
    from phidex.generation.structured.tables import DocumentTable
    from phidex.generation.summary.minutes import Minutes, MinutesItem
    from phidex.generation.summary.summary import Sentence, Summary
    from phidex.ingest.records import CellLocator, Chunk, LineLocator, PageLocator, PartLocator, Source, TimeLocator
    from phidex.ingest.run.given import TextDocument
    from phidex.ingest.run.report import FileReport, IngestReport
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.context.block import Context
    from phidex.retrieval.context.ledger import Ledger
    from phidex.retrieval.filters import Filters
    from phidex.retrieval.hit import Hit
    from phidex.sdk import Phidex
    from phidex.settings import Settings

__version__ = "0.1.0"

# Name -> module: imported at first use, so that `import phidex` costs nothing.
_HOMES = {
    "Answer": "generation.answer",
    "AsyncPhidex": "aio",
    "BudgetError": "errors",
    "CellLocator": "ingest.records",
    "Chunk": "ingest.records",
    "Citation": "generation.answer",
    "Claim": "generation.answer",
    "Classification": "generation.structured.batch",
    "ConfigError": "errors",
    "Context": "retrieval.context.block",
    "Conversation": "generation.conversation",
    "ConversationStore": "generation.conversations",
    "Delta": "generation.chat_wire",
    "DocumentRecord": "generation.structured.record",
    "DocumentTable": "generation.structured.tables",
    "Extraction": "generation.structured.batch",
    "FieldEvidence": "generation.structured.record",
    "FileReport": "ingest.run.report",
    "Filters": "retrieval.filters",
    "Hit": "retrieval.hit",
    "IncompleteAnswerError": "errors",
    "IngestReport": "ingest.run.report",
    "InputError": "errors",
    "Ledger": "retrieval.context.ledger",
    "Labels": "generation.structured.record",
    "LineLocator": "ingest.records",
    "Minutes": "generation.summary.minutes",
    "MinutesItem": "generation.summary.minutes",
    "NotFoundError": "errors",
    "Notice": "generation.answer",
    "PageLocator": "ingest.records",
    "PartLocator": "ingest.records",
    "Phidex": "sdk",
    "PhidexError": "errors",
    "Route": "generation.answer",
    "Sentence": "generation.summary.summary",
    "ServiceError": "errors",
    "Settings": "settings.load",
    "Source": "ingest.records",
    "SourceEntry": "retrieval.catalogue",
    "StructuredAnswer": "generation.structured.record",
    "Summary": "generation.summary.summary",
    "TextDocument": "ingest.run.given",
    "TimeLocator": "ingest.records",
    "Usage": "generation.chat_wire",
}

__all__ = [  # noqa: RUF022  by what they are for
    "Phidex",
    "AsyncPhidex",
    "Settings",
    "Filters",
    "Hit",
    "Chunk",
    "Source",
    "SourceEntry",
    "PageLocator",
    "LineLocator",
    "CellLocator",
    "PartLocator",
    "TimeLocator",
    "Answer",
    "Conversation",
    "ConversationStore",
    "Citation",
    "Claim",
    "Notice",
    "Route",
    "Summary",
    "Sentence",
    "Minutes",
    "MinutesItem",
    "Context",
    "Ledger",
    "Delta",
    "Usage",
    "StructuredAnswer",
    "FieldEvidence",
    "Extraction",
    "Classification",
    "Labels",
    "DocumentRecord",
    "DocumentTable",
    "TextDocument",
    "IngestReport",
    "FileReport",
    "PhidexError",
    "InputError",
    "NotFoundError",
    "ConfigError",
    "BudgetError",
    "ServiceError",
    "IncompleteAnswerError",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'phidex' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"phidex.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
