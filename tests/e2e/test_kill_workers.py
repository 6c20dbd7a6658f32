"""Signals to the worker processes of a running ingest, and to their parent: what happens to a worker happens to no one else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import Author, CommandLine, phidex_cli, stored, undisturbed

__all__ = ["phidex_cli"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")]


def workers_of(pid: int) -> list[int]:
    """The living workers that a process has started."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [child for child in children if is_worker(child)]


def is_worker(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and b"phidex.ingest.run.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def is_reading(pid: int) -> bool:
    """Whether the worker is past its start: it has used some time of the processor."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 0.5


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Enough to read for some seconds."""
    folder = tmp_path / "docs"
    author = Author(11)
    for number in range(24):
        author.document(f"d{number:02}.pdf", 40).write(folder)
    return folder


def reading(process: subprocess.Popen[str]) -> list[int]:
    """The workers, once they are at it."""
    wait_until(lambda: process.poll() is not None or any(map(is_reading, workers_of(process.pid))))
    assert process.poll() is None, "the ingest ended before anything could be done to it"
    return workers_of(process.pid)


def test_killed_workers_are_replaced(phidex_cli: CommandLine, library: Path) -> None:
    with phidex_cli.start("ingest", library, "--json", "--workers", "2") as process:
        for pid in reading(process):
            os.kill(pid, signal.SIGKILL)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    report = json.loads(output)
    assert report["counts"]["added"] == 24
    assert report["workers_replaced"] >= 1
    with phidex_cli.sdk() as phidex:
        assert stored(phidex) == undisturbed(library)


def test_a_worker_that_hangs_costs_its_file(phidex_cli: CommandLine, library: Path) -> None:
    environment = {"PHIDEX_INGEST__TIMEOUT_S": "2"}
    with phidex_cli.start("ingest", library, "--json", "--workers", "2", env=environment) as process:
        os.kill(reading(process)[0], signal.SIGSTOP)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    report = json.loads(output)
    (failed,) = [file for file in report["files"] if file["outcome"] == "failed"]
    assert failed["reason"] == "made no progress for 2 s"
    assert report["counts"]["added"] == 23
    assert phidex_cli.json("ingest", library)["counts"]["added"] == 1
    with phidex_cli.sdk() as phidex:
        assert stored(phidex) == undisturbed(library)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_ingest(phidex_cli: CommandLine, library: Path, how: signal.Signals) -> None:
    """And the next run goes on from what was committed."""
    with phidex_cli.start("ingest", library, "--workers", "2") as process:
        workers = reading(process)
        process.send_signal(how)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if how == signal.SIGINT else -how), errors
    assert "Traceback" not in errors
    wait_until(lambda: not any(map(is_worker, workers)), 5)
    report = phidex_cli.json("ingest", library)
    assert report["counts"]["failed"] == 0
    with phidex_cli.sdk() as phidex:
        assert stored(phidex) == undisturbed(library)


def test_following_a_folder(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """What is written, edited and removed is followed within seconds; an interrupt ends it."""
    author, folder = Author(12), tmp_path / "docs"
    first = author.document("a.md", 2)
    first.write(folder)
    with phidex_cli.start("ingest", folder, "--watch", "--sync", "--json") as process, phidex_cli.sdk() as phidex:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["counts"]["added"] == 1
        author.document("b.md", 3).write(folder)
        assert json.loads(process.stdout.readline())["counts"]["added"] == 1
        author.edited(first).write(folder)
        assert json.loads(process.stdout.readline())["counts"]["replaced"] == 1
        (folder / "b.md").unlink()
        assert json.loads(process.stdout.readline())["counts"]["removed"] == 1
        assert stored(phidex) == undisturbed(folder)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_a_followed_file_may_go_and_come_back(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """The others are followed meanwhile; that it is gone is said once."""
    author, folder = Author(13), tmp_path / "docs"
    one, two = author.document("one.md", 2), author.document("two.md", 2)
    one.write(folder)
    two.write(folder)
    with phidex_cli.start("ingest", folder / "one.md", folder / "two.md", "--watch", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["counts"]["added"] == 2
        (folder / "one.md").unlink()
        assert json.loads(process.stdout.readline())["counts"]["unchanged"] == 1
        two = author.edited(two)
        two.write(folder)
        assert json.loads(process.stdout.readline())["counts"]["replaced"] == 1
        author.edited(one).write(folder)
        assert json.loads(process.stdout.readline())["counts"]["replaced"] == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.count("one.md is gone for now") == 1
    assert "Traceback" not in errors
