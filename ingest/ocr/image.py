"""Image files: each frame is a page that is recognised (`scan.py`), its boxes in points as if it were printed.

PNG, JPEG, TIFF with any number of pages, WebP, BMP and GIF, by Pillow. Of an animation only the first frame is read.
`image_pdf` makes a PDF of the same pages, on which cited boxes can be shown.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import pymupdf as _pymupdf
from PIL import Image, ImageOps, UnidentifiedImageError

from phidex.errors import InputError
from phidex.ingest.ocr.raster import gray_raster
from phidex.ingest.ocr.scan import Scans, page_ranges
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.pdf.document import build_blocks, find_title
from phidex.ingest.pdf.lines import Fonts, Page
from phidex.ingest.records import Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
"""What Pillow is allowed to open: its other readers are of no use here and have had faults."""

MAX_PIXELS = 250_000_000
"""A frame with more is refused: A3 at 1,200 dpi has 280 million, a decompression bomb any number."""

_LONG_SIDE_INCHES = 11.7  # of A4: what a picture that does not say its resolution is taken to show
_SCREEN_DPI = frozenset((72, 96))  # what programs write that know no better
_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
# What Pillow's readers raise on damaged files, by what 350,000 of them showed; caught around its own calls only.
_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    LookupError,
    TypeError,
    Image.DecompressionBombError,
)


class DamagedImageError(InputError):
    """Pillow cannot read a frame, or what the file says of its frames."""


def parse_image(data: bytes, path: Path, options: ParseOptions = DEFAULT) -> Parsed:
    """The text of an image file, page by page. Some 2 s of CPU a page, 2 to 5 s more for the first.

    Raises:
        InputError: it is damaged, too large or without text, recognition is off, or Tesseract or a language pack is missing.
    """
    if options.ocr == "off":
        raise InputError(f"{path.name} is an image, and recognition is off.", hint="turn it on: PHIDEX_INGEST__OCR=auto")
    scans, fonts = Scans(options, len(data)), Fonts()
    pages: list[Page] = []
    lost: list[int] = []
    with _opened(data, path) as picture:
        count, mime = _count(picture, path, options), Image.MIME[picture.format or ""]
        animated = _frame_count(picture) > count
        for index in range(count):
            try:
                frame, dpi = _frame(picture, index)
            except DamagedImageError:
                lost.append(index + 1)
                pages.append(Page(index, 0.0, 0.0, []))
            else:
                pages.append(scans.read(gray_raster(frame, dpi), index, fonts))
            if options.on_page:
                options.on_page(index + 1, count)
    if not any(page.lines for page in pages):
        damaged = InputError(f"{path.name} is damaged: its pixels cannot be read.", hint="fetch or export the file again")
        blank = InputError(f"{path.name} shows no text that could be recognised.", hint="check that it is the right file")
        raise scans.error(path) or (damaged if lost else blank)
    notes = [f"{page_ranges(lost)} could not be read."] if lost else []
    notes += ["Only the first frame of the animation was read."] if animated else []
    blocks = scans.place(build_blocks(pages, [], fonts))
    return Parsed(
        kind="image",
        blocks=tuple(blocks),
        title=find_title("", blocks),
        mime=mime,
        page_count=count,
        warnings=(*notes, *scans.warnings()),
        lacks_tesseract=scans.lacks_tesseract,
    )


def read_frames(
    data: bytes, path: PurePath, indexes: Sequence[int] | None = None, *, most_pixels: int = MAX_PIXELS
) -> Generator[Image.Image]:
    """Frames as they are meant to be seen, one after another.

    Args:
        path: of which errors tell the name.
        indexes: of those that are wanted, from 0; None for all that count as pages.
        most_pixels: of a frame, in place of `MAX_PIXELS`.

    Raises:
        InputError: the image is none, is damaged or too large, or has no such frame.
    """
    with _opened(data, path, most_pixels) as picture:
        count = _count(picture, path, DEFAULT)
        for index in range(count) if indexes is None else indexes:
            if not 0 <= index < count:
                raise InputError(f"{path.name} has no page {index + 1}", hint=f"it has {count}")
            yield _frame(picture, index, most_pixels)[0]


def image_pdf(data: bytes, path: Path) -> bytes:
    """A PDF with one page a frame, whose points are those of the boxes that `parse_image` gives.

    Raises:
        InputError: the image cannot be read.
    """
    with _opened(data, path) as picture, pymupdf.open() as document:
        for index in range(_count(picture, path, DEFAULT)):
            try:
                frame, dpi = _frame(picture, index)
            except DamagedImageError as exc:
                raise InputError(f"page {index + 1} of {path.name} cannot be drawn", hint="the image is damaged there") from exc
            file = io.BytesIO()
            shown = frame if frame.mode in ("L", "RGB", "1") else frame.convert("RGB")
            shown.save(file, "JPEG" if shown.mode == "RGB" else "PNG")
            page = document.new_page(width=frame.width * 72 / dpi, height=frame.height * 72 / dpi)
            page.insert_image(page.rect, stream=file.getvalue())
        return document.tobytes()


@contextmanager
def _opened(data: bytes, path: PurePath, most_pixels: int = MAX_PIXELS) -> Generator[Image.Image]:
    """The image, of which only the header has been read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata, and sizes that are checked here
        try:
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as exc:
            raise _too_large(path, str(exc), most_pixels) from exc
        except UnidentifiedImageError as exc:
            raise InputError(f"{path.name} is damaged or no image.", hint="fetch or export the file again") from exc
        except _FAULTS as exc:
            raise InputError(f"{path.name} is a damaged image.", hint="fetch or export the file again") from exc
        with picture:
            if picture.width * picture.height > most_pixels:
                raise _too_large(path, f"{picture.width} x {picture.height} pixels", most_pixels)
            yield picture


