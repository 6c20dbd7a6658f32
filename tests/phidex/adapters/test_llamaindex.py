"""LlamaIndex's embeddings and postprocessors as ours, with llama-index-core's own mock and a postprocessor made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")

from llama_index.core.embeddings import BaseEmbedding, MockEmbedding  # pyright: ignore[reportMissingTypeStubs]
from llama_index.core.postprocessor import SimilarityPostprocessor  # pyright: ignore[reportMissingTypeStubs]
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # pyright: ignore[reportMissingTypeStubs]

from phidex.adapters.llamaindex import LlamaIndexEmbedder, LlamaIndexReranker
from phidex.errors import ConfigError, ServiceError
from phidex.retrieval.choose import open_embedder, open_given
from phidex.retrieval.rerank import try_scores
from phidex.settings import EmbedSettings


class Letters(BaseEmbedding):
    """Counts letters, so that texts differ."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(text.count(letter)) + 0.1 for letter in "abcdefgh"]

    def _get_query_embedding(self, query: str) -> list[float]:
        if query == "fail":
            raise RuntimeError("no network")
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class Longest(BaseNodePostprocessor):
    """Longest text first; `top_n` are kept, with their lengths as scores where `scored`."""

    top_n: int = 10
    scored: bool = True
    model: str = "by-length"

    def _postprocess_nodes(self, nodes: list[Any], query_bundle: Any = None) -> list[Any]:
        if query_bundle.query_str == "fail":
            raise RuntimeError("no network")
        for node in nodes:
            node.score = float(len(node.node.get_content())) if self.scored else None
        return sorted(nodes, key=lambda node: -len(node.node.get_content()))[: self.top_n]


def test_an_embedding_is_an_embedder(tmp_path: Path) -> None:
    embedder = LlamaIndexEmbedder(Letters(model_name="letters-1"), languages=("en",))
    identity = embedder.identity
    assert (identity.model, identity.dim, identity.languages) == ("given:Letters/letters-1", 8, ("en",))
    passages = embedder.embed_passages(["aab", "h", ""])
    assert passages.dtype == np.float32
    assert np.allclose(np.linalg.norm(passages, axis=1), 1)
    assert np.argmax(passages @ embedder.embed_query("baa")) == 0
    assert embedder.embed_passages([]).shape == (0, 8)
    assert LlamaIndexEmbedder(MockEmbedding(embed_dim=5)).embed_passages(["x"] * 30).shape == (30, 5)


def test_a_collection_takes_the_embedding_it_was_made_with_only(tmp_path: Path) -> None:
    made = LlamaIndexEmbedder(Letters(model_name="letters-1")).identity
    again = LlamaIndexEmbedder(Letters(model_name="letters-1"))
    assert open_given(again, made).embedder is again
    for other in (Letters(model_name="letters-2"), MockEmbedding(embed_dim=8, model_name="letters-1")):
        with pytest.raises(ConfigError, match="was given"):
            open_given(LlamaIndexEmbedder(other), made)
    assert open_given(again, None).embedder is None
    choice = open_embedder(made, EmbedSettings(), tmp_path)  # by a program that does not bring it
    assert choice.embedder is None
    assert "given:Letters/letters-1" in choice.reason


def test_a_failure_is_ours(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="Letters failed: RuntimeError: no network"):
        LlamaIndexEmbedder(Letters()).embed_query("fail")
    judged = try_scores(LlamaIndexReranker(Longest()), "fail", ["a"])
    assert (judged.scores, "no network" in judged.warning) == (None, True)


def test_a_postprocessor_is_a_reranker() -> None:
    texts = ["aa", "aaaa", "a", "aaa"]
    reranker = LlamaIndexReranker(Longest())
    assert reranker.name == "Longest/by-length"
    assert reranker.scores("q", texts) == [2, 4, 1, 3]
    assert order(LlamaIndexReranker(Longest(scored=False)).scores("q", texts)) == [1, 3, 0, 2]
    assert order(LlamaIndexReranker(Longest(top_n=2)).scores("q", texts)) == [1, 3, 0, 2]
    assert order(LlamaIndexReranker(SimilarityPostprocessor(similarity_cutoff=0.5)).scores("q", texts)) == [0, 1, 2, 3]


def order(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda number: -scores[number])
