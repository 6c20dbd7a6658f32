"""Markdown: blocks from markdown-it's tokens, inline markup reduced to its text, with the source line of each line.

Tables stay Markdown, fenced code stays as written. Embedded HTML is reduced to its text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from phidex.errors import InputError
from phidex.ingest.clean import clean_line, glue
from phidex.ingest.records import Anchor, Block, BlockKind, Parsed
from phidex.ingest.text import NEWLINE, decode_text, make_listing

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^([A-Za-z][\w-]*)\s*[:=]\s*(\S.*?)\s*$")
_TAG = re.compile(r"<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)\s*>|<[/!?A-Za-z][^>]*>", re.DOTALL | re.IGNORECASE)
_QUOTE = re.compile(r"^[\s>]*")


def parse_markdown(data: bytes, path: Path) -> Parsed:
    """The blocks of a Markdown file; its YAML or TOML front matter becomes metadata and title.

    Raises:
        InputError: no text in it, or it cannot be decoded.
    """
    text, warnings = decode_text(data, path.name)
    text = NEWLINE.sub("\n", text)
    metadata: dict[str, str] = {}
    if front := _FRONT_MATTER.match(text):
        metadata = _fields(front[2])
        text = "\n" * front[0].count("\n") + text[front.end() :]  # line numbers stay those of the file
    blocks = markdown_blocks(text)
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    headings = [block for block in blocks if block.kind == "heading"]
    first = min(headings, key=lambda block: block.level).text if headings else ""
    return Parsed(
        kind="markdown",
        blocks=tuple(blocks),
        title=metadata.pop("title", "") or first,
        mime="text/markdown",
        warnings=warnings,
        metadata=metadata,
    )


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of Markdown source whose lines end in line feeds; anchors name its lines, 1-based."""
    source = text.replace("\x00", "")
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    return [block for block in _walk(tokens, source.split("\n")) if block.text]


def _walk(tokens: list[Token], lines: list[str]) -> Iterator[Block]:
    """Blocks in order; a table is taken whole from its source lines."""
    marker: str | None = None  # of the list item whose first paragraph is still to come
    skip_to = -1
    for opening, token in pairwise([Token("", "", 0), *tokens]):
        start = token.map[0] if token.map else 0
        if token.type == "table_close":
            skip_to = -1
        elif skip_to >= 0:
            continue
        elif token.type == "table_open" and token.map:
            skip_to = token.map[1]
            yield make_listing(_source(lines, start, skip_to), "table")
        elif token.type == "list_item_open":
            marker = f"{token.info}{token.markup} " if token.info else ""
        elif token.type == "list_item_close":
            marker = None
        elif token.type in ("fence", "code_block"):
            first = start + (2 if token.type == "fence" else 1)
            numbered = list(enumerate(token.content.split("\n"), first))
            yield make_listing(numbered, "code", is_exact=True)
        elif token.type == "html_block":
            yield _visible(token.content, start + 1)
        elif token.type == "inline":
            is_heading = opening.type == "heading_open"
            kind: BlockKind = "heading" if is_heading else "paragraph" if marker is None else "list_item"
            prefix = marker if kind == "list_item" and marker else ""
            yield _inline(token, start + 1, kind, int(opening.tag[1]) if is_heading else 0, prefix)
            marker = marker if is_heading else None


def _source(lines: list[str], start: int, end: int) -> list[tuple[int, str]]:
    """Numbered source lines without the marks of a quotation around them."""
    return [(number + 1, _QUOTE.sub("", lines[number])) for number in range(start, min(end, len(lines)))]


def _inline(token: Token, line: int, kind: BlockKind, level: int, prefix: str) -> Block:
    """The text of an inline token, one anchor a source line."""
    pieces: list[list[str]] = [[]]
    for child in token.children or []:
        match child.type:
            case "softbreak" | "hardbreak":
                pieces.append([])
            case "image":
                pieces[-1].append(child.content)
            case "html_inline":
                pieces[-1].append(" " if child.content.lower().startswith("<br") else "")
                pieces.extend([] for _ in range(child.content.count("\n")))
            case _:
                pieces[-1].append(child.content)
    return _joined([(line + n, "".join(piece)) for n, piece in enumerate(pieces)], kind, level, prefix)


def _joined(numbered: list[tuple[int, str]], kind: BlockKind, level: int = 0, prefix: str = "") -> Block:
    """Running text of some lines, with an anchor for each that has any."""
    text = ""
    anchors: list[Anchor] = []
    for number, raw in numbered:
        line = clean_line(raw)
        if not line:
            continue
        between = glue(text, line) if text else ""
        anchors.append(Anchor(len(text) + len(between), line=number))
        text += between + (line if text else prefix + line)
    return Block(text, kind, tuple(anchors), level)


def _visible(source: str, line: int) -> Block:
    """The text of an HTML block, line by line."""
    plain = _TAG.sub(lambda match: "\n" * match[0].count("\n") or " ", source)
    return _joined([(line + n, html.unescape(piece)) for n, piece in enumerate(plain.split("\n"))], "paragraph")


def _fields(front: str) -> dict[str, str]:
    """The plain `key: value` pairs of front matter; nested values are left out."""
    fields: dict[str, str] = {}
    for line in front.split("\n"):
        if (match := _FIELD.match(line)) and match[2] not in ("|", ">", "|-", ">-"):
            fields[match[1].lower()] = clean_line(match[2].strip("\"'"))
    return fields
