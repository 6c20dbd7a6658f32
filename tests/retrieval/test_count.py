"""The estimate against counts made with the vocabulary that Phi-3.5 uses (32,064 entries; counts recorded once)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vllm.tiny_models import train_tokenizer

from phidex.errors import ConfigError
from phidex.retrieval.count import CountCache, estimate_tokens, load_counter

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


def test_counts_are_remembered_within_bounds() -> None:
    asked: list[str] = []

    def count(texts: Sequence[str]) -> list[int]:
        asked.extend(texts)
        return [len(text) for text in texts]

    cache = CountCache(3)
    assert cache.each(["a", "bb", "a"], count) == [1, 2, 1]
    assert cache.each(["bb", "ccc"], count) == [2, 3]
    assert asked == ["a", "bb", "ccc"]
    assert cache.each(["dddd", "a"], count) == [4, 1]
    assert len(cache) == 3
    cache.each(["bb"], count, scope="another model")
    assert asked[-1] == "bb"


def test_a_tokenizer_file_counts_many_at_once_and_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    train_tokenizer().save(str(path))
    count = load_counter(path)
    assert count is load_counter(path)
    assert count(["The report describes the harbour.", "", "\ud800"]) == [
        len(train_tokenizer().encode(text).ids) for text in ("The report describes the harbour.", "", "?")
    ]
