"""Pictures out of documents: PNG and JPEG as they are, other raster kinds made PNG, with their size in pixels."""

from __future__ import annotations

import struct
from typing import Any

from phidex.ingest.records import Picture

_LEAST = 48  # pixels a side: less is a bullet, a rule or a tracking pixel
_MOST = 50_000_000  # pixels: more is not a picture in a document
_PNG = b"\x89PNG\r\n\x1a\n"
_OTHERS = (b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")


class Album:
    """The pictures of one document, each kept once, as far as a document's share of memory goes."""

    _MOST_BYTES = 128 << 20
    _MOST_PICTURES = 1_000

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.left_out = 0
        self._known: dict[bytes, int] = {}
        self._size = 0

    def add(self, data: bytes) -> int | None:
        """Index of the picture; None for what is too small to show anything, of no raster kind, or beyond the limit."""
        if data in self._known:
            return self._known[data]
        picture = read_picture(data)
        if picture is None:
            return None
        if len(self.pictures) == self._MOST_PICTURES or self._size + len(picture.data) > self._MOST_BYTES:
            self.left_out += 1
            return None
        self.pictures.append(picture)
        self._size += len(picture.data)
        self._known[data] = len(self.pictures) - 1
        return self._known[data]

    def warnings(self) -> tuple[str, ...]:
        """What was left out."""
        return (f"{self.left_out} pictures were left out: the document has too many.",) if self.left_out else ()


def read_picture(data: bytes) -> Picture | None:
    """The picture in the bytes; None where they are no raster picture, or one of less than 48 pixels a side."""
    if data.startswith(_PNG) and len(data) > 24:
        width, height = struct.unpack(">II", data[16:24])
        found = Picture(data, "image/png", width, height)
    elif data.startswith(b"\xff\xd8\xff"):
        width, height = _jpeg_size(data)
        found = Picture(data, "image/jpeg", width, height)
    elif data.startswith(_OTHERS):
        found = _converted(data)
    else:
        return None
    return found if found and min(found.width, found.height) >= _LEAST and found.width * found.height <= _MOST else None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the frame header; 0, 0 where there is none."""
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def _converted(data: bytes) -> Picture | None:
    """A PNG of another raster kind (GIF, BMP, TIFF), by MuPDF."""
    import pymupdf as _pymupdf  # only where such a picture is met

    pymupdf: Any = _pymupdf  # its own types are incomplete
    try:
        pixmap = pymupdf.Pixmap(data)
        if pixmap.width * pixmap.height > _MOST:
            return None
        return Picture(pixmap.tobytes("png"), "image/png", pixmap.width, pixmap.height)
    except (RuntimeError, ValueError):  # damaged, or of a kind that MuPDF does not read
        return None
