"""Numbers, names and negations as they are written in many languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.generation.facts import is_named, names, negations, numbers_missing, readings


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("1250 euros", "1,250 euros"),
        ("1.250,00 Euro", "1,250 euros"),
        ("1 250 €", "1.250 Euro"),
        ("1\u202f250 €", "1'250 CHF"),
        ("1.5 million", "1 500 000 рублей"),
        ("3,25 Millionen", "3.250.000 Kubikmeter"),
        ("in 1962", "عام ١٩٦٢"),
        ("275", "๒๗๕ เมตร"),
        ("2021年5月", "二零二一年五月"),
        ("820米", "八百二十米"),
        ("3000万", "三千万"),
        ("12 children", "children under twelve"),
        ("zwei Jahre, 3 Monate", "2 Jahre und drei Monate"),
        ("on 14.05.2021", "on 14 May 2021"),
        ("2021-05-14", "on 14 May 2021"),
        ("at 18:30", "à 18 h 30"),
        ("0.50", "0,5"),
    ],
)
def test_the_same_number_in_another_dress(claim: str, passage: str) -> None:
    assert numbers_missing(claim, passage) == []


@pytest.mark.parametrize(
    ("claim", "passage", "missing"),
    [
        ("In 1999.", "In 1998.", ["1999"]),
        ("12.5 metres", "125 metres", ["12.5"]),
        ("1.5 million", "15 million", ["1.5"]),
        ("٥٣٠ متراً", "٣٥٠ متراً", ["٥٣٠"]),
        ("三十元", "二十元", ["三十"]),
        ("version 3.1.4", "version 3.1.5", ["3.1.4"]),
        ("15.05.2021", "14 May 2021", ["15.05.2021"]),
    ],
)
def test_another_number(claim: str, passage: str, missing: list[str]) -> None:
    assert numbers_missing(claim, passage) == missing


@given(st.integers(0, 10**12))
def test_a_number_has_its_value_whatever_separates_its_groups(value: int) -> None:
    assert all(str(value) in readings(f"{value:,}".replace(",", mark))[0] for mark in (",", ".", "\u00a0", "'"))


@given(st.text(max_size=80))
def test_any_text_has_numbers_names_and_negations(text: str) -> None:
    assert numbers_missing(text, text) == []
    assert all(is_named(name, text) for name in names(text))
    assert negations(text) >= 0


def test_names_are_told_from_other_words_with_capitals() -> None:
    assert names("The bridge was opened by Margaret Hale.") == ["Margaret", "Hale"]
    assert names("Die Mauer hat Risse.", "de") == []
    assert names("Sie fasst 3,25 Millionen Kubikmeter Wasser.", "de") == []
    assert names("Otto Brandt kam aus Lindau.", "de") == ["Lindau"]  # a sentence begins with a capital too
    assert names("スミソニアン博物館") == ["スミソニアン"]
    assert is_named("Okafors", "Maria Okafor")
    assert is_named("Лебедевой", "Анна Лебедева")
    assert not is_named("Finch", "Margaret Hale")
    assert is_named("Bo", "Bo's house")
    assert not is_named("Ann", "the annual fee of the planning office")
    assert is_named("スミソニアン", "国立スミソニアン博物館")


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("Lorries are not allowed.", "en", 1),
        ("Il n'est pas fermé.", "fr", 1),
        ("Il est fermé.", "fr", 0),
        ("No se permite el paso en el puente.", "es", 1),
        ("En el puente no.", "es", 1),
        ("en et ole", "fi", 2),
        ("Проезд не разрешён.", "ru", 1),
        ("不得通行", "zh", 1),
        ("不仅如此", "zh", 0),
        ("公開されていない。", "ja", 1),
        ("통행할 수 없다", "ko", 1),
        ("لا يسمح بالمرور", "ar", 1),
    ],
)
def test_negations(text: str, language: str, count: int) -> None:
    assert negations(text, language) == count
