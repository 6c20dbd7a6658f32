"""Word documents (.docx, .docm, .dotx, .dotm): what a reader sees in Word, as blocks, numbered by paragraph.

Tracked changes count as accepted: insertions are read, deletions not. Headers and footers become furniture, tables of
contents too. Footnotes, endnotes, comments, text boxes and pictures follow the paragraph that they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from phidex.ingest.clean import clean_line
from phidex.ingest.office.chart import chart_rows, chart_title
from phidex.ingest.office.formula import formula_text
from phidex.ingest.office.numbering import Numbering, W, format_count, value_of
from phidex.ingest.office.package import Element, Package, local_name
from phidex.ingest.office.wordstyles import Styles
from phidex.ingest.picture import Album
from phidex.ingest.records import Anchor, Block, BlockKind, Parsed
from phidex.ingest.tabular import make_table

MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_GONE = frozenset(("del", "moveFrom", "instrText", "delText", "pPr", "rPr", "rt", "Fallback", "fldData", "proofErr"))
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}
_TAB = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}
_FAKE_HEADING_CHARS = 80
_DEPTH = 12  # tables in tables, boxes in boxes


def parse_word(data: bytes, path: Path) -> Parsed:
    """The blocks of a Word document. About 2 ms of CPU a page.

    Raises:
        InputError: it is damaged, encrypted, or has no text.
    """
    package = Package(data, path.name)
    main = package.related("", "officeDocument") or "word/document.xml"
    root = package.xml(main)
    reader = _Reader(package, main)
    body = root.find(f"{W}body")
    for element in body if body is not None else ():
        reader.read(element)
    blocks = reader.finished()
    if not blocks:
        raise package.empty("text", "check that it is the right file")
    title, metadata = package.properties()
    first = min((b for b in blocks if b.kind == "heading"), key=lambda block: block.level, default=None)
    return Parsed(
        kind="office",
        blocks=tuple(blocks),
        title=title or (first.text if first else ""),
        mime=MIME,
        furniture=tuple(dict.fromkeys(reader.furniture)),
        warnings=(*dict.fromkeys(package.warnings), *reader.album.warnings()),
        metadata=metadata,
        unit="paragraph",
        images=tuple(reader.album.pictures),
    )


class _Reader:
    """Walks the body in order; what hangs on a paragraph waits in `_pending` until the paragraph is out."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._relations = package.relations(main)
        parts = {relation.kind: relation.target for relation in self._relations.values() if not relation.external}
        self._styles = Styles(package.find_xml(parts.get("styles", "")))
        self._numbering = Numbering(package.find_xml(parts.get("numbering", "")))
        self._notes = {kind: self._load_notes(parts.get(kind, "")) for kind in _NOTES.values()}
        self._note_labels: dict[tuple[str, str], str] = {}
        self._pending: list[Element] = []  # drawings, and pairs of a kind of note and its id
        self._bold: set[int] = set()
        self._depth = 0
        self.album = Album()
        self.blocks: list[Block] = []
        self.number = 0
        self.furniture = [
            text
            for relation in self._relations.values()
            if relation.kind in ("header", "footer") and (root := package.find_xml(relation.target)) is not None
            for paragraph in root.iter(f"{W}p")
            if (text := clean_line(self._inline(paragraph)))
        ]
        self._pending.clear()

    def _load_notes(self, part: str) -> dict[str, Element]:
        root = self._package.find_xml(part)
        return {note.get(f"{W}id", ""): note for note in root if local_name(note)} if root is not None else {}

    def read(self, element: Element) -> None:
        """Add the blocks of one element of the body."""
        match local_name(element):
            case "p":
                self._paragraph(element)
            case "tbl":
                self._table(element)
            case "sdt":
                gallery = element.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
                if gallery is not None and gallery.get(f"{W}val") == "Table of Contents":
                    self.furniture += filter(None, (clean_line(self._inline(p)) for p in element.iter(f"{W}p")))
                else:
                    self._read_all(element.find(f"{W}sdtContent"))
            case "ins" | "moveTo" | "customXml" | "smartTag" | "sdtContent":
                self._read_all(element)
            case "AlternateContent":
                self._read_all(_chosen(element))
            case "altChunk":
                self._package.warnings.append("A part of another format was embedded in the document; it was not read.")
            case _:
                pass

    def _read_all(self, parent: Element | None) -> None:
        self._depth += 1
        if self._depth <= _DEPTH:
            for element in parent if parent is not None else ():
                self.read(element)
        else:
            self._package.warnings.append(f"What is nested more than {_DEPTH} deep was not read.")
        self._depth -= 1

    def _paragraph(self, element: Element) -> None:
        style = self._styles.of(element)
        text = clean_line(self._inline(element))
        if text and style.is_contents:
            self.furniture.append(text)
        elif text:
            label = self._numbering.next_label(style.list_id, style.list_level) if style.list_id else ""
            kind: BlockKind = "heading" if style.level else "caption" if style.is_caption else "paragraph"
            if kind == "paragraph" and style.list_id:
                kind = "list_item"
            if style.is_code:
                kind, text = "code", self._inline(element).rstrip().expandtabs(4)
            self._add(f"{label} {text}" if label else text, kind, style.level)
            if kind == "paragraph" and len(text) <= _FAKE_HEADING_CHARS and text[-1] not in ".:;,!?" and _is_bold(element):
                self._bold.add(len(self.blocks) - 1)
        self._flush()

    def _add(self, text: str, kind: BlockKind, level: int = 0, image: int | None = None) -> None:
        self.number += 1
        self.blocks.append(Block(text, kind, (Anchor(0, line=self.number),), level, image=image))

    def _inline(self, element: Element) -> str:
        """The text in an element as Word shows it; notes, boxes and pictures met on the way are kept for later."""
        pieces: list[str] = []
        for child in element:
            name = local_name(child)
            if name == "t":
                pieces.append(child.text or "")
            elif name in _GONE:
                continue
            elif name == "r":
                if not _is_hidden(child):
                    pieces.append(self._inline(child))
            elif name in _TAB:
                pieces.append(_TAB[name])
            elif name in _NOTES:
                pieces.append(self._reference(_NOTES[name], child.get(f"{W}id", "")))
            elif name == "oMath":
                pieces.append(formula_text(child))
            elif name == "AlternateContent":
                chosen = _chosen(child)
                pieces.append(self._inline(chosen) if chosen is not None else "")
            elif name in ("drawing", "pict", "object"):
                self._pending.append(child)
            elif name == "sym":
                pieces.append(_symbol(child))
            else:
                pieces.append(self._inline(child))
        return "".join(pieces)

    def _reference(self, kind: str, identity: str) -> str:
        """The sign in the text that stands for a note, which is read after the paragraph; comments have none."""
        if identity not in self._notes[kind]:
            return ""
        if (kind, identity) not in self._note_labels:
            count = 1 + sum(known == kind for known, _ in self._note_labels)
            label = format_count(count, "lowerRoman") if kind == "endnotes" else str(count)
            self._note_labels[kind, identity] = label
            self._pending.append((kind, identity))
        return "" if kind == "comments" else f"[^{self._note_labels[kind, identity]}]"

    def _flush(self) -> None:
        """The blocks of what hung on the last paragraph: boxes, pictures, charts, notes."""
        pending, self._pending = self._pending, []
        for thing in pending:
            match thing:
                case (str() as kind, str() as identity):
                    self._note(kind, identity)
                case _:
                    self._drawing(thing)

    def _note(self, kind: str, identity: str) -> None:
        note = self._notes[kind][identity]
        text = clean_line("\n".join(self._inline(paragraph) for paragraph in _paragraphs(note)))
        if kind == "comments":
            author = clean_line(note.get(f"{W}author", ""))
            label = f"[comment by {author}]" if author else "[comment]"
        else:
            label = f"[^{self._note_labels[kind, identity]}]"
        if text:
            self._add(f"{label} {text}", "footnote")
        self._flush()

    def _drawing(self, element: Element) -> None:
        """A text box's blocks, a picture with what its author says of it, or a chart's values."""
        words = ""
        for found in _own_elements(element):
            match local_name(found):
                case "txbxContent":
                    self._read_all(found)
                case "docPr":
                    words = clean_line(found.get("descr") or found.get("title") or "")
                case "blip":
                    self._picture(found.get(f"{_R}embed", ""), words)
                case "imagedata":
                    self._picture(found.get(f"{_R}id", ""), clean_line(found.get("title") or "") or words)
                case "chart":
                    self._chart(found.get(f"{_R}id", ""))
                case _:
                    pass

    def _picture(self, identity: str, words: str) -> None:
        relation = self._relations.get(identity)
        if relation is None or relation.external or relation.target not in self._package:
            return
        image = self.album.add(self._package.read(relation.target))
        if image is not None:
            self._add(words or f"Picture {image + 1}", "figure", image=image)
        elif words:
            self._add(words, "caption")

    def _chart(self, identity: str) -> None:
        relation = self._relations.get(identity)
        root = self._package.find_xml(relation.target) if relation and not relation.external else None
        if root is None:
            return
        if title := chart_title(root):
            self._add(title, "caption")
        self._add_table(chart_rows(root))

    def _table(self, element: Element) -> None:
        """A table as Markdown; one of a single column is a frame around paragraphs, and read as those."""
        rows = list(_rows(element))
        if max((sum(span for _, span, _ in row) for row in rows), default=0) <= 1:
            for row in rows:
                for cell, _, _ in row:
                    self._read_all(cell)
            return
        above: dict[int, str] = {}
        table: list[list[str]] = []
        for row in rows:
            line: list[str] = []
            for cell, span, continues in row:
                text = above.get(len(line), "") if continues else self._cell(cell)
                above[len(line)] = text
                line += [text] * span
            table.append(line)
        self._add_table(table)
        self._flush()

    def _add_table(self, rows: list[list[str]]) -> None:
        places = [Anchor(0, line=self.number + 1 + index) for index in range(len(rows))]
        if block := make_table(rows, places):
            self.number += len(rows)
            self.blocks.append(block)

    def _cell(self, element: Element | None) -> str:
        """The text of a cell, its paragraphs and tables inside it on one line."""
        if element is None:
            return ""
        return " ".join(filter(None, (clean_line(self._inline(paragraph)) for paragraph in _paragraphs(element))))

    def finished(self) -> list[Block]:
        """All blocks; where no style makes a heading, short bold paragraphs are taken for headings."""
        if not any(block.kind == "heading" for block in self.blocks):
            for index in self._bold - {len(self.blocks) - 1}:
                self.blocks[index] = replace(self.blocks[index], kind="heading", level=2)
        return self.blocks


