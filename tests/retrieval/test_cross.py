"""Cross-encoders of sentence-transformers as rerankers, on a tiny one made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from phidex.errors import ConfigError
from phidex.retrieval.rerank import Reranker, choose_reranker, try_scores
from phidex.settings import RerankSettings

pytest.importorskip("sentence_transformers", reason="needs the dense extra")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]
PASSAGES = ["the cat", "rain", "where is the car", "boiler boiler", "cat " * 5_000, ""]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.retrieval.tiny_models import make_tiny_cross_encoder

    return make_tiny_cross_encoder(tmp_path_factory.mktemp("cross"))


def chosen(model: Path, **values: object) -> Reranker:
    reranker = choose_reranker(RerankSettings(model=str(model), **values)).reranker  # type: ignore[arg-type]
    assert reranker is not None
    return reranker


def test_scores_come_in_the_order_of_the_passages(tiny: Path) -> None:
    reranker = chosen(tiny)
    scores = reranker.scores("where is the cat", PASSAGES)
    assert len(set(scores)) > 3
    alone = [reranker.scores("where is the cat", [text])[0] for text in PASSAGES]
    assert np.allclose(scores, alone, atol=2e-2)  # bfloat16
    assert reranker.scores("where", []) == []
    assert reranker.name == str(tiny)


def test_long_passages_are_cut_by_tokens(tiny: Path) -> None:
    short = chosen(tiny, max_tokens=16)
    long, same = short.scores("cat", ["rain " * 3_000, "rain " * 13])  # with three marks and the question: 16 tokens and more
    assert abs(long - same) < 2e-2
    assert np.isfinite(short.scores("cat " * 3_000, ["rain"])).all()


def test_a_model_that_sorts_into_classes_is_no_reranker(tmp_path: Path) -> None:
    from tests.retrieval.tiny_models import make_tiny_cross_encoder

    classes = make_tiny_cross_encoder(tmp_path / "classes", labels=3)
    with pytest.raises(ConfigError, match="3 classes"):
        chosen(classes).scores("cat", ["rain"])
    (tmp_path / "empty").mkdir()
    judged = try_scores(chosen(tmp_path / "empty"), "cat", ["rain"])
    assert judged.scores is None
    assert "not reranked" in judged.warning
