"""JSON over HTTP to a model server: one httpx client, its time limits, and the only place where requests are sent again.

Knows nothing of embeddings. Every exception of httpx leaves as an error of Phidex.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import random
import re
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

import httpx

from phidex.errors import ConfigError, InputError, PhidexError, ServiceError
from phidex.settings import EmbedSettings, RerankSettings

log = logging.getLogger(__name__)

HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)  # all that httpx raises
_CONNECT_S = 5.0
_KEEPALIVE_S = 2.0  # vLLM closes idle connections after 5 s, httpx's own default: one side must be clearly first
_BACKOFF_S = 0.25
_LONGEST_WAIT_S = 30.0  # nobody waits in silence for longer: the error says when to try again
_AGAIN = (429, 500, 502, 503, 504)
_SHOWN = 300  # characters of a server's message
_TOO_LONG = re.compile(
    r"maximum (context|model|input|sequence|allowed)|context (length|size|window)|too (long|large|many tokens)|"
    r"less than \d+ tokens|exceeds? .{0,40}(length|tokens|size)|longer than",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status other than 200 that no further attempt would mend, with what the server says."""

    status: int
    text: str

    @property
    def too_long(self) -> bool:
        """Whether a text, or the batch, is more than the server takes."""
        return self.status == 413 or (self.status in (400, 422, 500) and _TOO_LONG.search(self.text) is not None)

    def names(self, field: str) -> bool:
        """Whether the server refuses this field of the request."""
        return self.status in (400, 422) and field in self.text


class Connection:
    """A client of one endpoint. Safe between threads; nothing is opened before the first request.

    Args:
        section: of the settings, for the hints: "EMBED" or "RERANK".
        transport: takes the place of the network, in tests.

    Raises:
        ConfigError: no URL is set, or the key cannot be sent.
    """

    def __init__(
        self, settings: EmbedSettings | RerankSettings, section: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._section = section
        if not settings.url:
            raise ConfigError("no endpoint is set", hint=f"set PHIDEX_{section}__URL, e.g. http://localhost:8001/v1")
        self.url = settings.url.rstrip("/")
        self.root = self.url.removesuffix("/v1").removesuffix("/v2")
        self._key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
        if not (self._key.isascii() and self._key.isprintable()):  # checked here because httpx's own error would show it
            raise ConfigError("the key of the endpoint has characters that HTTP cannot carry", hint=self._key_hint)
        self._timeout_s = settings.timeout_s
        self._retries = settings.retries
        self._transport = transport
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def __repr__(self) -> str:
        return f"Connection({self.shown!r})"

    @property
    def shown(self) -> str:
        """The URL without user, password and query."""
        with contextlib.suppress(httpx.InvalidURL):
            return str(httpx.URL(self.url).copy_with(userinfo=b"", query=None, fragment=None))
        return "the endpoint"

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def post(self, url: str, body: dict[str, Any]) -> Any | Refusal:
        """The JSON of the reply, or a refusal.

        Raises:
            ConfigError: nothing can be sent there, the key is wrong, or the reply is not JSON.
            ServiceError: it cannot be reached, took too long, or failed, the last attempt too.
        """
        return self._ask("POST", url, body)

    def get(self, url: str) -> Any | Refusal:
        """As `post`."""
        return self._ask("GET", url, None)

    def _ask(self, method: str, url: str, body: dict[str, Any] | None) -> Any | Refusal:
        for attempt in range(self._retries + 1):
            wait_s = _BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
            try:
                response = self._open().request(method, url, json=body)
            except HTTPX_ERRORS as exc:
                error = self._fault(exc)
                if not (isinstance(error, ServiceError) and error.retryable) or attempt == self._retries:
                    raise error from exc
            else:
                if response.status_code not in _AGAIN or (refusal := _refusal(response)).too_long:
                    return self._read(response)
                seconds = response.headers.get("retry-after", "").strip()
                wait_s = float(seconds) if seconds.isascii() and seconds.isdigit() else wait_s
                if attempt == self._retries or wait_s > _LONGEST_WAIT_S:
                    raise self.error(refusal)
            log.warning("endpoint.retry url=%s attempt=%d wait_s=%.2f", self.shown, attempt + 1, wait_s)
            time.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, response: httpx.Response) -> Any | Refusal:
        if response.status_code != 200:
            refusal = _refusal(response)
            if refusal.status in (401, 403, 407) or 300 <= refusal.status < 400:
                raise self.error(refusal)
            return refusal
        try:
            return response.json()
        except ValueError as exc:
            raise ConfigError(f"{self.shown} answers with something that is not JSON", hint=self._url_hint) from exc

    def error(self, refusal: Refusal) -> PhidexError:
        """The error that a refusal is to the user."""
        status, says = refusal.status, refusal.text
        if status in (401, 403, 407):
            return ConfigError(f"the endpoint {self.shown} refused the key ({status}: {says})", hint=self._key_hint)
        if status in _AGAIN or status == 408:
            what = "is busy" if status in (408, 429, 503) else "failed"
            return ServiceError(f"the model server at {self.shown} {what} ({status}: {says})", hint="try again", retryable=True)
        if status in (400, 422):
            return InputError(f"the model server at {self.shown} refused the request: {says}")
        return ConfigError(f"{self.shown} has no such service ({status}: {says})", hint=self._url_hint)

    def _fault(self, exc: Exception) -> PhidexError:
        reason = str(exc) or type(exc).__name__
        match exc:
            case httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ConnectError():
                hint = "check the certificate" if "CERTIFICATE" in reason.upper() else f"start it, or mend {self._variable}"
                message = f"the model server at {self.shown} cannot be reached: {reason}"
                return ServiceError(message, hint=hint, retryable=True)
            case httpx.TimeoutException():  # not sent again: the server is at work on it, and would have it twice
                message = f"the model server at {self.shown} did not answer within {self._timeout_s:g} s"
                return ServiceError(message, hint=f"see PHIDEX_{self._section}__TIMEOUT_S", retryable=False)
            case httpx.NetworkError() | httpx.RemoteProtocolError() | httpx.ProxyError():
                return ServiceError(f"the connection to {self.shown} broke: {reason}", hint="try again", retryable=True)
            case httpx.DecodingError():
                return ServiceError(f"the reply of {self.shown} cannot be read: {reason}", hint="try again", retryable=False)
            case _:
                return ConfigError(f"no request can be sent to {self.shown}: {reason}", hint=self._url_hint)

    @property
    def _variable(self) -> str:
        return f"PHIDEX_{self._section}__URL"

    @property
    def _url_hint(self) -> str:
        return f"set {self._variable} to an OpenAI-compatible endpoint, e.g. http://localhost:8001/v1"

    @property
    def _key_hint(self) -> str:
        return f"set PHIDEX_{self._section}__API_KEY to the key of the endpoint"

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    auth=self._authorize if self._key else None,  # a header alone loses against a user name in the URL
                    timeout=httpx.Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s)),
                    limits=httpx.Limits(keepalive_expiry=_KEEPALIVE_S),
                    # A company's proxy from the environment must not swallow a server on this very machine.
                    trust_env=not _is_loopback(self.url),
                    transport=self._transport,
                )
                weakref.finalize(self, self._client.close)  # an embedder is dropped with its collection, not closed
            return self._client

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def sendable(text: str) -> str:
    """The text as JSON can carry it: without lone surrogates, and never empty, which OpenAI refuses."""
    return text.encode("utf-8", "replace").decode() if text.strip() else "."


