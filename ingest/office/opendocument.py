"""OpenDocument text (.odt, .ott) and presentations (.odp), and their flat forms in one XML file (.fodt, .fodp).

Text is numbered by paragraph, slides have the boxes of their shapes. Tracked deletions are not read; headers, footers and
tables of contents are furniture. Spreadsheets are read by `opensheet.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.opensheet import count_of, read_flat, refuse_encrypted, visible_text
from phidex.ingest.office.package import Element, Package, local_name, read_properties, resolve_part
from phidex.ingest.office.placement import Frame, reading_order
from phidex.ingest.picture import Album
from phidex.ingest.records import Anchor, Block, BlockKind, Box, Parsed
from phidex.ingest.tabular import make_table

TEXT_MIME = "application/vnd.oasis.opendocument.text"
SLIDES_MIME = "application/vnd.oasis.opendocument.presentation"
_SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_SHOW = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt|px|pc)")
_POINTS = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0, "px": 0.75, "pc": 12.0}
_INDEXES = frozenset(
    ("table-of-content", "illustration-index", "table-index", "alphabetical-index", "user-index", "object-index")
)
_FLOW = frozenset(("section", "list-item", "list-header", "text-box", "deletion", "note-body", "annotation", "index-body", "g"))
_SHAPES = frozenset(("frame", "custom-shape", "g", "rect", "ellipse", "line", "connector", "polyline", "polygon", "path", "a"))
_MARGINS = frozenset(("header", "footer", "page-number", "date-time"))
_DEPTH = 60


def parse_open_text(data: bytes, path: Path) -> Parsed:
    """The blocks of a text document.

    Raises:
        InputError: it is damaged, encrypted, or has no text.
    """
    reader = _Reader(data, path.name)
    body = next(reader.root.iter("{*}text"), None)
    reader.read_all(body)
    if not reader.blocks:
        raise reader.empty("check that it is the right file")
    return reader.parsed(TEXT_MIME)


def parse_open_slides(data: bytes, path: Path) -> Parsed:
    """The blocks of a presentation, slide by slide.

    Raises:
        InputError: it is damaged, encrypted, or has no text.
    """
    reader = _Reader(data, path.name)
    for number, page in enumerate(reader.root.iter(f"{_DRAW}page"), 1):
        reader.read_slide(page, number)
    if not reader.blocks:
        raise reader.empty("save it as PDF and ingest that: scans are recognised there")
    return reader.parsed(SLIDES_MIME)


class _Reader:
    """Walks a document in order; what hangs on a paragraph follows it."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._warnings: list[str] = []
        if data.startswith(b"PK"):
            self._package: Package | None = Package(data, name)
            refuse_encrypted(self._package)
            self.root = self._package.xml("content.xml")
            self._styles_root = self._package.find_xml("styles.xml")
            self._meta = self._package.find_xml("meta.xml")
        else:
            self._package = None
            self.root = read_flat(data, name, self._warnings)
            self._styles_root = self._meta = self.root
        self._styles = dict(_read_styles(self._styles_root)) | dict(_read_styles(self.root))
        self._pending: list[Element] = []
        self._number = self._notes = self._depth = 0
        self._box: Box | None = None
        self._page: int | None = None
        self._hidden: list[int] = []
        self._album = Album()
        self._furniture: list[str] = []
        self.blocks: list[Block] = []

    def empty(self, hint: str) -> InputError:
        """The error for a document without text."""
        return self._package.empty("text", hint) if self._package else InputError(f"{self._name} has no text.", hint=hint)

    def parsed(self, mime: str) -> Parsed:
        """What was read, with title and metadata."""
        meta = self._meta.find("{*}meta") if self._meta is not None else None
        title, metadata = read_properties(meta) if meta is not None else ("", {})
        first = min((b for b in self.blocks if b.kind == "heading"), key=lambda block: block.level, default=None)
        for root in (self._styles_root,) if self._styles_root is not None else ():
            for margin in root.iter(f"{_STYLE}header", f"{_STYLE}footer"):
                self._furniture += filter(None, (visible_text(p) for p in margin.iter(f"{_TEXT}p")))
        warnings = list(dict.fromkeys([*self._warnings, *(self._package.warnings if self._package else ())]))
        if self._hidden:
            warnings.append(f"Hidden slides were read too: {', '.join(map(str, self._hidden))}.")
        return Parsed(
            kind="office",
            blocks=tuple(self.blocks),
            title=title or (first.text if first else ""),
            mime=mime,
            page_count=self._page or 0,
            furniture=tuple(dict.fromkeys(self._furniture)),
            warnings=(*warnings, *self._album.warnings()),
            metadata=metadata,
            unit="slide" if self._page else "paragraph",
            images=tuple(self._album.pictures),
        )

    def read_slide(self, page: Element, number: int) -> None:
        """Add a slide: its title, its shapes as they stand, its notes."""
        self._page = number
        style = self._styles.get(page.get(f"{_DRAW}style-name", ""))
        if style is not None and any(e.get(f"{_SHOW}visibility") == "hidden" for e in style):
            self._hidden.append(number)
        frames = [Frame(shape, _box(shape), shape.get(f"{_SHOW}class", "")) for shape in page if local_name(shape) in _SHAPES]
        titles = [frame for frame in frames if frame.role == "title"]
        for frame in (*titles, *reading_order([frame for frame in frames if frame.role != "title"])):
            self._box = frame.box
            if frame.role == "title":
                if text := clean_line(" ".join(self._inline(p) for p in frame.shape.iter(f"{_TEXT}p"))):
                    self._add(text, "heading", 1)
            elif frame.role in _MARGINS:
                self._furniture += filter(None, (visible_text(p) for p in frame.shape.iter(f"{_TEXT}p")))
            else:
                self.read(frame.shape)
        self._box, self._number = None, 0
        notes = page.find(f"{_SHOW}notes")
        for paragraph in notes.iter(f"{_TEXT}p") if notes is not None else ():
            if text := visible_text(paragraph):
                self._add(text if self._number else f"Speaker notes: {text}", "paragraph")

    def read_all(self, parent: Element | None, *, item: str = "") -> None:
        """Add the blocks of all children of an element."""
        self._depth += 1
        for element in parent if parent is not None and self._depth < _DEPTH else ():
            self.read(element, item=item)
        self._depth -= 1

    def read(self, element: Element, *, item: str = "") -> None:
        """Add the blocks of one element; `item` is the label of the list item that it stands in ("•" for a bullet)."""
        name = local_name(element)
        if name in ("p", "h"):
            self._paragraph(element, item)
        elif name == "list":
            self._list(element)
        elif name == "table":
            self._table(element)
        elif name in _INDEXES:
            self._furniture += filter(None, (visible_text(p) for p in element.iter(f"{_TEXT}p")))
        elif name in _SHAPES:
            self._shape(element)
        elif name in _FLOW:
            self.read_all(element, item=item)

    def _paragraph(self, element: Element, item: str) -> None:
        style = self._kind_of(element.get(f"{_TEXT}style-name", ""))
        raw = self._inline(element)
        text = clean_line(raw)
        if text:
            level = count_of(element.get(f"{_TEXT}outline-level")) or 1 if local_name(element) == "h" else 0
            if not level and style == "title":
                level = 1
            if level:
                self._add(text, "heading", min(level, 6))
            elif item:
                self._add(text if item == "•" else f"{item} {text}", "list_item")
            elif style == "code":
                self._add(raw.rstrip().expandtabs(4), "code")
            else:
                self._add(text, "caption" if style == "caption" else "paragraph")
        pending, self._pending = self._pending, []
        for thing in pending:
            self._attached(thing)

    def _kind_of(self, name: str) -> str:
        """ "title", "caption", "code" or "" by the style's name or that of one it is based on."""
        for _ in range(10):
            lowered = name.replace("_20_", " ").lower()
            if lowered in ("title", "titel", "titre", "título"):
                return "title"
            if lowered in ("caption", "illustration", "table", "drawing", "figure", "beschriftung"):
                return "caption"
            if "preformatted" in lowered or "source code" in lowered:
                return "code"
            style = self._styles.get(name)
            name = style.get(f"{_STYLE}parent-style-name", "") if style is not None else ""
            if not name:
                break
        return ""

    def _add(self, text: str, kind: BlockKind, level: int = 0, image: int | None = None) -> None:
        self.blocks.append(Block(text, kind, (self._anchor(),), level, self._page, image=image))

    def _anchor(self) -> Anchor:
        """The place of what comes next: the shape's box, or the next number."""
        if self._box:
            return Anchor(0, box=self._box)
        self._number += 1
        return Anchor(0, line=self._number)

    def _inline(self, element: Element) -> str:
        """A paragraph's text; notes, comments and shapes in it are kept for later."""
        pieces = [element.text or ""]
        for child in element:
            match local_name(child):
                case "s":
                    pieces.append(" " * min(count_of(child.get(f"{_TEXT}c")) or 1, 200))
                case "tab":
                    pieces.append("\t")
                case "line-break":
                    pieces.append("\n")
                case "note":
                    self._notes += 1
                    child.set("label", str(self._notes))
                    pieces.append(f"[^{self._notes}]")
                    self._pending.append(child)
                case "annotation" | "table":
                    self._pending.append(child)
                case name if name in _SHAPES and not (name == "a" and str(child.tag).startswith(_TEXT)):
                    self._pending.append(child)
                case "ruby-text" | "number" | "annotation-end" | "tracked-changes":
                    pass
                case _:
                    pieces.append(self._inline(child))
            pieces.append(child.tail or "")
        return "".join(pieces)

    def _attached(self, element: Element) -> None:
        """A note or a comment as one block; anything else by its own kind."""
        name = local_name(element)
        if name not in ("note", "annotation"):
            self.read(element)
            return
        text = " ".join(filter(None, (visible_text(p) for p in element.iter(f"{_TEXT}p"))))
        author = clean_line(element.findtext("{*}creator") or "")
        comment = f"[comment by {author}]" if author else "[comment]"
        if text:
            self._add(f"[^{element.get('label')}] {text}" if name == "note" else f"{comment} {text}", "footnote")

    def _list(self, element: Element, levels: tuple[str, ...] = ()) -> None:
        levels = levels or self._list_levels(element.get(f"{_TEXT}style-name", ""))
        depth = sum(local_name(parent) == "list" for parent in element.iterancestors())
        count = 0
        for child in element:
            if local_name(child) not in ("list-item", "list-header"):
                continue
            count = count_of(child.get(f"{_TEXT}start-value")) or count + 1
            label = f"{count}." if depth < len(levels) and levels[depth] == "number" else "•"
            for part in child:
                if local_name(part) == "list":
                    self._list(part, levels)
                else:
                    self.read(part, item=label)

    def _list_levels(self, name: str) -> tuple[str, ...]:
        style = self._styles.get(name)
        if style is None:
            return ()
        return tuple(
            "number" if local_name(e).endswith("style-number") else "bullet" for e in style if "list-level" in local_name(e)
        )

    def _shape(self, element: Element) -> None:
        """The words, the picture, the table or the chart in a shape, and what its author says of it."""
        if local_name(element) == "g":
            for frame in reading_order([Frame(shape, _box(shape)) for shape in element if local_name(shape) in _SHAPES]):
                outer, self._box = self._box, frame.box if self._box else None
                self.read(frame.shape)
                self._box = outer
            return
        words = clean_line(element.findtext(f"{_SVG}desc") or element.findtext(f"{_SVG}title") or "")
        image = False
        for child in element:
            match local_name(child):
                case "image" if not image:
                    image = self._picture(child, words) or image
                case "object":
                    image = self._object(child.get(_HREF, "")) or image
                case "text-box":
                    self.read_all(child)
                case _:
                    self.read(child)

    def _picture(self, element: Element, words: str) -> bool:
        part = resolve_part("content.xml", element.get(_HREF, ""))
        index = self._album.add(self._package.read(part)) if self._package and part in self._package else None
        if index is not None:
            self._add(words or f"Picture {index + 1}", "figure", image=index)
        elif words:
            self._add(words, "caption")
        return index is not None or bool(words)

    def _object(self, href: str) -> bool:
        """A formula as its author typed it, or a chart's title and values; True when it was one."""
        part = resolve_part("content.xml", f"{href}/content.xml")
        root = self._package.find_xml(part) if self._package and href and ":" not in href else None
        if root is None:
            return False
        if local_name(root) == "math":
            text = clean_line(next((e.text or "" for e in root.iter("{*}annotation")), "") or " ".join(root.itertext()))
            if text:
                self._add(text, "paragraph")
        for title in root.iter("{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}title"):
            if text := " ".join(filter(None, (visible_text(p) for p in title.iter(f"{_TEXT}p")))):
                self._add(text, "caption")
        for table in root.iter(f"{_TABLE}table"):
            self._table(table)
        return True

    def _table(self, element: Element) -> None:
        """A table as Markdown; one of a single column is a frame around paragraphs, and read as those."""
        rows = list(_rows(element))
        if max((len(row) for row in rows), default=0) <= 1:
            for row in rows:
                for cell in row:
                    self.read_all(cell)
            return
        texts: list[list[str]] = []
        waiting: dict[tuple[int, int], str] = {}
        for y, row in enumerate(rows):
            line: list[str] = []
            for x, cell in enumerate(row):
                text = waiting.pop((y, x), None)
                if text is None:
                    text = " ".join(filter(None, (clean_line(self._inline(p)) for p in cell.iter(f"{_TEXT}p", f"{_TEXT}h"))))
                    down, right = (count_of(cell.get(f"{_TABLE}number-{what}-spanned")) or 1 for what in ("rows", "columns"))
                    waiting |= {(y + j, x + i): text for j in range(min(down, 500)) for i in range(min(right, 60)) if i or j}
                line.append(text)
            texts.append(line)
        places = [self._anchor() for _ in texts]
        if block := make_table(texts, places, page_number=self._page):
            self.blocks.append(block)
        pending, self._pending = self._pending, []
        for thing in pending:
            self._attached(thing)


