"""The outermost layer: what holds for every request before a route sees it, and for every answer behind it.

    request id -> host and origin -> key and rate -> size and pace of the body -> the routes
    security headers, errors as one body, metrics, audit <-

Plain ASGI: it adds microseconds, and streams pass through it untouched.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phidex.server.faults import RefusedError, refusal_of
from phidex.server.guard import PUBLIC, Caller
from phidex.server.service import Service

MCP_PATH = "/mcp"
"""Where the Model Context Protocol is spoken; its routes are not FastAPI's."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HERE = frozenset({"localhost", "127.0.0.1", "[::1]"})
_UPLOADS = re.compile(r"/v1/collections/[^/]+/uploads")
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
_LENGTH = re.compile(r"[0-9]{1,18}")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
}


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        settings = service.settings
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        if service.is_loopback:
            self._hosts |= _HERE
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
        policy = b"cross-origin" if self._origins else b"same-site"
        self._headers.append((b"cross-origin-resource-policy", policy))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:  # a WebSocket, which nothing here speaks
            await send({"type": "websocket.close", "code": 1000})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"], state["caller"] = request_id, Caller()
        answer = _Answer(send, request_id, self._headers)
        started = time.perf_counter()
        self._service.metrics.in_flight.inc()
        try:
            self._check_place(scope, headers)
            state["caller"] = self._service.door.admit(scope)
            body = _Body(receive, self._limit(scope, state["caller"]), self._service.settings.body_timeout_s)
            body.check(headers)
            await self._app(scope, body.receive, answer.send)
        except ClientDisconnect:
            answer.status = answer.status or 499
        except Exception as exc:
            refusal = refusal_of(exc)
            if answer.status:
                raise  # an answer was begun: the client must see that it broke off
            await refusal.response(request_id)(scope, receive, answer.send)
        finally:
            self._service.metrics.in_flight.dec()
            self._note(scope, answer.status or 499, time.perf_counter() - started)

    def _check_place(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Refuse names that are not ours (DNS rebinding), and web pages that were not allowed to ask.

        A page of any site can send requests to this machine from its reader's browser, which says in headers where they come
        from.
        """
        host = headers.get("host", "").lower()
        if self._hosts and _bare(host) not in self._hosts:
            hint = "address it as localhost, or name it in PHIDEX_SERVER__ALLOWED_HOSTS"
            raise RefusedError(421, "wrong_host", "the server is not known by that name", hint=hint)
        origin = headers.get("origin", "").lower()
        if origin:
            same = origin == f"{scope['scheme']}://{host}"
            foreign = not same and origin not in self._origins and "*" not in self._origins
        else:
            foreign = headers.get("sec-fetch-site", "") == "cross-site" and not self._origins
        if foreign:
            hint = "name it in PHIDEX_SERVER__CORS_ORIGINS"
            raise RefusedError(403, "foreign_origin", "this web page may not ask here", hint=hint)

    def _limit(self, scope: Scope, caller: Caller) -> int:
        settings = self._service.settings
        if not _UPLOADS.fullmatch(scope["path"]):
            return settings.max_body_kb << 10
        own = caller.key.max_upload_mb if caller.key else None
        return (own or settings.max_upload_mb) << 20

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", MCP_PATH if scope["path"] == MCP_PATH else "none")
        named = route != "none" and scope["method"] in _METHODS
        method = scope["method"] if named else "any"  # what nobody serves must not fill the metrics
        self._service.metrics.request(method, route, status, seconds)
        if scope["path"] in PUBLIC:
            return
        state = scope["state"]
        caller: Caller = state["caller"]
        collection = state.get("collection") or scope.get("path_params", {}).get("collection", "")
        self._service.audit.note(
            request=state["request_id"],
            key=caller.id,
            name=caller.key.name if caller.key else "",
            client=(scope.get("client") or ("",))[0],
            method=scope["method"],
            route=route,
            collection=collection,
            status=status,
            ms=round(1000 * seconds, 1),
        )


class _Answer:
    """Adds what every answer has."""

    def __init__(self, send: Send, request_id: str, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._headers = headers
        self.status = 0

    async def send(self, message: Message) -> None:
        """Passes on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            there = {name.lower() for name, _ in message["headers"]}
            more = [header for header in self._headers if header[0] not in there]
            message = {**message, "headers": [*message["headers"], *more, (b"x-request-id", self._request_id)]}
        await self._send(message)


class _Body:
    """A request's body, held to its size and pace."""

    def __init__(self, receive: Receive, limit: int, timeout_s: float) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout_s = timeout_s
        self._bytes = 0
        self._ended = False

    def check(self, headers: Mapping[str, str]) -> None:
        """Refuse by what is said of it. Raises: RefusedError."""
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > self._limit:
            raise self._too_large()
        if headers.get("content-encoding", "identity").lower() != "identity":
            message = "compressed requests are not taken"
            raise RefusedError(415, "unsupported_type", message, hint="send it as it is", param="content-encoding")

    async def receive(self) -> Message:
        """The next part. Raises: RefusedError."""
        if self._ended:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._timeout_s)
        except TimeoutError as exc:
            message = f"nothing came for {self._timeout_s:g} s"
            raise RefusedError(408, "too_slow", message, hint="send it again") from exc
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limit:
            raise self._too_large()
        self._ended = not message.get("more_body", False)
        return message

    def _too_large(self) -> RefusedError:
        size = f"{self._limit >> 20} MB" if self._limit >> 20 else f"{self._limit >> 10} KB"
        return RefusedError(413, "too_large", f"a request may have {size} here", hint="send less at a time")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _bare(host: str) -> str:
    """A host without its port; an address of IPv6 in its brackets.

    >>> _bare("localhost:8100"), _bare("[::1]:8100")
    ('localhost', '[::1]')
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name
