"""Rows as CSV that a spreadsheet may open: no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from phidex.errors import InputError

_BORDER = re.compile(r"([;\t\r\n])")  # a spreadsheet may begin another cell behind it
_FORMULA = re.compile(r'[\s"\0\u200b\ufeff]*[=+@＝＋－＠-]')  # a spreadsheet set to Japanese takes the wide ones too
_NUMBER = re.compile(r"[+-]?\d[\d.,\u00a0\u202f' ]*%?|-")  # with its sign, or the dash of an empty cell


def safe_cell(value: object) -> str:
    """A cell's text; what a spreadsheet would take for a formula begins with an apostrophe, inside of the text too.

    Source: OWASP, CSV Injection.

    >>> safe_cell("=1+1"), safe_cell("-5,3"), safe_cell(-5), safe_cell(None), safe_cell("+49 30 x")
    ("'=1+1", '-5,3', '-5', '', "'+49 30 x")
    >>> safe_cell(" =1+1"), safe_cell("rent; =1+1"), safe_cell("1; -2")
    ("' =1+1", "rent;' =1+1", '1; -2')
    """
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    safe = "".join(f"'{piece}" if _is_formula(piece) else piece for piece in _BORDER.split(text))
    return f"'{safe}" if text.startswith(("\t", "\r")) else safe


def _is_formula(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text.strip())


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV by RFC 4180, every cell safe."""
    out = io.StringIO()
    csv.writer(out).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in UTF-8.

    Raises:
        InputError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as exc:
        raise InputError(f"cannot write {path}: {exc.strerror}", hint="name another file") from exc
