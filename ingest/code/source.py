"""Source code: one block for each function, each class's head, and what stands between, told by the language's own grammar.

    bytes -> text -> syntax tree -> outline (ingest/code/symbols.py) -> blocks with symbol and links -> ingest/code/chunks.py

Every line that is not blank is in exactly one block, as it stands in the file. A file that no grammar reads, or that takes the
parser too long, is cut by its shape (`ingest/code/structure.py`); nothing here fails for what is in it.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from phidex.errors import InputError
from phidex.ingest.clean import clean_text
from phidex.ingest.code.grammar import Grammar
from phidex.ingest.code.grammars import FILES as GRAMMAR_FILES
from phidex.ingest.code.grammars import SUFFIXES as GRAMMAR_SUFFIXES
from phidex.ingest.code.grammars import grammar_for
from phidex.ingest.code.links import MOST_LINKS, called_in, find_calls, imported, links_of
from phidex.ingest.code.structure import FILES, shape
from phidex.ingest.code.structure import SUFFIXES as SHAPED_SUFFIXES
from phidex.ingest.code.symbols import Mark, Outline, outline
from phidex.ingest.records import Anchor, Block, Parsed
from phidex.ingest.text import NEWLINE, decode_text

if TYPE_CHECKING:
    from tree_sitter import Language, Tree

SUFFIXES = GRAMMAR_SUFFIXES | SHAPED_SUFFIXES
"""Suffixes, in lower case, of files that are code."""

NAMES = GRAMMAR_FILES | FILES
"""Names of files that are code whatever their suffix: Dockerfile, Makefile and the like."""

_MOST_BYTES = 2 << 20  # a larger file was not written by hand
_LONG_LINE = 4000  # characters; of a longer line the parser sees both ends alone: what is between is data, or minified
_LINE_END = 1000
_PARSE_S, _PARSE_S_A_BYTE = 0.3, 2e-6  # CPU seconds for any file, and more a byte: twenty times what real code takes
_IMPORT_BYTES = 4000
_PLAIN = bytes((9, 10, *range(32, 127)))  # what needs no care
_COOKIE = re.compile(rb"\A(?:[^\n]*\n)?[^\n]*coding[:=][ \t]*([-\w.]+)")


def is_code(path: Path, head: bytes) -> bool:
    """Whether a file is code: by its suffix or name, or because its first line names what runs it."""
    if path.suffix.lower() in SUFFIXES or path.name in NAMES:
        return True
    return not path.suffix and head.startswith(b"#!")


def parse_code(data: bytes, path: Path) -> Parsed:
    """The blocks of a file of code. About 0.1 ms of CPU a kilobyte.

    Raises:
        InputError: no text in it, or it cannot be decoded.
    """
    text, warnings = _decode(data, path.name)
    grammar = grammar_for(path, data[:4096])
    blocks, warning = code_blocks(text, path, grammar)
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    return Parsed(
        kind="code",
        blocks=tuple(blocks),
        mime=f"text/x-{grammar.name if grammar else path.suffix.lstrip('.').lower() or 'script'}",
        warnings=(*warnings, warning) if warning else warnings,
        metadata={"programming_language": grammar.name} if grammar else {},
    )


def code_blocks(text: str, path: Path, grammar: Grammar | None) -> tuple[list[Block], str]:
    """The blocks of code whose lines end in line feeds, and a warning where its grammar could not be used."""
    lines = text.split("\n")
    language = grammar.load() if grammar else None
    if grammar is None:
        return _cut(lines, shape(lines, path), None), ""
    if language is None:
        warning = f"The grammar for {grammar.name} is not installed (pip install 'phidex[code]'): cut by blank lines."
        return _cut(lines, shape(lines, path), None), warning
    source = (text if len(max(lines, key=len)) < _LONG_LINE else "\n".join(map(_shortened, lines))).encode()
    tree = _parse(source, language)
    if tree is None:
        return _cut(lines, shape(lines, path), None), f"Too large or too slow to parse as {grammar.name}: cut by blank lines."
    found = outline(tree.root_node, source, grammar)
    query = grammar.call_query(language)
    calls = find_calls(tree.root_node, source, query) if query else None
    return _cut(lines, found.marks, _Links(found, source, grammar, calls)), ""


def _decode(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text with plain line ends and without control characters."""
    if not data.translate(None, _PLAIN):
        return data.decode("ascii"), ()
    try:
        text, warnings = data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        text, warnings = _declared(data) or decode_text(data, name)
    if "\r" in text:
        text = NEWLINE.sub("\n", text)
    return clean_text(text), warnings


