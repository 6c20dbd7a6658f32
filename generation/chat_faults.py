"""The one place where httpx's exceptions and HTTP's statuses become errors of Phidex.

`Fault` adds what only the client needs to know: whether the same request may be sent again, and when.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Generator
from dataclasses import dataclass

import httpx

from phidex.errors import BudgetError, ConfigError, IncompleteAnswerError, InputError, PhidexError, ServiceError
from phidex.generation.chat_wire import ReportedError, as_object, error_text
from phidex.settings import ChatSettings

# Everything that httpx raises; a test holds this tuple equal to what httpx defines.
HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
START_HINT = "start it: `phidex models command mini --gpu-memory GIB` prints the `vllm serve` line for your GPU"
URL_HINT = "set PHIDEX_CHAT__URL to an OpenAI-compatible endpoint, e.g. http://localhost:8000/v1"
KEY_HINT = "set PHIDEX_CHAT__API_KEY to the key of the endpoint"
_BODY_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 300
_TOO_LONG = re.compile(r"context (length|size|window)|maximum context|too many tokens|too long", re.IGNORECASE)
_BUSY = {408: "timed out", 429: "has too much to do", 503: "is busy or starting"}


class BusyError(ServiceError):
    """The server lives and has too much to do; to callers, a `ServiceError` that can be retried."""


class StoppedError(IncompleteAnswerError):
    """The caller wanted it no longer: neither the server's fault nor a reason to ask another one."""


def is_dead(error: ServiceError) -> bool:
    """Whether a failure speaks against the server itself: silence, a connection that breaks, a fault of its own."""
    return not isinstance(error, (BusyError, IncompleteAnswerError))


@contextlib.contextmanager
def unanswered() -> Generator[None]:
    """For requests on the way to an answer: one that breaks off leaves nothing of the answer, and another role may give it.

    Raises:
        ServiceError: in the place of `IncompleteAnswerError`; `StoppedError` stays.
    """
    try:
        yield
    except StoppedError:
        raise
    except IncompleteAnswerError as exc:
        raise ServiceError(exc.message, hint=exc.hint, retryable=exc.retryable) from exc


@dataclass(frozen=True, slots=True)
class Fault:
    """What to raise and from what, whether another attempt makes sense, and the seconds that the server asked to wait."""

    error: PhidexError
    again: bool = False
    wait_s: float | None = None
    cause: Exception | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is not the wanted one: its status, the headers that matter, and the start of its body."""

    status: int
    text: str
    param: str = ""
    location: str = ""
    retry_after: str = ""


def shown_url(url: str) -> str:
    """Returns `url` as it may be shown and logged: without user, password and query.

    >>> shown_url("http://me:secret@host:8000/v1?key=1")
    'http://host:8000/v1'
    """
    with contextlib.suppress(httpx.InvalidURL):
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    return "the model endpoint"


def fault_of_exception(exc: Exception, url: str) -> Fault:
    """Returns what an exception of httpx means, for the endpoint `url`."""
    return dataclasses.replace(_fault(exc, url), cause=exc)


def _fault(exc: Exception, url: str) -> Fault:
    where = shown_url(url)
    reason = str(exc) or type(exc).__name__
    match exc:
        case httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ConnectError():
            hint = "check the certificate" if "CERTIFICATE" in reason.upper() else START_HINT
            error = ServiceError(f"the model server at {where} cannot be reached: {reason}", hint=hint, retryable=True)
            return Fault(error, again=True)
        case httpx.TimeoutException():
            # Not sent again: the server is working on the first request, and a second one would double its work.
            hint = "the server is overloaded or the prompt long: see PHIDEX_CHAT__FIRST_TOKEN_TIMEOUT_S"
            error = ServiceError(f"the model server at {where} did not answer in time", hint=hint, retryable=True)
            return Fault(error)
        case httpx.ProxyError():
            message = f"the proxy before {where} failed: {reason}"
            return Fault(ServiceError(message, hint="check HTTP_PROXY and NO_PROXY", retryable=True), again=True)
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            message = f"the connection to the model server at {where} broke: {reason}"
            return Fault(ServiceError(message, hint="look into the server's log", retryable=True), again=True)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError() | httpx.TooManyRedirects():
            return Fault(ConfigError(f"no request can be sent to {where}: {reason}", hint=URL_HINT))
        case _:
            # DecodingError, and the stream's and cookies' errors, which our own use of httpx rules out.
            return Fault(ServiceError(f"the reply of {where} cannot be read: {reason}", hint=URL_HINT))


@contextlib.contextmanager
def translated(url: str) -> Generator[None]:
    """Raises our error in the place of any exception of httpx."""
    try:
        yield
    except HTTPX_ERRORS as exc:
        raise fault_of_exception(exc, url).error from exc


def read_refusal(response: httpx.Response) -> Refusal:
    """Reads the start of an unwanted response; a body that breaks off counts as what arrived."""
    body = b""
    with contextlib.suppress(*HTTPX_ERRORS):
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _BODY_BYTES:
                break
    text = body[:_BODY_BYTES].decode(errors="replace").strip()
    param = ""
    try:
        value: object = json.loads(text)
    except ValueError:
        text = _page_text(text)
    else:
        text = error_text(value) or (value if isinstance(value, str) else "")
        param = str(as_object(as_object(value).get("error")).get("param") or "")
    shown = text[:_SHOWN_CHARACTERS] or response.reason_phrase
    headers = response.headers
    return Refusal(response.status_code, shown, param, headers.get("location", ""), headers.get("retry-after", ""))


def _page_text(text: str) -> str:
    """The title of an HTML page, else the text as it is, on one line."""
    if title := re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL):
        text = f"a page titled “{title[1].strip()}”"
    elif text.startswith("<"):
        text = "a page of HTML"
    return " ".join(text.split())


def fault_of_refusal(refusal: Refusal, url: str) -> Fault:
    """Returns what a status other than 200 means, for the endpoint `url`; 404 of a model is `chat.py`'s to name."""
    where, status, says = shown_url(url), refusal.status, refusal.text
    if status in (401, 403, 407):
        return Fault(ConfigError(f"the model endpoint {where} refused the key ({status}: {says})", hint=KEY_HINT))
    if 300 <= status < 400:
        hint = f"set PHIDEX_CHAT__URL to {shown_url(refusal.location)}" if refusal.location else URL_HINT
        return Fault(ConfigError(f"the model endpoint {where} answers with a redirect ({status})", hint=hint))
    if status == 413 or (status == 400 and (refusal.param == "input_tokens" or _TOO_LONG.search(says))):
        return Fault(BudgetError(f"the prompt does not fit the model: {says}", hint="lower PHIDEX_PACK__BUDGET_TOKENS"))
    if status == 400 and refusal.param == "image":  # vLLM's, of more pictures than it was started for
        hint = "set PHIDEX_CHAT__VISION_IMAGES to what the server takes in one prompt"
        return Fault(ConfigError(f"the model server refused the pictures: {says}", hint=hint))
    if status in (400, 422):
        return Fault(InputError(f"the model server refused the request: {says}"))
    if status in (408, 429) or status >= 500:
        return _busy_fault(refusal, where)
    return Fault(ConfigError(f"{where} is no OpenAI-compatible endpoint ({status}: {says})", hint=URL_HINT))


