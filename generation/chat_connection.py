"""The connection to a model server: one httpx client, its timeouts, and the only place where requests are sent again.

Knows HTTP and nothing of chats. Every exception of httpx that rises here leaves as an error of Phidex (`chat_faults.py`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from phidex.errors import ConfigError
from phidex.generation.chat_faults import (
    HTTPX_ERRORS,
    KEY_HINT,
    URL_HINT,
    Fault,
    Refusal,
    fault_of_exception,
    fault_of_refusal,
    read_refusal,
    shown_url,
    translated,
)
from phidex.generation.chat_wire import as_object
from phidex.settings import ChatSettings

logger = logging.getLogger(__name__)

_KEEPALIVE_S = 2.0  # vLLM closes idle connections after 5 s, httpx's own default: one side must be clearly first
_BACKOFF_S = 0.25
_LONGEST_WAIT_S = 30.0  # nobody is left waiting in silence for longer: the error says when to try again


class Connection:
    """A client of `url`, for the paths below it and those below `root` (the same without `/v1`). Safe between threads.

    Raises:
        ConfigError: no URL is set, or the URL or key cannot be sent.
    """

    def __init__(self, settings: ChatSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        if not settings.url:
            raise ConfigError("no model endpoint is set", hint=URL_HINT)
        self.url = settings.url.rstrip("/")
        self.root = self.url.removesuffix("/v1")
        self._retries = settings.retries
        self._probe_timeout_s = settings.connect_timeout_s
        reading_s = max(settings.first_token_timeout_s, settings.stall_timeout_s)  # `Watch` is the finer clock
        with translated(self.url):
            self._http = httpx.Client(
                auth=_authorization(settings),
                timeout=httpx.Timeout(settings.connect_timeout_s, read=reading_s),
                limits=httpx.Limits(keepalive_expiry=_KEEPALIVE_S),
                # A company's proxy from the environment must not swallow a server on this very machine.
                trust_env=not _is_loopback(httpx.URL(self.url).host),
                transport=transport,
            )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        *,
        cancelled: threading.Event | None = None,
    ) -> httpx.Response | Refusal:
        """Returns an open response of status 200 with nothing of its body read, or a refusal that no retry would mend.

        Sent again, with growing random pauses: what did not connect, broke off before its first byte, or met a busy
        server. `cancelled` ends the pauses.

        Raises:
            ConfigError: nothing can be sent to this URL.
            ServiceError: the last attempt failed too.
        """
        for attempt in range(self._retries + 1):
            outcome = self._attempt(method, url, body)
            if not isinstance(outcome, Fault):
                return outcome
            wait_s = outcome.wait_s or _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
            last = attempt == self._retries or not outcome.again or wait_s > _LONGEST_WAIT_S
            if last or _pause(wait_s, cancelled):
                raise outcome.error from outcome.cause
            reason = type(outcome.cause).__name__ if outcome.cause else "busy"
            logger.warning("chat.retry attempt=%d reason=%s wait_s=%.2f", attempt + 1, reason, wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(self, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response | Refusal | Fault:
        try:
            response = self._http.send(self._http.build_request(method, url, json=body), stream=True)
        except HTTPX_ERRORS as exc:
            return fault_of_exception(exc, self.url)
        if response.status_code == 200:
            return response
        with contextlib.closing(response):
            refusal = read_refusal(response)
        fault = fault_of_refusal(refusal, self.url)
        return fault if fault.again else refusal

    def ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any] | Refusal:
        """Returns the JSON object of a reply, or a refusal.

        Raises:
            ConfigError: the reply is not JSON, or nothing can be sent to this URL.
            ServiceError: the server cannot be reached or failed.
        """
        response = self.send(method, url, body)
        if isinstance(response, Refusal):
            return response
        with contextlib.closing(response), translated(self.url):
            content = response.read()
        try:
            return as_object(json.loads(content))
        except ValueError as exc:
            raise ConfigError(f"{shown_url(url)} answers with something that is not JSON", hint=URL_HINT) from exc

    def is_healthy(self) -> bool:
        """Tells whether the server answers now, within the connect timeout and without retries."""
        try:
            response = self._http.get(f"{self.root}/health", timeout=self._probe_timeout_s)
            if response.status_code in (404, 405):  # vLLM has it, many others do not
                response = self._http.get(f"{self.url}/models", timeout=self._probe_timeout_s)
        except HTTPX_ERRORS as exc:
            logger.info("chat.unhealthy cause=%s", type(exc).__name__)
            return False
        return response.status_code == 200

    def read_text(self, path: str) -> str:
        """The text below `root`, within the connect timeout and without retries; empty where there is none."""
        try:
            response = self._http.get(f"{self.root}{path}", timeout=self._probe_timeout_s)
        except (*HTTPX_ERRORS, RuntimeError):  # the latter of a client that was closed meanwhile
            return ""
        return response.text if response.status_code == 200 else ""


def _authorization(settings: ChatSettings) -> Callable[[httpx.Request], httpx.Request] | None:
    """What adds the bearer key to a request; a header alone would lose against a user name in the URL."""
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""  # a key from a file ends with a line feed
    if not (key.isascii() and key.isprintable()):
        # Checked here because httpx's own error would show the key.
        raise ConfigError("the key of the model endpoint has characters that HTTP cannot carry", hint=KEY_HINT)

    def authorize(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {key}"
        return request

    return authorize if key else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _pause(seconds: float, cancelled: threading.Event | None) -> bool:
    """Waits, and tells whether it was cancelled meanwhile."""
    if cancelled:
        return cancelled.wait(seconds)
    time.sleep(seconds)
    return False
