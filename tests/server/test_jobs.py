"""What becomes of a job whose server is stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from phidex.errors import ServiceError
from phidex.sdk import Phidex
from phidex.server.jobs.record import Job
from phidex.server.jobs.runner import Runner
from phidex.server.jobs.shelf import Shelf


@pytest.mark.parametrize("fault", [RuntimeError("closed"), ServiceError("closed", hint="none"), OSError("closed")])
def test_job_that_fails_while_its_server_ends_is_left_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """What it needs may be closed under it."""
    with Phidex(data=tmp_path) as phidex:
        shelf = Shelf(tmp_path)
        shelf.open()
        job = Job("a" * 32, "import", "default", ("https://example.org/a.md",), time.time())
        shelf.add(job)
        runner = Runner(phidex, shelf, keep_days=1)

        def ingest(*_: Any, **__: Any) -> None:
            runner.stop()
            raise fault

        monkeypatch.setattr(phidex, "ingest", ingest)
        runner.start()
        deadline = time.monotonic() + 10
        while runner.is_alive:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert runner.close(10)
        found = shelf.get(job.id)
        assert found is not None
        assert (found.state, found.error, found.attempts) == ("queued", None, 0)
        assert shelf.waiting() == [job.id]
