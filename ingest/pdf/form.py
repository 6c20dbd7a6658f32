"""Filled-in values of a PDF's form that its pages do not show: a field may hold a value without a picture of it.

Most forms draw what was filled in, and then it is text of the page like any other. Here only what is missing is added, where
its field stands.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import pymupdf as _pymupdf

from phidex.ingest.clean import clean_line
from phidex.ingest.pdf.file import PAGE_ERRORS
from phidex.ingest.pdf.lines import Line, Page

log = logging.getLogger(__name__)
pymupdf: Any = _pymupdf  # its own types are incomplete
_MAX_FIELDS = 5_000  # of one page; more are an accident or an attack


def is_form(document: Any) -> bool:
    """Whether the document has fields to fill in."""
    try:
        return bool(document.is_pdf and document.is_form_pdf)
    except PAGE_ERRORS:
        return False


def add_values(page: Any, lines: Page) -> None:
    """Add a line for each value of a text, combo or list field of `page` that `lines` do not have.

    A damaged field ends it: what the page shows is there already.
    """
    try:
        _add_values(page, lines)
    except PAGE_ERRORS as exc:
        log.debug("form_unread page=%d error=%s", lines.index + 1, type(exc).__name__)


def _add_values(page: Any, lines: Page) -> None:
    shown = _squeezed("".join(line.text for line in lines.lines))
    kinds = (pymupdf.PDF_WIDGET_TYPE_TEXT, pymupdf.PDF_WIDGET_TYPE_COMBOBOX, pymupdf.PDF_WIDGET_TYPE_LISTBOX)
    turn = page.rotation_matrix  # fields are where they are on the page as it was before it was turned
    group = max((line.group for line in lines.lines), default=-1)
    for count, field in enumerate(page.widgets(kinds)):
        if count == _MAX_FIELDS:
            break
        group += 1
        for text in _values(field):
            if _squeezed(text) not in shown:
                lines.lines.append(_line(text, field.rect * turn, lines, group))


def _values(field: Any) -> list[str]:
    """The lines of a field's value as people see it: of a choice its label, not what is exported for it."""
    if field.field_flags & pymupdf.PDF_TX_FIELD_IS_PASSWORD and field.field_type == pymupdf.PDF_WIDGET_TYPE_TEXT:
        return []
    value: Any = field.field_value
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    choices: list[Any] = field.choice_values or []
    labels = {str(choice[0]): str(choice[1]) for choice in choices if not isinstance(choice, str)}
    texts = [labels.get(str(value), str(value)) for value in values if value]
    return [line for text in texts for part in text.splitlines() if (line := clean_line(part))]


def _line(text: str, rect: Any, page: Page, group: int) -> Line:
    """A value as a line in its field's box, on the page as shown."""
    x0, x1 = (min(max(0.0, x), page.width) for x in (rect.x0, rect.x1))
    y0, y1 = (min(max(0.0, y), page.height) for y in (rect.y0, rect.y1))
    return Line(text, x0, y0, x1, y1, 10.0, bold=False, mono=False, group=group, upright=True)


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()