def _busy_fault(refusal: Refusal, where: str) -> Fault:
    message = f"the model server at {where} {_BUSY.get(refusal.status, 'failed')} ({refusal.status}: {refusal.text})"
    retryable = refusal.status in (408, 429, 500, 502, 503, 504)
    seconds = refusal.retry_after.strip()
    # The other form of Retry-After, a date, trusts two clocks: our own backoff is as good.
    wait_s = float(seconds) if seconds.isascii() and seconds.isdigit() else None
    hint = f"try again in {seconds} s" if wait_s is not None else ""
    again = retryable and refusal.status != 408
    kind = BusyError if refusal.status in _BUSY else ServiceError
    return Fault(kind(message, hint=hint, retryable=retryable), again=again, wait_s=wait_s)


def check_event_stream(response: httpx.Response, url: str) -> None:
    """Raises ConfigError where 200 came with a page, as a portal or a wrong URL does."""
    kind = response.headers.get("content-type", "")
    if kind and not kind.startswith("text/event-stream"):
        says = read_refusal(response).text
        raise ConfigError(f"{shown_url(url)} answers with {kind} in the place of a stream: {says}", hint=URL_HINT)


def fault_of_stream(cause: Exception | None, partial: str, settings: ChatSettings, *, late: bool) -> PhidexError:
    """The error of a stream that did not end as it should.

    Args:
        partial: the text that came. Without any, what the server says inside the stream is as good as a refusal before it.
        late: the time for the first token, or between two, has passed.
    """
    where = shown_url(settings.url)
    late = late or isinstance(cause, httpx.TimeoutException)
    if late and not partial:
        hint = "the server is overloaded or the prompt long: see PHIDEX_CHAT__FIRST_TOKEN_TIMEOUT_S"
        return ServiceError(f"{where} sent no token within {settings.first_token_timeout_s:g} s", hint=hint, retryable=True)
    if late:
        message = f"{where} stopped in the middle of the answer for {settings.stall_timeout_s:g} s"
        return IncompleteAnswerError(message, partial=partial, hint="ask again")
    if isinstance(cause, ReportedError) and not partial:
        return fault_of_refusal(Refusal(cause.status, cause.said), settings.url).error
    if isinstance(cause, IncompleteAnswerError):
        return cause
    error = cause if isinstance(cause, ServiceError) else fault_of_exception(cause or EOFError(), settings.url).error
    return IncompleteAnswerError(error.message, partial=partial, hint=error.hint)
