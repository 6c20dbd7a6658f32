"""Pages of PDFs drawn by a child process that ends with its work: for programs that keep none for it (`painter.py` is such).

    pages --stdin--> child: `render_page` each --stdout--> one picture or one error a page

The child is started by its own name, never from the caller's script, so that it works from any program, thread and notebook. A
page that crashes it costs that page and those behind it, which are then tried by another.
"""

from __future__ import annotations

import contextlib
import pickle
import resource
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.pdf.render import render_page

_COMMAND = "from phidex.ingest.pdf.drawing import main; main()"
_HEAD = struct.Struct("!?Q")  # whether it is a picture, and its length in bytes
_START_S, _PAGE_S = 30.0, 10.0
_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page to draw; see `render_page`."""

    path: Path
    page_number: int
    zoom: float
    sha256: str = ""
    passwords: tuple[str, ...] = field(default=(), repr=False)


def draw_pages(sheets: Sequence[Sheet], *, page_s: float = _PAGE_S) -> list[bytes | InputError]:
    """A PNG for each page, or why it has none. About a second, and a tenth of one for each page of text.

    Args:
        page_s: what a page may take on average; the start of the process is not counted.
    """
    found: list[bytes | InputError] = []
    while len(found) < len(sheets):
        rest = sheets[len(found) :]
        found += _drawn(rest, _START_S + page_s * len(rest))
        if len(found) < len(sheets):
            sheet = sheets[len(found)]
            message = f"page {sheet.page_number} of {sheet.path.name} cannot be drawn"
            found.append(InputError(message, hint="the PDF is damaged or too heavy there"))
    return found


def _drawn(sheets: Sequence[Sheet], limit_s: float) -> list[bytes | InputError]:
    """What one process makes of the pages, as far as it comes."""
    command = [sys.executable, "-P", "-c", _COMMAND]  # -P: a module in the working folder must not stand in for ours
    try:
        done = subprocess.run(command, input=pickle.dumps(list(sheets)), capture_output=True, timeout=limit_s, check=False)
        written = done.stdout
    except subprocess.TimeoutExpired as exc:
        written = exc.output or b""
    found: list[bytes | InputError] = []
    at = 0
    while at + _HEAD.size <= len(written):
        is_picture, length = _HEAD.unpack_from(written, at)
        content = written[at + _HEAD.size : at + _HEAD.size + length]
        if len(content) < length:
            break
        found.append(content if is_picture else _error(content.decode()))
        at += _HEAD.size + length
    return found


def main() -> None:
    """What the child does."""
    with contextlib.suppress(OSError, ValueError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sheets: list[Sheet] = pickle.load(sys.stdin.buffer)
    for sheet in sheets:
        path, number, passwords = sheet.path, sheet.page_number, sheet.passwords
        try:
            _write(render_page(path, number, zoom=sheet.zoom, sha256=sheet.sha256, passwords=passwords), is_picture=True)
        except InputError as exc:
            _write(f"{exc.message}\n{exc.hint}".encode(), is_picture=False)


def _error(text: str) -> InputError:
    message, _, hint = text.partition("\n")
    return InputError(message, hint=hint)


def _write(content: bytes, *, is_picture: bool) -> None:
    sys.stdout.buffer.write(_HEAD.pack(is_picture, len(content)) + content)
    sys.stdout.buffer.flush()
