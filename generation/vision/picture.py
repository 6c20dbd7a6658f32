"""An image as a model gets it: upright, on white, no larger than it can use, as PNG or JPEG in a `data:` URL."""

from __future__ import annotations

import io
from pathlib import PurePath

from PIL import Image

from phidex.errors import InputError
from phidex.generation.vision.plan import sent_pixels
from phidex.ingest.ocr.image import DamagedImageError, read_frames
from phidex.ingest.records import Picture

_MOST_PIXELS = 100_000_000  # 300 MB once decoded; the largest cameras have as many
_JPEG_QUALITY = 92  # with full colour resolution: no rings around letters that a reader would see
_PLAIN_COLOURS = 4096  # at most: a drawing or a page of print, whose edges stay sharp as PNG alone
_LONGEST = 50  # times its other side: a thinner strip is set on white, since the model's own scaling would lose it


def read_pictures(data: bytes, name: str, *, crops: int, numbers: tuple[int, ...] | None = None) -> list[Picture]:
    """The pictures of an image file, ready to be sent: one, or as many as a TIFF has pages.

    Args:
        name: for people.
        crops: that the vision model is served with.
        numbers: of the pages that are wanted, 1-based; None for all.

    Raises:
        InputError: it is no image, damaged or too large, or has no such page.
    """
    indexes = None if numbers is None else [number - 1 for number in numbers]
    try:
        frames = read_frames(data, PurePath(name), indexes, most_pixels=_MOST_PIXELS)
        return [_prepared(frame, crops) for frame in frames]
    except DamagedImageError as exc:
        raise InputError(f"{name} is damaged: its pixels cannot be read", hint="fetch or export the file again") from exc


def _prepared(frame: Image.Image, crops: int) -> Picture:
    shown = _framed(_on_white(frame))
    size = sent_pixels(shown.width, shown.height, crops)
    if size != shown.size:
        shown = shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _encoded(shown)


def _on_white(frame: Image.Image) -> Image.Image:
    """In red, green and blue, what is transparent white: black would hide dark lines."""
    if frame.mode.startswith("I;16"):  # whose conversion cuts off at 255
        frame = frame.point(lambda value: value / 256).convert("L")
    if frame.has_transparency_data:
        ground = Image.new("RGBA", frame.size, "white")
        ground.alpha_composite(frame.convert("RGBA"))
        return ground.convert("RGB")
    return frame.convert("RGB")


def _framed(picture: Image.Image) -> Image.Image:
    short = max(picture.size) // _LONGEST
    if min(picture.size) >= short:
        return picture
    ground = Image.new("RGB", (max(picture.width, short), max(picture.height, short)), "white")
    ground.paste(picture, ((ground.width - picture.width) // 2, (ground.height - picture.height) // 2))
    return ground


def _encoded(picture: Image.Image) -> Picture:
    """As PNG, or as JPEG where that is smaller and the picture is no drawing."""
    png = _bytes(picture, "PNG", optimize=True)
    best = Picture(png, "image/png", *picture.size)
    if picture.getcolors(_PLAIN_COLOURS) is None:
        jpeg = _bytes(picture, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        best = Picture(jpeg, "image/jpeg", *picture.size) if len(jpeg) < len(png) else best
    return best


def _bytes(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
