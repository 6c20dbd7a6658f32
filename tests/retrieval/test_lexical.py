"""The analyzer in every script, and what its vectors promise."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.retrieval import lexical
from phidex.retrieval.lexical import normalize, passage_vector, query_vector


def share(query: str, passage: str) -> float:
    """Share of the query's terms that the passage has."""
    wanted, have = set(query_vector(query).indices.tolist()), set(passage_vector(passage).indices.tolist())
    return len(wanted & have) / len(wanted)


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("Häuser", "Die HÄUSER sind alt."),
        ("CAFÉ", "a cafe\u0301 in Paris"),
        ("Straße", "STRASSE"),
        ("ΑΘΗΝΑ", "στην Αθήνα"),
        ("правила", "ПРАВИЛА"),
        ("كِتَابٌ", "كتاب"),
        ("ספר", "סֵפֶר"),
        ("किताब", "यह किताब है"),
        ("日経平均株価", "今日の日経平均株価は上昇した"),
        ("北京", "我在北京工作"),
        ("กรุงเทพ", "กรุงเทพมหานคร"),
        ("서울", "서울에서"),
        ("ﬁnal", "final"),
        ("２８２２", "2822"),
        ("2015", "2015년"),
        ("snake_case", "the snake_case name"),
    ],
)
def test_the_same_word_in_another_form_is_found(query: str, passage: str) -> None:
    assert share(query, passage) >= 0.7


@pytest.mark.parametrize(("query", "passage"), [("building", "builds"), ("Paketen", "Pakete"), ("пакета", "пакеты")])
def test_inflected_forms_share_terms(query: str, passage: str) -> None:
    assert 0.2 < share(query, passage) < 1


def test_unrelated_words_share_nothing() -> None:
    assert share("elephant", "quick brown fox") == 0


@given(st.text(max_size=400))
def test_vectors_are_sorted_distinct_and_finite(text: str) -> None:
    for vector in (passage_vector(text), query_vector(text)):
        assert vector.indices.dtype == np.uint32
        assert vector.values.dtype == np.float32
        assert len(vector.indices) == len(vector.values)
        assert bool((np.diff(vector.indices.astype(np.int64)) > 0).all())
        assert bool(np.isfinite(vector.values).all())
        assert bool((vector.values > 0).all())


@given(st.text(max_size=200))
def test_a_text_finds_itself(text: str) -> None:
    assert set(query_vector(text).indices.tolist()) == set(passage_vector(text).indices.tolist())


@given(st.text(max_size=200))
def test_normal_form_is_stable(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text) or not text.isascii()


def test_a_word_counts_more_than_its_pieces_and_saturates() -> None:
    once, often = passage_vector("boiler"), passage_vector("boiler " * 10)
    assert once.values.max() > 1.5 * once.values.min()
    assert once.values.max() < often.values.max() < 2.2


def test_runs_without_spaces_are_not_remembered() -> None:
    caches = [value for value in vars(lexical).values() if hasattr(value, "cache_info")]
    passage_vector("boiler 서울에서 правила")
    before = [cache.cache_info().currsize for cache in caches]
    assert min(before) >= 3
    query_vector("boiler 今日の日経平均株価は上昇した กรุงเทพมหานคร 서울에서 правила ນະຄອນຫຼວງ")
    assert [cache.cache_info().currsize for cache in caches] == before


def test_terms_of_each_script_are_the_ones_of_the_stored_vectors() -> None:
    text = "The boiler 2021 правила 北京大学 กรุงเทพ 서울에서 ไทย北京 12\u1090 の"
    vector = passage_vector(text)
    assert (len(vector.indices), int(vector.indices.sum(dtype=np.uint64))) == (39, 86_532_730_136)
    assert float(vector.values.sum()) == pytest.approx(35.9609)


def test_punctuation_alone_has_no_terms() -> None:
    assert len(query_vector("?!… ---").indices) == 0


@pytest.mark.parametrize("name", ["go_up", "goUp", "GoUp", "_go_up", "__go__up__", "GO_UP", "HTMLGoUp", "x.goUp()", "goUp2"])
def test_an_identifier_is_found_by_the_words_in_it(name: str) -> None:
    assert share("go", name) == share("up", name) == 1.0
    assert share(name.lower(), name) == 1.0
    assert share("go up", "gopher upwards") < 1.0


def test_prose_has_the_terms_that_it_had_without_identifiers() -> None:
    assert len(passage_vector("we go up in it").indices) == 5


def test_identifiers_are_taken_apart_in_linear_time() -> None:
    started = time.process_time()
    passage_vector("a" * 200_000 + " " + "_" * 200_000 + " " + "aB" * 100_000)
    assert time.process_time() - started < 5
