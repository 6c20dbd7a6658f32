"""Configuration and code without a grammar: parts by name, or by blank lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from phidex.ingest.code.structure import shape
from phidex.ingest.code.symbols import Mark


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.toml", "x = 1\n\n# Of a.\n[a.b]\ny = 2\n[[c]]\n", [(0, ""), (2, "a.b"), (5, "c")]),
        ("a.yaml", "# All.\nname: x\non:\n  push: 1\n", [(0, "name"), (2, "on")]),
        ("Makefile", "CC := gcc\nall: x\n\tgo\nclean:\n", [(0, ""), (1, "all"), (3, "clean")]),
        ("a.tf", 'resource "aws_s3" "logs" {\n}\nlocals {\n}\n', [(0, "resource.aws_s3.logs"), (2, "locals")]),
        ("a.pl", "use x;\n\nsub a {\n\n  y;\n}\n\nsub b {\n}\n", [(0, ""), (2, ""), (7, "")]),
        ("a.ini", "", [(0, "")]),
    ],
)
def test_parts_begin_where_they_are_named_or_apart(name: str, text: str, expected: list[tuple[int, str]]) -> None:
    assert shape(text.split("\n"), Path(name)) == [Mark(row, symbol) for row, symbol in expected]
