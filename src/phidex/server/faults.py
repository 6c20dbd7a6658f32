"""What goes wrong, as a status and one body for all routes; the only place that knows which error of ours is which of HTTP's.

    {"error": {"message", "type", "code", "param", "hint", "request_id"}}

It is the body that OpenAI's clients read, with the cure and the request's id added.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from phidex.errors import (
    BudgetError,
    ConfigError,
    IncompleteAnswerError,
    InputError,
    NotFoundError,
    PhidexError,
    ServiceError,
)

log = logging.getLogger(__name__)

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_CODES = {
    400: "bad_request",
    404: "no_such_route",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_type",
}
_RETRY_S = 2


class RefusedError(Exception):
    """A request that is not done.

    Args:
        param: the part of the request that is at fault.
        retry_s: seconds after which the same request may be taken.
        more: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        param: str | None = None,
        retry_s: int | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.param = param
        self.retry_s = retry_s
        self._more = more or {}

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the body."""
        found = {"Retry-After": str(self.retry_s)} if self.retry_s is not None else {}
        return {**found, **({"WWW-Authenticate": "Bearer"} if self.status == 401 else {}), **self._more}

    def body(self, request_id: str) -> dict[str, Any]:
        """JSON-ready values."""
        kind = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "api_error")
        told = {"message": self.message, "type": kind, "code": self.code, "param": self.param, "hint": self.hint}
        return {"error": {**told, "request_id": request_id}}

    def response(self, request_id: str) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.body(request_id), self.status, self.headers)


def refusal_of(exc: Exception) -> RefusedError:
    """What is answered for an exception; one that is none of ours is logged, and nothing of it is told."""
    match exc:
        case RefusedError():
            return exc
        case PhidexError():
            return _of_ours(exc)
        case RequestValidationError():
            return _of_validation(exc)
        case HTTPException():
            code = _CODES.get(exc.status_code, "refused")
            hint = "GET /openapi.json lists what there is" if exc.status_code in (404, 405) else ""
            return RefusedError(exc.status_code, code, str(exc.detail), hint=hint)
        case _:
            log.error("request failed", exc_info=exc)
            return RefusedError(500, "internal", "the server failed", hint="its log says more under the request id")


def _of_ours(exc: PhidexError) -> RefusedError:
    match exc:
        case NotFoundError():
            status, code = 404, "not_found"
        case InputError():
            status, code = 400, "bad_input"
        case BudgetError():
            status, code = 400, "context_length_exceeded"
        case ConfigError():
            status, code = 501, "not_configured"
        case IncompleteAnswerError():
            status, code = 502, "incomplete_answer"
        case ServiceError(retryable=True):
            return RefusedError(503, "unavailable", exc.message, hint=exc.hint, retry_s=_RETRY_S)
        case _:
            status, code = 502, "service_failed"
    return RefusedError(status, code, exc.message, hint=exc.hint)


def _of_validation(exc: RequestValidationError) -> RefusedError:
    """The first fault, by its place; never with the value, which may be secret or long."""
    nothing: Mapping[str, Any] = {}
    fault: Mapping[str, Any] = next(iter(exc.errors()), nothing)
    place = [str(part) for part in fault.get("loc", ())]
    param = ".".join(place[1:]) or None
    more = f" (and {len(exc.errors()) - 1} more)" if len(exc.errors()) > 1 else ""
    message = f"{'.'.join(place) or 'the request'}: {fault.get('msg', 'not as it should be')}{more}"
    return RefusedError(422, "invalid_request", message, hint="GET /openapi.json says what is taken", param=param)
