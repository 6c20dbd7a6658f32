"""Phidex inside LangChain; needs `pip install 'phidex[langchain]'`, and imports it where it is used.

    PhidexRetriever(phidex=phidex, collection="contracts")     question -> Documents
    PhidexAnswerer(phidex, "contracts")                        question -> {"answer", "context", "metadata"}, streamed or whole

The other way round, what LangChain's loaders read goes in by `phidex.ingest_documents(loader.load())`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phidex.adapters.installed import found

if TYPE_CHECKING:
    from phidex.adapters.langchain.answerer import PhidexAnswerer
    from phidex.adapters.langchain.retriever import PhidexRetriever

__all__ = ["PhidexAnswerer", "PhidexRetriever"]

_HOMES = {"PhidexAnswerer": "answerer", "PhidexRetriever": "retriever"}


def __getattr__(name: str) -> Any:
    return found(name, __name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
