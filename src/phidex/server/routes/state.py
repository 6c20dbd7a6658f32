"""How the server is: alive, ready, its counters; and how the models stand."""

from __future__ import annotations

import shutil
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from phidex.errors import PhidexError
from phidex.server.faults import RefusedError
from phidex.server.routes.shared import Admin, Reader, TheService, media, router
from phidex.server.service import Service
from phidex.server.shapes import HealthOut, RoleListOut, errors
from phidex.server.wire import reply

public = APIRouter(tags=["state"], responses=errors(public=True))
routes = router("state")
counters = router("state", prefix="")


@public.get("/healthz", response_model=HealthOut)
async def is_alive() -> Response:
    """The process answers."""
    return reply({"status": "ok", "checks": {}})


@public.get("/readyz", response_model=HealthOut, responses={503: {"model": HealthOut, "description": "not ready"}})
async def is_ready(service: TheService) -> Response:
    """The store answers, the disk has room, jobs are looked after; 503 where one is not so, or the server is stopping."""
    checks = await service.lookups(_checks, service)
    if service.stopping.is_set():
        checks["server"] = "stopping"
    is_well = all(state == "ok" for state in checks.values())
    return reply({"status": "ok" if is_well else "not ready", "checks": checks}, 200 if is_well else 503)


@counters.get("/metrics", response_class=Response, responses={200: media("text/plain", "Prometheus' text format")})
async def read_metrics(service: TheService, caller: Admin) -> Response:
    """Counters of requests, calls and jobs; for a key with the scope admin and all collections."""
    if caller.key is not None and not caller.key.opens_all:
        raise RefusedError(403, "no_grant", "the key is not for all collections", hint="phidex keys create --collection '*'")

    def text() -> str:
        jobs: dict[str, int] = {}
        for job in service.shelf.all_waiting():
            jobs[job.state] = jobs.get(job.state, 0) + 1
        lanes = {"lookup": service.lookups, "page": service.pages, "answer": service.answers}
        return service.metrics.text(lanes={kind: lane.there for kind, lane in lanes.items()}, jobs=jobs)

    return Response(await service.lookups(text), media_type="text/plain; version=0.0.4; charset=utf-8")


@routes.get("/roles", response_model=RoleListOut)
async def list_roles(service: TheService, _: Reader) -> Response:
    """The models that answer, embed and rerank: whether their endpoints answer, and with which window."""

    def look() -> list[dict[str, Any]]:
        from phidex.generation.models.health import examine_roles

        found = [role.to_dict() for role in examine_roles(service.phidex.settings)]
        return [{name: value for name, value in role.items() if name != "url"} for role in found]

    return reply({"data": await service.answers(look)})


def _checks(service: Service) -> dict[str, str]:
    """Each part with "ok", or what is the matter, without a word about the machine: anybody may ask."""
    settings = service.phidex.settings
    try:
        service.phidex.collections()
        store = "ok"
    except PhidexError:
        store = "not to be had"
    folder = settings.data.resolve()
    free_mb = shutil.disk_usage(folder).free >> 20
    disk = "ok" if free_mb >= settings.store.min_free_mb else "full"
    return {"store": store, "disk": disk, "jobs": "ok" if service.runner.is_alive else "not looked after"}