def models_of(connection: Connection) -> dict[str, str]:
    """The names that the endpoint answers to, each with the model it stands for where that is told; empty where none is listed.

    Raises: as `Connection.get`.
    """
    cards: Any = as_object(connection.get(f"{connection.url}/models")).get("data")
    if isinstance(cards, list):
        objects = [as_object(card) for card in cards]  # pyright: ignore[reportUnknownVariableType]  # JSON
        named = [card for card in objects if isinstance(card.get("id"), str)]
        return {card["id"]: str(card.get("root") or "") for card in named}
    model = as_object(connection.get(f"{connection.root}/info")).get("model_id")  # TEI
    return {str(model): ""} if model else {}


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object as it is; anything else, a refusal too, as an empty one."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON


def chosen_model(connection: Connection, served: str, section: str) -> tuple[str, str]:
    """The name to ask for, and what it is a name of where the server tells: the one set, or the only one there is.

    Raises:
        ConfigError: none is set, and the endpoint does not serve exactly one.
    """
    cards = models_of(connection)
    if not served and len(cards) != 1:
        listed = f"serves {', '.join(cards)}" if cards else "does not list what it serves"
        raise ConfigError(f"{connection.shown} {listed}", hint=f"set PHIDEX_{section}__SERVED to the name of the model to use")
    name = served or next(iter(cards))
    return name, cards.get(name, "")


def _refusal(response: httpx.Response) -> Refusal:
    """The message, wherever a server puts it: {"error": {"message"}}, {"error"}, {"detail"}, {"message"}, or plain text."""
    text = response.text
    with contextlib.suppress(ValueError):
        found: Any = json.loads(text)
        for key in ("error", "message", "detail"):
            found = as_object(found).get(key, found)
        text = found if isinstance(found, str) else json.dumps(found)
    if text.lstrip().startswith("<"):
        text = "a page of HTML"
    return Refusal(response.status_code, " ".join(text.split())[:_SHOWN] or response.reason_phrase)


def _is_loopback(url: str) -> bool:
    with contextlib.suppress(httpx.InvalidURL, ValueError):
        host = httpx.URL(url).host
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False
