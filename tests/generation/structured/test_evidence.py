"""Values and the passages that they rest on: found by their words, amounts and days, and checked against the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.generation.passages import hit, pack
from tests.generation.summary.spoken_chunk import spoken

from phidex.generation.structured.evidence import Evidence, Leaf, leaves_of
from phidex.generation.structured.record import FieldEvidence
from phidex.generation.structured.schema import Schema
from phidex.generation.structured.value import amounts, says_amount, says_words
from phidex.ingest.records import Chunk, TimeLocator

LEASE = hit(
    "lease",
    "The lease was signed by Maria Okafor on 14 May 2021. The rent is 1,250 euros a month. "
    "Pets are allowed in the garden only. The notice period is 3 months.",
)
GERMAN = hit("vertrag", "Der Vertrag endet am 31. Dezember 2025. Die Miete beträgt 1.480,50 Euro.", language="de")
TABLE = hit("flats", "| Flat | Rooms | Rent |\n|---|---|---|\n| A | 3 | 980 |\n| B | 4 | 1 310 |")
CHINESE = hit("合同", "合同于2021年5月14日由王小明签署。租金为每月1000元。", language="zh")
HITS = (LEASE, GERMAN, TABLE, CHINESE)


def stored(ids: Sequence[str]) -> list[Chunk]:
    return [one.chunk for one in HITS if one.chunk.id in ids]


def look(value: Any, about: str = "", *, is_choice: bool = False, stored: Any = stored) -> FieldEvidence:
    found = Evidence(pack(*HITS), stored).of([Leaf(("field",), value, about, is_choice)])
    return found["field"]


@pytest.mark.parametrize(
    ("value", "about", "support", "quote"),
    [
        ("Maria Okafor", "tenant", "quoted", "The lease was signed by Maria Okafor on 14 May 2021."),
        ("maria  OKAFOR", "tenant", "quoted", "The lease was signed by Maria Okafor on 14 May 2021."),
        ("Okafor, Maria", "tenant", "agrees", "The lease was signed by Maria Okafor on 14 May 2021."),
        (1250, "rent a month", "agrees", "The rent is 1,250 euros a month."),
        (1250.0, "rent a month", "agrees", "The rent is 1,250 euros a month."),
        (1480.5, "Miete", "agrees", "Die Miete beträgt 1.480,50 Euro."),
        (1310, "rent of flat", "agrees", "| B | 4 | 1 310 |"),
        (980, "rent of flat", "quoted", "| A | 3 | 980 |"),
        ("2021-05-14", "signed", "agrees", "The lease was signed by Maria Okafor on 14 May 2021."),
        ("2025-12-31", "Ende des Vertrags", "agrees", "Der Vertrag endet am 31. Dezember 2025."),
        ("王小明", "签署", "quoted", "合同于2021年5月14日由王小明签署。"),
        (3, "notice period in months", "quoted", "The notice period is 3 months."),
    ],
)
def test_values_that_the_documents_state(value: Any, about: str, support: str, quote: str) -> None:
    found = look(value, about)
    assert (found.support, found.verified) == (support, True)
    assert found.citations[0].quote == quote
    assert found.citations[0].verified


@pytest.mark.parametrize(
    ("value", "about"),
    [
        ("Marta Okafor", "tenant"),
        ("Okafo", "tenant"),
        (1251, "rent a month"),
        (12500, "rent a month"),
        ("2021-06-14", "signed"),
        ("2021-05-13", "signed"),
        (7, "notice period in months"),
        ("The moon is made of green cheese, and was so already long before the astronauts came to it", "moon"),
    ],
)
def test_values_that_no_passage_has(value: Any, about: str) -> None:
    found = look(value, about)
    assert (found.support, found.verified) == ("unsupported", False)
    assert not any(citation.verified for citation in found.citations)


def test_an_unsupported_value_comes_with_the_passage_that_speaks_of_its_field() -> None:
    found = look(1300, "rent in euros a month")
    assert found.support == "unsupported"
    assert [citation.quote for citation in found.citations] == ["The rent is 1,250 euros a month."]


def test_a_short_value_counts_only_where_its_field_is_spoken_of() -> None:
    assert look(3, "notice period").verified
    assert not look(3, "storeys of the lighthouse").verified
    assert not look("B", "blood group").verified


def test_a_judgement_is_related_and_never_verified() -> None:
    found = look(True, "whether pets are allowed", is_choice=True)
    assert (found.support, found.verified) == ("related", False)
    assert found.citations[0].quote == "Pets are allowed in the garden only."
    assert look(True, "helicopter landing platform", is_choice=True).support == "unsupported"


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_nothing_rests_on_nothing(value: Any) -> None:
    assert look(value, "rent") == FieldEvidence("field", value, "empty")


def test_of_two_places_the_one_that_speaks_of_the_field_is_cited() -> None:
    both = hit("terms", "The deposit is 900 euros. The parking space costs 900 dollars a year.")
    evidence = Evidence(pack(both), lambda _: [both.chunk])
    assert evidence.of([Leaf(("x",), 900, "parking space a year")])["x"].citations[0].quote.startswith("The parking")
    assert evidence.of([Leaf(("x",), 900, "deposit")])["x"].citations[0].quote.startswith("The deposit")


def test_values_beside_each_other_are_cited_from_one_row() -> None:
    rows = hit("rows", "| Name | Town | Rent |\n|---|---|---|\n| Anna | Berlin | 1200 |\n| Boris | Hamburg | 1200 |")
    schema = Schema[Any].of({"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}})
    said = {"rows": [{"name": "Anna", "rent": 1200}, {"name": "Boris", "rent": 1200}]}
    fields = Evidence(pack(rows), lambda _: [rows.chunk]).of(leaves_of(said, schema))
    assert fields["rows[0].rent"].citations[0].quote == "| Anna | Berlin | 1200 |"
    assert fields["rows[1].rent"].citations[0].quote == "| Boris | Hamburg | 1200 |"


def test_what_the_store_no_longer_has_verifies_nothing() -> None:
    edited = replace(LEASE.chunk, text="The lease was signed by somebody else.")
    assert look("Maria Okafor", "tenant", stored=lambda _: [edited]).support == "unsupported"  # pyright: ignore[reportUnknownLambdaType]
    assert look("Maria Okafor", "tenant", stored=lambda _: list[Chunk]()).support == "unsupported"  # pyright: ignore[reportUnknownLambdaType]


def test_control_tokens_that_were_broken_up_compare_as_they_were() -> None:
    odd = hit("odd", "The marker <|end|> closes a turn of the protocol.")
    evidence = Evidence(pack(odd), lambda _: [odd.chunk])
    assert evidence.of([Leaf(("x",), "The marker <\u200b|end|> closes", "marker")])["x"].support == "quoted"


@given(st.integers(0, 10**12), st.integers(0, 99), st.sampled_from([",.", ".,", " ,", "\u202f,", "'."]))
def test_an_amount_is_read_in_every_way_of_writing_it(whole: int, cents: int, signs: str) -> None:
    thousands, point = signs
    written = f"{whole:,}".replace(",", thousands) + f"{point}{cents:02d}"
    assert says_amount(whole + cents / 100, f"It costs {written} altogether.")


@given(st.text(max_size=60))
def test_any_text_has_finite_amounts(text: str) -> None:
    assert all(amount >= 0 for amount in amounts(text))


def test_words_end_where_words_end() -> None:
    assert says_words("12", "12 m")
    assert not says_words("12", "in 2012")
    assert says_words("12", "12m²")


def test_a_value_that_was_said_has_its_seconds() -> None:
    talk = spoken([("Ada", "The old boiler was replaced in March."), ("Bob", "The gutters cost 4,200 euros.")])
    found = Evidence(pack(talk), lambda _: [talk.chunk]).of([Leaf(("field",), "4,200 euros", "price of the gutters", False)])
    assert found["field"].citations[0].locator == TimeLocator(15.0, 19.0)