def _too_large(path: PurePath, size: str, most_pixels: int) -> InputError:
    limit = f"{most_pixels // 1_000_000} megapixels are the limit"
    return InputError(f"{path.name} is too large an image: {size}; {limit}.", hint="save it smaller")


def _count(picture: Image.Image, path: PurePath, options: ParseOptions) -> int:
    """How many frames are pages: all of a TIFF, the first of an animation."""
    if picture.format != "TIFF":
        return 1
    count = _frame_count(picture)
    if count > options.max_pages:
        raise InputError(
            f"{path.name} has {count:,} pages, more than the {options.max_pages:,} that are read of one document.",
            hint="split it, or raise PHIDEX_INGEST__MAX_PAGES",
        )
    return count


def _frame_count(picture: Image.Image) -> int:
    """How many frames the file says that it has; 1 where that is damaged."""
    try:
        return int(getattr(picture, "n_frames", 1))
    except _FAULTS:
        return 1


def _frame(picture: Image.Image, index: int, most_pixels: int = MAX_PIXELS) -> tuple[Image.Image, float]:
    """A frame as it is meant to be seen, its pixels read, and how many there are to an inch.

    Raises:
        DamagedImageError: Pillow cannot read it, or it is too large.
    """
    try:
        picture.seek(index)
        if picture.width * picture.height > most_pixels:
            raise ValueError("too many pixels")
        picture.load()
        dpi = _dpi(picture)
        frame = ImageOps.exif_transpose(picture)
        return frame if frame.mode in _MODES else frame.convert("RGB"), dpi
    except _FAULTS as exc:
        raise DamagedImageError(f"frame {index + 1} cannot be read: {exc}") from exc


def _dpi(picture: Image.Image) -> float:
    """What the file says, where that can be believed; otherwise as if it showed a whole sheet of A4."""
    try:
        told = [float(value) for value in picture.info.get("dpi", ())]
    except (ValueError, TypeError, OverflowError):
        told = []
    if len(told) == 2 and told[0] == told[1] and 60 <= told[0] <= 2400 and round(told[0]) not in _SCREEN_DPI:
        return told[0]
    return min(max(max(picture.size) / _LONG_SIDE_INCHES, 60.0), 600.0)
