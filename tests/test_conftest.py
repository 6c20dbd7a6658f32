"""The guards that conftest.py puts around every test."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest


def test_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))


def test_datagram_to_another_machine_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(AssertionError, match="this machine only"):
        sock.sendto(b"?", ("192.0.2.1", 53))


def test_lookup_of_a_name_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"example\.org"):
        httpx.get("http://example.org/", trust_env=False)


def test_asyncio_connection_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        asyncio.run(asyncio.open_connection("192.0.2.1", 80))


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        assert client.getpeername() == listener.getsockname()
