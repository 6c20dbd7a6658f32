"""Serving: what must be so before it starts, and an orderly end.

A first signal lets running answers end and hands jobs over; a second one waits for no answer, a third one for nothing. Nothing
committed is lost either way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from types import FrameType

import uvicorn

from phidex.errors import ConfigError
from phidex.sdk import Phidex
from phidex.server.app import create_app
from phidex.server.keys import KeyFile
from phidex.server.service import Service, is_own, open_service
from phidex.settings import Settings

_AFTER_S = 3  # for clients that were told that it ends
_LEAVE_S = 2.0


def serve(settings: Settings, *, without_keys: bool = False) -> None:
    """Serve a data folder until a signal comes.

    Args:
        without_keys: on any address, let everybody in who can reach it.

    Raises:
        ConfigError: other machines could reach it and there is no key; or the address cannot be had.
    """
    check_start(settings, without_keys=without_keys)
    # Whoever has a key names addresses, and is not to reach with them what this machine and its user can.
    ingest = settings.ingest.model_copy(update={"guard_repositories": True})
    settings = settings.model_copy(update={"ingest": ingest})
    settings.data.mkdir(parents=True, exist_ok=True)
    address = settings.server
    with listening(address.host, address.port) as sock:
        service = open_service(Phidex(settings=settings), without_keys=without_keys)
        config = uvicorn.Config(
            create_app(service),
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(address.shutdown_s) + _AFTER_S,
        )
        host, port = sock.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _Server(config, service, f"serving {settings.data} at http://{shown}:{port}").run(sockets=[sock])
    leave()


def leave() -> None:
    """End the process where a thread that waits for somebody else would keep it: what it had is handed over by now."""
    left = [thread for thread in threading.enumerate() if thread is not threading.current_thread() and not thread.daemon]
    deadline = time.monotonic() + _LEAVE_S
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in left):
        logging.shutdown()
        os._exit(0)


def check_start(settings: Settings, *, without_keys: bool) -> None:
    """Refuse to serve other machines without keys. Raises: ConfigError."""
    if without_keys or is_own(settings.server.host):
        return
    if not any(key.is_valid for key in KeyFile(settings.data).all().values()):
        message = f"other machines could reach {settings.server.host}, and there is no key"
        hint = "phidex keys create NAME, or --without-keys where everybody who can reach it may do everything"
        raise ConfigError(message, hint=hint)


def listening(host: str, port: int) -> socket.socket:
    """The socket, bound. Raises: ConfigError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio switches Nagle's algorithm off for such alone, which holds small answers back for 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), port))
    except OSError as exc:
        sock.close()
        raise ConfigError(f"{host}:{port} cannot be had: {exc.strerror}", hint="choose another with --port") from exc
    return sock


class _Server(uvicorn.Server):
    """uvicorn's, which says where it is, and tells the service when it is to end."""

    def __init__(self, config: uvicorn.Config, service: Service, greeting: str) -> None:
        super().__init__(config)
        self._service = service
        self._greeting = greeting
        self._signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn's."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            print(f"{self._greeting} (Ctrl-C ends it)", file=sys.stderr, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's signature
        """See uvicorn's."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop)
        # Not uvicorn's own way, which raises the signal again behind an orderly end.
        self._signals += 1
        self.force_exit = self._signals > 2
        self.should_exit = True

    def _stop(self) -> None:
        service = self._service
        if service.stopping.is_set():
            service.ending.set()
            return
        service.stopping.set()
        service.runner.stop()
        asyncio.get_running_loop().call_later(service.settings.shutdown_s, service.ending.set)
