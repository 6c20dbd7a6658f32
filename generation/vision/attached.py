"""Pictures that somebody attaches to a question -> what a question wants to look at first, with a source to cite it by."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from phidex.errors import InputError, NotFoundError
from phidex.generation.vision.picture import read_pictures
from phidex.generation.vision.wanted import Wanted
from phidex.ingest.records import Chunk, PageLocator, Picture, Source
from phidex.retrieval.hit import Hit

Attachment = str | Path | bytes
"""An image file by its path, or its bytes."""

_NAMESPACE = uuid.UUID("6d6f0c5e-5b0a-5c37-9d0f-3f2f6f0a9b11")
_MOST = 64  # pictures of one question
_READABLE = "PNG, JPEG, TIFF, WebP, BMP and GIF are read; convert others, and ingest documents to ask about their pages"


def read_attached(images: Sequence[Attachment], *, crops: int) -> tuple[Wanted, ...]:
    """The attached pictures in their order, the pages of a TIFF one by one, ready to be sent.

    Args:
        crops: that the vision model is served with.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is no image, is damaged or too large; or they are too many.
    """
    found: list[Wanted] = []
    for number, image in enumerate(images, 1):
        data, name, uri = _opened(image, number)
        try:
            pictures = read_pictures(data, name, crops=crops)
        except InputError as exc:
            raise InputError(f"the attached {exc.message.rstrip('.')}", hint=f"{exc.hint}; {_READABLE}") from exc
        source = _source(data, uri, name, len(pictures))
        found += [_wanted(source, picture, page) for page, picture in enumerate(pictures, 1)]
    if len(found) > _MOST:
        raise InputError(f"{len(found)} pictures are attached, {_MOST} are looked at most", hint="attach fewer, or ingest them")
    return tuple(found)


def _opened(image: Attachment, number: int) -> tuple[bytes, str, str]:
    """Bytes, name and uri."""
    if isinstance(image, bytes):
        return image, f"picture {number}", f"attached:{quote(f'picture {number}')}"
    path = Path(image)
    try:
        return path.read_bytes(), path.name, path.absolute().as_uri()
    except FileNotFoundError as exc:
        raise NotFoundError(f"there is no file {path}", hint="name an image file") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}", hint="name an image file") from exc


def _source(data: bytes, uri: str, name: str, count: int) -> Source:
    sha256 = hashlib.sha256(data).hexdigest()
    identity = str(uuid.uuid5(_NAMESPACE, f"{uri} {sha256}"))
    return Source(identity, uri, "image", f"{name} (attached)", sha256, "und", "image/*", count, len(data))


def _wanted(source: Source, picture: Picture, page: int) -> Wanted:
    identity = str(uuid.uuid5(_NAMESPACE, f"{source.id} {page}"))
    chunk = Chunk(identity, source.id, PageLocator(page), "", "image", "und", page - 1)
    return Wanted("attached", Hit(chunk, source, 1.0, {}), picture=picture)
