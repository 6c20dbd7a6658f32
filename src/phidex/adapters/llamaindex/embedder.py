"""A LlamaIndex embedding as an `Embedder` of Phidex. What it raises is translated to `ServiceError`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from phidex.errors import ServiceError
from phidex.retrieval.embed import GIVEN, EmbedderIdentity
from phidex.retrieval.fingerprint import PROBES, fingerprint_of
from phidex.retrieval.store import Floats


class TextEmbedding(Protocol):
    """What is used of LlamaIndex's `BaseEmbedding`."""

    model_name: str

    def get_query_embedding(self, query: str) -> list[float]:
        """One vector."""
        ...

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
        """A vector of each text, in order."""
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


def _normalised(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("vectors that are not numbers")
    return vectors / np.maximum(lengths, 1e-12)
