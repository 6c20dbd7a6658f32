"""OpenDocument spreadsheets (.ods, .ots, .fods), streamed: what each cell shows, dates in ISO order, each sheet a part.

Also what all OpenDocument readers share: the visible text of a paragraph, flat files, the check for encryption.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.package import Element, Package, etree, local_name, parse_xml, read_properties, recover_xml
from phidex.ingest.office.sheet import Budget, Row, fill_merged, sheet_blocks, titled_sheet
from phidex.ingest.records import Anchor, Block, Cells, Parsed

MIME = "application/vnd.oasis.opendocument.spreadsheet"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_NOT_TEXT = frozenset(("annotation", "note", "ruby-text", "tracked-changes"))
_MOST_REPEATED = 10_000


def parse_open_sheet(data: bytes, path: Path) -> Parsed:
    """The tables of a spreadsheet, sheet by sheet. About 8 µs of CPU a cell.

    Raises:
        InputError: it is damaged, encrypted, or has no filled cell.
    """
    package = Package(data, path.name) if data.startswith(b"PK") else None
    warnings: list[str] = []
    if package:
        refuse_encrypted(package)
        stream: IO[bytes] = package.open("content.xml")
        meta = package.find_xml("meta.xml")
    else:
        stream, meta = BytesIO(data), None
    reader = _Sheets(Budget())
    with stream:
        try:
            blocks = list(reader.blocks(stream))
        except (etree.XMLSyntaxError, *Package.UNPACK_ERRORS) as exc:
            blocks = reader.done
            warnings.append(f"The file is damaged ({exc}); the sheets before that place were read.")
    if not blocks:
        raise InputError(f"{path.name} has no filled cell.", hint="check that it is the right file")
    title, metadata = read_properties(meta) if meta is not None else ("", {})
    if reader.hidden:
        warnings.append(f"Hidden sheets were read too: {', '.join(reader.hidden)}.")
    warnings += [*(package.warnings if package else ()), *reader.budget.warnings]
    return Parsed("office", tuple(blocks), title, MIME, warnings=tuple(warnings), metadata=metadata)


class _Sheets:
    """Reads sheet after sheet from a stream."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.hidden: list[str] = []
        self.done: list[Block] = []
        self._unseen: set[str] = set()  # styles of hidden sheets

    def blocks(self, stream: IO[bytes]) -> Iterator[Block]:
        """The blocks of all sheets; those of finished ones are also kept in `done`."""
        name = ""
        rows: list[Row] = []
        merged: list[Cells] = []
        comments: list[Block] = []
        number = 1
        tags = (f"{_TABLE}table", f"{_TABLE}table-row", f"{_STYLE}style")
        options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
        for event, element in etree.iterparse(stream, events=("start", "end"), tag=tags, **options):
            kind = local_name(element)
            if kind == "table" and event == "start":
                name, rows, merged, comments, number = clean_line(element.get(f"{_TABLE}name", "")), [], [], [], 1
                if element.get(f"{_TABLE}style-name") in self._unseen:
                    self.hidden.append(name)
            elif kind == "style" and event == "end":
                if any(child.get(f"{_TABLE}display") == "false" for child in element):
                    self._unseen.add(element.get(f"{_STYLE}name", ""))
            elif kind == "table-row" and event == "end":
                repeated = count_of(element.get(f"{_TABLE}number-rows-repeated")) or 1
                cells = _cells(element, number, name, merged, comments)
                rows += [(number + n, dict(cells)) for n in range(min(repeated, _MOST_REPEATED))] if cells else []
                number += repeated
                _forget(element)
            elif kind == "table" and event == "end":
                limited = self.budget.limit(fill_merged(rows, merged), f"Sheet {name}")
                found = [*titled_sheet(name, sheet_blocks(limited, part=name)), *comments]
                self.done += found
                yield from found
                _forget(element)


def _cells(row: Element, number: int, sheet: str, merged: list[Cells], comments: list[Block]) -> dict[int, str]:
    """The filled cells of a row; its merged ranges and comments are added to the lists."""
    cells: dict[int, str] = {}
    column = 1
    for cell in row:
        if local_name(cell) not in ("table-cell", "covered-table-cell"):
            continue
        repeated = count_of(cell.get(f"{_TABLE}number-columns-repeated")) or 1
        if text := _shown(cell):
            for offset in range(min(repeated, _MOST_REPEATED)):
                cells[column + offset] = text
            down, right = (count_of(cell.get(f"{_TABLE}number-{what}-spanned")) or 1 for what in ("rows", "columns"))
            if down > 1 or right > 1:
                merged.append((number, column, number + down - 1, column + right - 1))
        if (note := cell.find(f"{_OFFICE}annotation")) is not None:
            words = " ".join(filter(None, (visible_text(p) for p in note.iter(f"{_TEXT}p"))))
            if words:
                anchor = Anchor(0, cells=(number, column, number, column))
                comments.append(Block(f"[comment] {words}", "footnote", (anchor,), part=sheet))
        column += repeated
    return cells


def _shown(cell: Element) -> str:
    """What the cell shows; dates in ISO order, whatever their format."""
    if day := cell.get(f"{_OFFICE}date-value"):
        return day.removesuffix("T00:00:00").replace("T", " ")
    texts = [visible_text(child) for child in cell if local_name(child) == "p"]
    return " ".join(filter(None, texts)) or cell.get(f"{_OFFICE}value", "") or cell.get(f"{_OFFICE}string-value", "")


def _forget(element: Element) -> None:
    """Free what was read."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def visible_text(element: Element) -> str:
    """A paragraph's own text on one line, without notes and comments in it."""
    return clean_line(_text(element))


def _text(element: Element) -> str:
    pieces = [element.text or ""]
    for child in element:
        name = local_name(child)
        if name == "s" or name in ("tab", "line-break"):
            pieces.append(" ")
        elif name not in _NOT_TEXT:
            pieces.append(_text(child))
        pieces.append(child.tail or "")
    return "".join(pieces)


def count_of(text: str | None) -> int:
    """A count from an attribute; 0 where it is none."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def read_flat(data: bytes, name: str, warnings: list[str]) -> Element:
    """The root of a flat file; of a damaged one what can be read is taken, and a warning added.

    Raises:
        InputError: there is no XML in it.
    """
    try:
        return parse_xml(data)
    except etree.XMLSyntaxError as exc:
        root = recover_xml(data)
        if root is not None:
            warnings.append("The file is damaged; what could be read of it was taken.")
            return root
        raise InputError(
            f"{name} is damaged: {exc.msg}.", hint="open it in the program that made it and save it again"
        ) from exc


def refuse_encrypted(package: Package) -> None:
    """Raises InputError where the package's content is encrypted: its directory says so."""
    manifest = package.find_xml("META-INF/manifest.xml")
    if "encrypted-package" in package or (manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None):
        raise InputError(f"{package.name} is encrypted.", hint="open it with its password and save it without one")
