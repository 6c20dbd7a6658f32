"""PowerPoint presentations (.pptx, .pptm, .ppsx, .potx): slides as pages, with the box of each shape in points.

Titles become headings; shapes are read as they stand on the slide, left of right and above before below. Speaker notes follow
their slide. Hidden slides are read too, and named.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.chart import chart_rows, chart_title
from phidex.ingest.office.formula import formula_text
from phidex.ingest.office.package import Element, Package, local_name
from phidex.ingest.office.placement import POINT, Frame, Transform, reading_order, shape_box
from phidex.ingest.picture import Album
from phidex.ingest.records import Anchor, Block, BlockKind, Box, Parsed
from phidex.ingest.tabular import make_table

MIME = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TITLES = frozenset(("title", "ctrTitle"))
_MARGINS = frozenset(("dt", "ftr", "sldNum", "hdr"))
_GROUP_DEPTH = 20


def parse_slides(data: bytes, path: Path) -> Parsed:
    """The blocks of a presentation. About 2 ms of CPU a slide.

    Raises:
        InputError: it is damaged, encrypted, or has no text.
    """
    package = Package(data, path.name)
    main = package.related("", "officeDocument") or "ppt/presentation.xml"
    root = package.xml(main)
    relations = package.relations(main)
    album = Album()
    blocks: list[Block] = []
    furniture: list[str] = []
    hidden: list[int] = []
    count = 0
    for element in root.iterfind(f"{_P}sldIdLst/{_P}sldId"):
        count += 1
        relation = relations.get(element.get(f"{_R}id", ""))
        tree = package.find_xml(relation.target) if relation and not relation.external else None
        if relation is None or tree is None:
            package.warnings.append(f"Slide {count} is missing or damaged.")
            continue
        if tree.get("show") in ("0", "false"):
            hidden.append(count)
        slide = _Slide(package, relation.target, count, album)
        blocks += slide.read(tree)
        furniture += slide.furniture
    if not blocks:
        raise package.empty("text", "save it as PDF and ingest that: scans are recognised there")
    if hidden:
        package.warnings.append(f"Hidden slides were read too: {', '.join(map(str, hidden))}.")
    title, metadata = package.properties()
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed(
        kind="office",
        blocks=tuple(blocks),
        title=title if title and title.lower() != "powerpoint presentation" else first,
        mime=MIME,
        page_count=count,
        furniture=tuple(dict.fromkeys(furniture)),
        warnings=(*dict.fromkeys(package.warnings), *album.warnings()),
        metadata=metadata,
        unit="slide",
        images=tuple(album.pictures),
    )


class _Slide:
    """One slide, with the layout and master that its placeholders take their places from."""

    def __init__(self, package: Package, part: str, number: int, album: Album) -> None:
        self._package = package
        self._part = part
        self._number = number
        self._album = album
        self._relations = package.relations(part)
        self._places: list[dict[str, Box]] | None = None
        self.furniture: list[str] = []

    def read(self, root: Element) -> list[Block]:
        """The slide's blocks: its title, the other shapes in reading order, its notes."""
        tree = root.find(f"{_P}cSld/{_P}spTree")
        frames = list(self._frames(tree, Transform())) if tree is not None else []
        titles = [frame for frame in frames if frame.is_title]
        others = reading_order([frame for frame in frames if not frame.is_title])
        blocks = [block for frame in (*titles, *others) for block in self._shape(frame)]
        return [*blocks, *self._notes()]

    def _frames(self, tree: Element, transform: Transform, depth: int = 0) -> Iterator[Frame]:
        """The shapes with their boxes, those of groups too."""
        for shape in tree:
            match local_name(shape):
                case "grpSp" if depth < _GROUP_DEPTH:
                    yield from self._frames(shape, transform.inside(shape), depth + 1)
                case "AlternateContent":
                    chosen = next((child for child in shape if len(child)), None)
                    yield from self._frames(chosen, transform, depth) if chosen is not None else ()
                case "sp" | "pic" | "graphicFrame" | "cxnSp":
                    about = next(shape.iter(f"{_P}ph"), None)
                    role = about.get("type", "body") if about is not None else ""
                    box = shape_box(shape, transform)
                    if box is None and about is not None:
                        box = self._inherited(role, about.get("idx", ""))
                    yield Frame(shape, box or (0.0, 0.0, 0.0, 0.0), role, role in _TITLES)
                case _:
                    pass

    def _inherited(self, role: str, index: str) -> Box | None:
        """The box of the placeholder's namesake on the layout, or else on the master."""
        if self._places is None:
            layout = self._package.related(self._part, "slideLayout")
            master = self._package.related(layout, "slideMaster") if layout else ""
            self._places = [self._placeholders(part) for part in (layout, master)]
        wanted = (f"idx {index}", role, {"ctrTitle": "title", "subTitle": "body", "obj": "body"}.get(role, ""))
        return next((places[name] for places in self._places for name in wanted if name in places), None)

    def _placeholders(self, part: str) -> dict[str, Box]:
        root = self._package.find_xml(part)
        found: dict[str, Box] = {}
        for shape in root.iter(f"{_P}sp") if root is not None else ():
            about = next(shape.iter(f"{_P}ph"), None)
            box = shape_box(shape, Transform())
            if about is not None and box:
                found.setdefault(about.get("type", "body"), box)
                if about.get("idx"):
                    found.setdefault(f"idx {about.get('idx')}", box)
        return found

    def _shape(self, frame: Frame) -> Iterator[Block]:
        """The blocks of one shape."""
        shape = frame.shape
        about = next(shape.iter(f"{_P}cNvPr"), None)
        words = clean_line(about.get("descr") or "") if about is not None else ""
        match local_name(shape):
            case "pic":
                yield from self._picture(shape, frame, words)
            case "graphicFrame":
                yield from self._graphic(shape, frame)
            case _:
                body = shape.find(f"{_P}txBody")
                if body is not None:
                    yield from self._text(body, frame)

    def _text(self, body: Element, frame: Frame) -> Iterator[Block]:
        paragraphs = [(p, _paragraph_text(p)) for p in body.iterchildren(f"{_A}p")]
        paragraphs = [(p, text) for p, text in paragraphs if text]
        if frame.role in _MARGINS:
            self.furniture += [text for _, text in paragraphs]
        elif frame.is_title:
            if text := " ".join(text for _, text in paragraphs):
                yield self._block(text, "heading", frame.box, level=1)
        else:
            for paragraph, text in paragraphs:
                yield self._block(text, "list_item" if _is_item(paragraph, frame, len(paragraphs)) else "paragraph", frame.box)

    def _block(self, text: str, kind: BlockKind, box: Box, *, level: int = 0, image: int | None = None) -> Block:
        return Block(text, kind, (Anchor(0, box=box),), level, self._number, image=image)

    def _picture(self, shape: Element, frame: Frame, words: str) -> Iterator[Block]:
        for blip in shape.iter(f"{_A}blip"):
            relation = self._relations.get(blip.get(f"{_R}embed", ""))
            image = None
            if relation and not relation.external and relation.target in self._package:
                try:
                    image = self._album.add(self._package.read(relation.target))
                except InputError as exc:
                    self._package.warnings.append(exc.message)
            if image is not None:
                yield self._block(words or f"Picture {image + 1}", "figure", frame.box, image=image)
            elif words:
                yield self._block(words, "caption", frame.box)

    def _graphic(self, shape: Element, frame: Frame) -> Iterator[Block]:
        """A table, a chart, or the words of a diagram."""
        if (table := next(shape.iter(f"{_A}tbl"), None)) is not None:
            rows, places = _table_rows(table, frame.box)
            block = make_table(rows, places, page_number=self._number)
            if block:
                yield block
            return
        for data in shape.iter(f"{_A}graphicData"):
            for element in data:
                relation = self._relations.get(element.get(f"{_R}id") or element.get(f"{_R}dm") or "")
                root = self._package.find_xml(relation.target) if relation and not relation.external else None
                if root is None:
                    continue
                if local_name(element) == "chart":
                    if title := chart_title(root):
                        yield self._block(title, "caption", frame.box)
                    rows = chart_rows(root)
                    if block := make_table(rows, [Anchor(0, box=frame.box)] * len(rows), page_number=self._number):
                        yield block
                elif local_name(element) == "relIds":
                    for paragraph in root.iter(f"{_A}p"):
                        if text := _paragraph_text(paragraph):
                            yield self._block(text, "list_item", frame.box)

    def _notes(self) -> Iterator[Block]:
        """What the speaker notes say; they stand on no place of the slide."""
        root = self._package.find_xml(self._package.related(self._part, "notesSlide"))
        line = 0
        for shape in root.iter(f"{_P}sp") if root is not None else ():
            about = next(shape.iter(f"{_P}ph"), None)
            if about is None or about.get("type", "body") != "body":
                continue
            for paragraph in shape.iter(f"{_A}p"):
                if text := _paragraph_text(paragraph):
                    line += 1
                    label = "Speaker notes: " if line == 1 else ""
                    yield Block(f"{label}{text}", "paragraph", (Anchor(0, line=line),), 0, self._number)


