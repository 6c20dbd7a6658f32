"""Opens the ZIP packages that Office, OpenDocument and EPUB files are, and the XML in them, within limits.

Nothing is written to disk, no entity is expanded, no DTD, link or other resource is loaded, and no macro is looked at. A part
is unpacked only when it is asked for, and never past its limit, whatever size the archive declares.

This is `zipfile` and lxml without python-docx, python-pptx, odfpy or ebooklib: the first two read no footnotes, text boxes or
tracked insertions (their users walk the same XML by hand), refuse .docm, .dotx, .ppsx and Strict files, fail on a dangling
relationship and read every embedded video into memory; odfpy was last released in 2020; ebooklib is AGPL.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote

import lxml.etree as _etree  # pyright: ignore[reportMissingTypeStubs]  # lxml ships none

from phidex.errors import InputError
from phidex.ingest.clean import clean_line

etree: Any = _etree
Element = Any
"""An lxml element."""

_MAX_PARTS = 50_000
_MAX_XML = 128 << 20  # bytes of one part read as a tree: about 3,000 pages of Word, and 1 GB of memory
_MAX_BINARY = 64 << 20  # bytes of one picture
_MAX_STREAM = 4 << 30  # bytes of one part read piece by piece
_SUSPECT = 8 << 20  # unpacked bytes from which the ratio is looked at
_MAX_RATIO = 250  # XML packs 10 to 50 times, sheets of one repeated value 100 times, bombs 1,000 times
_STRICT = (  # ISO "Strict" namespaces, and the usual ones with the same names in them
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/presentationml/main", b"http://schemas.openxmlformats.org/presentationml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
)
_RELATIONSHIP = "{*}Relationship"
_PROPERTIES = {
    "creator": "author",
    "created": "created",
    "modified": "modified",
    "date": "date",
    "creation-date": "created",
    "initial-creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "keyword": "keywords",
    "description": "description",
    "language": "lang",
    "publisher": "publisher",
    "identifier": "identifier",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: its kind ("image", "slide"), and the part's name, or an address where it is `external`."""

    kind: str
    target: str
    external: bool


