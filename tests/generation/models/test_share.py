"""Several models on the same GPUs: shares that fit together, and what to leave out where they do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phidex.errors import ConfigError
from phidex.generation.models.compose import SERVED_ROLES
from phidex.generation.models.share import Placement, place_models
from phidex.generation.models.table import ENCODERS, ModelRole

CHAT: list[ModelRole] = ["mini", "moe", "vision"]


def placed(roles: list[ModelRole], gib: float, *, gpus: int = 1) -> dict[ModelRole, Placement]:
    return {one.role: one for one in place_models(roles, gib, gpus=gpus)}


def test_one_large_gpu_keeps_the_whole_window_for_text() -> None:
    found = placed(CHAT, 141)
    assert [found[role].fit.context_tokens for role in CHAT] == [131_072, 131_072, 32_768]
    assert [found[role].fit.weights for role in CHAT] == ["bf16", "fp8", "bf16"]


def test_eighty_gib_hold_all_three_with_shorter_contexts() -> None:
    found = placed(CHAT, 80)
    assert [found[role].fit.context_tokens for role in CHAT] == [32_768, 65_536, 16_384]


def test_of_two_gpus_one_is_for_the_experts() -> None:
    found = placed(CHAT, 80, gpus=2)
    assert [found[role].gpus for role in CHAT] == [(0,), (1,), (0,)]
    assert found["moe"].fit.context_tokens == 131_072


def test_of_four_gpus_the_experts_get_two_and_the_others_one_each() -> None:
    found = placed(CHAT, 80, gpus=4)
    assert [found[role].gpus for role in CHAT] == [(0,), (2, 3), (1,)]
    assert (found["moe"].fit.gpus, found["moe"].fit.weights) == (2, "bf16")


def test_one_role_alone_gets_all_gpus_where_it_is_large() -> None:
    assert placed(["moe"], 48, gpus=3)["moe"].gpus == (0, 1)
    assert placed(["embed"], 48, gpus=3)["embed"].gpus == (0,)


def test_what_does_not_fit_together_is_told_with_what_to_leave_out() -> None:
    with pytest.raises(
        ConfigError, match="mini, moe and vision do not fit together into 1 x 48 GiB: 65 GiB are needed"
    ) as caught:
        place_models(CHAT, 48)
    assert caught.value.hint.startswith("leave out moe (--role mini --role vision); or take a larger GPU")
    with pytest.raises(ConfigError, match="mini does not fit into 1 x 6 GiB"):
        place_models(["mini"], 6)
    with pytest.raises(ConfigError, match=r"leave out vision .* or mini"):
        place_models(["mini", "vision"], 12)


@settings(deadline=None)
@given(
    roles=st.sets(st.sampled_from(SERVED_ROLES), min_size=1),
    gib=st.floats(8, 300),
    gpus=st.integers(1, 9),
)
def test_shares_of_a_gpu_never_sum_to_more_than_it_has(roles: set[ModelRole], gib: float, gpus: int) -> None:
    try:
        found = place_models(list(roles), gib, gpus=gpus)
    except ConfigError:
        return
    assert {one.role for one in found} == roles
    for gpu in range(gpus):
        on_it = [one for one in found if gpu in one.gpus]
        assert sum(one.fit.utilization for one in on_it) < 0.92 + 1e-9
        assert sum(one.fit.total_gib / one.fit.gpus for one in on_it) <= 0.92 * gib
    for one in found:
        assert one.role not in ENCODERS or len(one.gpus) == 1
        assert set(one.gpus) <= set(range(gpus))
        assert one.fit.gpus == len(one.gpus) in (1, 2, 4, 8)
