from __future__ import annotations

import httpx
import pytest

from phidex.errors import BudgetError, ConfigError, InputError, PhidexError, ServiceError
from phidex.generation.chat_faults import (
    HTTPX_ERRORS,
    BusyError,
    Refusal,
    fault_of_exception,
    fault_of_refusal,
    shown_url,
    translated,
)

URL = "http://localhost:8000/v1"
HTTPX_EXCEPTIONS = [value for value in vars(httpx).values() if isinstance(value, type) and issubclass(value, Exception)]


def make(kind: type[Exception]) -> Exception:
    exc = kind.__new__(kind)  # their constructors differ; only the class is looked at
    exc.args = ("reason",)
    return exc


@pytest.mark.parametrize("kind", HTTPX_EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_no_exception_of_httpx_is_left_unmapped(kind: type[Exception]) -> None:
    assert issubclass(kind, HTTPX_ERRORS)
    with pytest.raises(PhidexError) as caught, translated(URL):
        raise make(kind)
    assert isinstance(caught.value.__cause__, kind)


def test_httpx_has_the_exceptions_that_were_looked_for() -> None:
    assert len(HTTPX_EXCEPTIONS) >= 25


@pytest.mark.parametrize(
    ("kind", "error", "again"),
    [
        (httpx.ConnectError, ServiceError, True),
        (httpx.ConnectTimeout, ServiceError, True),
        (httpx.ReadError, ServiceError, True),
        (httpx.RemoteProtocolError, ServiceError, True),
        (httpx.ReadTimeout, ServiceError, False),
        (httpx.UnsupportedProtocol, ConfigError, False),
        (httpx.LocalProtocolError, ConfigError, False),
        (httpx.InvalidURL, ConfigError, False),
        (httpx.DecodingError, ServiceError, False),
    ],
)
def test_exceptions_and_their_meaning(kind: type[Exception], error: type[PhidexError], again: bool) -> None:
    fault = fault_of_exception(make(kind), URL)
    assert type(fault.error) is error
    assert fault.again is again


@pytest.mark.parametrize(
    ("refusal", "error", "again"),
    [
        (Refusal(401, "Unauthorized"), ConfigError, False),
        (Refusal(403, "no"), ConfigError, False),
        (Refusal(307, "", location="https://elsewhere/v1"), ConfigError, False),
        (Refusal(404, "Not Found"), ConfigError, False),
        (Refusal(405, "Method Not Allowed"), ConfigError, False),
        (Refusal(400, "too many", param="input_tokens"), BudgetError, False),
        (Refusal(400, "the request exceeds the available context size"), BudgetError, False),
        (Refusal(413, "Payload Too Large"), BudgetError, False),
        (Refusal(400, "temperature must be non-negative"), InputError, False),
        (Refusal(422, "field required"), InputError, False),
        (Refusal(408, "slow"), BusyError, False),
        (Refusal(429, "slow down", retry_after="3"), BusyError, True),
        (Refusal(500, "EngineDeadError"), ServiceError, True),
        (Refusal(502, "Bad Gateway"), ServiceError, True),
        (Refusal(503, "busy"), BusyError, True),
        (Refusal(504, "slow"), ServiceError, True),
        (Refusal(501, "Not Implemented"), ServiceError, False),
    ],
)
def test_statuses_and_their_meaning(refusal: Refusal, error: type[PhidexError], again: bool) -> None:
    fault = fault_of_refusal(refusal, URL)
    assert type(fault.error) is error
    assert fault.again is again
    assert fault.error.message


def test_wait_that_the_server_asks_for_is_kept() -> None:
    assert fault_of_refusal(Refusal(429, "", retry_after="3"), URL).wait_s == 3
    assert fault_of_refusal(Refusal(429, "", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), URL).wait_s is None


def test_shown_url_hides_secrets() -> None:
    assert shown_url("https://user:secret@host/v1?api-key=secret#x") == "https://host/v1"
    assert shown_url("http://me:s3cret@host:port/") == "the model endpoint"
