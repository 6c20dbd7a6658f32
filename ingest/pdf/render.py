"""A cited place as a picture: the PDF's page with its boxes marked as with a highlighter, and the quoted words marked stronger.

    file, page, boxes, quote -> pixels of the page -> marks multiplied onto them -> PNG

Marks are painted onto the pixels, so that neither the file nor its content streams are touched, and black text stays black.
PyMuPDF must not be used from several threads at once: servers call this in a process of its own (`ingest/pdf/painter.py`).
"""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pymupdf as _pymupdf

from phidex.errors import InputError, NotFoundError
from phidex.ingest.ocr.image import image_pdf
from phidex.ingest.options import ParseOptions
from phidex.ingest.parse import is_image
from phidex.ingest.pdf.file import PAGE_ERRORS, opened
from phidex.ingest.records import Box
from phidex.ingest.sentences import sentence_spans

pymupdf: Any = _pymupdf  # its own types are incomplete

Pixels = npt.NDArray[np.uint8]
"""uint8, (height, width, 3), RGB."""
_Mask = npt.NDArray[np.bool_]

_SOFT, _STRONG, _EDGE = (255, 244, 204), (255, 217, 102), (232, 163, 23)
_PAD_PT = 2.0
_CROP_MARGIN_PT = 24.0
_MAX_PIXELS = 24_000_000  # posters are shown smaller: 72 MB of pixels
_MIN_PART = 8  # letters and digits of a quote's part that is looked for alone
_FLAGS: int = pymupdf.TEXTFLAGS_RAWDICT & ~pymupdf.TEXT_PRESERVE_IMAGES


def render_page(
    path: str | Path,
    page_number: int,
    boxes: Sequence[Box] = (),
    quote: str = "",
    *,
    zoom: float = 2.0,
    crop: bool = False,
    sha256: str = "",
    passwords: tuple[str, ...] = (),
) -> bytes:
    """A PNG of the page with `boxes` softly highlighted and the words of `quote` inside them strongly.

    About 0.1 s for a page of text. A quote that is not found leaves the boxes as they are; without boxes it is looked for on
    the whole page.

    Args:
        page_number: 1-based.
        boxes: in points, origin at the top left of the page as shown.
        zoom: pixels a point; less where the page is so large that the picture would exceed 24 megapixels.
        crop: only the region around the marks.
        sha256: of the bytes that were cited; another file of that name is refused.
        passwords: tried on an encrypted file.

    Raises:
        NotFoundError: the file is gone.
        InputError: it changed since it was cited, cannot be read as a PDF, or has no such page.
    """
    if not 0.1 <= zoom <= 10:
        raise InputError(f"a zoom of {zoom} is out of range", hint="from 0.1 to 10")
    path = Path(path)
    data = _read(path, sha256)
    if is_image(data[:64]):
        data = image_pdf(data, path)
    with opened(path, data, ParseOptions(passwords=passwords, max_pages=sys.maxsize)) as document:
        if not 1 <= page_number <= document.page_count:
            count = document.page_count
            raise InputError(f"{path.name} has no page {page_number}", hint=f"it has {count} page{'s' * (count != 1)}")
        try:
            page = document.load_page(page_number - 1)
            words = _find_quote(page, quote, boxes) if quote else []
            pixels, scale = _pixels(page, zoom)
        except PAGE_ERRORS as exc:
            raise InputError(f"page {page_number} of {path.name} cannot be drawn", hint="the PDF is damaged there") from exc
    _mark(pixels, _mask(pixels, boxes, scale, _PAD_PT), _mask(pixels, words, scale, 0.5), edge=max(1, round(scale * 0.6)))
    if crop and (boxes or words):
        pixels = _cropped(pixels, [*boxes, *words], scale)
    return _png(pixels)


def _read(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(f"{path} is gone", hint="put it back, or remove it from the collection") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}", hint="check its permissions") from exc
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(
            f"{path.name} has changed since it was ingested, so the cited place may be another now", hint="ingest it again"
        )
    return data


def _pixels(page: Any, zoom: float) -> tuple[Pixels, float]:
    """The page as shown, writable, and its scale in pixels a point."""
    area = max(1.0, page.rect.width * page.rect.height)
    scale = min(zoom, (_MAX_PIXELS / area) ** 0.5)
    picture = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csRGB, alpha=False)
    rows = np.frombuffer(picture.samples, dtype=np.uint8).reshape(picture.height, picture.stride)
    return rows[:, : picture.width * 3].reshape(picture.height, picture.width, 3).copy(), scale


