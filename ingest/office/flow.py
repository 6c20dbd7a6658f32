"""The blocks of XHTML and HTML that is document all through: a book's chapter, the body of a mail.

Everything visible is read, in order; a web page, where most is not the document, is `html.py`'s business.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lxml.html as _lxml_html  # pyright: ignore[reportMissingTypeStubs]  # lxml ships none

from phidex.ingest.clean import clean_line, clean_text
from phidex.ingest.office.package import Element, etree, local_name, parse_xml
from phidex.ingest.records import Anchor, BlockKind
from phidex.ingest.tabular import make_table

lxml_html: Any = _lxml_html
_SKIPPED = frozenset(
    ("script", "style", "template", "noscript", "head", "title", "svg", "object", "iframe", "audio", "video", "rt", "rp")
)
_BLOCKS = frozenset(
    """address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5
    h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul""".split()  # noqa: SIM905  # one a line else
)
_NOTES = frozenset(("footnote", "endnote", "rearnote", "note", "doc-footnote", "doc-endnote"))
_REFERENCES = frozenset(("noteref", "doc-noteref"))
_TYPE = "{http://www.idpf.org/2007/ops}type"
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,30});")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>", re.IGNORECASE)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has a place.

    Args:
        ids: names that links may go to, met since the piece before it.
        quoted: it stands in a quotation.
        rows: of a table, the offsets of its rows in the text.
    """

    text: str
    kind: BlockKind
    level: int = 0
    ids: tuple[str, ...] = ()
    quoted: bool = False
    image: int | None = None
    rows: tuple[int, ...] = (0,)


def parse_xhtml(data: bytes) -> Element | None:
    """The root of a chapter: as XML where it is well formed, otherwise as browsers read HTML; None where there is nothing."""

    def numbered(match: re.Match[bytes]) -> bytes:
        name = match[1].decode("ascii")
        code = None if name in ("amp", "lt", "gt", "quot", "apos") else html.entities.name2codepoint.get(name)
        return match[0] if code is None else b"&#%d;" % code

    try:
        return parse_xml(_ENTITY.sub(numbered, _DOCTYPE.sub(b"", data, count=1)))
    except etree.XMLSyntaxError:
        return parse_soup(data)


def parse_soup(source: bytes | str) -> Element | None:
    """The root of HTML of any quality; None where there is nothing."""
    try:
        if isinstance(source, str):
            return lxml_html.document_fromstring(source.encode("utf-8", "ignore"), lxml_html.HTMLParser(encoding="utf-8"))
        return lxml_html.document_fromstring(source)
    except (etree.LxmlError, ValueError):  # ValueError: an encoding that there is not
        return None


def read_flow(root: Element, picture: Callable[[str], int | None] | None = None) -> Iterator[Piece]:
    """The pieces of a page's body in order.

    Args:
        picture: gives the index of the picture that an address names.
    """
    body = next(root.iter("{*}body", "body"), root)
    flow = _Flow(picture or (lambda _: None))
    flow.walk(body)
    flow.end()
    yield from flow.pieces


