"""Inline operators of a question: `kind:code lang:de source:"Annual report" tag:x page:10-20 path:src/ -tag:draft`.

What is no operator (a URL, "note: this", `C:\\dir`, a value that cannot be meant) stays a word of the question.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, get_args

from phidex.errors import InputError
from phidex.ingest.records import KINDS, Modality
from phidex.retrieval.filters import Filters, page_range
from phidex.retrieval.query.names import QUOTED
from phidex.retrieval.query.words import language_codes

MODALITIES: tuple[str, ...] = get_args(Modality)
_VALUE = r'"[^"]{1,300}"|[„“”][^„“”]{1,300}[“”]|«[^«»]{1,300}»|「[^「」]{1,300}」|[^\s"„“”«»「」：:][^\s"„“”«»「」]*'
_OPERATOR = re.compile(rf"(?<!\S)(?P<minus>-?)(?P<name>[A-Za-z]{{3,10}})[:：](?P<value>{_VALUE})(?!\S)")
_DAY = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?\Z")
_CODE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,8})?\Z")
_FIELDS = {
    "kind": "kinds",
    "lang": "languages",
    "language": "languages",
    "source": "names",
    "tag": "tags",
    "page": "pages",
    "pages": "pages",
    "path": "paths",
    "symbol": "symbols",
    "modality": "modalities",
    "after": "after",
    "before": "before",
}
_QUOTE_SIGNS = '"„“”«»「」'


class Operators(NamedTuple):
    """What operators say: the question without them, its filters, the operators as written, and what to tell the user."""

    text: str
    filters: Filters
    written: tuple[str, ...]
    warnings: tuple[str, ...]


def take_operators(text: str) -> Operators:
    """The operators of a question, taken out of it; those inside quotation marks are words.

    >>> found = take_operators("pump speed kind:pdf -tag:draft see http://a.b")
    >>> found.text, found.filters.kinds, found.filters.without.tags
    ('pump speed see http://a.b', ('pdf',), ('draft',))
    """
    kept = Filters()
    without = Filters()
    written: list[str] = []
    warnings: list[str] = []
    rest: list[str] = []
    quoted = [match.span() for match in QUOTED.finditer(text)]
    end = 0
    for match in _OPERATOR.finditer(text):
        if any(start < match.start() < stop for start, stop in quoted) or match["name"].lower() not in _FIELDS:
            continue
        into = without if match["minus"] else kept
        try:
            into = _added(into, _FIELDS[match["name"].lower()], match["value"])
        except InputError as exc:
            warnings.append(f"{match.group()} is searched as words: {exc}")
            continue
        kept, without = (kept, into) if match["minus"] else (into, without)
        written.append(match.group())
        rest.append(text[end : match.start()])
        end = match.end()
    if not written:
        return Operators(text, kept, (), tuple(warnings))
    left = " ".join(" ".join([*rest, text[end:]]).split())
    return Operators(left, replace(kept, without=without if without else None), tuple(written), tuple(warnings))


def _added(filters: Filters, field: str, value: str) -> Filters:
    """The filters with one more value. Raises: InputError: the value cannot be meant."""
    is_quoted = value[0] in _QUOTE_SIGNS
    value = value.strip(_QUOTE_SIGNS).strip() if is_quoted else value.rstrip(",;?!")
    if not value:
        raise InputError("it has no value")
    match field:
        case "pages":
            if filters.pages is not None:
                raise InputError("pages are limited already")
            return replace(filters, pages=page_range(value.replace("–", "-")))
        case "after" | "before":
            if not _DAY.match(value) or getattr(filters, field):
                raise InputError(f"{value!r} is not a day", hint="write 2024, 2024-01 or 2024-01-31, once")
            return replace(filters, **{field: value})
        case _:
            values = (value,) if is_quoted else tuple(part for part in value.split(",") if part)
            read = _READERS.get(field)
            values = tuple(read(one) for one in values) if read else values
            return replace(filters, **{field: tuple(dict.fromkeys((*getattr(filters, field), *values)))})


def _kind(value: str) -> str:
    return _one_of(value.lower(), KINDS, "kind")


def _modality(value: str) -> str:
    return _one_of(value.lower(), MODALITIES, "modality")


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        close = difflib.get_close_matches(value, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise InputError(f"there is no {what} {value!r}", hint=hint)
    return value


def _language(value: str) -> str:
    """An ISO 639 code; a region behind it falls away."""
    low = value.lower().replace("_", "-")
    if code := language_codes().get(low):
        return code
    if not _CODE.match(low):
        raise InputError(f"{value!r} is no language", hint="write its code, such as de")
    return low.partition("-")[0]


_READERS: dict[str, Callable[[str], str]] = {"kinds": _kind, "modalities": _modality, "languages": _language}
