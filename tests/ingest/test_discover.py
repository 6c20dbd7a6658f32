"""Which files an ingest finds, and what it says of folders that it cannot look into."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from phidex.ingest.discover import Found, discover
from phidex.ingest.pipeline import ingest_files
from phidex.ingest.records import Chunk, Source
from phidex.settings import IngestSettings


class Counting:
    """A sink that counts."""

    name = "c"

    def known(self) -> dict[str, str]:
        return {}

    def replace(self, source: Source, digest: str, chunks: Iterable[Chunk]) -> int:
        return len(list(chunks))


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that cannot be read, beside a file; for root too, whom no mode keeps out."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "hidden.md").write_text("hidden")
    (tmp_path / "open.md").write_text("The boiler was replaced in March.")
    scandir, stat = os.scandir, os.stat

    def guarded_scandir(path: Any = ".") -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def guarded_stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if not isinstance(path, int) and folder in Path(os.fsdecode(path)).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "scandir", guarded_scandir)
    monkeypatch.setattr(os, "stat", guarded_stat)
    return folder


def test_a_folder_that_cannot_be_read_is_found_as_failed(closed: Path) -> None:
    unread = Found(closed, "cannot be read: Permission denied", failed=True)
    assert list(discover([closed.parent])) == [Found(closed.parent / "open.md"), unread]
    assert list(discover([closed])) == [unread]


def test_a_folder_that_cannot_be_read_is_reported(closed: Path) -> None:
    (closed.parent / "song.mp3").write_bytes(b"ID3")
    reports = ingest_files([closed.parent], Counting(), IngestSettings())
    assert [report.outcome for report in reports] == ["added", "skipped", "failed"]
    assert (reports[2].reason, reports[2].hint) == ("cannot be read: Permission denied", "check its permissions")
    assert reports[1].hint == ""
