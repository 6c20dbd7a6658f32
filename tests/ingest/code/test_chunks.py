"""Chunks of code: whole symbols where they fit, cut between statements where not; exact lines; nothing lost."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.code_samples import SAMPLES

from phidex.ingest.chunk import chunk_document
from phidex.ingest.code.source import parse_code
from phidex.ingest.records import Chunk, LineLocator
from phidex.ingest.tokens import piece_starts

SOURCE = str(uuid.uuid5(uuid.NAMESPACE_URL, "source"))


def cut(text: str, name: str = "a.py", limit: int = 256) -> list[Chunk]:
    parsed = parse_code(text.encode(), Path(name))
    return chunk_document(parsed, source_id=SOURCE, path=name, language="und", limit_tokens=limit)


def lines_of(chunk: Chunk) -> tuple[int, int]:
    assert isinstance(chunk.locator, LineLocator)
    return chunk.locator.start_line, chunk.locator.end_line


def assert_exact(text: str, chunks: list[Chunk], limit: int) -> None:
    """Every chunk is the lines it says, or part of one line; together they are all text."""
    lines = text.split("\n")
    for chunk in chunks:
        first, last = lines_of(chunk)
        stretch = "\n".join(line if line.strip() else "" for line in lines[first - 1 : last])
        shown = "\n".join(line if line.strip() else "" for line in chunk.text.split("\n"))
        assert shown == stretch or (first == last and chunk.text in stretch)
        assert len(piece_starts(chunk.text)) == chunk.token_count <= limit
        assert chunk.modality == "code"
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert [chunk.order for chunk in chunks] == list(range(len(chunks)))


CLASS = '''class Store:
    """Keeps things."""

    limit = 3

    def get(self, key):
        """Gets."""
        return self.found[key]

    # Puts.
    @checked
    def put(self, key, value):
        self.found[key] = value
'''


def test_a_class_that_fits_is_one_chunk() -> None:
    assert [(chunk.symbol, chunk.text) for chunk in cut("import x\n\n\n" + CLASS)] == [
        ("", "import x"),
        ("Store", CLASS.rstrip()),
    ]


def test_a_class_too_large_is_its_head_and_its_methods() -> None:
    chunks = cut(CLASS, limit=40)
    assert [(chunk.symbol, lines_of(chunk)) for chunk in chunks] == [
        ("Store", (1, 4)),
        ("Store.get", (6, 8)),
        ("Store.put", (10, 13)),
    ]
    assert [chunk.heading for chunk in chunks] == [("Store",), ("Store.get",), ("Store.put",)]


def test_each_function_is_a_chunk_however_small() -> None:
    text = "import os\nX = 1\n\ndef a(): pass\n\ndef b(): pass\n\nY = 2\n"
    assert [(chunk.symbol, lines_of(chunk)) for chunk in cut(text)] == [
        ("", (1, 2)),
        ("a", (4, 4)),
        ("b", (6, 6)),
        ("", (8, 8)),
    ]


def test_a_function_too_long_is_cut_between_statements_and_keeps_its_name() -> None:
    body = "".join(f"    if value == {n}:\n        first({n})\n        second({n})\n\n" for n in range(20))
    text = f"def long(value):\n{body}"
    chunks = cut(text, limit=64)
    assert len(chunks) > 3
    assert {(chunk.symbol, chunk.heading) for chunk in chunks} == {("long", ("long",))}
    assert all(chunk.text.startswith("    if value") for chunk in chunks[1:])
    assert_exact(text, chunks, 64)


def test_closing_lines_stay_with_what_they_close() -> None:
    members = "\n".join(f"    void m{n}() {{ call{n}(a, b, c, d, e, f); }}" for n in range(4))
    chunks = cut(f"class A {{\n{members}\n}}\n", "A.java", limit=40)
    assert chunks[-1].symbol == "A.m3"
    assert chunks[-1].text.endswith("\n}")


def test_rules_of_a_style_sheet_and_paragraphs_of_a_script_share_chunks() -> None:
    rules = "".join(f".a{n} {{\n  color: red;\n}}\n\n" for n in range(12))
    assert len(cut(rules, "a.css")) < 4
    script = "".join(f"step {n}\n\n" for n in range(12))
    assert len(cut(script, "a.tcl")) == 1


def test_links_of_all_that_a_chunk_holds_are_kept() -> None:
    assert cut("import m\n\nclass A:\n    def f(self): m.go()\n    def g(self): self.f()\n")[1].links == ("m.go", "A.f")


def test_ids_differ_by_place_and_are_stable() -> None:
    text = "def a(): pass\n\n\ndef b(): pass\n" + "x = '" + "word " * 2000 + "'\n"
    chunks = cut(text)
    assert len({chunk.id for chunk in chunks}) == len(chunks) > 5
    assert [chunk.id for chunk in cut(text)] == [chunk.id for chunk in chunks]
    assert [chunk.id for chunk in cut(text.replace("def a", "def c"))][1:] == [chunk.id for chunk in chunks][1:]
    assert all(str(uuid.UUID(chunk.id)) == chunk.id and uuid.UUID(chunk.id).version == 5 for chunk in chunks)


@pytest.mark.parametrize("limit", [32, 64, 256])
@pytest.mark.parametrize("name", SAMPLES)
def test_chunks_of_every_language_are_exact(name: str, limit: int) -> None:
    text, _ = SAMPLES[name]
    assert_exact(text, cut(text, name, limit), limit)


LINES = st.one_of(
    st.sampled_from(
        ["", "def f():", "class A:", "    def g(self):", "        x = 1", "    pass", "\t\ty()", "})", "end", "   "]
    ),
    st.integers(1, 200).map(lambda count: "    " + "word, " * count),
    st.integers(1, 400).map(lambda count: "w" * count),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=30), st.sampled_from(["a.py", "a.rb", "a.yaml"]), st.integers(8, 100))
def test_limits_are_kept_and_no_text_is_lost(lines: list[str], name: str, limit: int) -> None:
    text = "\n".join(lines)
    if not text.strip():
        return
    chunks = cut(text, name, limit)
    assert all(len(piece_starts(chunk.text)) <= limit for chunk in chunks)
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
