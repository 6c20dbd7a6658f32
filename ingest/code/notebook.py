"""Jupyter notebooks: their Markdown and code cells in order, each block with its cell's number, and the text of outputs, short.

Pictures and HTML outputs are left out. A cell that stands under a heading of the notebook is chunked with it, as in a document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError
from phidex.ingest.clean import clean_text
from phidex.ingest.code.grammars import grammar_named
from phidex.ingest.code.source import code_blocks
from phidex.ingest.markdown import markdown_blocks
from phidex.ingest.records import Anchor, Block, Parsed
from phidex.ingest.text import NEWLINE, decode_text

_OUTPUT_LINES = 20
_OUTPUT_CHARS = 1500
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours of a terminal
_MAGIC = re.compile(r"^(?=[ \t]*(?:[%!]|\?|\S+\?\s*$))", re.MULTILINE)


def parse_notebook(data: bytes, path: Path) -> Parsed:
    """The blocks of a notebook of format 3 or 4; anchors name its cells, from 1 on.

    Raises:
        InputError: it is no notebook, or has no text.
    """
    text, warnings = decode_text(data, path.name)
    cells, metadata = _cells(text, path.name)
    language = _language(metadata)
    blocks: list[Block] = []
    for number, cell in enumerate(cells, 1):
        blocks += [replace(block, anchors=(Anchor(0, line=number),)) for block in _blocks(cell, language) if block.text]
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed(
        kind="code",
        blocks=tuple(blocks),
        title=title,
        mime="application/x-ipynb+json",
        warnings=warnings,
        metadata={"programming_language": language},
        unit="item",
    )


def _cells(text: str, name: str) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """The cells, and the notebook's own metadata."""
    wrong = InputError(f"{name} is not a notebook.", hint="open it in Jupyter and save it again")
    try:
        notebook: object = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise wrong from exc
    whole = _mapping(notebook)
    sheets = whole.get("worksheets")  # format 3
    cells = whole.get("cells")
    if cells is None and isinstance(sheets, list):
        found = [_mapping(sheet).get("cells") for sheet in cast("list[object]", sheets)]
        cells = [cell for part in found if isinstance(part, list) for cell in cast("list[object]", part)]
    if not isinstance(cells, list):
        raise wrong
    return [_mapping(cell) for cell in cast("list[object]", cells)], _mapping(whole.get("metadata"))


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _language(metadata: Mapping[str, Any]) -> str:
    for section, field in (("language_info", "name"), ("kernelspec", "language")):
        name = _mapping(metadata.get(section)).get(field)
        if isinstance(name, str) and name:
            return name.lower()
    return "python"


def _blocks(cell: Mapping[str, Any], language: str) -> Iterator[Block]:
    source = _plain(cell.get("source", cell.get("input", "")))
    match cell.get("cell_type"):
        case "markdown":
            yield from markdown_blocks(source)
        case "heading":  # format 3
            level = cell.get("level", 1)
            title = " ".join(source.split())
            yield Block(title, "heading", (Anchor(0, line=1),), level=level if level in range(1, 7) else 1)
        case "code":
            yield from _code(source, language)
            outputs = cell.get("outputs")
            for output in cast("list[object]", outputs) if isinstance(outputs, list) else []:
                text = _shortened(_output(_mapping(output)))
                yield Block(text, "code", (Anchor(0, line=1),))
        case _:
            yield Block(source.strip("\n"), "code", (Anchor(0, line=1),))


def _code(source: str, language: str) -> Iterator[Block]:
    """A code cell whole, with what it defines first, calls and imports; the kernel's own commands do not disturb the parser."""
    grammar = grammar_named(language)
    if not source.strip():
        return
    found, _ = code_blocks(_MAGIC.sub("#", source), Path("cell"), grammar)
    symbol = next((block.symbol for block in found if block.symbol), "")
    links = tuple(dict.fromkeys(link for block in found for link in block.links))
    yield Block(source.strip("\n"), "code", (Anchor(0, line=1),), symbol=symbol, links=links)


def _output(output: Mapping[str, Any]) -> str:
    """What an output says as plain text: printed lines, a result, an error's name and message."""
    match output.get("output_type"):
        case "stream":
            return _plain(output.get("text", ""))
        case "error" | "pyerr":
            return f"{output.get('ename', '')}: {output.get('evalue', '')}"
        case _:
            data = _mapping(output.get("data"))
            text = _plain(data.get("text/plain", output.get("text", "")))
            return "" if re.fullmatch(r"<[^>]*>", text.strip()) else text  # `<Figure size 640x480 …>` says nothing


def _shortened(text: str) -> str:
    lines = text.strip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines[:_OUTPUT_LINES])[:_OUTPUT_CHARS].strip("\n")


def _plain(source: object) -> str:
    """A cell's text, which may be kept as a list of lines."""
    lines = cast("list[object]", source) if isinstance(source, list) else [source]
    text = "".join(line for line in lines if isinstance(line, str))
    return clean_text(_ESCAPES.sub("", NEWLINE.sub("\n", text)))
