"""Blobs: the same on a folder and on another file system, named by content, gone with their source."""

from __future__ import annotations

import importlib
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phidex.errors import ConfigError, InputError, NotFoundError, ServiceError
from phidex.ingest.run.blobs import Blobs

ONE, TWO = (str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in ("one", "two"))


@pytest.fixture(params=["folder", "url"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield Blobs(tmp_path / "blobs" / "default")
        return
    memory: Any = importlib.import_module("fsspec.implementations.memory")
    yield Blobs("memory://bucket/default")
    memory.MemoryFileSystem.store.clear()
    memory.MemoryFileSystem.pseudo_dirs[:] = [""]


def later() -> datetime:
    """A moment behind everything that was put."""
    return datetime.now(UTC) + timedelta(seconds=1)


def test_what_is_put_is_there(blobs: Blobs) -> None:
    identity = blobs.put(ONE, b"picture", ".png")
    assert identity.startswith(f"{ONE}/")
    assert identity.endswith(".png")
    assert blobs.put(ONE, b"picture", ".png") == identity
    assert blobs.get(identity) == b"picture"
    assert blobs.exists(identity)
    assert blobs.put(ONE, b"another", ".png") != identity
    assert not blobs.exists(identity.replace(ONE, TWO))
    with pytest.raises(NotFoundError, match="there is no blob"):
        blobs.get(identity.replace(ONE, TWO))


def test_a_newer_version_leaves_what_it_names(blobs: Blobs) -> None:
    old, kept, other = blobs.put(ONE, b"old"), blobs.put(ONE, b"kept", ".png"), blobs.put(TWO, b"old")
    blobs.keep_only(ONE, (kept,), before=later())
    assert [blobs.exists(one) for one in (old, kept, other)] == [False, True, True]
    blobs.keep_only(ONE, (), before=later())
    assert [blobs.exists(one) for one in (kept, other)] == [False, True]
    blobs.keep_only(str(uuid.uuid4()), (), before=later())  # of which there are none


def test_what_another_run_has_just_written_stays(blobs: Blobs) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    theirs, ours = blobs.put(ONE, b"theirs"), blobs.put(ONE, b"ours")
    blobs.keep_only(ONE, (ours,), before=before)
    assert blobs.exists(theirs)
    blobs.keep_only(ONE, (), before=before)
    assert blobs.exists(theirs)
    assert blobs.exists(ours)


def test_leavings_of_sources_that_never_came_to_be_are_swept(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    ids = [str(uuid.uuid4()) for _ in range(4)]
    held, stray, fresh, unlooked = (blobs.put(identity, b"picture", ".png") for identity in ids)
    day_ago = time.time() - 86_500
    for name in (held, stray):
        os.utime(tmp_path / name, (day_ago, day_ago))
    looks: list[int] = []

    def known() -> list[str]:
        looks.append(1)
        return ids[:1]

    blobs.sweep(known)
    assert [blobs.exists(one) for one in (held, stray, fresh)] == [True, False, True]
    os.utime(tmp_path / unlooked, (day_ago, day_ago))
    blobs.sweep(known)
    assert (len(looks), blobs.exists(unlooked)) == (1, True)  # once a day is enough
    os.utime(tmp_path / ".swept", (day_ago, day_ago))
    blobs.sweep(known)
    assert not blobs.exists(unlooked)
    Blobs(tmp_path / "none").sweep(known)
    assert not (tmp_path / "none").exists()


def test_the_clock_is_that_of_the_place(blobs: Blobs, tmp_path: Path) -> None:
    before = blobs.now()
    named = blobs.put(ONE, b"new")
    blobs.keep_only(ONE, (), before=before)
    assert blobs.exists(named)
    time.sleep(0.02)
    blobs.keep_only(ONE, (), before=blobs.now())
    assert not blobs.exists(named)


def test_they_go_with_their_source_and_collection(blobs: Blobs) -> None:
    one, two = blobs.put(ONE, b"x"), blobs.put(TWO, b"y")
    blobs.remove(ONE)
    assert [blobs.exists(identity) for identity in (one, two)] == [False, True]
    blobs.drop()
    assert not blobs.exists(two)
    blobs.remove(ONE)
    blobs.drop()


@pytest.mark.parametrize("identity", ["../../etc/passwd", f"{ONE}/../x", f"{ONE}/{'0' * 32}/y", f"/{'0' * 32}"])
def test_no_id_leads_out_of_the_place(blobs: Blobs, identity: str) -> None:
    for call in (blobs.get, blobs.exists):
        with pytest.raises(InputError, match="no id of a blob"):
            call(identity)


def test_suffixes_are_harmless(blobs: Blobs) -> None:
    for suffix in ("/../../x", ".p ng", "png", ".", ".sehr-langes-suffix-das-niemand-braucht"):
        assert "." not in blobs.put(ONE, suffix.encode(), suffix)


def test_half_written_files_are_not_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceError, match="No space left on device"):
        blobs.put(ONE, b"picture")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.undo()
    identity = blobs.put(ONE, b"picture")
    (tmp_path / identity).write_bytes(b"pic")  # as a power cut may leave it, without the rename's own order
    assert blobs.get(blobs.put(ONE, b"picture")) == b"picture"


def test_places_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="nowhere://"):
        Blobs("nowhere://bucket").put(ONE, b"x")
    with pytest.raises(ServiceError, match="/proc/nowhere"):
        Blobs("/proc/nowhere").put(ONE, b"x")