def _rows(table: Element) -> Iterator[list[tuple[Element | None, int, bool]]]:
    """The cells of each row with the columns they span, and whether they continue the cell above."""
    for row in table:
        if local_name(row) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _rows(row)
        if local_name(row) != "tr" or row.find(f"{W}trPr/{W}del") is not None:
            continue
        before = value_of(row.find(f"{W}trPr"), "gridBefore")
        cells: list[tuple[Element | None, int, bool]] = [(None, 1, False)] * min(int(before) if before.isdecimal() else 0, 63)
        for cell in row.iter(f"{W}tc"):
            if next(cell.iterancestors(f"{W}tr")) is not row:
                continue  # of a table inside a cell
            about = cell.find(f"{W}tcPr")
            span = value_of(about, "gridSpan")
            merged = about.find(f"{W}vMerge") if about is not None else None
            continues = merged is not None and merged.get(f"{W}val") != "restart"
            cells.append((cell, min(max(int(span), 1), 63) if span.isdecimal() else 1, continues))
        yield cells


def _chosen(element: Element) -> Element | None:
    """The content of an alternative that is read: the first choice that has any."""
    return next((child for child in element if local_name(child) in ("Choice", "Fallback") and len(child)), None)


def _own_elements(element: Element) -> Iterator[Element]:
    """The elements of a drawing in order: not those in its text boxes, nor the stand-ins for older programs."""
    for child in element:
        yield child
        if local_name(child) not in ("txbxContent", "Fallback"):
            yield from _own_elements(child)


def _paragraphs(element: Element) -> Iterator[Element]:
    """The paragraphs in an element and its tables, without those in text boxes."""
    for child in element:
        if local_name(child) == "p":
            yield child
        elif local_name(child) not in _GONE:
            yield from _paragraphs(child)


def _is_hidden(run: Element) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and vanish.get(f"{W}val", "1") not in ("0", "false", "off")


def _is_bold(paragraph: Element) -> bool:
    """Whether every run that has text is bold by its own formatting."""
    runs = [run for run in paragraph.iter(f"{W}r") if "".join(t.text or "" for t in run.iter(f"{W}t")).strip()]
    marks = [run.find(f"{W}rPr/{W}b") for run in runs]
    return bool(marks) and all(mark is not None and mark.get(f"{W}val", "1") not in ("0", "false", "off") for mark in marks)


def _symbol(element: Element) -> str:
    """A character of a symbol font; those of private use show nothing without their font."""
    digits = element.get(f"{W}char", "")
    code = int(digits, 16) if re.fullmatch("[0-9A-Fa-f]{1,6}", digits) else 0
    return "" if 0xE000 <= code <= 0xF8FF or not 32 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)
