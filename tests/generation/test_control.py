from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.generation.control import ZERO_WIDTH_SPACE, break_control_tokens

PIECES = st.sampled_from(["<", "|", ">", "<|end|>", "<|image_1|>", "</s>", "<s>", "<unk>", "a", " ", "\n", ZERO_WIDTH_SPACE])


@pytest.mark.parametrize("token", ["<|end|>", "<|system|>", "<|image_12|>", "<|placeholder1|>", "<s>", "</s>", "<unk>"])
def test_every_control_token_is_broken(token: str) -> None:
    broken = break_control_tokens(f"a{token}b")
    assert token not in broken
    assert broken.replace(ZERO_WIDTH_SPACE, "") == f"a{token}b"


@pytest.mark.parametrize("text", ["a <| b", "x |> f <| y |> g", "<b>bold</b>", "1 < 2 | 3 > 2", "<||>", "<|\n|>"])
def test_other_text_is_left_alone(text: str) -> None:
    assert break_control_tokens(text) == text


@given(st.lists(PIECES).map("".join))
def test_nothing_is_left_and_nothing_is_lost(text: str) -> None:
    broken = break_control_tokens(text)
    assert not re.search(r"<\|\w+\|>|</?s>|<unk>", broken)
    assert broken.replace(ZERO_WIDTH_SPACE, "") == text.replace(ZERO_WIDTH_SPACE, "")
    assert break_control_tokens(broken) == broken