def _rows(table: Element) -> Iterator[list[Element]]:
    """The cells of each row, covered ones too, through header groups; repeated cells as often as they are repeated."""
    for child in table:
        name = local_name(child)
        if name == "table-row":
            cells: list[Element] = []
            for cell in child:
                if local_name(cell) in ("table-cell", "covered-table-cell"):
                    cells += [cell] * min(count_of(cell.get(f"{_TABLE}number-columns-repeated")) or 1, 60)
            yield cells
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(child)


def _read_styles(root: Element | None) -> Iterator[tuple[str, Element]]:
    """The styles and list styles by name."""
    for element in root.iter(f"{_STYLE}style", f"{_TEXT}list-style") if root is not None else ():
        yield element.get(f"{_STYLE}name", ""), element


def _box(shape: Element) -> Box:
    """The shape's box in points; of a group, the box around its shapes."""
    if local_name(shape) == "g":
        boxes = [_box(child) for child in shape if local_name(child) in _SHAPES] or [(0.0, 0.0, 0.0, 0.0)]
        return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)
    names = ("x", "y", "width", "height")
    x, y, width, height = (_points(shape.get(f"{_SVG}{name}")) for name in names)
    return x, y, x + width, y + height


def _points(length: str | None) -> float:
    match = _LENGTH.fullmatch(length or "")
    return round(float(match[1]) * _POINTS[match[2]], 2) if match else 0.0
