"""Office files for tests, from raw parts: what the writing libraries cannot make, and what they would never make."""

from __future__ import annotations

import io
import struct
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phidex.ingest.chunk import chunk_document
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Chunk, Parsed

SOURCE = str(uuid.uuid5(uuid.NAMESPACE_URL, "source"))
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_NAMESPACES = (
    f'xmlns:w="{W}" xmlns:r="{R}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)


def zip_bytes(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of the parts, in order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """A relationships part: kind and target by id."""
    rows = "".join(f'<Relationship Id="{i}" Type="{R}/{kind}" Target="{target}"/>' for i, (kind, target) in targets.items())
    return f'<Relationships xmlns="{_RELATIONS}">{rows}</Relationships>'


def word_bytes(body: str, related: Mapping[str, tuple[str, str, str | bytes]] | None = None) -> bytes:
    """A .docx with this body; `related` gives kind, target and content of further parts by id."""
    further = related or {}
    return zip_bytes(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": relations({"r1": ("officeDocument", "word/document.xml")}),
            "word/_rels/document.xml.rels": relations({i: (kind, target) for i, (kind, target, _) in further.items()}),
            "word/document.xml": f"<w:document {_NAMESPACES}><w:body>{body}</w:body></w:document>",
            **{f"word/{target}": wrapped(content) for _, target, content in further.values()},
        }
    )


def wrapped(content: str | bytes) -> str | bytes:
    """XML text with the namespaces declared at its root."""
    if isinstance(content, bytes):
        return content
    name, _, rest = content.partition(">")
    return f"{name} {_NAMESPACES}>{rest}" if not name.endswith("/") else f"{name[:-1]} {_NAMESPACES}/>{rest}"


def p(text: str, about: str = "") -> str:
    """A Word paragraph of one run."""
    return f"<w:p>{f'<w:pPr>{about}</w:pPr>' if about else ''}<w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"


def png_bytes(width: int = 64, height: int = 64, shade: int = 200) -> bytes:
    """A grey picture."""
    import pymupdf as _pymupdf

    pymupdf: Any = _pymupdf  # its own types are incomplete
    pixmap = pymupdf.Pixmap(pymupdf.csRGB, (0, 0, width, height))
    pixmap.clear_with(shade)
    return pixmap.tobytes("png")


def saved(document: Any) -> bytes:
    """What a writing library saves."""
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def parse(name: str, data: bytes, options: ParseOptions = DEFAULT) -> Parsed:
    """Through the one door."""
    return parse_file(Path(name), data, options)


def chunks_of(parsed: Parsed, limit: int = 64, name: str = "x") -> list[Chunk]:
    """The chunks, cut small."""
    return chunk_document(parsed, source_id=SOURCE, path=name, language="en", limit_tokens=limit)


def texts(parsed: Parsed) -> list[str]:
    """The blocks' texts."""
    return [block.text for block in parsed.blocks]


class Compound:
    """Writes compound files (OLE): storages and streams, as Word, Outlook and others keep them ([MS-CFB] version 3)."""

    _SECTOR, _MINI, _CUTOFF = 512, 64, 4096
    _END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._entries: list[tuple[str, int, int, int, bytes]] = [("Root Entry", 5, self._FREE, self._FREE, b"")]
        self._sectors: list[bytes] = []
        self._fat: list[int] = []
        self._mini = b""
        self._mini_fat: list[int] = []
        child = self._add(tree)
        self._entries[0] = ("Root Entry", 5, self._FREE, child, b"")

    def _add(self, tree: Mapping[str, Any]) -> int:
        """Entries of a storage as a chain of right siblings, which readers accept as a tree; returns the first one's number."""
        following = self._FREE
        for name, content in sorted(tree.items(), key=lambda item: (len(item[0]), item[0].upper()), reverse=True):
            if isinstance(content, bytes):
                entry = (name, 2, following, self._FREE, content)
            else:
                entry = (name, 1, following, self._add(content), b"")
            self._entries.append(entry)
            following = len(self._entries) - 1
        return following

    def _store(self, data: bytes) -> int:
        """Sectors of a stream; returns the first one's number."""
        if not data:
            return self._END
        first = len(self._sectors)
        count = -(-len(data) // self._SECTOR)
        padded = data.ljust(count * self._SECTOR, b"\0")
        self._sectors += [padded[i * self._SECTOR : (i + 1) * self._SECTOR] for i in range(count)]
        self._fat += [first + i + 1 for i in range(count - 1)] + [self._END]
        return first

    def _store_mini(self, data: bytes) -> int:
        first = len(self._mini_fat)
        count = -(-len(data) // self._MINI)
        self._mini += data.ljust(count * self._MINI, b"\0")
        self._mini_fat += [first + i + 1 for i in range(count - 1)] + [self._END]
        return first

    def to_bytes(self) -> bytes:
        """The file."""
        rows: list[bytes] = []
        placed = [
            (self._END if kind != 2 or not data else self._store_mini(data) if len(data) < self._CUTOFF else self._store(data))
            for _, kind, _, _, data in self._entries
        ]
        mini_first = self._store(self._mini)
        for number, (name, kind, right, child, data) in enumerate(self._entries):
            encoded = name.encode("utf-16-le") + b"\0\0"
            start, size = (mini_first, len(self._mini)) if number == 0 else (placed[number] if kind == 2 else 0, len(data))
            rows.append(
                encoded.ljust(64, b"\0")
                + struct.pack("<HBBIII", len(encoded), kind, 1, self._FREE, right, child)
                + bytes(36)
                + struct.pack("<IQ", start, size)
            )
        directory = self._store(b"".join(rows))
        packed = b"".join(struct.pack("<I", entry) for entry in self._mini_fat)
        mini_fat = self._store(packed.ljust(-(-len(packed) // self._SECTOR) * self._SECTOR, b"\xff"))
        first_fat = len(self._sectors)
        fat_count = 1
        while (first_fat + fat_count) * 4 > fat_count * self._SECTOR:
            fat_count += 1
        table = self._fat + [self._FAT] * fat_count
        fat = b"".join(struct.pack("<I", entry) for entry in table).ljust(fat_count * self._SECTOR, b"\xff")
        difat = [first_fat + i for i in range(fat_count)] + [self._FREE] * (109 - fat_count)
        header = (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
            + bytes(16)
            + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
            + bytes(6)
            + struct.pack("<IIIII", 0, fat_count, directory, 0, self._CUTOFF)
            + struct.pack("<IIII", mini_fat, 1 if self._mini_fat else 0, self._END, 0)
            + struct.pack("<109I", *difat)
        )
        return header + b"".join(self._sectors) + fat