def _declared(data: bytes) -> tuple[str, tuple[str, ...]] | None:
    """The text in the encoding that its first two lines declare, as Python and Ruby files may."""
    cookie = _COOKIE.match(data[:400])
    codec = cookie[1].decode("ascii") if cookie else ""  # what could be read as far as here is no UTF-16
    try:
        return (data.decode(codec), ()) if codec and not codec.lower().startswith("utf") else None
    except (UnicodeError, LookupError, ValueError):  # some codecs are none of text
        return None


def _shortened(line: str) -> str:
    return line if len(line) < _LONG_LINE else line[:_LINE_END] + line[-_LINE_END:]


def _parse(data: bytes, language: Language) -> Tree | None:
    """The syntax tree; None when it takes too long."""
    from tree_sitter import Parser

    if len(data) > _MOST_BYTES:
        return None
    view, ticks = memoryview(data), count()
    deadline = time.thread_time() + _PARSE_S + _PARSE_S_A_BYTE * len(data)

    def halt(_at: int, _failing: bool) -> bool:
        return not next(ticks) % 8 and time.thread_time() > deadline  # the clock is a system call, and this is asked often

    try:
        return Parser(language).parse(lambda at, _: view[at:], progress_callback=halt)
    except ValueError:  # what a halted parser raises
        return None


class _Links:
    """The links of each mark of a file."""

    def __init__(self, found: Outline, source: bytes, grammar: Grammar, calls: Sequence[tuple[int, str]] | None) -> None:
        rows = [mark.row for mark in found.marks]
        self._brought: dict[int, list[str]] = {}  # by number of the mark
        called: dict[int, list[str]] = {}
        self._known: dict[str, str] = {}
        for node in found.imports:
            text = source[node.start_byte : min(node.end_byte, node.start_byte + _IMPORT_BYTES)].decode("utf-8", "ignore")
            if grammar.import_mark is None or grammar.import_mark.search(text):
                pairs = imported(text, grammar.import_style)
                self._brought.setdefault(bisect_right(rows, node.start_point[0]) - 1, []).extend(full for _, full in pairs)
                self._known.update((local, full) for local, full in pairs if local)
        for row, name in calls or ():
            called.setdefault(bisect_right(rows, row) - 1, []).append(name)
        self._called = None if calls is None else called  # by syntax, for a language where parentheses do not tell

    def of(self, number: int, symbol: str, text: str) -> tuple[str, ...]:
        """The links of the mark of that number, whose lines are `text`."""
        called = called_in(text) if self._called is None else self._called.get(number, [])
        links = links_of(called, self._known, symbol)
        brought = self._brought.get(number)
        return tuple(dict.fromkeys((*brought, *links)))[:MOST_LINKS] if brought else links


def _cut(lines: list[str], marks: Sequence[Mark], links: _Links | None) -> list[Block]:
    """A block for the lines of each mark, without the blank ones around them."""
    blocks: list[Block] = []
    for number, mark in enumerate(marks):
        start, end = mark.row, marks[number + 1].row if number + 1 < len(marks) else len(lines)
        while start < end and not lines[start].strip():
            start += 1
        while end > start and not lines[end - 1].strip():
            end -= 1
        if start < end:
            text = "\n".join(lines[start:end])
            found = links.of(number, mark.symbol, text) if links else ()
            blocks.append(Block(text, "code", (Anchor(0, line=start + 1),), symbol=mark.symbol, links=found))
    return blocks
