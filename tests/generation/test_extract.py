"""The extractive answerer, and the judgement that nothing answers."""

from __future__ import annotations

import pytest
from tests.generation.passages import BOILER, CHINESE, GERMAN, LEASE, hit, pack
from tests.generation.summary.spoken_chunk import spoken

from phidex.generation.absence import absent_text, is_absent
from phidex.generation.extract import NOTICE, extract_answer
from phidex.ingest.records import TimeLocator

ALL = (LEASE, BOILER, GERMAN, CHINESE)


@pytest.mark.parametrize(
    ("question", "first", "quote"),
    [
        ("Who signed the lease?", LEASE, "The lease was signed by Maria Okafor on 14 May 2021."),
        ("When does the boiler's warranty end?", BOILER, "Its warranty ends in 2031."),
        ("Wann endet der Vertrag?", GERMAN, "Der Vertrag endet am 31. Dezember 2025."),
        ("每月租金是多少？", CHINESE, "租金为每月一千元。"),
    ],
)
def test_the_sentence_that_answers_is_quoted(question: str, first: object, quote: str) -> None:
    hits = [first, *(one for one in ALL if one is not first)]
    text, citations, context = extract_answer(question, hits, pack(*hits), None)  # type: ignore[arg-type]
    assert text.startswith(f"“{quote}")
    assert NOTICE not in text  # who answered, and why, is said by the one who asked for this
    assert citations[0].marker == 1
    assert citations[0].verified
    assert citations[0].quote in citations[0].source.title or context.blocks[0].source == citations[0].source


def test_the_same_sentence_of_two_editions_is_quoted_once() -> None:
    other = hit("copy", LEASE.chunk.text.replace("lease was", "lease, was"), order=3)
    text, _, _ = extract_answer("Who signed the lease?", [LEASE, other], pack(LEASE, other), None)
    assert text.count("Maria Okafor") == 1


def test_every_quote_stands_in_its_passage() -> None:
    _, citations, context = extract_answer("boiler lease rent", ALL, pack(*ALL), None)
    for citation in citations:
        block = context.block(citation.marker)
        assert block is not None
        assert citation.quote in " ".join(block.text.split())


def test_absence() -> None:
    assert is_absent("anything", [], "")
    assert is_absent("How do volcanoes influence ocean currents?", ALL, "")
    assert not is_absent("Who signed the lease?", ALL, "")
    assert not is_absent("租金是多少？", ALL, "")


def test_meaning_can_speak_against_absence() -> None:
    question = "Which person put their name under the agreement for the flat?"
    near = [hit("lease", LEASE.chunk.text, cosine=0.55), BOILER]
    assert not is_absent(question, near, "all-MiniLM-L6-v2")
    assert is_absent("How do volcanoes influence ocean currents?", [hit("x", "Some words.", cosine=0.1)], "all-MiniLM-L6-v2")
    assert not is_absent(f"{question} (lease)", near, "a model whose cosines are not known")


def test_the_nearest_places_are_named() -> None:
    assert absent_text([LEASE]) == "The answer is not in these documents. The nearest passages are in lease.pdf, p. 1."


def test_what_was_said_is_quoted_with_its_seconds() -> None:
    talk = spoken([("Ada", "The old boiler was replaced in March."), ("Bob", "The gutters are repaired by Ohm Ltd.")])
    _, citations, _ = extract_answer("Who repaired the gutters?", [talk], pack(talk), None)
    assert citations[0].locator == TimeLocator(15.0, 19.0)