def _paragraph_text(paragraph: Element) -> str:
    """A paragraph's text; line breaks in it become spaces."""
    pieces: list[str] = []
    for child in paragraph.iter():
        match local_name(child):
            case "t" if not child.tag.endswith("/math}t"):
                pieces.append(child.text or "")
            case "br" | "tab":
                pieces.append(" ")
            case "oMath":
                pieces.append(formula_text(child))
            case _:
                pass
    return clean_line("".join(pieces))


def _is_item(paragraph: Element, frame: Frame, count: int) -> bool:
    """Whether it has a bullet: its own, or that of the body it stands in."""
    about = paragraph.find(f"{_A}pPr")
    if about is not None:
        marks = {local_name(child) for child in about}
        if "buNone" in marks:
            return False
        if marks & {"buChar", "buAutoNum", "buBlip"} or about.get("lvl", "0") != "0":
            return True
    return frame.role in ("body", "obj") and count > 1


def _table_rows(table: Element, box: Box) -> tuple[list[list[str]], list[Anchor]]:
    """The rows, merged cells filled, and where each stands, by the rows' heights."""
    rows: list[list[str]] = []
    heights: list[float] = []
    for row in table.iterchildren(f"{_A}tr"):
        line: list[str] = []
        for cell in row.iterchildren(f"{_A}tc"):
            text = " ".join(filter(None, map(_paragraph_text, cell.iter(f"{_A}p"))))
            if cell.get("hMerge") in ("1", "true") and line:
                text = line[-1]
            elif cell.get("vMerge") in ("1", "true") and rows and len(line) < len(rows[-1]):
                text = rows[-1][len(line)]
            line.append(text)
        rows.append(line)
        height = row.get("h", "")
        heights.append(int(height) * POINT if height.isdecimal() and len(height) < 12 else 0.0)
    total = sum(heights)
    scale = (box[3] - box[1]) / total if total > 0 and box[3] > box[1] else 1.0
    top = box[1]
    places: list[Anchor] = []
    for height in heights:
        places.append(Anchor(0, box=(box[0], top, box[2], top + height * scale)))
        top += height * scale
    return rows, places
