"""Notebooks: cells in order with their numbers, outputs that are text, and what is no notebook."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from phidex.errors import InputError
from phidex.ingest.chunk import chunk_document
from phidex.ingest.code.notebook import parse_notebook
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Parsed, PartLocator

CELLS: list[dict[str, Any]] = [
    {"cell_type": "markdown", "source": ["# Sales\n", "\n", "How *they* went.\n", "- one\n", "- two"]},
    {
        "cell_type": "code",
        "source": "%matplotlib inline\nimport pandas as pd\n!ls\ndef load(path):\n    return pd.read_csv(path)\n",
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mrows: 12\x1b[0m\n", "more\n"]},
            {"output_type": "execute_result", "data": {"text/plain": "<Figure size 1x1>", "image/png": "AAAA"}},
            {"output_type": "execute_result", "data": {"text/plain": ["   a\n", "0  1"], "text/html": "<table>"}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'b'", "traceback": ["long"]},
        ],
    },
    {"cell_type": "raw", "source": "as it is"},
    {"cell_type": "code", "source": "", "outputs": []},
]


def notebook(cells: Any = CELLS, **more: Any) -> bytes:
    whole = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole | more).encode()


def parse(data: bytes) -> Parsed:
    return parse_notebook(data, Path("a.ipynb"))


def test_cells_become_blocks_with_their_numbers() -> None:
    parsed = parse(notebook())
    assert [(block.kind, block.text.split("\n")[0], block.anchors[0].line) for block in parsed.blocks] == [
        ("heading", "Sales", 1),
        ("paragraph", "How they went.", 1),
        ("list_item", "one", 1),
        ("list_item", "two", 1),
        ("code", "%matplotlib inline", 2),
        ("code", "rows: 12", 2),
        ("code", "   a", 2),
        ("code", "KeyError: 'b'", 2),
        ("code", "as it is", 3),
    ]
    code = parsed.blocks[4]
    assert (code.symbol, code.links) == ("load", ("pandas", "pandas.read_csv"))
    assert (parsed.kind, parsed.title, parsed.unit) == ("code", "Sales", "item")


def test_a_chunk_names_its_cells() -> None:
    parsed = parse_file(Path("a.ipynb"), notebook())
    chunks = chunk_document(parsed, source_id=str(uuid.uuid4()), path="a.ipynb", language="en")
    assert len(chunks) == 1
    assert isinstance(chunks[0].locator, PartLocator)
    assert (chunks[0].locator.start, chunks[0].locator.end, chunks[0].locator.unit) == (1, 3, "item")
    assert (chunks[0].symbol, chunks[0].heading) == ("load", ("Sales",))
    assert "pandas.read_csv" in chunks[0].links


def test_long_outputs_are_cut() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    cell = {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream", "text": text}]}
    assert parse(notebook([cell])).blocks[1].text.count("\n") == 19


def test_format_3_is_read() -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": "f(1)", "outputs": []},
    ]
    data = json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}).encode()
    assert [(block.kind, block.level, block.text) for block in parse(data).blocks] == [
        ("heading", 2, "Old"),
        ("code", 0, "f(1)"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"cells": 3}',
        b'{"cells": []}',
        b'{"cells": [3, null]}',
        b"[" * 100_000,
        notebook([{"source": 3}]),
    ],
)
def test_what_is_no_notebook_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.ipynb"):
        parse(data)


def test_strange_cells_are_passed_over() -> None:
    cells: list[Any] = [
        {"cell_type": "code", "source": [1, "x = 1"], "outputs": [None, {"text": 3}]},
        "text",
        {"cell_type": "new"},
    ]
    assert [block.text for block in parse(notebook(cells, metadata=None)).blocks] == ["x = 1"]
