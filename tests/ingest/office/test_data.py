"""JSON: readable, nothing lost, every place a pointer and item numbers."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.packages import chunks_of, parse, texts

from phidex.errors import InputError
from phidex.ingest.records import PartLocator


def test_objects_become_key_value_lines_and_records_tables() -> None:
    value = {
        "title": "Catalogue",
        "stock": {"site": {"name": "Oslo", "codes": [1, 2]}, "open": True, "closed": None},
        "orders": [{"id": 1, "who": "Ann|Bo"}, {"id": 2, "who": "Cy", "late": False}],
    }
    parsed = parse("a.json", json.dumps(value).encode())
    assert (parsed.kind, parsed.unit, parsed.title) == ("data", "item", "Catalogue")
    assert texts(parsed) == [
        "title: Catalogue",
        "stock.site.name: Oslo\nstock.site.codes: 1, 2\nstock.open: true",
        "| id | who | late |\n|---|---|---|\n| 1 | Ann\\|Bo |  |\n| 2 | Cy | false |",
    ]
    assert [chunk.locator for chunk in chunks_of(parsed, 200)] == [
        PartLocator("", 1, 2, "item"),
        PartLocator("/orders", 1, 2, "item"),
    ]
    assert str(chunks_of(parsed, 200)[1].locator) == "/orders, items 1-2"


def test_pointers_lead_into_large_members() -> None:
    value = {"a/b": {"c~d": [{"text": "word " * 400, "n": [1]}, {"text": "short", "n": [2]}]}}
    parsed = parse("a.json", json.dumps(value).encode())
    found = {block.part: block.anchors[0].line for block in parsed.blocks}
    assert found == {"/a~1b/c~0d/0": 2, "/a~1b/c~0d": 2}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines_are_items(name: str) -> None:
    parsed = parse(name, b'{"q": "one", "a": {"z": 1}}\n\n{"q": "two"}\n{broken\n')
    assert [(block.text, block.anchors[0].line) for block in parsed.blocks] == [("q: one\na.z: 1", 1), ("q: two", 3)]
    assert parsed.warnings == ("1 lines are not valid JSON and were left out: 4.",)
    table = parse(name, b'{"q": "one"}\n{"q": "two"}\n')
    assert table.blocks[0].kind == "table"
    assert chunks_of(table)[0].locator == PartLocator("", 1, 2, "item")


def test_several_values_in_one_json_file_are_lines() -> None:
    assert len(texts(parse("a.json", b'{"a": {"b": 1}}\n{"a": {"b": 2}}\n'))) == 2


@pytest.mark.parametrize("data", [b'{"a": 1,, }', b"[1, 2", b"[" * 100_000, b"not json at all"])
def test_what_is_no_json_is_read_as_text_with_a_warning(data: bytes) -> None:
    parsed = parse("a.json", data)
    assert parsed.kind == "text"
    assert parsed.blocks[0].kind == "code"
    assert "plain text" in parsed.warnings[0]


@pytest.mark.parametrize("data", [b"{}", b"[]", b"null", b'{"a": null}', b'""'])
def test_json_without_a_value_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match="has no text"):
        parse("a.json", data)


def test_numbers_of_any_length_are_kept() -> None:
    digits = "7" * 5000
    assert digits in "".join(texts(parse("a.json", f'{{"n": {digits}, "x": NaN}}'.encode())))


words = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
values = st.recursive(
    words | st.integers(-99, 99) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(words, values, min_size=1, max_size=5))
def test_every_value_is_kept(value: dict[str, Any]) -> None:
    leaves: list[str] = []

    def collect(inner: Any) -> None:
        if isinstance(inner, dict):
            for member in cast("dict[str, Any]", inner).values():
                collect(member)
        elif isinstance(inner, list):
            for member in cast("list[Any]", inner):
                collect(member)
        else:
            leaves.append(str(inner).lower() if isinstance(inner, bool) else str(inner))

    collect(value)
    try:
        text = "\n".join(texts(parse("a.json", json.dumps(value).encode())))
    except InputError:
        assert not leaves
        return
    assert all(leaf in text for leaf in leaves)
