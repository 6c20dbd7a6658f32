"""Which store serves: the embedded engine, or a Qdrant server when a URL is set."""

from __future__ import annotations

from pathlib import Path

from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.store import Store
from phidex.settings import StoreSettings


def open_store(data: Path, settings: StoreSettings) -> Store:
    """The store of the data folder, or the server at `settings.url`. Nothing is contacted before the first request."""
    if settings.url:
        from phidex.retrieval.server import ServerStore  # here: qdrant-client takes half a second to import

        return ServerStore(settings.url, settings)
    return EdgeStore(data, settings)
