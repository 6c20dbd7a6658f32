"""The table of models: every fact is there, sums agree with what is published, images cost what a real server counts."""

from __future__ import annotations

import pytest

from phidex.generation.models.table import LANGUAGES, MODELS, ROLES, image_tokens

# Counted by a real server (usage.prompt_tokens_details) with the vision model's own processor: square, 16:9, 2:1, 4:1, 1:4.
COUNTED = {1: (313, 313, 313, 313, 313), 4: (757, 757, 457, 745, 781), 16: (2509, 2353, 2353, 2485, 2557)}
SIZES = ((1000, 1000), (1920, 1080), (2000, 1000), (4000, 1000), (1000, 4000))


def test_every_role_has_a_model_and_no_other() -> None:
    assert tuple(MODELS) == ROLES
    assert all(model.role == role for role, model in MODELS.items())


def test_windows_are_ordered_and_ruler_falls_behind_the_effective_one() -> None:
    for model in MODELS.values():
        assert 0 < model.effective_tokens <= model.window_tokens
        if model.ruler:
            best = max(model.ruler.values())
            assert model.ruler[model.effective_tokens] > 0.9 * best > model.ruler[model.window_tokens]


def test_the_languages_are_the_23_of_the_cards() -> None:
    assert len(set(LANGUAGES)) == 23
    assert MODELS["mini"].languages == MODELS["moe"].languages == LANGUAGES


@pytest.mark.parametrize("num_crops", sorted(COUNTED))
def test_images_cost_what_a_server_counts(num_crops: int) -> None:
    assert tuple(image_tokens(width, height, num_crops) for width, height in SIZES) == COUNTED[num_crops]


def test_a_small_image_costs_as_much_as_a_large_one_of_its_shape() -> None:
    assert image_tokens(64, 64, 4) == image_tokens(3000, 3000, 4)
    assert image_tokens(1, 10_000, 4) > 0
