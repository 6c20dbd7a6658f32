"""Code by syntax: every language's symbols, lines and links; what no grammar reads; nothing lost, nothing fatal."""

from __future__ import annotations

import ast
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.code_samples import SAMPLES

from phidex.errors import InputError
from phidex.ingest.code import grammar as grammar_module
from phidex.ingest.code.grammars import GRAMMARS, grammar_for
from phidex.ingest.code.source import SUFFIXES, is_code, parse_code
from phidex.ingest.parse import parse_file, sniff
from phidex.ingest.records import Block, Parsed


def parse(text: str | bytes, name: str) -> Parsed:
    return parse_code(text if isinstance(text, bytes) else text.encode(), Path(name))


def lines_of(block: Block) -> tuple[int, int]:
    first = block.anchors[0].line or 0
    return first, first + block.text.count("\n")


def outline_of(parsed: Parsed) -> list[tuple[int, int, str]]:
    return [(*lines_of(block), block.symbol) for block in parsed.blocks]


@pytest.mark.parametrize("name", SAMPLES)
def test_symbols_lines_and_links_of_each_language(name: str) -> None:
    text, expected = SAMPLES[name]
    parsed = parse(text, name)
    assert [(*lines_of(block), block.symbol, block.links) for block in parsed.blocks] == expected
    assert parsed.kind == "code"
    assert not parsed.warnings


def test_every_grammar_has_a_sample_and_loads() -> None:
    sampled = {grammar.name for name in SAMPLES if (grammar := grammar_for(Path(name), b"::"))}
    assert sampled | {"typescript"} == {grammar.name for grammar in GRAMMARS}  # its types are those of tsx
    for grammar in GRAMMARS:
        language = grammar.load()
        assert language is not None, grammar.name
        named = (*grammar.definitions, *grammar.scopes, *grammar.through, *grammar.wrappers, *grammar.leading, *grammar.imports)
        known = {language.node_kind_for_id(number) for number in range(language.node_kind_count)}
        unknown = {kind for kind in named if kind not in known}
        assert len(unknown) < len(named) // 3, (grammar.name, unknown)


def test_every_line_is_in_one_block_as_it_stands() -> None:
    for name, (text, _) in SAMPLES.items():
        assert_whole(text, parse(text, name))


def assert_whole(text: str, parsed: Parsed) -> None:
    lines = text.split("\n")
    seen: list[int] = []
    for block in parsed.blocks:
        first, last = lines_of(block)
        assert block.text == "\n".join(lines[first - 1 : last])
        seen += range(first, last + 1)
    assert seen == sorted(set(seen))
    assert all(number in set(seen) for number, line in enumerate(lines, 1) if line.strip())


def test_python_symbols_are_those_of_ast() -> None:
    files = [file for module in (ast, st, pytest, sys.modules[__name__]) if (file := module.__file__)]
    for path in [Path(file) for file in files] + sorted(Path(ast.__file__).parent.glob("[a-d]*.py")):
        data = path.read_bytes()
        found = {(symbol, last) for _, last, symbol in outline_of(parse(data, path.name))}
        for node in ast.parse(data).body:
            if isinstance(node, ast.FunctionDef) and not is_comment(data, node.end_lineno or 0):
                assert (node.name, node.end_lineno) in found, path


def is_comment(data: bytes, line: int) -> bool:
    """Whether a comment follows, which ast does not count to the function above it."""
    rest = data.decode("utf-8").split("\n")[line:]
    return next((text for text in rest if text.strip()), "").strip().startswith("#")


@pytest.mark.parametrize(
    ("name", "head", "language"),
    [
        ("tool", b"#!/usr/bin/env python3\n", "python"),
        ("tool", b"#!/usr/bin/env -S bash -e\n", "shell"),
        ("tool", b"#!/bin/sh\n", "shell"),
        ("tool", b"#! /usr/local/bin/node\n", "javascript"),
        ("Rakefile", b"", "ruby"),
        ("a.H", b"int f(void);\n", "c"),
        ("a.h", b"#pragma once\nnamespace x {\n", "cpp"),
        ("a.PY", b"", "python"),
    ],
)
def test_a_language_is_told_by_name_or_first_line(name: str, head: bytes, language: str) -> None:
    found = grammar_for(Path(name), head)
    assert found
    assert found.name == language
    assert is_code(Path(name), head)


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile", "a.yaml", "a.toml", "a.tf", "a.vue", "a.pl"])
def test_files_of_code_without_a_grammar_are_code(name: str) -> None:
    data = b"all: x\n\tgo\n\nclean:\n\trm x\n"
    assert sniff(Path(name), data) == "code"
    assert parse_file(Path(name), data).kind == "code"


def test_prose_and_data_are_not_code() -> None:
    for name in ("a.txt", "a.json", "a.csv", "README", "a.md", "a.html"):
        assert sniff(Path(name), b"Some words, and more.\n") != "code"


