"""Citations: markers resolve, quotes stand in the store, numbers agree, and doubt is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.generation.passages import BOILER, CHINESE, GERMAN, LEASE, hit, pack
from tests.generation.summary.spoken_chunk import spoken

from phidex.generation.answer import Citation
from phidex.generation.cite import Citer, cite
from phidex.ingest.records import Chunk, PageLocator, TimeLocator

CONTEXT = pack(LEASE, BOILER, GERMAN, CHINESE)
STORED = {chunk.id: chunk for block in CONTEXT.blocks for chunk in block.chunks}


def check(text: str) -> tuple[list[Citation], tuple[str, ...]]:
    checked = cite(text, CONTEXT, STORED)
    return list(checked.citations), checked.warnings


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
    (citation,) = cite("Maria Okafor signed the lease on 14 May 2021 [1].", CONTEXT, changed).citations
    assert not citation.verified
    (gone,) = cite("Maria Okafor signed the lease on 14 May 2021 [1].", CONTEXT, {}).citations
    assert not gone.verified


def test_brackets_that_are_no_markers() -> None:
    assert check("See [the annex] and a[0] = [x].")[0] == []


def test_one_marker_over_two_passages_gives_two_citations() -> None:
    next_page = hit("lease", "The garden is let to Piotr Nowak until June 2024.", order=LEASE.chunk.order + 1)
    context = pack(LEASE, next_page)
    assert len(context.blocks) == 1
    stored = {chunk.id: chunk for block in context.blocks for chunk in block.chunks}
    text = "Maria Okafor signed the lease on 14 May 2021 [1]. The garden is let to Piotr Nowak until June 2024 [1]."
    checked = cite(text, context, stored)
    citations, warnings = checked.citations, checked.warnings
    assert [(one.marker, one.chunk_id, one.verified) for one in citations] == [
        (1, LEASE.chunk.id, True),
        (1, next_page.chunk.id, True),
    ]
    assert warnings == ()
    doubtful = cite(f"{text} Elephants migrate across the savanna every autumn [1].", context, stored)
    assert doubtful.citations == citations


def test_claims_have_a_status_each() -> None:
    text = (
        "# Lease\n\nMaria Okafor signed the lease on 14 May 2021 [1]. The boiler was replaced in June 1999 [2]. "
        "Nobody has ever complained about the neighbours. Is that all? In short:\n- The rent is 1,250 euros a month [1]\n"
        "```\nprint('no claim at all in here')\n```"
    )
    checked = cite(text, CONTEXT, STORED)
    assert [(claim.status, claim.markers) for claim in checked.claims] == [
        ("verified", (1,)),
        ("unsupported", (2,)),
        ("missing", ()),
        ("verified", (1,)),
    ]
    assert "the number 1999" in checked.claims[1].reason
    assert [citation.status for citation in checked.citations] == ["verified", "unsupported"]
    assert any(warning.startswith("no source is named for: Nobody has ever") for warning in checked.warnings)


def test_a_statement_put_together_from_two_sources_is_borne_out_by_both() -> None:
    (first, second) = cite(
        "The lease was signed by Maria Okafor and the boiler was replaced by Ohm Ltd [1][2].", CONTEXT, STORED
    ).citations
    assert (first.marker, first.verified, second.marker, second.verified) == (1, True, 2, True)


def test_thai_is_cut_at_its_markers() -> None:
    thai = hit("สะพาน", "ตัวสะพานยาว 275 เมตร และกว้าง 9 เมตร เปิดใช้ในปี 2498", language="th")
    context = pack(thai)
    checked = cite("ตัวสะพานยาว 275 เมตร และกว้าง 9 เมตร [1] เปิดใช้ในปี 2500 [1]", context, {thai.chunk.id: thai.chunk})
    assert [claim.status for claim in checked.claims] == ["verified", "unsupported"]


def test_citations_come_as_soon_as_their_sentences_are_whole() -> None:
    asked: list[str] = []

    def stored(ids: Sequence[str]) -> list[Chunk]:
        asked.extend(ids)
        return [STORED[one] for one in ids]

    citer = Citer(CONTEXT, stored)
    text = "Maria Okafor signed the lease on 14 May 2021. [1] The boiler was replaced in June 1999 [2].\nMore"
    told: list[tuple[int, str]] = []
    for end in range(len(text) + 1):
        told += [
            (end, f"[{event.marker}] {event.status}" if isinstance(event, Citation) else event.text)
            for event in citer.settled(text[:end])
        ]
    assert [what.partition(" The")[0] for _, what in told][:2] == ["[1] verified", "[2] unsupported"]
    assert told[0][0] == text.index("The boiler") + 1
    assert told[2][1].startswith("[2] does not clearly support")
    assert sorted(asked) == ["boiler-0", "lease-0"]
    assert list(citer.untold(citer.check(text).citations)) == []


def test_a_citation_of_a_recording_is_the_seconds_in_which_it_was_said() -> None:
    context = pack(spoken([("Ada", "The old boiler was replaced in March."), ("Bob", "The gutters are repaired by Ohm Ltd.")]))
    stored = {chunk.id: chunk for block in context.blocks for chunk in block.chunks}
    (citation,) = cite("Ohm Ltd repairs the gutters [1].", context, stored).citations
    assert citation.locator == TimeLocator(15.0, 19.0)
