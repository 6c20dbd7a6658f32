"""What happens to a client of the embedded engine when things go wrong: kills, full disks, foreign folders, silence."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.retrieval.engines import SCHEMA, Opened, opened, pid_of, points_of, settings, wait_until_left

from phidex.errors import ConfigError, ServiceError
from phidex.retrieval import runtime, wire
from phidex.retrieval.channel import Channel
from phidex.retrieval.engine import hold_folder, wait_readable
from phidex.retrieval.store import Where

__all__ = ["opened"]  # a fixture


def test_nothing_acknowledged_is_lost_by_kills(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    store = opened()
    store.create("c", SCHEMA)
    numbers = [0]

    def kill() -> None:
        for rest in range(5):
            seen = numbers[0]
            while numbers[0] < seen + 400:  # let it replay its log and write again
                time.sleep(0.013)
            time.sleep(0.01 * rest)
            os.kill(pid_of(opened.data), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with caplog.at_level(logging.WARNING, "phidex.retrieval.channel"):
        while killer.is_alive():
            store.upsert("c", points_of(range(numbers[0], numbers[0] + 40), text="y" * 500))
            numbers[0] += 40
    number = numbers[0]
    records, _ = store.scroll("c", Where(), limit=number + 1, fields=["n"])
    assert [record.payload["n"] for record in records] == list(range(number))
    assert any(message.startswith("engine restarted") for message in caplog.messages)
    assert store.info().last_crash is not None


def test_an_engine_that_dies_each_time_is_an_error(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(timeout_s=5)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ServiceError, match="ended with code 1") as caught:
        store.names()
    assert caught.value.retryable
    monkeypatch.undo()
    assert store.names() == []


def test_the_log_says_why_a_start_failed(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(ServiceError, match="PYTHONHOME"):
        opened(timeout_s=5).names()


def test_a_stale_socket_lock_and_note_are_no_hindrance(opened: Opened) -> None:
    store = opened()
    pid = store.info().pid
    os.kill(pid, signal.SIGKILL)
    wait_until_left(opened.data)
    assert runtime.socket_path(opened.data).is_socket()
    assert pid_of(opened.data) == pid
    assert opened().info().pid != pid
    assert store.info().last_crash is not None


def test_a_crash_is_remembered_after_clean_exits(opened: Opened) -> None:
    store = opened()
    os.kill(store.info().pid, signal.SIGKILL)
    noticed = store.info().last_crash
    assert noticed is not None
    os.kill(store.info().pid, signal.SIGTERM)
    wait_until_left(opened.data)
    assert store.info().last_crash == noticed


def test_a_lock_whose_holder_does_not_answer(opened: Opened) -> None:
    opened.data.mkdir()
    with (opened.data / runtime.LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ServiceError, match="cannot be reached from here"):
            hold_folder(opened.data, patience_s=0.1)


def test_a_silent_engine_is_a_timeout(opened: Opened) -> None:
    store = opened(timeout_s=1)
    pid = store.info().pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.2)  # its threads stop one by one
    try:
        with pytest.raises(ServiceError, match="did not answer info within 1 s") as caught:
            store.info()
        assert caught.value.retryable
    finally:
        os.kill(pid, signal.SIGCONT)
    assert store.info().pid == pid


def test_an_engine_of_another_version_is_asked_to_leave(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = opened().info().pid
    monkeypatch.setattr(wire, "PROTOCOL", wire.PROTOCOL + 1)
    with pytest.raises(ServiceError):  # ours, here, is as old
        opened(timeout_s=1).info()
    monkeypatch.undo()
    assert opened().info().pid != pid


def test_a_folder_removed_under_the_engine_takes_no_writes_along(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)
    pid = store.info().pid
    shutil.rmtree(opened.data)
    store.create("c", SCHEMA)
    store.upsert("c", points_of(range(3)))
    assert store.info().pid != pid
    assert (opened.data / "collections" / "c" / "schema.json").exists()
    assert store.count("c", Where()) == 3


def test_a_socket_removed_under_the_engine(opened: Opened) -> None:
    pid = opened().info().pid
    runtime.socket_path(opened.data).unlink()  # as a cleaner of temporary files does
    assert opened().info().pid != pid


@pytest.mark.parametrize(
    "noise",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x01\0\0\0\xc1", wire.pack(None), wire.pack([1, 2]), wire.pack({}), b"\x09"],
)
def test_noise_on_the_socket(opened: Opened, noise: bytes) -> None:
    pid = opened().info().pid
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(runtime.socket_path(opened.data)))
        stranger.sendall(noise)
        assert opened().info().pid == pid


def test_a_reply_that_is_noise_is_an_error(tmp_path: Path) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        theirs.sendall(b"\x01\0\0\0\xc1")
        with pytest.raises(ConnectionAbortedError):
            wire.receive(mine, time.monotonic() + 1)


@pytest.fixture
def high_descriptor() -> Iterator[socket.socket]:
    """One end of a connection whose other end has written, with a number that `select.select` refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("so many files may not be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    mine, theirs = socket.socketpair()
    try:
        with mine, theirs, socket.socket(fileno=fcntl.fcntl(mine, fcntl.F_DUPFD_CLOEXEC, 1100)) as high:
            theirs.sendall(b"x")
            yield high
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_connections_are_no_limit(high_descriptor: socket.socket) -> None:
    assert high_descriptor.fileno() >= 1100
    wait_readable(high_descriptor)
    assert high_descriptor.recv(1) == b"x"


def test_an_unknown_operation(opened: Opened) -> None:
    opened().create("c", SCHEMA)
    channel = Channel(opened.data, settings(min_free_mb=1))
    with pytest.raises(ServiceError, match="explode"):
        channel.request("explode", "c", {})
    channel.close()


def test_the_log_is_bounded(opened: Opened) -> None:
    opened.data.mkdir()
    (opened.data / runtime.LOG).write_bytes(b"x" * (3 << 20))
    opened().names()
    assert (opened.data / runtime.LOG).stat().st_size < 10_000


@pytest.fixture
def short_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too long for the name of a socket
        yield Path(folder)


@pytest.mark.parametrize("fault", ["open", "link", "foreign"])
def test_a_runtime_folder_of_others_is_refused(
    opened: Opened, short_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    folder = short_path / f"phidex-{os.getuid()}"
    match fault:
        case "open":
            folder.mkdir()
            folder.chmod(0o755)
        case "link":
            (short_path / "mine").mkdir(mode=0o700)
            folder.symlink_to(short_path / "mine")
        case _:
            folder.mkdir(mode=0o700)
            if os.getuid():
                pytest.skip("only root can give a folder away")
            os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="not yours alone"):
        opened().names()


def test_too_little_free_space(opened: Opened) -> None:
    store = opened()
    store.create("c", SCHEMA)
    store.create("d", SCHEMA)
    store.upsert("c", points_of(range(3)))
    short = opened(min_free_mb=10**9)  # the limit is the client's, not that of whoever started the engine
    for write in (
        lambda: short.upsert("c", points_of(range(3, 5))),
        lambda: short.delete("c", Where()),
        lambda: short.create("e", SCHEMA),
        lambda: short.count("d", Where()),  # must be opened first
    ):
        with pytest.raises(ServiceError, match=rf"{opened.data} is nearly full: \d+ MB free, 1000000000 MB needed") as caught:
            write()
        assert "PHIDEX_STORE__MIN_FREE_MB" in caught.value.hint
    assert short.count("c", Where()) == 3
    short.drop("d")
    assert short.names() == ["c"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid():
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    opened = Opened(small_disk / "data")
    try:
        store = opened(min_free_mb=0)
        store.create("c", SCHEMA)
        ballast = small_disk / "ballast"
        acknowledged = 0
        store.upsert("c", points_of(range(100)))
        ballast.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - (24 << 20)))
        with pytest.raises(ServiceError) as caught:  # noqa: PT012  # how many fit is not known
            for start in range(0, 200_000, 100):
                store.upsert("c", points_of(range(start, start + 100), text="z" * 5000))
                acknowledged = start + 100
        assert acknowledged
        assert "see engine.log" in str(caught.value)
        ballast.unlink()
        records, _ = store.scroll("c", Where(), limit=acknowledged + 1000, fields=["n"])
        assert {record.payload["n"] for record in records} >= set(range(acknowledged))
        store.upsert("c", points_of(range(acknowledged, acknowledged + 100)))
        assert store.count("c", Where()) >= acknowledged + 100
    finally:
        opened.end()
