"""What every file of routes uses."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBearer

from phidex.server.guard import Caller, needs
from phidex.server.service import Service
from phidex.server.shapes import errors


def service_of(request: Request) -> Service:
    """The service that the application was made for."""
    return request.app.state.service


TheService = Annotated[Service, Depends(service_of)]
Reader = Annotated[Caller, needs("read")]
Ingester = Annotated[Caller, needs("ingest")]
Admin = Annotated[Caller, needs("admin")]
Watcher = Annotated[Caller, needs("read", "ingest")]

_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="a key that `phidex keys create` made")


def router(tag: str, prefix: str = "/v1") -> APIRouter:
    """Routes that need a key, with the errors that all of them have."""
    return APIRouter(prefix=prefix, tags=[tag], dependencies=[Depends(_BEARER)], responses=errors())


def media(kind: str, description: str) -> dict[str, Any]:
    """The documentation of an answer that is no JSON."""
    return {"description": description, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}
