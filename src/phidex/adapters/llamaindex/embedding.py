"""Our embedder as an embedding of LlamaIndex."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from phidex.errors import ConfigError
from phidex.retrieval.choose import choose_embedder
from phidex.retrieval.embed import Embedder
from phidex.settings import Settings, load_settings

_BATCH = 256  # ours is fastest on some hundred texts at once


class PhidexEmbedding(BaseEmbedding):
    """Vectors of the embedder that the settings choose (`PHIDEX_EMBED__MODEL`), or of one that is given. Thread-safe.

    Args:
        settings: default: from the environment.
        embedder: any `Embedder`, in place of what the settings choose.

    Raises:
        ConfigError: no dense model can be had; the hint says how to get one.
    """

    _embedder: Embedder = PrivateAttr()

    def __init__(self, settings: Settings | None = None, *, embedder: Embedder | None = None, **options: Any) -> None:
        if embedder is None:
            settings = settings or load_settings()
            choice = choose_embedder(settings.embed, settings.cache)
            if choice.embedder is None:
                raise ConfigError(f"there is no dense model: {choice.reason}", hint="phidex doctor")
            embedder = choice.embedder
        named: dict[str, Any] = {"model_name": embedder.identity.model, "embed_batch_size": _BATCH, **options}
        super().__init__(**named)
        self._embedder = embedder

    @classmethod
    def class_name(cls) -> str:
        """As LlamaIndex names it."""
        return "PhidexEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embedder.embed_query(query).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.embed_passages(texts).tolist()

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
