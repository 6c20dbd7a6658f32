"""What one server process has open: the SDK, its threads, jobs, keys, counters and logs."""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phidex.ingest.pdf.painter import Painter
from phidex.server.audit import Audit
from phidex.server.guard import Door
from phidex.server.jobs.runner import Runner
from phidex.server.jobs.shelf import Shelf
from phidex.server.keys import KeyFile
from phidex.server.lanes import Lane
from phidex.server.metrics import Metrics

if TYPE_CHECKING:
    from phidex.sdk import Phidex
    from phidex.settings import ServerSettings

log = logging.getLogger(__name__)

_LOADER = "phidex-load-model"  # a process that ends while a model is being loaded aborts
_LOADER_S = 30.0
_DRAWN = 2  # pages at the same time: each takes a core


@dataclass(slots=True)
class Service:
    """Built by `open_service`.

    Args:
        lookups, pages, answers: threads for what takes milliseconds, for drawing, and for what takes as long as a model does.
        stopping: the server was told to end: whoever only watches is let go.
        ending: the time that running answers had to end is over.
    """

    phidex: Phidex
    settings: ServerSettings
    is_loopback: bool
    door: Door
    lookups: Lane
    pages: Lane
    answers: Lane
    shelf: Shelf
    runner: Runner
    painter: Painter = field(default_factory=Painter)
    metrics: Metrics = field(default_factory=Metrics)
    audit: Audit = field(init=False)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.audit = Audit(self.phidex.settings.data)

    def start(self) -> None:
        """Begin to run jobs and to write logs."""
        self.audit.open()
        self.runner.start()
        self.lookups.submit(_warm_up)

    def stop(self) -> None:
        """Hand over jobs and let go of everything; takes seconds."""
        if not self.runner.close(self.settings.shutdown_s):
            log.warning("a job could not be left in time; the next server goes on with it")
        for thread in threading.enumerate():
            if thread.name == _LOADER:
                thread.join(_LOADER_S)
        self.lookups.close()
        self.pages.close()
        self.answers.close()
        self.painter.close()
        self.phidex.close()
        self.audit.close()


def _warm_up() -> None:
    """Import what the first search would otherwise wait for."""
    importlib.import_module("phidex.generation.ask")


def open_service(phidex: Phidex, *, without_keys: bool = False) -> Service:
    """The service over an SDK, which is closed with it; nothing is begun yet."""
    settings = phidex.settings.server
    is_loopback = is_own(settings.host)
    shelf = Shelf(phidex.settings.data)
    return Service(
        phidex,
        settings,
        is_loopback,
        Door(
            KeyFile(phidex.settings.data),
            open_here=is_loopback,
            without_keys=without_keys,
            per_minute=settings.requests_per_minute,
        ),
        Lane("lookup", settings.threads, settings.queue),
        Lane("page", _DRAWN, settings.queue),
        Lane("answer", settings.answers, settings.queue),
        shelf,
        Runner(phidex, shelf, settings.job_days),
    )


def is_own(host: str) -> bool:
    """Whether an address is one that this machine alone can reach.

    >>> is_own("127.0.0.1"), is_own("::1"), is_own("localhost"), is_own("0.0.0.0"), is_own("example.org")
    (True, True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