@pytest.mark.parametrize("mark", ["\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_change_nothing(mark: str) -> None:
    text, expected = SAMPLES["store.py"]
    parsed = parse(b"\xef\xbb\xbf" + text.replace("\n", mark).encode(), "store.py")
    assert [(*lines_of(block), block.symbol, block.links) for block in parsed.blocks] == expected


def test_names_and_lines_stand_behind_wide_characters() -> None:
    text = 'Größe = "日本語 😀"\n\ndef größe_messen(x):\n    """Misst Größen. 漢字"""\n    return längen.messé(x)\n'
    block = parse(text, "a.py").blocks[1]
    assert (lines_of(block), block.symbol, block.links) == ((3, 5), "größe_messen", ("längen.messé",))


def test_a_declared_encoding_is_read() -> None:
    parsed = parse("# -*- coding: latin-1 -*-\ndef f():\n    return 'é'\n".encode("latin-1"), "a.py")
    assert "é" in parsed.blocks[-1].text
    assert not parsed.warnings


def test_errors_in_the_syntax_cost_no_text() -> None:
    text = "def good():\n    return 1\n\ndef broken(:\n    x = = 2\n)))\n\nclass Later:\n    def method(self):\n        pass\n"
    parsed = parse(text, "a.py")
    assert_whole(text, parsed)
    assert "good" in {block.symbol for block in parsed.blocks}


def test_a_missing_grammar_is_a_warning_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(package: str, function: str) -> None:
        """As where the wheel is not installed."""

    monkeypatch.setattr(grammar_module, "_load", load)
    text, _ = SAMPLES["store.py"]
    parsed = parse(text, "store.py")
    assert_whole(text, parsed)
    assert "pip install 'phidex[code]'" in parsed.warnings[0]
    assert len(parsed.blocks) > 3


def test_empty_code_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no text"):
        parse("\n \n\t\n", "a.py")


def test_definitions_on_one_line_share_a_block() -> None:
    assert [block.symbol for block in parse("int a() {} int b() {}\nint c() {}\n", "a.c").blocks] == ["a", "c"]


def test_depth_has_no_end() -> None:
    deep = "".join(f"{' ' * depth}class A{depth}:\n" for depth in range(300))
    assert_whole(deep, parse(deep, "a.py"))
    for text in ("(" * 50_000, "{" * 50_000, "namespace a {\n" * 3000, "#if A\n" * 3000, "if (a) {" * 9000):
        assert_whole(text, parse(text, "a.cpp"))


HOSTILE = ["x=>" * 6000, "a<" * 10_000, "a?b:" * 5000, "<a {x} b>" * 2000, '"' * 20_001, "case 1: " * 2000, "\\" * 20_000]


@pytest.mark.parametrize("suffix", [".java", ".cs", ".ts", ".c", ".rb", ".lua", ".py"])
def test_hostile_text_is_cut_in_bounded_time(suffix: str) -> None:
    started = time.process_time()
    for text in HOSTILE:
        assert_whole(text, parse(text, "a" + suffix))
    assert time.process_time() - started < 20


def test_what_is_too_slow_to_parse_is_cut_by_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.ingest.code.source._PARSE_S", -1.0)
    monkeypatch.setattr("phidex.ingest.code.source._PARSE_S_A_BYTE", 0.0)
    text = SAMPLES["store.py"][0] * 50
    parsed = parse(text, "a.py")
    assert "too slow" in parsed.warnings[0]
    assert_whole(text, parsed)


def test_a_minified_line_among_others_leaves_their_symbols() -> None:
    text = "function a() {}\nvar data = '" + "x,y;" * 5000 + "';\nfunction b() {}\n"
    assert [block.symbol for block in parse(text, "a.js").blocks] == ["a", "", "b"]


PIECES = st.sampled_from(
    [
        *(
            "def f():",
            "class A:",
            "    pass",
            "  def g(self):",
            "@dec",
            "# note",
            "",
            "}",
            "{",
            "func f() {",
            "impl A {",
            "fn x() {}",
        ),
        *("if x:", "else:", '"""', "/*", "*/", "//", "namespace a {", "#ifdef X", "#endif", "é = 1", "\t", "end", "select 1;"),
        *(
            "public class B {",
            "void m() {}",
            "const f = () => {",
            "});",
            "type T struct {",
            "x\x00y",
            "module M",
            "do",
            "[s]",
            "k: v",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=30), st.sampled_from(sorted(SUFFIXES)))
def test_no_text_is_lost_or_moved_in_any_language(pieces: list[str], suffix: str) -> None:
    text = "\n".join(pieces)
    if not text.replace("\x00", "").strip():
        return
    assert_whole(text.replace("\x00", ""), parse(text, "a" + suffix))


@pytest.mark.parametrize("codec", ["rot13", "undefined", "idna", "no-such", "zip", "utf-16"])
def test_an_encoding_that_is_none_is_not_believed(codec: str) -> None:
    parsed = parse(f"# coding: {codec}\nx = 'caf".encode() + b"\xe9 au lait, cr\xe8me br\xfbl\xe9e'\n", "a.py")
    assert "x = " in parsed.blocks[0].text