def _png(pixels: Pixels) -> bytes:
    height, width, _ = pixels.shape
    return pymupdf.Pixmap(pymupdf.csRGB, width, height, pixels.tobytes(), False).tobytes("png")


def _span(box: Box, shape: tuple[int, ...], scale: float, pad: float) -> tuple[slice, slice]:
    """Rows and columns of the box, grown by `pad` points, inside the picture."""
    x0, y0, x1, y1 = box
    rows = slice(max(0, int((y0 - pad) * scale)), max(0, min(shape[0], int(np.ceil((y1 + pad) * scale)))))
    columns = slice(max(0, int((x0 - pad) * scale)), max(0, min(shape[1], int(np.ceil((x1 + pad) * scale)))))
    return rows, columns


def _mask(pixels: Pixels, boxes: Iterable[Box], scale: float, pad: float) -> _Mask:
    mask = np.zeros(pixels.shape[:2], dtype=np.bool_)
    for box in boxes:
        mask[_span(box, pixels.shape, scale, pad)] = True
    return mask


def _mark(pixels: Pixels, soft: _Mask, strong: _Mask, *, edge: int) -> None:
    """Paint the masks: multiplied on light ground; mixed in on dark ground, where multiplying would show nothing."""
    for mask, colour in ((soft & ~strong, _SOFT), (strong, _STRONG)):
        ground = pixels[mask].astype(np.float32)
        if not len(ground):
            continue
        light = float(np.median(ground)) > 100
        paint = np.array(colour, dtype=np.float32)
        pixels[mask] = (ground * paint / 255 if light else ground * 0.7 + paint * 0.3).astype(np.uint8)
    inner = soft.copy()
    for axis in (0, 1):
        for step in range(1, edge + 1):
            for shifted in (np.roll(soft, step, axis), np.roll(soft, -step, axis)):
                inner &= shifted
    pixels[soft & ~inner] = _EDGE


def _cropped(pixels: Pixels, boxes: Sequence[Box], scale: float) -> Pixels:
    around: Box = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
    part = pixels[_span(around, pixels.shape, scale, _CROP_MARGIN_PT)]
    return part if part.size else pixels


def _find_quote(page: Any, quote: str, boxes: Sequence[Box]) -> list[Box]:
    """Boxes of the quote's runs of characters, one or more a line.

    Both texts are reduced to letters and digits, so that line ends, hyphens, ligatures and spaces do not matter.
    """
    letters, places = _letters(page, boxes)
    whole = _squeeze(quote)
    start = letters.find(whole)
    found = [(start, start + len(whole))] if whole and start >= 0 else []
    if not found:
        for begin, end in sentence_spans(quote):
            part = _squeeze(quote[begin:end])
            start = letters.find(part)
            if len(part) >= _MIN_PART and start >= 0:
                found.append((start, start + len(part)))
    runs: dict[int, Box] = {}
    for start, end in found:
        for line, (x0, y0, x1, y1) in places[start:end]:
            a0, b0, a1, b1 = runs.get(line, (x0, y0, x1, y1))
            runs[line] = (min(a0, x0), min(b0, y0), max(a1, x1), max(b1, y1))
    return list(runs.values())


def _letters(page: Any, boxes: Sequence[Box]) -> tuple[str, list[tuple[int, Box]]]:
    """Letters and digits inside the boxes, and for each the number of its line and its box on the page as shown."""
    turn = page.rotation_matrix  # PyMuPDF gives text as if the page were not rotated
    letters: list[str] = []
    places: list[tuple[int, Box]] = []
    number = 0
    for block in page.get_text("rawdict", flags=_FLAGS)["blocks"]:
        for line in block["lines"]:
            number += 1
            for char in (char for span in line["spans"] for char in span["chars"]):
                rect = pymupdf.Rect(char["bbox"]) * turn
                box: Box = (rect.x0, rect.y0, rect.x1, rect.y1)
                if boxes and not _inside(box, boxes):
                    continue
                for letter in _squeeze(char["c"]):
                    letters.append(letter)
                    places.append((number, box))
    return "".join(letters), places


def _inside(box: Box, boxes: Sequence[Box]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(b[0] - 1 <= x <= b[2] + 1 and b[1] - 1 <= y <= b[3] + 1 for b in boxes)


def _squeeze(text: str) -> str:
    """Letters and digits only, compatibility forms and case folded.

    >>> _squeeze("Pack-\\nages, ﬁrst")
    'packagesfirst'
    """
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())
