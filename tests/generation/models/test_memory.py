"""What fits on a GPU: sums agree with published sizes, nothing is promised that does not fit, what is given up is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import ConfigError
from phidex.generation.models.memory import cache_gib, fit_model, weights_gib
from phidex.generation.models.table import MODELS, ModelRole


@pytest.mark.parametrize(("role", "bf16", "fp8"), [("mini", 7.1, 3.7), ("vision", 7.7, 4.0), ("moe", 78.0, 39.2)])
def test_weights_are_those_of_the_checkpoints(role: ModelRole, bf16: float, fp8: float) -> None:
    assert weights_gib(MODELS[role], "bf16") == pytest.approx(bf16, abs=0.1)
    assert weights_gib(MODELS[role], "fp8") == pytest.approx(fp8, abs=0.1)


def test_a_long_context_costs_mini_three_times_what_it_costs_moe() -> None:
    assert cache_gib(MODELS["mini"], 131_072, "bf16") == 3 * cache_gib(MODELS["moe"], 131_072, "bf16") == 48


def test_a_large_gpu_keeps_everything_as_published() -> None:
    fit = fit_model(MODELS["mini"], 80)
    assert (fit.weights, fit.cache, fit.context_tokens) == ("bf16", "bf16", 131_072)


def test_the_whole_window_is_kept_before_the_precision() -> None:
    fit = fit_model(MODELS["mini"], 48)
    assert (fit.weights, fit.cache, fit.context_tokens) == ("bf16", "fp8", 131_072)


def test_a_small_gpu_gets_the_effective_window_and_is_told_what_the_whole_one_needs() -> None:
    fit = fit_model(MODELS["mini"], 24)
    assert (fit.weights, fit.context_tokens) == ("bf16", 32_768)
    assert "131,072 tokens needs 31 GiB" in " ".join(fit.sentences())


def test_experts_in_fp8_come_with_a_warning() -> None:
    assert any("experts" in sentence for sentence in fit_model(MODELS["moe"], 80).sentences())
    assert not any("experts" in sentence for sentence in fit_model(MODELS["moe"], 141).sentences())


def test_two_gpus_hold_what_one_cannot() -> None:
    assert fit_model(MODELS["moe"], 80, gpus=2).weights == "bf16"


def test_what_does_not_fit_at_all_is_an_error_that_says_what_would() -> None:
    with pytest.raises(ConfigError, match="does not fit into 1 x 24 GiB: it needs 47 GiB") as caught:
        fit_model(MODELS["moe"], 24)
    assert "--gpus" in caught.value.hint


@pytest.mark.parametrize("tokens", [0, -5, 200_000])
def test_a_context_that_no_model_reads_is_refused(tokens: int) -> None:
    with pytest.raises(ConfigError, match="a context of"):
        fit_model(MODELS["mini"], 80, context_tokens=tokens)


@given(
    role=st.sampled_from(["mini", "moe", "vision"]),
    gib=st.floats(4, 300),
    gpus=st.sampled_from([1, 2, 4, 8]),
    tokens=st.integers(1, 131_072),
)
def test_nothing_is_promised_that_does_not_fit(role: ModelRole, gib: float, gpus: int, tokens: int) -> None:
    try:
        fit = fit_model(MODELS[role], gib, gpus=gpus, context_tokens=tokens)
    except ConfigError:
        return
    assert fit.total_gib <= 0.92 * gib * gpus
    assert fit.total_gib <= fit.utilization * gib * gpus + 0.01 * gib * gpus
    assert 1 <= fit.context_tokens <= tokens
