"""The estimate against counts made with the vocabulary that Phi-3.5 uses (32,064 entries; counts recorded once)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import ConfigError
from phidex.retrieval.count import estimate_tokens, load_counter

RECORDED: dict[str, dict[str, str | int]] = json.loads((Path(__file__).parent / "token_counts.json").read_text("utf-8"))


@pytest.mark.parametrize("language", RECORDED)
def test_it_never_undercounts_a_language_and_is_of_use(language: str) -> None:
    text, count = str(RECORDED[language]["text"]), int(RECORDED[language]["tokens"])
    assert count <= estimate_tokens(text) <= 2.2 * count + 10


@pytest.mark.parametrize("language", RECORDED)
def test_long_texts_too(language: str) -> None:
    text, count = str(RECORDED[language]["text"]), int(RECORDED[language]["tokens"])
    assert estimate_tokens("\n".join([text] * 50)) >= 50 * count


@given(st.text(max_size=300))
def test_it_is_positive_and_bounded_by_bytes(text: str) -> None:
    assert 0 < estimate_tokens(text) <= 1.1 * len(text.encode("utf-8", "surrogatepass")) + 20


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.json") as caught:
        load_counter(tmp_path / "nothing.json")
    assert caught.value.hint == "PHIDEX_PACK__TOKENIZER must name a tokenizer.json"
