"""JSON and JSON Lines: records as tables, objects as readable "key: value" lines; places are JSON pointers and item numbers.

A locator's part is the pointer of the array or object that the items stand in ("/orders"); items count its members from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError
from phidex.ingest.clean import clean_line, clean_text
from phidex.ingest.office.delimited import MOST_BYTES, first_lines
from phidex.ingest.records import Anchor, Block, Parsed
from phidex.ingest.tabular import make_table
from phidex.ingest.text import decode_text, parse_text

_SMALL = 1200  # characters of a value that stays in one block
_MOST_COLUMNS = 24
_MOST_CELL = 200  # characters of a value in a table
_TABLE_ROWS = 200  # records looked at to tell whether they make a table
_DEPTH = 100
_TITLES = ("title", "name", "headline")
_CONCATENATED = re.compile(r"\s*\n\s*[\[{]")


def parse_json(data: bytes, path: Path) -> Parsed:
    """The content of a JSON document; text that is not JSON is read line by line, with a warning.

    Raises:
        InputError: it has no value, is too large, or cannot be decoded.
    """
    if len(data) > MOST_BYTES:
        hint = "convert it to JSON Lines, or split it"
        raise InputError(f"{path.name} is JSON of more than {MOST_BYTES >> 20} MB.", hint=hint)
    text, warnings = decode_text(data, path.name)
    try:
        value: Any = json.loads(text.lstrip("\ufeff"), parse_constant=str, parse_int=_integer)
    except (ValueError, RecursionError) as exc:
        if isinstance(exc, json.JSONDecodeError) and _CONCATENATED.search(text, exc.pos - 1):
            return parse_json_lines(data, path)
        reason = (
            f"not valid JSON ({exc.msg} in line {exc.lineno})" if isinstance(exc, json.JSONDecodeError) else "nested too deep"
        )
        return _as_text(data, path, (*warnings, f"The file is {reason}; it was read as plain text."))
    blocks = tuple(_members(value, "") if isinstance(value, (dict, list)) else _item(value, "", 1))
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    return Parsed("data", blocks, _title(value), "application/json", warnings=warnings, unit="item")


def parse_json_lines(data: bytes, path: Path) -> Parsed:
    """The records of a file with one JSON value a line; items are counted by line.

    Raises:
        InputError: it has no value, or cannot be decoded.
    """
    data, cut = first_lines(data)
    text, warnings = decode_text(data, path.name)
    warnings = (*cut, *warnings)
    items: list[tuple[int, Any]] = []
    bad: list[int] = []
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        if line.strip():
            try:
                items.append((number, json.loads(line, parse_constant=str, parse_int=_integer)))
            except (ValueError, RecursionError):
                bad.append(number)
    if len(bad) > len(items):
        return _as_text(data, path, (*warnings, "Most lines are not valid JSON; the file was read as plain text."))
    if bad:
        shown = ", ".join(map(str, bad[:10])) + (", …" if len(bad) > 10 else "")
        warnings = (*warnings, f"{len(bad)} lines are not valid JSON and were left out: {shown}.")
    values = [value for _, value in items]
    numbers = [number for number, _ in items]
    table = _table(values, numbers, "")
    blocks = (table,) if table else tuple(block for number, value in items for block in _item(value, "", number))
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    return Parsed("data", blocks, "", "application/jsonl", warnings=warnings, unit="item")


def _as_text(data: bytes, path: Path, warnings: tuple[str, ...]) -> Parsed:
    parsed = parse_text(data, path.with_suffix(".json"))
    return Parsed("text", parsed.blocks, parsed.title, warnings=(*warnings, *parsed.warnings))


def _integer(digits: str) -> int | str:
    """An integer; one of thousands of digits stays as it is written (Python refuses to convert it)."""
    return int(digits) if len(digits) < 4000 else digits


def _title(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    found = cast("dict[str, Any]", value)
    return next((clean_line(found[key]) for key in _TITLES if isinstance(found.get(key), str)), "")


def _members(value: Any, pointer: str, depth: int = 0) -> Iterator[Block]:
    """The blocks of an object's or array's members, in order."""
    if isinstance(value, list):
        array = cast("list[Any]", value)
        if table := _table(array, range(1, len(array) + 1), pointer):
            yield table
            return
        entries = [(str(index), member) for index, member in enumerate(array)]
    else:
        entries = list(cast("dict[str, Any]", value).items())
    is_array = isinstance(value, list)
    for number, (key, member) in enumerate(entries, 1):
        inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if isinstance(member, (dict, list)) and depth < _DEPTH and (_size(member) > _SMALL or _is_table(member)):
            yield from _members(member, inner, depth + 1)
        else:
            yield from _item(member, pointer, number, "" if is_array else key)


def _item(value: Any, part: str, number: int, key: str = "") -> Iterator[Block]:
    """One member as a block of "key: value" lines, or as paragraphs where it is a long text."""
    if isinstance(value, str) and len(value) > _SMALL:
        for paragraph in re.split(r"\n\s*\n", value):
            if text := clean_line(paragraph):
                yield Block(text, "paragraph", (Anchor(0, line=number),), part=part)
        return
    lines = [f"{name}: {text}" if name else text for name, text in _flat(value, key) if text]
    if lines:
        yield Block("\n".join(lines), "paragraph", (Anchor(0, line=number),), part=part)


def _flat(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Dotted path and text of every scalar; lists of scalars on one line."""
    if isinstance(value, dict) and depth < _DEPTH:
        for key, member in cast("dict[str, Any]", value).items():
            yield from _flat(member, f"{path}.{clean_line(key)}" if path else clean_line(key), depth + 1)
    elif isinstance(value, list) and depth < _DEPTH:
        array = cast("list[Any]", value)
        if not any(isinstance(member, (dict, list)) for member in array):
            yield path, ", ".join(filter(None, map(_scalar, array)))
        else:
            for index, member in enumerate(array, 1):
                yield from _flat(member, f"{path}[{index}]", depth + 1)
    else:
        yield path, _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return " ".join(clean_text(value).split())
        case float():
            return repr(value)
        case dict() | list():
            return clean_line(str(cast(object, value)))[:_SMALL]
        case _:
            return str(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(_columns(cast("list[Any]", value)))


def _columns(records: Sequence[Any]) -> list[str]:
    """The keys of records that make a table: flat objects, mostly of the same short fields; empty when they make none."""
    if len(records) < 2:
        return []
    found: dict[str, int] = {}
    looked = 0
    for record in islice(records, _TABLE_ROWS):
        if not isinstance(record, dict):
            return []
        looked += 1
        for key, value in cast("dict[str, Any]", record).items():
            if isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) > _MOST_CELL):
                return []
            found[key] = found.get(key, 0) + 1
    filled = sum(found.values())
    return list(found) if 0 < len(found) <= _MOST_COLUMNS and filled * 2 >= len(found) * looked else []


def _table(records: Sequence[Any], numbers: Sequence[int], part: str) -> Block | None:
    """A table of records with a row each; None where they make none, all the way down."""
    columns = _columns(records)
    if not columns:
        return None
    rows: list[list[str]] = []
    known = set(columns)
    for record in records:
        if not isinstance(record, dict) or not known.issuperset(cast("dict[str, Any]", record)):
            return None
        values = [cast("dict[str, Any]", record).get(column) for column in columns]
        if any(isinstance(value, (dict, list)) for value in values):
            return None
        rows.append([_scalar(value) for value in values])
    return make_table(rows, [Anchor(0, line=number) for number in numbers], header=columns, part=part)


def _size(value: Any, limit: int = _SMALL + 1, depth: int = 0) -> int:
    """About how many characters a value has, counted no further than the limit."""
    if isinstance(value, (dict, list)) and depth < _DEPTH:
        size = 0
        members = (
            cast("dict[str, Any]", value).items() if isinstance(value, dict) else (("", m) for m in cast("list[Any]", value))
        )
        for key, member in members:
            size += len(key) + 4 + _size(member, limit - size, depth + 1)
            if size >= limit:
                break
        return size
    return len(value) if isinstance(value, str) else 8
