"""What every test shares: no connection leaves this machine, and one real vLLM for those that ask for it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from phidex.errors import InputError
from phidex.ingest.ocr.tesseract import PACKS, Tesseract, find_tesseract
from tests.vllm import server, tiny_models

# On a busy machine an example takes as long as it takes.
settings.register_profile("phidex", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("phidex")


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(name).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(address: object) -> None:
    raise AssertionError(f"a test tried to reach {address!r}: tests talk to this machine only")


def _guard(function: Callable[..., Any]) -> Callable[..., Any]:
    """`socket.connect`, `connect_ex` or `sendto` for local addresses only; the address is the last argument of each."""

    def guarded(sock: socket.socket, *args: Any) -> Any:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(args[-1][0]):
            _refuse(args[-1])
        return function(sock, *args)

    return guarded


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several workers (`-n`), one takes all tests of a file, and one all that ask the real vLLM: it is started once."""
    for item in items:
        group = "vllm" if "vllm" in getattr(item, "fixturenames", ()) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Generator[None]:
    """Refuses connections, datagrams and look-ups of names that are not this machine's own.

    For the whole session, so that the fixtures of a session are covered too. Processes that a test starts are not.
    """
    resolve = socket.getaddrinfo

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        # An address is resolved on this machine, and refused when it is connected to; a name would be asked of a DNS server.
        text = host.decode() if isinstance(host, bytes) else str(host)
        if not _is_local(host) and not text.replace(".", "").isdigit() and ":" not in text:
            _refuse(text)
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guard(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(scope="session")
def tesseract() -> Tesseract:
    """The installed Tesseract, with the packs of all 23 languages.

    Skips where a part of it is not installed, and fails instead where CI or PHIDEX_TEST_REQUIRE_OCR is set.
    """
    try:
        found = find_tesseract()
        lacking = {"osd", *(pack for packs in PACKS.values() for pack in packs)} - found.packs
        reason = f"Tesseract lacks the packs {', '.join(sorted(lacking))}" if lacking else ""
    except InputError as exc:
        found, reason = Tesseract("", frozenset()), str(exc)
    if reason:
        reason += ": run `python3 setup/system.py`"
        if os.environ.get("CI") or os.environ.get("PHIDEX_TEST_REQUIRE_OCR"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The base URL (with `/v1`) of a real vLLM that answers to `phi-3.5-mini` and `phi-3.5-moe`, with noise.

    Skips where vLLM is not installed, and fails instead where CI or PHIDEX_TEST_REQUIRE_VLLM is set.
    """
    if not server.is_installed():
        reason = f"vLLM for the CPU is not installed: run `{server.INSTALL}` (2.5 GB)"
        if os.environ.get("CI") or os.environ.get("PHIDEX_TEST_REQUIRE_VLLM"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("vllm")
    with server.serve(tiny_models.write_phi3(folder / "phi3"), folder / "server.log") as url:
        yield url
