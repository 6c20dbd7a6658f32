"""Citations: markers resolve, quotes stand in the store, numbers agree, and doubt is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.generation.passages import BOILER, CHINESE, GERMAN, LEASE, hit, pack

from phidex.generation.answer import Citation
from phidex.generation.cite import cite
from phidex.ingest.records import PageLocator

CONTEXT = pack(LEASE, BOILER, GERMAN, CHINESE)
STORED = {chunk.id: chunk for block in CONTEXT.blocks for chunk in block.chunks}


def check(text: str) -> tuple[list[Citation], tuple[str, ...]]:
    citations, warnings = cite(text, CONTEXT, STORED)
    return list(citations), warnings


def test_a_true_claim_is_verified_with_its_sentence() -> None:
    (citation,), warnings = check("Maria Okafor signed the lease on 14 May 2021 [1].")
    assert citation.verified
    assert citation.quote == "The lease was signed by Maria Okafor on 14 May 2021."
    assert citation.locator == PageLocator(1, ((1, 2, 3, 4),))
    assert str(citation) == "[1] lease.pdf, p. 1"
    assert warnings == ()


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("Der Vertrag endet am 31. Dezember 2025 [3].", 3),
        ("合同于二零二一年五月签署[4]。", 4),
        ("The warranty of the boiler ends in 2031.[2]", 2),
        ("1. The boiler was replaced in March 2021 [2].", 2),
        ('It says "Pets are allowed in the garden only" [1].', 1),
    ],
)
def test_claims_in_other_languages_and_forms(text: str, marker: int) -> None:
    (citation,), _ = check(text)
    assert (citation.marker, citation.verified) == (marker, True)


@pytest.mark.parametrize(
    "text",
    [
        "The lease was signed by Maria Okafor on 15 May 2022 [1].",  # wrong numbers
        "Elephants migrate across the savanna every autumn [1].",  # nothing of it in the source
        "The boiler was replaced in March 2021 by Ohm Ltd [1].",  # true, but of another source
    ],
)
def test_a_claim_without_support_is_not_verified_and_said(text: str) -> None:
    (citation,), warnings = check(text)
    assert not citation.verified
    assert any("does not clearly support" in warning for warning in warnings)


def test_several_markers_and_a_marker_to_nowhere() -> None:
    citations, warnings = check("The boiler was replaced in March 2021 [2][9]. The rent is 1,250 euros a month [1, 2].")
    assert [citation.marker for citation in citations] == [1, 2]
    assert citations[0].verified
    assert "[9] names no source" in warnings


def test_a_quote_that_left_the_store_is_not_verified() -> None:
    changed = {**STORED, "lease-0": replace(STORED["lease-0"], text="Something else now.")}
    (citation,), _ = cite("Maria Okafor signed the lease on 14 May 2021 [1].", CONTEXT, changed)
    assert not citation.verified
    gone, _ = cite("Maria Okafor signed the lease on 14 May 2021 [1].", CONTEXT, {})
    assert not gone[0].verified


def test_brackets_that_are_no_markers() -> None:
    assert check("See [the annex] and a[0] = [x].")[0] == []


def test_one_marker_over_two_passages_gives_two_citations() -> None:
    next_page = hit("lease", "The garden is let to Piotr Nowak until June 2024.", order=LEASE.chunk.order + 1)
    context = pack(LEASE, next_page)
    assert len(context.blocks) == 1
    stored = {chunk.id: chunk for block in context.blocks for chunk in block.chunks}
    text = "Maria Okafor signed the lease on 14 May 2021 [1]. The garden is let to Piotr Nowak until June 2024 [1]."
    citations, warnings = cite(text, context, stored)
    assert [(one.marker, one.chunk_id, one.verified) for one in citations] == [
        (1, LEASE.chunk.id, True),
        (1, next_page.chunk.id, True),
    ]
    assert warnings == ()
    doubtful, _ = cite(f"{text} Elephants migrate across the savanna every autumn [1].", context, stored)
    assert doubtful == citations
