"""Embeddings and rerank scores from real vLLM pooling servers, with tiny random models: one server at a time."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.vllm import server, tiny_models

from phidex.errors import ConfigError
from phidex.retrieval.choose import choose_embedder, open_embedder, renew_embedder
from phidex.retrieval.rerank import choose_reranker, try_scores
from phidex.retrieval.served.probe import examine_embeddings, examine_reranker
from phidex.settings import EmbedSettings, RerankSettings

pytest.importorskip("transformers", reason="writes the tiny models")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]

TEXTS = [*tiny_models.TEXT.strip().splitlines(), "", "\ud800 lone", "<|end|> <s> </s>", "word " * 5_000, "港" * 4_000]


def pooling(model: Path, log: Path, names: tuple[str, ...]) -> Generator[str]:
    if not server.is_installed():
        reason = f"vLLM for the CPU is not installed: run `{server.INSTALL}` (2.5 GB)"
        if os.environ.get("CI") or os.environ.get("PHIDEX_TEST_REQUIRE_VLLM"):
            pytest.fail(reason)
        pytest.skip(reason)
    with server.serve(model, log, names=names, window_tokens=126, flags=server.POOLING_FLAGS) as url:
        yield url


@pytest.fixture(scope="class")
def embedding_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("embedding")
    yield from pooling(
        tiny_models.write_xlm_roberta(folder / "tiny"), folder / "log", ("multilingual-e5-small", "tiny-embedding")
    )


@pytest.fixture(scope="class")
def rerank_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("rerank")
    yield from pooling(tiny_models.write_xlm_roberta(folder / "tiny", labels=1), folder / "log", ("tiny-reranker",))


class TestEmbeddings:
    def settings(self, url: str, **values: object) -> EmbedSettings:
        return EmbedSettings(model="endpoint", url=url, served="multilingual-e5-small", **values)  # type: ignore[arg-type]

    def test_passages_of_every_kind_and_length_get_vectors(self, embedding_url: str, tmp_path: Path) -> None:
        embedder = choose_embedder(self.settings(embedding_url, batch=7), tmp_path).embedder
        assert embedder is not None
        vectors = embedder.embed_passages(TEXTS)
        assert vectors.shape == (len(TEXTS), 64)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        one_by_one = np.vstack([embedder.embed_passages([text]) for text in TEXTS[:5]])
        assert float((one_by_one * vectors[:5]).sum(axis=1).min()) > 0.999  # in the order of the texts

    def test_a_long_text_is_read_from_its_beginning(self, embedding_url: str, tmp_path: Path) -> None:
        embedder = choose_embedder(self.settings(embedding_url), tmp_path).embedder
        assert embedder is not None
        beginning = tiny_models.TEXT[:1_500]
        first, same, other = embedder.embed_passages([beginning, beginning + "harbour " * 9_000, "harbour " * 9_000])
        assert float(first @ same) > 0.9999
        assert float(first @ other) < 0.999

    def test_the_identity_and_the_prompts_of_a_known_model(self, embedding_url: str, tmp_path: Path) -> None:
        embedder = choose_embedder(self.settings(embedding_url), tmp_path).embedder
        assert embedder is not None
        identity = embedder.identity
        assert (identity.model, identity.dim, identity.languages) == ("endpoint:multilingual-e5-small", 64, None)
        assert (identity.query_prompt, identity.passage_prompt) == ("query: ", "passage: ")
        question, passage = embedder.embed_query("the harbour"), embedder.embed_passages(["the harbour"])[0]
        assert not np.allclose(question, passage, atol=1e-4)
        again, choice = renew_embedder(identity, EmbedSettings(url=embedding_url), tmp_path)
        assert again == identity
        assert choice.embedder is not None

    def test_an_opened_collection_notices_another_model(self, embedding_url: str, tmp_path: Path) -> None:
        embedder = choose_embedder(self.settings(embedding_url), tmp_path).embedder
        assert embedder is not None
        identity = embedder.identity
        good = open_embedder(identity, EmbedSettings(url=embedding_url), tmp_path).embedder
        assert good is not None
        assert float(good.embed_query("the storm") @ embedder.embed_query("the storm")) > 0.999
        other = replace(identity, fingerprint="probe:" + "a5" * 16)
        bad = open_embedder(other, EmbedSettings(url=embedding_url), tmp_path).embedder
        assert bad is not None
        with pytest.raises(ConfigError, match="another multilingual-e5-small"):
            bad.embed_query("the storm")

    def test_what_is_set_wrongly_is_said(self, embedding_url: str, tmp_path: Path) -> None:
        for settings, message in (
            (EmbedSettings(model="endpoint", url=embedding_url), "SERVED"),  # two names
            (
                EmbedSettings(model="endpoint", url=embedding_url, served="bge-m3"),
                "does not serve 'bge-m3'; it serves multilingual-e5",
            ),
            (EmbedSettings(model="endpoint", url=embedding_url, served="tiny-embedding", dimensions=16), "DIMENSIONS"),
            (
                EmbedSettings(model="endpoint", url=embedding_url.removesuffix("/v1"), served="tiny-embedding"),
                "no such service",
            ),
        ):
            embedder = choose_embedder(settings, tmp_path).embedder
            assert embedder is not None
            with pytest.raises(ConfigError, match=message):
                _ = embedder.identity

    def test_what_it_serves_in_one_call(self, embedding_url: str) -> None:
        report = examine_embeddings(self.settings(embedding_url))
        assert report.server.startswith("vLLM 0.")
        assert report.models == ("multilingual-e5-small", "tiny-embedding")
        assert "64 numbers" in report.detail

    def test_the_embedding_server_scores_too(self, embedding_url: str) -> None:
        reranker = choose_reranker(RerankSettings(model="endpoint", url=embedding_url, served="tiny-embedding")).reranker
        assert reranker is not None
        equal, other = reranker.scores("the harbour", ["the harbour", "def count_words(text):"])
        assert equal > 0.999 > other


class TestReranker:
    def test_scores_in_the_order_of_the_passages_whatever_their_length(self, rerank_url: str) -> None:
        reranker = choose_reranker(RerankSettings(model="endpoint", url=rerank_url)).reranker
        assert reranker is not None
        scores = reranker.scores("how was the harbour rebuilt?", TEXTS)
        assert len(scores) == len(TEXTS)
        assert len(set(scores)) > len(TEXTS) // 2
        alone = [reranker.scores("how was the harbour rebuilt?", [text])[0] for text in TEXTS[:4]]
        assert np.allclose(scores[:4], alone, atol=2e-3)
        assert np.isfinite(reranker.scores("why " * 5_000, ["a passage"])).all()

    def test_the_score_route_gives_the_same(self, rerank_url: str) -> None:
        by_rerank = choose_reranker(RerankSettings(model="endpoint", url=rerank_url)).reranker
        by_score = choose_reranker(RerankSettings(model="endpoint", url=rerank_url)).reranker
        assert by_rerank is not None
        assert by_score is not None
        by_score._dialect, by_score._place = "score", rerank_url.removesuffix("/v1") + "/score"  # type: ignore[attr-defined]
        expected = by_rerank.scores("the storm", TEXTS[:6])
        assert np.allclose(by_score.scores("the storm", TEXTS[:6]), expected, atol=1e-6)

    def test_a_wrong_name_is_said_and_search_can_go_on(self, rerank_url: str) -> None:
        reranker = choose_reranker(RerankSettings(model="endpoint", url=rerank_url, served="bge-reranker-v2-m3")).reranker
        assert reranker is not None
        judged = try_scores(reranker, "the storm", TEXTS[:2])
        assert judged.scores is None
        assert "it serves tiny-reranker" in judged.warning

    def test_what_it_serves_in_one_call(self, rerank_url: str) -> None:
        report = examine_reranker(RerankSettings(model="endpoint", url=rerank_url))
        assert (report.model, report.models) == ("tiny-reranker", ("tiny-reranker",))
        assert "scores by /rerank" in report.detail
