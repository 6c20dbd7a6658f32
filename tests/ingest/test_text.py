"""Plain text: decoding, paragraphs, and the line that every anchor names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import InputError
from phidex.ingest.clean import clean_line, clean_text, glue
from phidex.ingest.records import Parsed
from phidex.ingest.text import decode_text, parse_text


def parse(text: str | bytes, name: str = "a.txt") -> Parsed:
    return parse_text(text if isinstance(text, bytes) else text.encode(), Path(name))


def check(parsed: Parsed, source: str) -> None:
    """All invariants: anchors ascend, lie in the text, and the text of each is on the line it names."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for block in parsed.blocks:
        assert block.text.strip()
        assert block.text == block.text.rstrip()
        starts = [anchor.start for anchor in block.anchors]
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < len(block.text)
        for anchor, end in zip(block.anchors, [*starts[1:], len(block.text)], strict=True):
            assert anchor.line is not None
            assert clean_line(block.text[anchor.start : end]) in clean_line(lines[anchor.line - 1])


SAMPLE = """\
A Title
=======

First paragraph that is
wrapped by hand.

Part two
--------
- an item
  that goes on
- another item

1. step one
2. step two

    code(x)
      indented

Last\u00a0one, \ufb01ne.
"""


def test_blocks_kinds_and_lines() -> None:
    parsed = parse(SAMPLE)
    assert [(b.kind, b.level, b.text, [a.line for a in b.anchors]) for b in parsed.blocks] == [
        ("heading", 1, "A Title", [1]),
        ("paragraph", 0, "First paragraph that is wrapped by hand.", [4, 5]),
        ("heading", 2, "Part two", [7]),
        ("list_item", 0, "an item that goes on", [9, 10]),
        ("list_item", 0, "another item", [11]),
        ("list_item", 0, "1. step one", [13]),
        ("list_item", 0, "2. step two", [14]),
        ("code", 0, "code(x)\n  indented", [16, 17]),
        ("paragraph", 0, "Last one, fine.", [19]),
    ]
    assert parsed.title == "A Title"
    check(parsed, SAMPLE)


def test_chinese_and_japanese_lines_join_without_a_space() -> None:
    assert parse("日本語の文章\nが続きます。").blocks[0].text == "日本語の文章が続きます。"
    assert parse("한국어 문장\n계속").blocks[0].text == "한국어 문장 계속"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_need_no_guess(encoding: str) -> None:
    parsed = parse("Größe 大きさ".encode(encoding))
    assert (parsed.blocks[0].text, parsed.warnings) == ("Größe 大きさ", ())


def test_other_encodings_are_guessed_and_said_to_be() -> None:
    text = "Die Größe der Straße überrascht viele Leute, die täglich über die Brücke gehen. " * 5
    parsed = parse(text.encode("cp1252"))
    assert parsed.blocks[0].text == text.strip()
    assert "guess" in parsed.warnings[0]


@pytest.mark.parametrize("data", [b"", b" \n\t\n", b"\xef\xbb\xbf\n", "\u200b\n\u00ad".encode()])
def test_nothing_in_it(data: bytes) -> None:
    with pytest.raises(InputError, match="no text"):
        parse(data)


def test_a_broken_mark_is_named() -> None:
    with pytest.raises(InputError, match="UTF-8"):
        decode_text(b"\xef\xbb\xbf\xff\xfe\xfa", "a.txt")


def test_data_and_logs_keep_their_lines() -> None:
    block = parse("a,b\n1,2\n3,4\n", "x.csv").blocks[0]
    assert (block.kind, block.text, [a.line for a in block.anchors]) == ("code", "a,b\n1,2\n3,4", [1, 2, 3])
    log = parse("".join(f"line {n}\n" for n in range(250)), "x.log")
    assert [len(block.anchors) for block in log.blocks] == [100, 100, 50]


def test_line_ends_of_all_systems_count_alike() -> None:
    for end in ("\n", "\r\n", "\r"):
        assert [a.line for a in parse(f"one{end}{end}two{end}three").blocks[1].anchors] == [3, 4]


def test_rst_overlined_title_and_rules() -> None:
    parsed = parse("=====\nTitle\n=====\n\ntext\n\n-----\n\nmore\n")
    assert [(b.kind, b.text) for b in parsed.blocks] == [("heading", "Title"), ("paragraph", "text"), ("paragraph", "more")]


lines = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@given(st.lists(lines, min_size=1, max_size=30).map("\n".join), st.sampled_from(["a.txt", "a.log", "a.rst"]))
def test_invariants_hold_for_any_text(source: str, name: str) -> None:
    try:
        parsed = parse(source, name)
    except InputError:
        assert not any(char.isalnum() for char in source)
        return
    check(parsed, source.removeprefix("\ufeff"))


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_no_letter_is_lost(source: str) -> None:
    try:
        parsed = parse(source)
    except InputError:
        return
    kept = "".join(block.text for block in parsed.blocks)
    for char in source:
        if char.isascii() and char.isalnum():
            assert char in kept


@given(st.text())
def test_cleaning_is_stable_and_leaves_nothing_odd(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert not any("\ud800" <= char <= "\udfff" or char in "\x00\xad\ufeff\u200b\xa0\ufb01" for char in clean)
    assert clean_line(text) == clean_line(text).strip()


def test_glue_puts_spaces_between_words_only() -> None:
    assert glue("word", "word") == " "
    assert glue("漢字", "かな") == ""
    assert glue("漢字", "word") == " "
    assert glue("ภาษา", "ไทย") == ""
