"""Taking documents in: as jobs, which go on when the client leaves and when the server is started anew."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

from fastapi import Header, Request
from starlette.responses import Response

from phidex.errors import InputError
from phidex.ingest.sources.discover import check_paths
from phidex.ingest.sources.remote import target_kind
from phidex.server.faults import RefusedError
from phidex.server.guard import Caller
from phidex.server.jobs.record import Job, shown
from phidex.server.routes.shared import Ingester, TheService, router
from phidex.server.service import Service
from phidex.server.shapes import JobOut, errors
from phidex.server.uploads import receive_upload
from phidex.server.wire import CollectionName, ImportIn, reply

routes = router("intake")

_JOBS = uuid.UUID("0e0d24a6-5f0b-5c8f-8a57-1f6a5c0f3c11")
Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="a text of your own: the same request sent again under it is the same job; another one is refused (409)",
    ),
]
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "description": "documents and archives; names may have folders in them",
                        },
                        "tags": {"type": "array", "items": {"type": "string"}, "description": "of all of them"},
                    },
                }
            }
        },
    }
}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": JobOut, "description": "the job, queued; its place is in Location"}
}


@routes.post(
    "/collections/{collection}/uploads",
    status_code=202,
    response_model=JobOut,
    responses={**errors(409), **_ACCEPTED},
    openapi_extra=_FORM,
)
async def upload(
    collection: CollectionName, request: Request, service: TheService, caller: Ingester, once: Once = None
) -> Response:
    """Send one document or many; the collection is made if there is none. A file of the same name replaces the older one."""
    _check_new(collection)
    settings = service.settings
    folder = await service.lookups(service.shelf.incoming)
    own = caller.key.max_upload_mb if caller.key else None
    received = await receive_upload(
        request,
        folder,
        service.lookups,
        max_files=settings.max_upload_files,
        max_bytes=(own or settings.max_upload_mb) << 20,
    )
    tags = tuple(received.tags) or None
    options: dict[str, Any] = {"key": caller.id, "body": _hash([received.names, received.hashes, received.tags])}
    job_id = _job_id(caller, collection, "upload", once)
    job = Job(job_id, "upload", collection, tuple(received.names), time.time(), tags, **options)
    return await _begin(service, job, folder)


@routes.post(
    "/collections/{collection}/imports", status_code=202, response_model=JobOut, responses={**errors(409), **_ACCEPTED}
)
async def fetch(
    collection: CollectionName, wanted: ImportIn, service: TheService, caller: Ingester, once: Once = None
) -> Response:
    """Have documents and repositories fetched. Addresses of private networks and of the server itself are not taken."""
    _check_new(collection)
    for target in wanted.targets:
        _check_address(target)
    job_id = _job_id(caller, collection, "import", once)
    tags = None if wanted.tags is None else tuple(wanted.tags)
    options: dict[str, Any] = {"ref": wanted.ref, "only": tuple(wanted.only), "sync": wanted.sync, "key": caller.id}
    options["body"] = _hash(wanted.model_dump())
    job = Job(job_id, "import", collection, tuple(wanted.targets), time.time(), tags, **options)
    return await _begin(service, job)


async def _begin(service: Service, job: Job, files: Path | None = None) -> Response:
    """The job, or the one that the same request made before. Raises: RefusedError where another request did."""
    is_new = await service.lookups(service.shelf.add, job, files)
    known = await service.lookups(service.shelf.get, job.id) or job
    if not is_new and known.body not in ("", job.body):
        hint = "choose another Idempotency-Key for another request"
        message = "another request was made under this key"
        raise RefusedError(409, "key_reused", message, hint=hint, param="Idempotency-Key")
    service.runner.wake()
    return reply(known.to_dict(), 202, {"Location": f"/v1/jobs/{job.id}"})


def _job_id(caller: Caller, collection: str, kind: str, once: str | None) -> str:
    """By what the client calls it, so that a request that is sent again finds its job; otherwise a new one."""
    return (uuid.uuid5(_JOBS, f"{caller.id}\x1f{collection}\x1f{kind}\x1f{once}") if once else uuid.uuid4()).hex


def _hash(request: Any) -> str:
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()


def _check_new(collection: str) -> None:
    if collection.endswith(".sources"):  # the only names that the pattern lets through and a store does not take
        raise InputError(f"{collection!r} is no name for a collection", hint="choose one that does not end in .sources")


def _check_address(target: str) -> None:
    """Only what anybody could fetch: no path of the server's, and nothing that its own ssh keys would open."""
    if target_kind(target) == "path" or not target.removeprefix("git+").lower().startswith(("https://", "http://")):
        hint = "name https:// addresses; upload files"
        raise InputError(f"{shown(target)[:200]!r} is no address that is fetched", hint=hint)
    check_paths([target])
