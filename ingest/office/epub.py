"""EPUB books: the chapters of the spine in order, each a part of its own under its title in the table of contents.

Fonts may be obscured (that is no protection); a book whose text is encrypted is named as protected. Nothing outside the book is
fetched, and scripts are not looked at.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.flow import Piece, parse_xhtml, read_flow
from phidex.ingest.office.package import Element, Package, local_name, read_properties, resolve_part
from phidex.ingest.picture import Album
from phidex.ingest.records import Anchor, Block, Parsed

MIME = "application/epub+zip"
_OBSCURED = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_TYPE = "{http://www.idpf.org/2007/ops}type"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "")


@dataclass(slots=True)
class _Chapters:
    """Where chapters begin: titles by file and by place in it."""

    files: dict[str, str] = field(default_factory=dict[str, str])
    places: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def add(self, path: str, fragment: str, title: str, depth: int) -> None:
        """One entry of the contents; of those inside a file only the outermost count, the others are its headings."""
        if not fragment:
            self.files.setdefault(path, title)
        elif depth == 1:
            self.places.setdefault((path, fragment), title)


def parse_epub(data: bytes, path: Path) -> Parsed:
    """The blocks of a book. About 1 ms of CPU a page.

    Raises:
        InputError: it is damaged, protected, or has no text.
    """
    package = Package(data, path.name)
    _refuse_protected(package)
    opf = _package_document(package)
    root = package.xml(opf)
    items = {item.get("id", ""): item for item in root.iter("{*}item")}
    chapters = _read_contents(package, opf, items)
    album = Album()
    blocks: list[Block] = []
    numbers: dict[str, int] = {}
    chapter = ""
    for part in _spine(package, opf, root, items):
        chapter = chapters.files.get(part, chapter)
        tree = _page(package, part)
        for piece in (
            read_flow(tree, lambda source, part=part: _picture(package, album, part, source)) if tree is not None else ()
        ):
            for identity in piece.ids:
                chapter = chapters.places.get((part, identity), chapter)
            blocks.append(place_piece(piece, chapter, numbers))
    if not blocks:
        raise package.empty("text", "a book of pictures alone must be made a PDF to be recognised")
    about = root.find("{*}metadata")
    title, metadata = read_properties(about) if about is not None else ("", {})
    return Parsed(
        kind="book",
        blocks=tuple(blocks),
        title=title or next((block.text for block in blocks if block.kind == "heading"), ""),
        mime=MIME,
        warnings=(*dict.fromkeys(package.warnings), *album.warnings()),
        metadata=metadata,
        unit="paragraph",
        images=tuple(album.pictures),
    )


def place_piece(piece: Piece, part: str, numbers: dict[str, int]) -> Block:
    """A block with the next number of its part; each row of a table has its own."""
    first = numbers.get(part, 0) + 1
    numbers[part] = first + len(piece.rows) - 1
    anchors = tuple(Anchor(start, line=first + index) for index, start in enumerate(piece.rows))
    return Block(piece.text, piece.kind, anchors, min(piece.level, 6), part=part, image=piece.image)


def _refuse_protected(package: Package) -> None:
    root = package.find_xml("META-INF/encryption.xml")
    for method in root.iter("{*}EncryptionMethod") if root is not None else ():
        if method.get("Algorithm", "") not in _OBSCURED:
            raise InputError(f"{package.name} is protected (DRM).", hint="only books without copy protection can be read")


def _package_document(package: Package) -> str:
    container = package.find_xml("META-INF/container.xml")
    for file in container.iter("{*}rootfile") if container is not None else ():
        if (part := resolve_part("", file.get("full-path", ""))) in package:
            return part
    for part in package.parts():  # lost its container
        if part.endswith(".opf"):
            return part
    raise InputError(f"{package.name} is damaged: it has no list of its chapters.", hint="download or convert it again")


def _spine(package: Package, opf: str, root: Element, items: dict[str, Element]) -> Iterator[str]:
    """The parts that are read, in order; what stands beside the reading order comes last, the contents page not at all."""
    references = list(root.iter("{*}itemref"))
    for reference in sorted(references, key=lambda reference: reference.get("linear") == "no"):
        item = items.get(reference.get("idref", ""))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type", "") not in _PAGES:
            continue
        part = resolve_part(opf, item.get("href", ""))
        if part in package:
            yield part
        else:
            package.warnings.append(f"The chapter {posixpath.basename(part)} is missing from the file.")


def _page(package: Package, part: str) -> Element | None:
    try:
        return parse_xhtml(package.read(part))
    except InputError as exc:
        package.warnings.append(exc.message)
        return None


def _picture(package: Package, album: Album, part: str, source: str) -> int | None:
    name = resolve_part(part, source)
    if ":" in source or name not in package:
        return None
    try:
        return album.add(package.read(name))
    except InputError as exc:
        package.warnings.append(exc.message)
        return None


def _read_contents(package: Package, opf: str, items: dict[str, Element]) -> _Chapters:
    """Chapter titles from the navigation document, or from the older NCX."""
    chapters = _Chapters()
    for item in items.values():
        part = resolve_part(opf, item.get("href", ""))
        if "nav" in item.get("properties", "").split() and part in package:
            tree = _page(package, part)
            navs = list(tree.iter("{*}nav", "nav")) if tree is not None else []
            toc = next(
                (nav for nav in navs if "toc" in (nav.get(_TYPE) or nav.get("epub:type") or "")), navs[0] if navs else None
            )
            if toc is not None:
                for link in toc.iter("{*}a", "a"):
                    depth = sum(local_name(parent) == "ol" for parent in link.iterancestors())
                    _add_entry(chapters, part, link.get("href", ""), "".join(link.itertext()), depth)
                return chapters
    for item in items.values():
        part = resolve_part(opf, item.get("href", ""))
        if item.get("media-type") == "application/x-dtbncx+xml" and (tree := package.find_xml(part)) is not None:
            for point in tree.iter("{*}navPoint"):
                content, label = point.find("{*}content"), point.find("{*}navLabel")
                depth = 1 + sum(local_name(parent) == "navPoint" for parent in point.iterancestors())
                if content is not None and label is not None:
                    _add_entry(chapters, part, content.get("src", ""), "".join(label.itertext()), depth)
            break
    return chapters


def _add_entry(chapters: _Chapters, part: str, href: str, title: str, depth: int) -> None:
    if (text := clean_line(title)) and href:
        _, _, fragment = href.partition("#")
        target = resolve_part(part, href) if not href.startswith("#") else part
        chapters.add(target, fragment, text, depth)
