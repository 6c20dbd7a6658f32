"""The ruler: built-in pieces and tokenizer files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from phidex.errors import ConfigError
from phidex.ingest.tokens import Ruler, load_token_starts, piece_starts


@given(st.text(max_size=200))
def test_starts_ascend_and_stand_on_text(text: str) -> None:
    starts = piece_starts(text).tolist()
    assert starts == sorted(set(starts))
    assert all(not text[start].isspace() for start in starts)


@given(st.text(max_size=200), st.data())
def test_counts_add_up(text: str, data: st.DataObject) -> None:
    ruler = Ruler(text)
    middle = data.draw(st.integers(0, len(text)))
    assert ruler.count(0, middle) + ruler.count(middle, len(text)) == len(piece_starts(text))


@pytest.mark.parametrize(("text", "count"), [("漢字", 2), ("한국", 2), ("ภาษา", 2), ("правила", 2), ("2024", 2), ("a b", 2)])
def test_pieces_by_script(text: str, count: int) -> None:
    assert len(piece_starts(text)) == count


def test_a_tokenizer_file_is_the_ruler(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_token_starts(tmp_path / "tokenizer.json")("one two, three").tolist() == [0, 4, 7, 9]


def test_a_broken_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json") as caught:
        load_token_starts(tmp_path / "tokenizer.json")
    assert caught.value.hint == "PHIDEX_INGEST__TOKENIZER must name a tokenizer.json"


CLASSES = st.sampled_from([" ", "\n", "a", "é", "_", "1", "2", "日", "한", "ก", "я", "ب", ".", "\u0301", "😀", "\U00020000"])


@given(st.lists(CLASSES, max_size=60).map("".join))
def test_pieces_are_runs_of_one_class_cut_at_its_width(text: str) -> None:
    pattern = r"[日한\U00020000]|ก{1,2}|[яب]{1,4}|[12]{1,2}|[aé_]{1,5}|[.\u0301😀]"
    assert piece_starts(text).tolist() == [match.start() for match in re.finditer(pattern, text)]


def test_a_long_text_is_measured_in_slices() -> None:
    text = "words, " * 200_000
    assert piece_starts(text).tolist() == [at + start for at in range(0, len(text), 7) for start in (0, 5)]
