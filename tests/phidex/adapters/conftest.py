"""One small collection for all adapters: the notes of the examples, without a dense model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import settings_for
from tests.retrieval.engines import end_engine

from phidex import Phidex

NOTES = Path(__file__).resolve().parents[3] / "examples" / "notes"


@pytest.fixture(scope="package")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phidex]:
    """A Phidex with the notes in the collection "notes"; tests write to collections of their own."""
    data = tmp_path_factory.mktemp("adapters") / "data"
    with Phidex(settings=settings_for(data)) as opened:
        opened.ingest(NOTES, collection="notes")
        yield opened
    end_engine(data)
