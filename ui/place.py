"""The cited lines of a text file with those around them. No Streamlit in here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import LineLocator, Source
from phidex.ingest.text import NEWLINE, decode_text

_AROUND = 4  # lines shown before and after the cited ones
_MOST = 200


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line of a file: its number from 1, its text, and whether it is cited."""

    number: int
    text: str
    is_cited: bool


def read_lines(source: Source, locator: LineLocator) -> list[NumberedLine]:
    """The cited lines, at most 200, and some around them.

    Raises:
        InputError: the file is gone, has changed since it was ingested, or cannot be read.
    """
    path = source.local_path()
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(f"{path} is gone", hint="put it back, or remove it from the collection") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}", hint="check its permissions") from exc
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise InputError(f"{path.name} has changed since it was ingested", hint="ingest it again")
    lines = NEWLINE.split(decode_text(data, path.name)[0])
    first, last = max(1, locator.start_line - _AROUND), min(len(lines), locator.end_line + _AROUND)
    last = min(last, first + _MOST)
    return [
        NumberedLine(number, lines[number - 1], locator.start_line <= number <= locator.end_line)
        for number in range(first, last + 1)
    ]
