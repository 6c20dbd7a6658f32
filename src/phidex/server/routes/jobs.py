"""How far jobs are: by asking, or told as it changes; and ending them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response, StreamingResponse

from phidex.server.faults import RefusedError
from phidex.server.guard import Caller
from phidex.server.jobs.record import Job
from phidex.server.routes.shared import Ingester, TheService, Watcher, media, router
from phidex.server.service import Service
from phidex.server.shapes import JobOut, JobPageOut, errors
from phidex.server.streams import IDLE_S, KEEP_ALIVE, event
from phidex.server.wire import NAME, reply

routes = router("jobs")

_LOOK_S = 0.25
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="id of the job", examples=["0" * 32])]


@routes.get("/jobs", response_model=JobPageOut)
async def list_jobs(
    service: TheService,
    caller: Watcher,
    collection: Annotated[str | None, Query(pattern=NAME)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{17}-[0-9a-f]{32}$", description="`next_cursor` of before")] = None,
) -> Response:
    """The jobs of the collections that the key is for, newest first, page by page."""
    jobs = await service.lookups(service.shelf.all)
    seen = [job for job in jobs if caller.sees(job.collection) and collection in (None, job.collection)]
    left = [job for job in seen if cursor is None or _cursor(job) < cursor]
    page = left[:limit]
    following = _cursor(page[-1]) if limit < len(left) else None
    return reply({"data": [job.to_dict() for job in page], "next_cursor": following})


@routes.get("/jobs/{job_id}", response_model=JobOut, responses=errors(404))
async def get_job(job_id: JobId, request: Request, service: TheService, caller: Watcher) -> Response:
    """One job."""
    return reply((await _find(job_id, request, service, caller)).to_dict())


@routes.post("/jobs/{job_id}/cancel", response_model=JobOut, responses=errors(404, 409))
async def cancel_job(job_id: JobId, request: Request, service: TheService, caller: Ingester) -> Response:
    """End a job as soon as it can; what it committed stays."""
    job = await _find(job_id, request, service, caller)
    if job.has_ended:
        raise RefusedError(409, "has_ended", f"the job is {job.state} already")
    await service.lookups(service.shelf.cancel, job_id)
    service.runner.wake()
    return reply((await _find(job_id, request, service, caller)).to_dict())


@routes.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={**errors(404), 200: media("text/event-stream", "`job` events, each the whole job; the last one has ended")},
)
async def follow_job(job_id: JobId, request: Request, service: TheService, caller: Watcher) -> Response:
    """The job each time that it changes, until it has ended."""
    job = await _find(job_id, request, service, caller)
    return StreamingResponse(_events(service, job), media_type="text/event-stream")


def _cursor(job: Job) -> str:
    """Sorts as the jobs do: by when they were asked for, in microseconds."""
    return f"{round(job.created_at * 1e6):017d}-{job.id}"


async def _events(service: Service, job: Job) -> AsyncIterator[bytes]:
    told, quiet_s = "", 0.0
    while True:
        now = json.dumps(job.to_dict())
        if now != told:
            told, quiet_s = now, 0.0
            yield event("job", now)
        elif quiet_s > IDLE_S:
            quiet_s = 0.0
            yield KEEP_ALIVE
        if job.has_ended:
            return
        try:
            await asyncio.wait_for(service.stopping.wait(), _LOOK_S)
            return  # the client asks again, this server or the next
        except TimeoutError:
            quiet_s += _LOOK_S
        job = await service.lookups(service.shelf.get, job.id) or job


async def _find(job_id: str, request: Request, service: Service, caller: Caller) -> Job:
    """The job; one of a collection that the key is not for is not there."""
    job = await service.lookups(service.shelf.get, job_id)
    if job is None or not caller.sees(job.collection):
        raise RefusedError(404, "not_found", f"there is no job {job_id}", hint="GET /v1/jobs lists them")
    request.state.collection = job.collection
    return job
