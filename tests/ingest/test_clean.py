"""Characters: what is kept, spelled out or dropped, and when a text is no text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.ingest.clean import clean_line, clean_text, is_garbage


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\uf76f\uf770\uf765\uf76e\uf731", "open1"),  # small capitals and old-style figures
        ("\uf8eb\uf8f6", "⎛⎞"),  # pieces of large brackets
        ("a\ud800b", "ab"),
        ("a\uffffb\x00", "ab"),
        ("\uf0b7 item", "\uf0b7 item"),  # a bullet, for who splits lists
    ],
)
def test_characters_that_fonts_hide(raw: str, clean: str) -> None:
    assert clean_line(raw) == clean


@pytest.mark.parametrize(
    "text",
    ["\ufffd" * 5, "\x01\x02\x03ab", "\ue001\ue002 \ue003", "4\x01\x03 -&\x1d$", "\uffff\uffff", "\x80\xa0-"],
)
def test_text_that_stands_for_nothing_is_garbage(text: str) -> None:
    assert is_garbage(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "plain text",
        "日本語の文章",
        "\uf0b7 one\n\uf0b7 two",
        "x² ≤ ∑ αβ",
        "soft\xadhyphen\xa0kept",
        "😀😀",
        "שלום",
    ],
)
def test_text_in_any_script_is_not(text: str) -> None:
    assert not is_garbage(text)


@given(st.text(st.characters(), max_size=60))
def test_any_text_can_be_stored_once_it_is_clean(text: str) -> None:
    clean_text(text).encode()
    assert clean_text(clean_text(text)) == clean_text(text)
