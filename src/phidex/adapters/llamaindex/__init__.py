"""LlamaIndex both ways; needs `pip install 'phidex[llamaindex]'`, and imports it where it is used.

Its parts inside Phidex:

    Phidex(embedder=LlamaIndexEmbedder(OllamaEmbedding("nomic-embed-text")))      any BaseEmbedding
    Phidex(reranker=LlamaIndexReranker(SentenceTransformerRerank(top_n=50)))      any BaseNodePostprocessor that scores
    Phidex(chat=LlamaIndexChat(Ollama("phi3.5")))                                 any LLM
    phidex.ingest_documents(SimpleWebPageReader().load_data([...]))               any reader

Phidex's parts inside LlamaIndex: `PhidexRetriever`, `PhidexQueryEngine`, `PhidexReader`, `PhidexEmbedding` and
`PhidexVectorStore`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phidex.adapters.installed import found

if TYPE_CHECKING:
    from phidex.adapters.llamaindex.chat import LlamaIndexChat
    from phidex.adapters.llamaindex.embedder import LlamaIndexEmbedder
    from phidex.adapters.llamaindex.embedding import PhidexEmbedding
    from phidex.adapters.llamaindex.query_engine import PhidexQueryEngine
    from phidex.adapters.llamaindex.reader import PhidexReader
    from phidex.adapters.llamaindex.reranker import LlamaIndexReranker
    from phidex.adapters.llamaindex.retriever import PhidexRetriever
    from phidex.adapters.llamaindex.vector_store import PhidexVectorStore

__all__ = [
    "LlamaIndexChat",
    "LlamaIndexEmbedder",
    "LlamaIndexReranker",
    "PhidexEmbedding",
    "PhidexQueryEngine",
    "PhidexReader",
    "PhidexRetriever",
    "PhidexVectorStore",
]

_HOMES = {
    "LlamaIndexChat": "chat",
    "LlamaIndexEmbedder": "embedder",
    "LlamaIndexReranker": "reranker",
    "PhidexEmbedding": "embedding",
    "PhidexQueryEngine": "query_engine",
    "PhidexReader": "reader",
    "PhidexRetriever": "retriever",
    "PhidexVectorStore": "vector_store",
}


def __getattr__(name: str) -> Any:
    return found(name, __name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
