"""A stored picture made small enough to stand in a page or document."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

_WIDTH, _HEIGHT, _QUALITY = 480, 360, 80


def thumbnail(data: bytes) -> bytes:
    """JPEG of at most 480 x 360 pixels; empty where the bytes are no picture."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (2 * _WIDTH, 2 * _HEIGHT))
            small = opened.convert("RGB")
            small.thumbnail((_WIDTH, _HEIGHT))
            out = io.BytesIO()
            small.save(out, "JPEG", quality=_QUALITY)
    except (UnidentifiedImageError, OSError, ValueError):
        return b""
    return out.getvalue()
