"""The application: routes, errors, and the layers around them, over one `Service`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

import phidex
from phidex.errors import PhidexError
from phidex.server.edge import MCP_PATH, Edge
from phidex.server.faults import RefusedError, refusal_of
from phidex.server.routes import answers, chat, intake, jobs, library, places, state
from phidex.server.service import Service
from phidex.server.tools import Tools, make_server

_ABOUT = """Ask real documents; get answers that point at the page.

Keys go into `Authorization: Bearer phidex_…`. Every error has one body, with what to do about it in `hint`."""


def create_app(service: Service) -> FastAPI:
    """The application as it is served: the routes inside their outer layers, the last one added being the outermost."""
    app = create_routes(service)
    app.add_middleware(Edge, service=service)
    if service.settings.cors_origins:  # outside of the keys: a browser asks first, and sends none with that
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "Range", "X-Request-ID"),
            expose_headers=("Location", "Retry-After", "X-Request-ID", "Content-Range", "Accept-Ranges", "ETag"),
            max_age=600,
        )
    return app


def create_routes(service: Service) -> FastAPI:
    """All routes, with the OpenAPI document; its pages for browsers are left out, since they fetch scripts from elsewhere."""

    tools = make_server(Tools(service.phidex, service.lookups, service.answers))
    # Its own session is one request: what is asked hangs on nothing before. Hosts and keys are the edge's concern.
    bare = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    protocol = tools.streamable_http_app(
        streamable_http_path=MCP_PATH, stateless_http=True, json_response=True, transport_security=bare
    )

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None]:
        await anyio.to_thread.run_sync(service.start)
        try:
            async with tools.session_manager.run():
                yield
        finally:
            await anyio.to_thread.run_sync(service.stop)

    app = FastAPI(title="Phidex", description=_ABOUT, version=phidex.__version__, lifespan=life, docs_url=None, redoc_url=None)
    app.state.service = service
    for part in (library, intake, jobs, answers, places, chat):
        app.include_router(part.routes)
    for router in (state.routes, state.counters, state.public):
        app.include_router(router)
    app.router.routes.extend(protocol.routes)  # /mcp
    for kind in (PhidexError, RefusedError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answer_fault)
    return app


async def _answer_fault(request: Request, exc: Exception) -> Response:
    """One body for all errors. What a body's reader raised comes wrapped, and is unwrapped."""
    cause = exc.__cause__
    known: Any = cause if isinstance(exc, HTTPException) and isinstance(cause, RefusedError) else exc
    return refusal_of(known).response(request.state.request_id)
