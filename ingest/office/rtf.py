"""Rich Text Format: its paragraphs and table rows, by striprtf (BSD, pure Python); no styles, pictures or objects."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.records import Anchor, Block, Parsed
from phidex.ingest.tabular import make_table

_TITLE = re.compile(rb"{\\title ([^{}\\]+)}")
_AUTHOR = re.compile(rb"{\\author ([^{}\\]+)}")


def parse_rtf(data: bytes, path: Path) -> Parsed:
    """The paragraphs and tables of a document.

    Raises:
        InputError: it has no text.
        InputError: striprtf is not installed.
    """
    blocks: list[Block] = []
    number = 0
    lines = [line for line in rtf_text(data, path.name).split("\n") if line.strip(" |\t\r")]
    for is_row, group in groupby(lines, key=lambda line: line.rstrip().endswith("|") and line.count("|") > 1):
        found = list(group)
        if is_row:
            rows = [line.rstrip().removesuffix("|").split("|") for line in found]
            block = make_table(rows, [Anchor(0, line=number + 1 + index) for index in range(len(rows))])
            blocks += [block] if block else []
        else:
            texts = [(number + 1 + index, clean_line(line)) for index, line in enumerate(found)]
            blocks += [Block(text, "paragraph", (Anchor(0, line=place),)) for place, text in texts if text]
        number += len(found)
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    title, author = _info(_TITLE, data), _info(_AUTHOR, data)
    metadata = {"author": author} if author else {}
    return Parsed("office", tuple(blocks), title, "application/rtf", metadata=metadata, unit="paragraph")


def rtf_text(data: bytes, name: str) -> str:
    """The text of RTF, a line for each paragraph, cells of a table row with a bar behind each.

    Raises:
        InputError: it cannot be read.
        InputError: striprtf is not installed.
    """
    try:
        import striprtf.striprtf as _striprtf  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as exc:
        raise InputError(
            f"{name} is or holds RTF, which needs striprtf to be read.", hint="pip install 'phidex[office]'"
        ) from exc
    striprtf: Any = _striprtf
    try:
        return str(striprtf.rtf_to_text(data.decode("latin-1"), errors="replace"))
    except (ValueError, LookupError, IndexError, AttributeError, OverflowError) as exc:
        raise InputError(
            f"The RTF of {name} cannot be read: {exc}.", hint="open it in a word processor and save it as .docx"
        ) from exc


def _info(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data[:65536])
    return clean_line(found[1].decode("cp1252", "replace")) if found else ""
