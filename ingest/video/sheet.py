"""A contact sheet: the keyframes of a recording side by side, each with the times at which it was shown, as one image."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from phidex.errors import InputError
from phidex.ingest.records import Picture
from phidex.ingest.video.damage import clock
from phidex.ingest.video.records import Keyframe

_MARGIN, _CAPTION = 12, 26  # pixels
_PAPER, _INK, _FRAME = "#f4f4f2", "#1c1c1c", "#b8b8b4"
_MOST = 400  # pictures on a sheet: more would not be legible, nor fit a JPEG
_LONGEST = 60_000  # pixels a side of a JPEG, with room to spare


def contact_sheet(keyframes: Sequence[Keyframe], *, columns: int = 4, width: int = 320, title: str = "") -> Picture:
    """The sheet as a JPEG.

    Args:
        columns: pictures side by side; fewer where there are fewer.
        width: of each picture, in pixels.

    Raises:
        InputError: there are no keyframes.
    """
    if not keyframes:
        raise InputError(
            "There are no keyframes to put on a sheet.", hint="the recording has no picture, or was ingested without"
        )
    shown = keyframes[:_MOST]
    columns = max(1, min(columns, len(shown), _LONGEST // (width + _MARGIN)))
    height = max(round(width * frame.picture.height / frame.picture.width) for frame in shown)
    height = min(height, 2 * width)
    rows = -(-len(shown) // columns)
    top = _MARGIN + (40 if title else 0)
    row_height = height + _CAPTION + _MARGIN
    if top + rows * row_height > _LONGEST:
        rows = (_LONGEST - top) // row_height
        shown = shown[: rows * columns]
    sheet = Image.new("RGB", (_MARGIN + columns * (width + _MARGIN), top + rows * row_height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((_MARGIN, _MARGIN), _fitting(pen, title, sheet.width - 2 * _MARGIN, _font(22)), fill=_INK, font=_font(22))
    for index, frame in enumerate(shown):
        x = _MARGIN + index % columns * (width + _MARGIN)
        y = top + index // columns * row_height
        with Image.open(io.BytesIO(frame.picture.data)) as picture:
            small = picture.convert("RGB")
            small.thumbnail((width, height), Image.Resampling.LANCZOS)
        at = (x + (width - small.width) // 2, y + (height - small.height) // 2)
        sheet.paste(small, at)
        pen.rectangle((at[0] - 1, at[1] - 1, at[0] + small.width, at[1] + small.height), outline=_FRAME)
        pen.text((x, y + height + 5), _fitting(pen, caption(frame), width, _font(15)), fill=_INK, font=_font(15))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=88)
    return Picture(file.getvalue(), "image/jpeg", sheet.width, sheet.height)


def caption(frame: Keyframe) -> str:
    """When a keyframe was shown, for people: "0:12-0:40, 5:01-5:30"."""
    return ", ".join(f"{clock(span.start_s)}-{clock(span.end_s)}" for span in frame.spans)


def _fitting(pen: ImageDraw.ImageDraw, text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The text, cut where it is too long."""
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(f"{text} ...", font=font) > width:
        text = text[:-1].rstrip(" ,")
    return f"{text} ..."


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
