"""Who asks, and what they may: keys, scopes, grants, and how many requests a minute."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from starlette.types import Scope as RequestScope

from phidex.errors import ConfigError
from phidex.server.faults import RefusedError
from phidex.server.keys import Key, KeyFile, Scope

log = logging.getLogger(__name__)

PUBLIC = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Paths that need no key: they tell nothing of what is stored."""

_PASSED_ON = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
"""What proxies add: whoever asks through one is not on this machine, though the proxy may be."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; without a key, somebody on this machine, or on a server that was told to need none."""

    key: Key | None = None

    @property
    def id(self) -> str:
        """Of the key; "" without one."""
        return self.key.id if self.key else ""

    def check(self, scopes: tuple[Scope, ...], collection: str | None = None) -> None:
        """Refuse what the key is not for, whether the collection exists or not: nobody learns its name by trying.

        Raises: RefusedError.
        """
        if self.key is None:
            return
        if not self.key.has(*scopes):
            wanted = " or ".join(scopes)
            raise RefusedError(403, "no_scope", f"the key lacks the scope {wanted}", hint="phidex keys create --scope …")
        if collection is not None and not self.key.opens(collection):
            hint = "phidex keys create --collection …"
            raise RefusedError(403, "no_grant", f"the key is not for the collection {collection!r}", hint=hint)

    def sees(self, collection: str) -> bool:
        """Whether the collection is shown to the caller at all."""
        return self.key is None or self.key.opens(collection)


def needs(*scopes: Scope) -> Any:
    """A route's dependency: the caller, who has one of the scopes and the collection of the path."""
    return Depends(Needs(scopes))


class Needs:
    """What `needs` is made of; a test asks each route for its scopes."""

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self.scopes = scopes

    async def __call__(self, request: Request) -> Caller:
        """The caller. Raises: RefusedError."""
        caller: Caller = request.state.caller
        caller.check(self.scopes, request.path_params.get("collection"))
        return caller


class Door:
    """Lets requests in by their keys.

    Args:
        open_here: requests without a key are let in, as long as no key was ever made for the data folder and no proxy says
            that it passes them on.
        without_keys: every request is let in.
        per_minute: requests of a key that has no limit of its own; 0 for no limit.
    """

    def __init__(
        self,
        keys: KeyFile,
        *,
        open_here: bool,
        without_keys: bool,
        per_minute: int,
    ) -> None:
        self.keys = keys
        self._open_here = open_here
        self._without_keys = without_keys
        self._per_minute = per_minute
        self._spent: dict[str, tuple[float, float]] = {}  # by key: what is left, and since when

    def admit(self, scope: RequestScope) -> Caller:
        """The caller of a request.

        Raises:
            RefusedError: there is no valid key, it asks too often, or the keys cannot be read.
        """
        if self._without_keys or scope["path"] in PUBLIC:
            return Caller()
        token = _token(scope)
        try:
            # Whatever is sent: OpenAI's clients always send something.
            if self._open_here and not _is_passed_on(scope) and not self.keys.all():
                return Caller()
            key = self.keys.find(token)
        except ConfigError as exc:  # where they lie is for whoever runs the server
            log.error("keys cannot be read reason=%s hint=%s", exc.message, exc.hint)
            hint = "whoever runs the server finds more in its log"
            raise RefusedError(503, "no_keys", "the keys cannot be read", hint=hint, retry_s=60) from exc
        if key is None:
            hint = "send Authorization: Bearer phidex_…; phidex keys create makes one"
            message = "the key is not valid" if token else "a key is needed"
            raise RefusedError(401, "no_key", message, hint=hint)
        self._count(key)
        return Caller(key)

    def _count(self, key: Key) -> None:
        limit = self._per_minute if key.requests_per_minute is None else key.requests_per_minute
        if not limit:
            return
        now = time.monotonic()
        left, since = self._spent.get(key.id, (float(limit), now))
        left = min(limit, left + (now - since) * limit / 60)
        if left < 1:
            wait_s = int((1 - left) * 60 / limit) + 1
            hint = "ask more slowly, or have the key's limit raised"
            message = f"the key may ask {limit} times a minute"
            raise RefusedError(429, "rate_limited", message, hint=hint, retry_s=wait_s)
        self._spent[key.id] = (left - 1, now)


def _is_passed_on(scope: RequestScope) -> bool:
    return any(name in _PASSED_ON for name, _ in scope["headers"])


def _token(scope: RequestScope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""