class _Flow:
    """Gathers inline text until a block begins or ends."""

    def __init__(self, picture: Callable[[str], int | None]) -> None:
        self.pieces: list[Piece] = []
        self._picture = picture
        self._text: list[str] = []
        self._ids: list[str] = []
        self._kind: BlockKind = "paragraph"
        self._level = 0
        self._label = ""
        self._quoted = 0
        self._depth = 0

    def end(self) -> None:
        """The gathered text becomes a piece."""
        text = clean_line("".join(self._text))
        self._text.clear()
        if text:
            self._emit(f"{self._label} {text}" if self._label else text, self._kind, self._level)
            self._label = ""

    def _emit(
        self, text: str, kind: BlockKind, level: int = 0, *, image: int | None = None, rows: tuple[int, ...] = (0,)
    ) -> None:
        self.pieces.append(Piece(text, kind, level, tuple(self._ids), self._quoted > 0, image, rows))
        self._ids.clear()

    def walk(self, element: Element) -> None:
        """Add an element's content."""
        if self._depth > _DEPTH:
            self._text.append(" ".join(element.itertext()))
            return
        self._depth += 1
        self._text.append(element.text or "")
        count = 0
        for child in element:
            name = local_name(child)
            if name and name not in _SKIPPED and not _is_unseen(child):
                if identity := child.get("id") or child.get("name"):
                    if name in _BLOCKS:
                        self.end()
                    self._ids.append(identity)
                count += name == "li"
                self._child(child, name, count)
            self._text.append(child.tail or "")
        self._depth -= 1

    def _child(self, child: Element, name: str, count: int) -> None:
        match name:
            case "br":
                self._text.append("\n")
            case "img" | "image":
                self._image(child)
            case "a" if _roles(child) & _REFERENCES:
                label = clean_line("".join(child.itertext())).strip("[]()*")
                self._text.append(f"[^{label}]" if label else "")
            case "table":
                self.end()
                self._table(child)
            case "pre":
                self.end()
                text = clean_text("".join(child.itertext())).strip("\n").rstrip().expandtabs(4)
                if text.strip():
                    self._emit(text, "code")
            case _ if name in _BLOCKS:
                self._block(child, name, count)
            case _:
                self.walk(child)

    def _block(self, child: Element, name: str, count: int) -> None:
        self.end()
        outer = self._kind, self._level, self._label
        if name[0] == "h" and name[1:].isdigit():
            self._kind, self._level = "heading", int(name[1])
        elif name == "figcaption":
            self._kind = "caption"
        elif _roles(child) & _NOTES:
            self._kind = "footnote"
        elif name in ("li", "dt", "dd") and self._kind != "footnote":
            self._kind = "list_item"
            parent = child.getparent()
            is_counted = name == "li" and local_name(parent) == "ol"
            start = parent.get("start", "1") if is_counted else "1"
            self._label = f"{count + (int(start) if start.isdecimal() and len(start) < 6 else 1) - 1}." if is_counted else ""
        self._quoted += name == "blockquote"
        self.walk(child)
        self.end()
        self._quoted -= name == "blockquote"
        self._kind, self._level, self._label = outer[0], outer[1], "" if name in ("li", "dt", "dd") else outer[2]

    def _image(self, child: Element) -> None:
        source = child.get("src") or child.get("{http://www.w3.org/1999/xlink}href") or ""
        words = clean_line(child.get("alt") or child.get("title") or "")
        index = self._picture(source) if source else None
        if index is None:
            self._text.append(f" {words} " if words else "")
            return
        self.end()
        self._emit(words or f"Picture {index + 1}", "figure", image=index)

    def _table(self, table: Element) -> None:
        """A table of data as Markdown; one that only lays out a page as what stands in it."""
        rows = [row for row in table.iter("{*}tr", "tr") if next(row.iterancestors("{*}table", "table")) is table]
        cells = [[cell for cell in row if local_name(cell) in ("td", "th")] for row in rows]
        is_layout = next((t for t in table.iter("{*}table", "table") if t is not table), None) is not None
        if is_layout or max((len(row) for row in cells), default=0) < 2:
            self.walk(table)
            self.end()
            return
        for caption in table.iter("{*}caption", "caption"):
            if text := clean_line("".join(caption.itertext())):
                self._emit(text, "caption")
        texts = list(_filled(cells))
        if block := make_table(texts, [Anchor(0, line=number) for number in range(len(texts))]):
            self._emit(block.text, "table", rows=tuple(anchor.start for anchor in block.anchors))


def _filled(rows: list[list[Element]]) -> Iterator[list[str]]:
    """The texts of the cells, with spanned ones filled in."""
    waiting: dict[int, tuple[int, str]] = {}  # by column: rows still to fill, and the text
    for row in rows:
        line: list[str] = []

        def fill(line: list[str] = line) -> None:
            while len(line) in waiting:
                left, text = waiting.pop(len(line))
                if left > 1:
                    waiting[len(line)] = left - 1, text
                line.append(text)

        for cell in row:
            fill()
            text = clean_line(" ".join(cell.itertext()))
            for _ in range(_span(cell, "colspan")):
                if (down := _span(cell, "rowspan")) > 1:
                    waiting[len(line)] = down - 1, text
                line.append(text)
        fill()
        yield line


def _span(cell: Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    return min(max(int(value), 1), 100) if value.isdecimal() and len(value) < 6 else 1


def _roles(element: Element) -> set[str]:
    """What the element is said to be, beside its name."""
    return set(f"{element.get(_TYPE, '')} {element.get('epub:type', '')} {element.get('role', '')}".split())


def _is_unseen(element: Element) -> bool:
    style = element.get("style")
    return element.get("hidden") is not None or bool(style and _UNSEEN.search(style))
