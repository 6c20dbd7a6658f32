"""git as a program that may hang: whoever waits for it stops waiting."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.ingest.hosts import make_repository

from phidex.errors import ServiceError
from phidex.ingest.sources.git import Git

SIZES = (0, 1, 100, (1 << 16) - 1, 1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20)


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A git that says something, and then nothing more."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'one\\0two'\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return Git(tmp_path, timeout_s=0.5)


def test_records_of_a_git_that_hangs(hanging: Git) -> None:
    began = time.monotonic()
    records = hanging.records("ls-tree")
    assert next(records) == b"one"
    with pytest.raises(ServiceError, match=r"said nothing for 0\.5 s") as caught:
        next(records)
    assert "PHIDEX_INGEST__GIT_TIMEOUT_S" in caught.value.hint
    assert time.monotonic() - began < 10


def test_contents_of_a_git_that_hangs(hanging: Git) -> None:
    with hanging.blobs() as blobs, pytest.raises(ServiceError, match="said nothing"):
        next(blobs.each(["0" * 40]))


def test_contents_of_any_size_come_whole(tmp_path: Path) -> None:
    contents = {f"{size}.bin": os.urandom(size) for size in SIZES}
    make_repository(tmp_path / "repo", dict(contents))
    git = Git(tmp_path / "repo" / ".git")
    listed = [record.split(b"\t") for record in git.records("ls-tree", "-r", "-z", "HEAD")]
    with git.blobs() as blobs:
        for (fields, path), content in zip(
            listed, blobs.each([fields.split()[2].decode() for fields, _ in listed]), strict=True
        ):
            assert content is not None
            pieces = list(content[1])
            assert len(pieces[0]) == min(content[0], 1 << 20), "the first piece tells what a file is"
            assert b"".join(pieces) == contents[path.decode()], fields
