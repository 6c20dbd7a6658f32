"""The document itself as a file of this machine, for those that draw its pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from phidex.holdings import Holdings
from phidex.ingest.records import Source

_PIECE = 1 << 20


@contextmanager
def original_path(holdings: Holdings, source: Source, collection: str) -> Generator[Path]:
    """Where it lies; what is no file of this machine is copied into one, for as long as it is needed.

    Raises:
        NotFoundError, InputError: see `Holdings.open_original`.
    """
    if not source.blob:
        yield source.local_path()
        return
    with tempfile.TemporaryDirectory(prefix="phidex-") as folder:
        path = Path(folder) / f"document{Path(source.name).suffix[:16]}"
        with holdings.open_original(source.id, collection) as file, path.open("wb") as copy:
            shutil.copyfileobj(file, copy, _PIECE)
        yield path
