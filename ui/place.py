"""Where a source's file lies, and the cited lines of a text file with those around them. No Streamlit in here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

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


def file_of(source: Source) -> Path:
    """The file behind a source.

    Raises:
        InputError: it is no file of this machine.
    """
    parsed = urlparse(source.uri)
    if parsed.scheme != "file":
        raise InputError(f"{source.name} is not a file on this machine", hint="the quote is what can be shown of it")
    return Path(unquote(parsed.path))


def read_lines(source: Source, locator: LineLocator) -> list[NumberedLine]:
    """The cited lines, at most 200, and some around them.

    Raises:
        InputError: the file is gone, has changed since it was ingested, or cannot be read.
    """
    path = file_of(source)
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
