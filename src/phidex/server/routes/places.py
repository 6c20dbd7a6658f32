"""What citations point at: pages as pictures with the place marked, figures and frames, and the documents themselves."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from phidex.errors import InputError
from phidex.ingest.pdf.painter import PageView
from phidex.ingest.records import Box, Source
from phidex.server.originals import serve_file
from phidex.server.routes.shared import Reader, TheService, media, router
from phidex.server.service import Service
from phidex.server.shapes import errors
from phidex.server.wire import CollectionName, SourceId

routes = router("places")

_NUMBER = r"-?[0-9]{1,6}(?:\.[0-9]{1,4})?"
_BOX = rf"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$"
_SUFFIX = 16  # characters that are kept of a name's suffix, which may be as long as the name
_KEPT = {"Cache-Control": "private, max-age=3600"}
_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}


@routes.get(
    "/collections/{collection}/sources/{source_id}/pages/{page_number}",
    response_class=Response,
    responses={**errors(404), 200: media("image/png", "the page")},
)
async def get_page(
    collection: CollectionName,
    source_id: SourceId,
    page_number: Annotated[int, Path(ge=1, le=10_000_000, description="1-based")],
    service: TheService,
    _: Reader,
    box: Annotated[
        list[Annotated[str, Query(pattern=_BOX)]],
        Query(max_length=200, description="x0,y0,x1,y1 in points, as locators have them; repeatable"),
    ] = [],  # noqa: B006  FastAPI reads it, and nobody writes it
    quote: Annotated[str, Query(max_length=4_000, description="words to be marked stronger")] = "",
    zoom: Annotated[float, Query(ge=0.5, le=4, description="pixels a point")] = 2.0,
    crop: Annotated[bool, Query(description="only the region around the marks")] = False,
) -> Response:
    """A page of a PDF or a scan as a picture, the cited place marked as with a highlighter."""
    boxes = tuple(_box(text) for text in box)

    def draw() -> bytes:
        source = service.phidex.source(source_id, collection).source
        return _draw(service, collection, source, page_number, boxes, quote=quote, zoom=zoom, crop=crop)

    return Response(await service.pages(draw), headers=_KEPT, media_type="image/png")


@routes.get(
    "/collections/{collection}/blobs/{source_id}/{name}",
    response_class=Response,
    responses={**errors(404), 200: media("image/*", "the picture")},
)
async def get_blob(
    collection: CollectionName,
    source_id: SourceId,
    name: Annotated[str, Path(pattern=r"^[0-9a-f]{32}(\.[a-z0-9+-]{1,16})?$")],
    service: TheService,
    _: Reader,
) -> Response:
    """A figure (`chunk.image`) or a frame (`locator.frame`) by its id."""
    await service.lookups(service.phidex.source, source_id, collection)  # what was removed is not shown
    data = await service.lookups(service.phidex.blob, f"{source_id}/{name}", collection)
    kind = _SUFFIXES.get(FilePath(name).suffix, "application/octet-stream")
    headers = _KEPT | {"Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(data, headers=headers, media_type=kind)


@routes.get(
    "/collections/{collection}/sources/{source_id}/original",
    response_class=Response,
    responses={
        **errors(404, 416),
        200: media("application/octet-stream", "the document, of its own type"),
        206: media("application/octet-stream", "the range that was asked for"),
        304: {"description": "it is as `If-None-Match` says"},
    },
)
async def get_original(
    collection: CollectionName, source_id: SourceId, request: Request, service: TheService, _: Reader
) -> Response:
    """The document as it was ingested, whole or by a `Range`: videos are played from here."""
    source = (await service.lookups(service.phidex.source, source_id, collection)).source
    file = await service.lookups(service.phidex.open_original, source_id, collection)
    return await serve_file(request, service.lookups, file, source)


def _draw(
    service: Service,
    collection: str,
    source: Source,
    page_number: int,
    boxes: tuple[Box, ...],
    *,
    quote: str,
    zoom: float,
    crop: bool,
) -> bytes:
    """The picture; what lies in an object store, or in no folder, is put into a file for the moment."""
    passwords = tuple(one.get_secret_value() for one in service.phidex.settings.ingest.passwords)
    if not source.page_count:
        raise InputError(f"{source.name} has no pages that can be drawn", hint="see its original")

    def paint(path: FilePath) -> bytes:
        view = PageView(path, page_number, boxes, quote, crop, source.sha256, zoom, passwords)
        return service.painter.page(view)

    if not source.blob:
        return paint(source.local_path())
    with tempfile.TemporaryDirectory(prefix="phidex-") as folder:
        path = FilePath(folder) / f"document{FilePath(source.name).suffix[:_SUFFIX]}"
        with service.phidex.open_original(source.id, collection) as file, path.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        return paint(path)


def _box(text: str) -> Box:
    x0, y0, x1, y1 = map(float, text.split(","))
    return (x0, y0, x1, y1)
