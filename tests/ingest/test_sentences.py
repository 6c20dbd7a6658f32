"""Sentence borders in many scripts."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.ingest.sentences import sentence_spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("He ran. Dr. No left.", ["He ran.", "Dr. No left."]),
        ("See e.g. this, i.e. that. Done.", ["See e.g. this, i.e. that.", "Done."]),
        ("Version 3.5 is out. Use it.", ["Version 3.5 is out.", "Use it."]),
        ("Das ist z.B. so. Gut.", ["Das ist z.B. so.", "Gut."]),
        ("これは本です。猫がいる！終わり", ["これは本です。", "猫がいる！", "終わり"]),
        ("我来了。你呢？", ["我来了。", "你呢？"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("यह सच है। हाँ।", ["यह सच है।", "हाँ।"]),
        ("ประเทศไทย สวยงาม", ["ประเทศไทย", "สวยงาม"]),
        ("Он ушёл. Она осталась.", ["Он ушёл.", "Она осталась."]),
        ("first line\nsecond line", ["first line", "second line"]),
        ("He said “Stop.” Then he left.", ["He said “Stop.”", "Then he left."]),
    ],
)
def test_borders(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


@given(st.text(max_size=300))
def test_all_text_is_covered_in_order(text: str) -> None:
    spans = list(sentence_spans(text))
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    squeezed = re.sub(r"\s+", "", "".join(text[a:b] for a, b in spans))
    assert squeezed == "".join(text.split())
