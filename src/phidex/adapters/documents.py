"""Documents of other frameworks as `TextDocument`s: what LlamaIndex and LangChain readers return, told by its shape.

A document is known by what its reader says of it, the first that there is: `file_path`, `url` (or `source_url`, `link`,
`source`), else the id that the framework gave it, else (a random id) its text. Documents of one file or address are one source:
its pages, where the reader tells them, otherwise its parts in their order.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from phidex.errors import InputError
from phidex.ingest.run.given import TextDocument, TextPage

_PATHS = ("file_path", "filepath", "path")
_ADDRESSES = ("url", "source_url", "URL", "link", "source")
_TITLES = ("title", "Title", "document_title")
_PAGES = ("page_label", "page_number", "page")
_DATES = {"creation_date": "created", "last_modified_date": "modified"}  # LlamaIndex's names, and those of our filters
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
_MARKDOWN = (".md", ".markdown", ".mdx")


@dataclass(frozen=True, slots=True)
class _Piece:
    """One document of a framework."""

    text: str
    metadata: Mapping[str, Any]
    identity: str


def documents_of(items: Iterable[object]) -> list[TextDocument]:
    """The documents, in the order in which each first appears.

    Raises:
        InputError: an object is no document.

    >>> documents_of([TextDocument("crm:17", "The boiler leaks.")])[0].uri
    'crm:17'
    """
    found: dict[str, TextDocument | list[_Piece]] = {}
    for item in items:
        if isinstance(item, TextDocument):
            found[item.uri] = item
            continue
        piece = _piece(item)
        pieces = found.setdefault(uri_of(piece.metadata, piece.identity, piece.text), [])
        if isinstance(pieces, list):
            pieces.append(piece)
    return [held if isinstance(held, TextDocument) else _joined(uri, held) for uri, held in found.items()]


def uri_of(metadata: Mapping[str, Any], identity: str, text: str) -> str:
    """What names a document, also when it is read again.

    >>> uri_of({"file_path": "/srv/report.pdf", "page_label": "3"}, "", "")
    'document:/srv/report.pdf'
    >>> uri_of({"source": "https://example.com/a"}, "5f0c1a52-6f3a-4b5e-9d0a-70686964ff78", "")
    'https://example.com/a'
    >>> uri_of({}, "ticket-17", "")
    'document:ticket-17'
    """
    for key in _PATHS:
        if path := metadata.get(key):
            return f"document:{quote(str(path))}"
    for key in _ADDRESSES:
        address = str(metadata.get(key) or "").strip()
        if _SCHEME.match(address):
            return address
        if key == "source" and address and not address.isdigit():  # PyMuPDF's reader puts the page there
            return f"document:{quote(address)}"
    if identity and not _is_random(identity):
        return f"document:{quote(identity)}"
    if name := metadata.get("file_name"):
        return f"document:{quote(str(name))}"
    return f"document:text-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"


def flat(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as texts: lists and objects as JSON, what is empty left out."""
    kept = {key: value for key, value in metadata.items() if value not in (None, "", [], {})}
    return {str(key): value if isinstance(value, str) else json.dumps(value, default=str) for key, value in kept.items()}


def _piece(item: object) -> _Piece:
    """What LlamaIndex (`get_content`) or LangChain (`page_content`) says of a document."""
    metadata: object = getattr(item, "metadata", None)
    if isinstance(metadata, Mapping):
        told = cast("Mapping[str, Any]", metadata)
        content: object = getattr(item, "page_content", None)
        if isinstance(content, str):
            return _Piece(content, told, str(getattr(item, "id", None) or ""))
        get_content = getattr(item, "get_content", None)
        if callable(get_content):
            identity = getattr(item, "ref_doc_id", None) or getattr(item, "node_id", None)
            return _Piece(str(get_content()), told, str(identity or ""))
    hint = "give a phidex.TextDocument, or a document of LlamaIndex or LangChain"
    raise InputError(f"a {type(item).__name__} is no document", hint=hint)


def _joined(uri: str, pieces: list[_Piece]) -> TextDocument:
    """One document of the pieces that a reader made of it."""
    first = pieces[0]
    shared = {key: value for key, value in first.metadata.items() if all(one.metadata.get(key) == value for one in pieces)}
    metadata = {**flat(shared), **{ours: str(shared[key]) for key, ours in _DATES.items() if shared.get(key)}}
    title = next((str(shared[key]) for key in _TITLES if shared.get(key)), "")
    named = str(first.metadata.get("file_name") or uri)
    is_markdown = Path(named).suffix.lower() in _MARKDOWN or shared.get("mimetype") == "text/markdown"
    identity = first.identity if len({one.identity for one in pieces}) == 1 else ""
    pages = _pages(pieces)
    return TextDocument(
        uri,
        text="" if pages else "\n\n".join(one.text for one in pieces),
        pages=pages,
        title=title,
        mime="text/markdown" if is_markdown else "text/plain",
        metadata=metadata,
        document_id="" if _is_random(identity) else identity,
    )


def _pages(pieces: list[_Piece]) -> tuple[TextPage, ...]:
    """The pages, where every piece says on which it stands; pieces of one page are joined."""
    labels = [_label(one.metadata) for one in pieces]
    if not all(labels):
        return ()
    numbers = [int(label) if label.isdecimal() else 0 for label in labels]
    ascending = all(before <= after for before, after in zip([1, *numbers], numbers, strict=False))
    if not ascending:  # labels are not numbers from 1: count the pages, and keep what is printed there
        order = {label: number for number, label in enumerate(dict.fromkeys(labels), 1)}
        numbers = [order[label] for label in labels]
    texts: dict[int, list[str]] = {}
    for number, piece in zip(numbers, pieces, strict=True):
        texts.setdefault(number, []).append(piece.text)
    printed = dict(zip(numbers, labels, strict=True))
    return tuple(TextPage("\n\n".join(parts), number, printed[number]) for number, parts in texts.items())


def _label(metadata: Mapping[str, Any]) -> str:
    """What a piece says of its page; LangChain counts `page` from 0."""
    for key in _PAGES:
        value = metadata.get(key)
        if value not in (None, ""):
            return str(int(value) + 1) if key == "page" and isinstance(value, int) else str(value)
    source = metadata.get("source")
    return str(source) if "total_pages" in metadata and str(source or "").isdecimal() else ""


def _is_random(identity: str) -> bool:
    """Whether an id was made up when the document was read, so that it is another one the next time."""
    try:
        return not identity or uuid.UUID(identity).version == 4
    except ValueError:
        return False