class Package:
    """A ZIP package in memory, checked before anything in it is unpacked.

    Args:
        name: the file's name, for messages.

    Raises:
        InputError: it is damaged, encrypted, or would unpack to far more than a document holds.
    """

    UNPACK_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.warnings: list[str] = []
        try:
            self._archive = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as exc:
            hint = "copy or download it again, or open and save it in the program that made it"
            raise InputError(f"{name} is damaged or cut off: the list of its parts cannot be read.", hint=hint) from exc
        entries = self._archive.infolist()
        self._check(entries, len(data))
        self._parts = {_plain(entry.filename): entry for entry in entries if not entry.is_dir()}

    def _check(self, entries: list[zipfile.ZipInfo], packed: int) -> None:
        """Refuse what is a bomb by its own directory, or encrypted."""
        hint = "open it in the program that made it and save it again, or split it"
        if len(entries) > _MAX_PARTS:
            raise InputError(f"{self.name} has {len(entries):,} parts, more than a document has.", hint=hint)
        sizes = [(sum(entry.file_size for entry in entries), packed), *((e.file_size, e.compress_size) for e in entries)]
        for unpacked, size in sizes:
            if unpacked > _SUSPECT and unpacked > _MAX_RATIO * size:
                raise InputError(
                    f"{self.name} would unpack to {unpacked // max(size, 1):,} times its size: a ZIP bomb.", hint=hint
                )
        if any(entry.flag_bits & 1 for entry in entries):
            raise InputError(f"{self.name} is encrypted.", hint="open it with its password and save it without one")

    def __contains__(self, part: str) -> bool:
        return _plain(part) in self._parts

    def parts(self) -> Iterator[str]:
        """The names of all parts, in lower case and without a leading slash, as they are stored."""
        return iter(self._parts)

    def read(self, part: str, limit: int = _MAX_BINARY) -> bytes:
        """A part's bytes.

        Raises:
            InputError: there is no such part, it is damaged, or larger than `limit`.
        """
        with self.open(part, limit) as file:
            data = self.take(file, limit + 1, part)
        if len(data) > limit:
            raise self._too_large(part, limit)
        return data

    def open(self, part: str, limit: int = _MAX_STREAM) -> IO[bytes]:
        """A part to be read piece by piece.

        Raises:
            InputError: there is no such part, or it declares more than `limit` bytes.
        """
        entry = self._parts.get(_plain(part))
        if entry is None:
            raise InputError(f"{self.name} lacks its part {part}.", hint="it is incomplete; save or download it again")
        if entry.file_size > limit:
            raise self._too_large(part, limit)
        try:
            return self._archive.open(entry)
        except (*self.UNPACK_ERRORS, RuntimeError) as exc:  # RuntimeError: encrypted, though its flag says otherwise
            raise self._damaged(part, exc) from exc

    def take(self, file: IO[bytes], size: int, part: str) -> bytes:
        """The next bytes of an open part, at most `size`.

        Raises:
            InputError: it is damaged.
        """
        try:
            return file.read(size)
        except self.UNPACK_ERRORS as exc:
            raise self._damaged(part, exc) from exc

    def xml(self, part: str) -> Element:
        """The root of an XML part. Of a damaged one what can be read is taken, with a warning.

        Raises:
            InputError: as `read`, or there is no XML in it.
        """
        data = self.read(part, _MAX_XML)
        if b"purl.oclc.org/ooxml" in data:
            for strict, usual in _STRICT:
                data = data.replace(strict, usual)
        try:
            return parse_xml(data)
        except etree.XMLSyntaxError as exc:
            root = recover_xml(data)
            if root is None:
                raise self._damaged(part, exc) from exc
            self.warnings.append(f"The part {part} is damaged; what could be read of it was taken.")
            return root

    def find_xml(self, part: str) -> Element | None:
        """The root of an XML part that a document may lack or have damaged; None then."""
        try:
            return self.xml(part) if part and part in self else None
        except InputError as exc:
            self.warnings.append(exc.message)
            return None

    def relations(self, part: str = "") -> dict[str, Relation]:
        """What a part refers to, by relationship id; of the package itself for ""."""
        folder, name = posixpath.split(part)
        root = self.find_xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        found: dict[str, Relation] = {}
        for element in root.iterchildren(_RELATIONSHIP) if root is not None else ():
            target = str(element.get("Target", ""))
            external = element.get("TargetMode") == "External"
            kind = str(element.get("Type", "")).rsplit("/", 1)[-1]
            found[element.get("Id", "")] = Relation(kind, target if external else resolve_part(part, target), external)
        return found

    def related(self, part: str, kind: str) -> str:
        """The first part of a kind that `part` refers to; "" when there is none."""
        relations = self.relations(part).values()
        return next((r.target for r in relations if r.kind == kind and not r.external and r.target in self), "")

    def properties(self) -> tuple[str, dict[str, str]]:
        """Title and metadata from the package's core properties."""
        root = self.find_xml(self.related("", "core-properties"))
        return ("", {}) if root is None else read_properties(root)

    def empty(self, what: str, hint: str) -> InputError:
        """The error for a document in which nothing was found: it is empty, or its damage left nothing."""
        if self.warnings:
            return InputError(
                f"{self.name} is damaged and has no {what} left: {self.warnings[0]}", hint="restore it from a copy"
            )
        return InputError(f"{self.name} has no {what}.", hint=hint)

    def _too_large(self, part: str, limit: int) -> InputError:
        what = f"{self.name}: its part {part} unpacks to more than {limit >> 20} MB"
        return InputError(f"{what}.", hint="split the document, or save it as PDF")

    def _damaged(self, part: str, exc: Exception) -> InputError:
        hint = "open it in the program that made it and save it again"
        return InputError(f"{self.name} is damaged: its part {part} cannot be read ({exc}).", hint=hint)


def parse_xml(data: bytes, *, recover: bool = False) -> Element:
    """The root of an XML document; entities stay unexpanded, and nothing beside `data` is read.

    Raises:
        etree.XMLSyntaxError: it is not well formed, or with `recover` nothing of it can be read.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=recover, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def recover_xml(data: bytes) -> Element | None:
    """The root of a damaged XML document with what could be read of it; None where that is nothing."""
    try:
        root = parse_xml(data, recover=True)
    except etree.XMLSyntaxError:  # empty, or in an encoding that there is not
        return None
    return root if root is not None and len(root) else None


def resolve_part(part: str, target: str) -> str:
    """The part's name that a link in `part` means.

    >>> resolve_part("ppt/slides/slide1.xml", "../media/a%20b.png#x"), resolve_part("word/document.xml", "/word/styles.xml")
    ('ppt/media/a b.png', 'word/styles.xml')
    """
    path = unquote(target.split("#", 1)[0])
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(part), path)).lstrip("/")


def read_properties(root: Element) -> tuple[str, dict[str, str]]:
    """Title and metadata from Dublin Core elements and their kin, wherever they stand under `root`."""
    title = ""
    found: dict[str, list[str]] = {}
    for element in root.iter(etree.Element):
        name = local_name(element).rpartition(":")[2]  # a prefix that a damaged document does not declare stays in the name
        value = clean_line(element.text or "")
        if name == "title" and value:
            title = title or value
        elif value and (key := _PROPERTIES.get(name)) and value not in found.setdefault(key, []):
            found[key].append(value)
    return title, {key: ", ".join(values) for key, values in found.items()}


def local_name(element: Element) -> str:
    """The element's name without its namespace; "" for what is no element."""
    tag = element.tag
    return tag[tag.rfind("}") + 1 :] if isinstance(tag, str) else ""


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
