"""Commands whose output cannot be written: one line that says so, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import CommandLine
from tests.retrieval.engines import end_engine

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path_factory.mktemp("output"))
    note = line.home / "note.md"
    note.write_text("# Harbour\n\nThe harbour is ten metres deep.")
    with line.sdk() as phidex:
        phidex.ingest(note)
    yield line
    end_engine(line.data)


def ended(line: CommandLine, *arguments: str, stdout: int, **more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "phidex", *arguments]
    environment = line.environment(**more)
    ran = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, timeout=60, check=False)
    return ran.returncode, ran.stderr


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["summarize", "status --json", "models command mini --gpu-memory 80"])
def test_a_full_disk_is_one_line(line: CommandLine, command: str, unbuffered: str) -> None:
    full = os.open(FULL, os.O_WRONLY)
    try:
        code, errors = ended(line, *command.split(), stdout=full, PYTHONUNBUFFERED=unbuffered)
    finally:
        os.close(full)
    assert (code, errors) == (1, "error: the output cannot be written: No space left on device\n")


def test_a_reader_that_leaves_is_no_fault(line: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended(line, "sources", stdout=writing) == (0, "")
    finally:
        os.close(writing)


def test_output_that_nobody_wants(line: CommandLine) -> None:
    closed = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m phidex sources >&-', sys.executable],
        stderr=subprocess.PIPE,
        text=True,
        env=line.environment(),
        timeout=60,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, "")
