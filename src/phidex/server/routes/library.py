"""Collections and their sources: what there is, and taking it away."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from phidex.errors import InputError, NotFoundError
from phidex.server.routes.shared import Admin, Ingester, Reader, TheService, router
from phidex.server.shapes import CollectionListOut, CollectionOut, RemovedOut, SourceEntryOut, SourcePageOut, errors
from phidex.server.uploads import forget_upload, uploads_of
from phidex.server.wire import UUID, CollectionName, SourceId, reply

routes = router("collections and sources")

Cursor = Annotated[str | None, Query(pattern=UUID, description="`next_cursor` of the page before")]


@routes.get("/collections", response_model=CollectionListOut)
async def list_collections(service: TheService, caller: Reader) -> Response:
    """The collections that the key is for."""
    names = await service.lookups(service.phidex.collections)
    return reply({"data": [{"name": name} for name in names if caller.sees(name)]})


@routes.get("/collections/{collection}", response_model=CollectionOut, responses=errors(404))
async def get_collection(collection: CollectionName, service: TheService, _: Reader) -> Response:
    """What a collection holds, in which languages, by which dense model, and how it is indexed."""
    found = await service.lookups(service.phidex.overview, collection)
    return reply({"name": collection, **found})


@routes.delete("/collections/{collection}", response_model=RemovedOut, responses=errors(404))
async def delete_collection(collection: CollectionName, service: TheService, _: Admin) -> Response:
    """Remove a collection with all it holds, and what was uploaded into it. Its jobs are cancelled."""

    def remove() -> None:
        if collection not in service.phidex.collections():
            raise NotFoundError(f"there is no collection {collection!r}", hint="GET /v1/collections lists them")
        service.shelf.drop(collection)
        service.phidex.drop(collection)
        shutil.rmtree(uploads_of(service.phidex.settings.data, collection), ignore_errors=True)

    await service.lookups(remove)
    return reply({"removed": [collection]})


@routes.get("/collections/{collection}/sources", response_model=SourcePageOut, responses=errors(404))
async def list_sources(
    collection: CollectionName,
    service: TheService,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Cursor = None,
) -> Response:
    """Sources with their state, in the order of their ids, page by page."""
    entries, following = await service.lookups(service.phidex.sources_page, collection, limit=limit, cursor=cursor)
    return reply({"data": [entry.to_dict() for entry in entries], "next_cursor": following})


@routes.get("/collections/{collection}/sources/{source_id}", response_model=SourceEntryOut, responses=errors(404))
async def get_source(collection: CollectionName, source_id: SourceId, service: TheService, _: Reader) -> Response:
    """One source."""
    return reply((await service.lookups(service.phidex.source, source_id, collection)).to_dict())


@routes.delete("/collections/{collection}/sources/{source_id}", response_model=RemovedOut, responses=errors(404))
async def delete_source(collection: CollectionName, source_id: SourceId, service: TheService, _: Ingester) -> Response:
    """Remove a source under all its names, and its files that were uploaded; any other document is not touched."""

    def remove() -> list[str]:
        source = service.phidex.source(source_id, collection).source
        removed = service.phidex.remove(source_id, collection=collection)
        for uri in (source.uri, *source.also):
            with contextlib.suppress(InputError):  # it is no file of this machine
                forget_upload(service.phidex.settings.data, collection, replace(source, uri=uri).local_path())
        return removed

    return reply({"removed": await service.lookups(remove)})
