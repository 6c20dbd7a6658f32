"""Images made by hand, and what was sent of them."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageDraw


def image(width: int, height: int, kind: str = "PNG", colour: str = "white", **options: Any) -> bytes:
    """An image file with a red diagonal on a ground."""
    picture = Image.new("RGB", (width, height), colour)
    ImageDraw.Draw(picture).line((0, 0, width, height), fill="red", width=max(1, width // 50))
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int) -> bytes:
    """A PNG of a photo: no two pixels alike."""
    file = io.BytesIO()
    bands = [Image.effect_noise((width, height), 80) for _ in range(3)]
    Image.merge("RGB", bands).save(file, "PNG")
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def sent_image(part: dict[str, Any]) -> Image.Image:
    """The image in one part of a message."""
    assert part["type"] == "image_url"
    return opened(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
