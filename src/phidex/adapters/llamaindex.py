"""LlamaIndex embeddings and node postprocessors as an `Embedder` and a `Reranker` of Phidex.

    LlamaIndexEmbedder(OllamaEmbedding("nomic-embed-text"))        any BaseEmbedding
    LlamaIndexReranker(SentenceTransformerRerank(top_n=50))        any BaseNodePostprocessor that scores

What they raise is translated to `ServiceError`. Needs `pip install 'phidex[llamaindex]'`; imported by who uses it only.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from phidex.errors import ConfigError, ServiceError
from phidex.retrieval.embed import GIVEN, EmbedderIdentity
from phidex.retrieval.fingerprint import PROBES, fingerprint_of
from phidex.retrieval.store import Floats

_INSTALL_HINT = "pip install 'phidex[llamaindex]'"


class TextEmbedding(Protocol):
    """What is used of LlamaIndex's `BaseEmbedding`."""

    model_name: str

    def get_query_embedding(self, query: str) -> list[float]:
        """One vector."""
        ...

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
        """A vector of each text, in order."""
        ...


class Postprocessor(Protocol):
    """What is used of LlamaIndex's `BaseNodePostprocessor`."""

    def postprocess_nodes(self, nodes: list[Any], query_bundle: Any = None) -> list[Any]:
        """Nodes with scores, some left out, in another order."""
        ...


class LlamaIndexEmbedder:
    """A LlamaIndex `BaseEmbedding` as an `Embedder`. Its prompts are its own; a collection knows it by class and model name.

    Args:
        languages: ISO 639-1 codes that the model knows; None: all that matter.
    """

    def __init__(self, embedding: TextEmbedding, *, languages: Sequence[str] | None = None) -> None:
        self._embedding = embedding
        self._languages = None if languages is None else tuple(languages)
        self._lock = threading.Lock()
        self._identity: EmbedderIdentity | None = None

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`; embeds four short texts once.

        Raises:
            ServiceError: the embedding failed.
        """
        with self._lock:
            if self._identity is None:
                vectors = self._vectors(list(PROBES))
                kind = type(self._embedding).__name__
                name = getattr(self._embedding, "model_name", "") or "unnamed"
                self._identity = EmbedderIdentity(
                    f"{GIVEN}{kind}/{name}", vectors.shape[1], fingerprint_of(vectors), self._languages
                )
            return self._identity

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`. Raises: ServiceError: the embedding failed."""
        return self._vectors(list(texts)) if texts else np.empty((0, self.identity.dim), np.float32)

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`. Raises: ServiceError: the embedding failed."""
        try:
            return _normalised(np.asarray([self._embedding.get_query_embedding(text)], np.float32))[0]
        except Exception as exc:
            raise self._failed(exc) from exc

    def _vectors(self, texts: list[str]) -> Floats:
        try:
            return _normalised(np.asarray(self._embedding.get_text_embedding_batch(texts), np.float32))
        except Exception as exc:
            raise self._failed(exc) from exc

    def _failed(self, exc: Exception) -> ServiceError:
        kind = type(self._embedding).__name__
        return ServiceError(f"{kind} failed: {type(exc).__name__}: {exc}", hint="see what it needs", retryable=True)


class LlamaIndexReranker:
    """A LlamaIndex `BaseNodePostprocessor` as a `Reranker`.

    What it leaves out (`top_n`, a cutoff) is placed behind what it keeps, in the order it had. Where it gives no scores, its
    order counts.

    Raises:
        ConfigError: llama-index-core is not installed.
    """

    def __init__(self, postprocessor: Postprocessor) -> None:
        try:
            self._schema: Any = importlib.import_module("llama_index.core.schema")
        except ImportError as exc:
            raise ConfigError("llama-index-core is not installed", hint=_INSTALL_HINT) from exc
        self._postprocessor = postprocessor

    @property
    def name(self) -> str:
        """See `Reranker`."""
        model = getattr(self._postprocessor, "model", None) or getattr(self._postprocessor, "model_name", None)
        kind = type(self._postprocessor).__name__
        return f"{kind}/{model}" if isinstance(model, str) and model else kind

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`. Raises: ServiceError: the postprocessor failed."""
        nodes = [
            self._schema.NodeWithScore(node=self._schema.TextNode(id_=str(number), text=text), score=0.0)
            for number, text in enumerate(passages)
        ]
        try:
            kept = self._postprocessor.postprocess_nodes(nodes, query_bundle=self._schema.QueryBundle(query))
            found = {int(node.node.node_id): node.score for node in kept}
        except Exception as exc:
            raise ServiceError(f"{self.name} failed: {type(exc).__name__}: {exc}", hint="see what it needs") from exc
        if len({score for score in found.values() if score is not None}) < 2:  # it only orders, or only leaves out
            found = {number: float(len(found) - place) for place, number in enumerate(found)}
        kept_scores = {number: float(score or 0.0) for number, score in found.items()}
        last = min(kept_scores.values(), default=0.0)
        return [kept_scores.get(number, last - 1.0 - number) for number in range(len(passages))]


def _normalised(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("vectors that are not numbers")
    return vectors / np.maximum(lengths, 1e-12)
