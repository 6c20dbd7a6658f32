"""The connection to a model server: httpx clients, their timeouts, and the only place where requests are sent again.

A request can be left at any moment, also while nothing of its reply has come: the socket under each is known, and is shut then.
Knows HTTP and nothing of chats. Every exception of httpx that rises here leaves as an error of Phidex (`chat_faults.py`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import httpx

from phidex.errors import ConfigError
from phidex.generation.chat_faults import (
    HTTPX_ERRORS,
    KEY_HINT,
    URL_HINT,
    Fault,
    Refusal,
    StoppedError,
    fault_of_exception,
    fault_of_refusal,
    read_refusal,
    shown_url,
    translated,
)
from phidex.generation.chat_wire import as_object
from phidex.generation.errand import LeftError, run_errand
from phidex.settings import ChatSettings

logger = logging.getLogger(__name__)

_KEEPALIVE_S = 2.0  # vLLM closes idle connections after 5 s, httpx's own default: one side must be clearly first
_BACKOFF_S = 0.25
_LONGEST_WAIT_S = 30.0  # nobody is left waiting in silence for longer: the error says when to try again
_ASK_S = 30.0  # for what takes a server milliseconds: lists, counts
_SLACK_S = 5.0
_OPENED = ("connection.connect_tcp.complete", "connection.start_tls.complete")  # of httpx's extension `trace`


@dataclass(slots=True)
class _Line:
    """A client on its way to one reply, and the socket that the reply comes by, as soon as there is one."""

    http: httpx.Client
    sock: socket.socket | None = None
    is_left: bool = False

    def traced(self, event: str, info: dict[str, Any]) -> None:
        """Told by httpx of what it does."""
        if event in _OPENED:
            found = info["return_value"].get_extra_info("socket")
            self.sock = found if isinstance(found, socket.socket) else None
            if self.is_left:
                self.leave()

    def leave(self) -> None:
        """End what waits for the reply."""
        self.is_left = True
        if self.sock is not None:
            with contextlib.suppress(OSError):  # the server was faster
                # Not the method of SSLSocket, which unwraps TLS under the feet of the thread that reads.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


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
        self._ask_timeout_s = min(_ASK_S, settings.first_token_timeout_s)
        # `Watch` and the errand are the clocks; httpx's own only ends what they have left behind.
        reading_s = max(settings.first_token_timeout_s, settings.stall_timeout_s) + _SLACK_S
        authorize = _authorization(settings)
        with translated(self.url):
            # A company's proxy from the environment must not swallow a server on this very machine.
            trust_env = not _is_loopback(httpx.URL(self.url).host)
            verify = httpx.create_ssl_context(trust_env=trust_env)

            def client(limits: httpx.Limits) -> httpx.Client:
                timeout = httpx.Timeout(settings.connect_timeout_s, read=reading_s)
                return httpx.Client(
                    auth=authorize, timeout=timeout, limits=limits, trust_env=trust_env, verify=verify, transport=transport
                )

            self._client = client
            # Answers have connections of their own, so that the socket of each is known from its first moment.
            self._http = client(httpx.Limits(max_keepalive_connections=0))
        self._idle: list[_Line] = []  # what questions of milliseconds are asked by, each with one connection that is kept
        self._is_closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            self._is_closed, idle = True, self._idle
            self._idle = []
        for line in idle:
            line.http.close()
        self._http.close()

    def send(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        *,
        timeout_s: float,
        cancelled: threading.Event | None = None,
    ) -> httpx.Response | Refusal:
        """Returns an open response of status 200 with nothing of its body read, or a refusal that no retry would mend.

        Sent again, with growing random pauses: what did not connect, broke off before its first byte, or met a busy
        server. `cancelled` ends the pauses, and the wait for the reply.

        Args:
            timeout_s: until the headers of the last attempt.

        Raises:
            ConfigError: nothing can be sent to this URL.
            StoppedError: `cancelled` was set.
            ServiceError: the last attempt failed too.
        """

        def attempt(left_s: float) -> httpx.Response | Refusal | Fault:
            return self._attempt(_Line(self._http), method, url, body, left_s, cancelled, is_whole=False)

        return self._repeated(attempt, timeout_s, cancelled)

    def _repeated(
        self,
        attempt: Callable[[float], httpx.Response | Refusal | Fault],
        timeout_s: float,
        cancelled: threading.Event | None,
    ) -> httpx.Response | Refusal:
        deadline = time.monotonic() + timeout_s
        for number in range(self._retries + 1):
            outcome = attempt(max(0.0, deadline - time.monotonic()))
            if not isinstance(outcome, Fault):
                return outcome
            wait_s = outcome.wait_s or _backoff_s(number)
            too_long = wait_s > min(_LONGEST_WAIT_S, deadline - time.monotonic())
            if number == self._retries or not outcome.again or too_long:
                raise outcome.error from outcome.cause
            if _pause(wait_s, cancelled):
                raise StoppedError("the request was stopped before its answer") from outcome.cause
            reason = type(outcome.cause).__name__ if outcome.cause else "busy"
            logger.warning("chat.retry attempt=%d reason=%s wait_s=%.2f", number + 1, reason, wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(
        self,
        line: _Line,
        method: str,
        url: str,
        body: dict[str, Any] | None,
        timeout_s: float,
        cancelled: threading.Event | None,
        *,
        is_whole: bool,
    ) -> httpx.Response | Refusal | Fault:
        """One attempt, left when time is up; `is_whole`: the body of a response is read too."""

        def work() -> httpx.Response | Refusal | Fault:
            try:
                request = line.http.build_request(method, url, json=body, extensions={"trace": line.traced})
                response = line.http.send(request, stream=True)
                if response.status_code == 200:
                    if is_whole:
                        with contextlib.closing(response):
                            response.read()
                    return response
            except HTTPX_ERRORS as exc:
                return fault_of_exception(exc, self.url)
            with contextlib.closing(response):
                refusal = read_refusal(response)
            fault = fault_of_refusal(refusal, self.url)
            return fault if fault.again else refusal

        try:
            return run_errand(work, timeout_s=timeout_s, cancelled=cancelled, leave=line.leave, dispose=_let_go)
        except LeftError as exc:
            if exc.why == "cancelled":
                raise StoppedError("the request was stopped before its answer") from None
            return fault_of_exception(httpx.ReadTimeout(""), self.url)

    def ask(
        self, method: str, url: str, body: dict[str, Any] | None = None, *, cancelled: threading.Event | None = None
    ) -> dict[str, Any] | Refusal:
        """Returns the JSON object of a reply, or a refusal. Within half a minute, and no longer than to a first token.

        Raises:
            ConfigError: the reply is not JSON, or nothing can be sent to this URL.
            StoppedError: `cancelled` was set.
            ServiceError: the server cannot be reached or failed.
        """

        def attempt(left_s: float) -> httpx.Response | Refusal | Fault:
            with self._line() as line:
                return self._attempt(line, method, url, body, left_s, cancelled, is_whole=True)

        response = self._repeated(attempt, self._ask_timeout_s, cancelled)
        if isinstance(response, Refusal):
            return response
        try:
            return as_object(json.loads(response.content))
        except ValueError as exc:
            raise ConfigError(f"{shown_url(url)} answers with something that is not JSON", hint=URL_HINT) from exc

    @contextlib.contextmanager
    def _line(self) -> Generator[_Line]:
        """A line for one question; kept for the next one unless it was left."""
        with self._lock:
            line = self._idle.pop() if self._idle else None
        line = line or _Line(self._client(httpx.Limits(max_connections=1, keepalive_expiry=_KEEPALIVE_S)))
        try:
            yield line
        finally:
            with self._lock:
                is_kept = not (line.is_left or self._is_closed)
                if is_kept:
                    self._idle.append(line)
            if not is_kept:
                line.http.close()

    def pause(self, attempt: int, cancelled: threading.Event | None) -> bool:
        """Waits as between two attempts, from 0 on; returns whether it was cancelled meanwhile."""
        return _pause(_backoff_s(attempt), cancelled)

    def is_healthy(self) -> bool:
        """Tells whether the server answers now, within the connect timeout and without retries."""
        outcome = self._look(f"{self.root}/health")
        if isinstance(outcome, Refusal) and outcome.status in (404, 405):  # vLLM has it, many others do not
            outcome = self._look(f"{self.url}/models")
        if isinstance(outcome, Fault):
            logger.info("chat.unhealthy cause=%s", type(outcome.cause).__name__)
        return isinstance(outcome, httpx.Response)

    def read_text(self, path: str, cancelled: threading.Event | None = None) -> str:
        """The text below `root`, within the connect timeout and without retries; empty where there is none."""
        try:
            outcome = self._look(f"{self.root}{path}", cancelled)
        except (StoppedError, RuntimeError):  # the latter of a client that was closed meanwhile
            return ""
        return outcome.text if isinstance(outcome, httpx.Response) else ""

    def _look(self, url: str, cancelled: threading.Event | None = None) -> httpx.Response | Refusal | Fault:
        return self._attempt(_Line(self._http), "GET", url, None, self._probe_timeout_s, cancelled, is_whole=True)


def socket_of(response: httpx.Response) -> socket.socket | None:
    """The socket under a response; None where the transport has none."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None


def _let_go(outcome: httpx.Response | Refusal | Fault) -> None:
    if isinstance(outcome, httpx.Response):
        outcome.close()


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


def _backoff_s(attempt: int) -> float:
    return _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)


def _pause(seconds: float, cancelled: threading.Event | None) -> bool:
    """Waits, and tells whether it was cancelled meanwhile."""
    if cancelled:
        return cancelled.wait(seconds)
    time.sleep(seconds)
    return False
