"""Files line by line: what can be read, and a fault with file and line for what cannot."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from phidex.errors import InputError
from phidex.eval.records import Fault

T = TypeVar("T")


def text_of(path: Path) -> str:
    """The text of a file, unpacked where it ends in `.gz`.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError) as exc:
        raise InputError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path} is not UTF-8 (byte {exc.start})", hint="write it as UTF-8") from exc


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1. Only line feeds end them: JSON may hold U+2028."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def read_rows(path: Path, read: Callable[[dict[str, Any]], T], faults: list[Fault]) -> list[T]:
    """What `read` makes of each JSON object of a file of lines; where it raises, a fault."""
    found: list[T] = []
    for number, line in numbered(path):
        try:
            row: object = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError("no JSON object")
            found.append(read(cast("dict[str, Any]", row)))
        except KeyError as exc:
            faults.append(Fault(str(path), number, f"has no {exc}"))
        except (ValueError, TypeError, AttributeError) as exc:
            faults.append(Fault(str(path), number, str(exc)))
    return found


def read_columns(path: Path, least: int, faults: list[Fault], separator: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The columns of each line, with its number; a line with fewer than `least` is a fault."""
    for number, line in numbered(path):
        columns = line.split(separator)
        if len(columns) < least:
            faults.append(Fault(str(path), number, f"{len(columns)} columns, and {least} are wanted"))
        else:
            yield number, columns


def string_of(row: dict[str, Any], name: str) -> str:
    """A string of a row that is not empty.

    Raises:
        KeyError, ValueError: it is missing, or something else.
    """
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`{name}` should be a text")
    return value


def strings_of(value: object) -> tuple[str, ...]:
    """A string, or a list of strings, as a tuple.

    Raises:
        ValueError: it is something else.
    """
    values = cast("list[object]", value) if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) for one in values):
        raise ValueError("a text, or a list of texts, is wanted")
    return tuple(cast("list[str]", values))
