"""What a damaged, foreign or older backup does: a clear error, and nothing in the store."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.retrieval.shelf import chunks, source
from tests.retrieval.test_backup import in_process, library

from phidex.errors import ConfigError, InputError
from phidex.ingest.run.blobs import Blobs
from phidex.retrieval.backup import backup
from phidex.retrieval.collection import Collection
from phidex.retrieval.restore import restore
from phidex.retrieval.store import Store


@pytest.fixture
def store() -> Store:
    return in_process()


DAMAGE: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda _: b""),
    ("no backup", lambda _: b"hello" * 100),
    ("cut off", lambda whole: whole[: len(whole) // 2]),
    ("one byte", lambda whole: whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]),
    ("the end", lambda whole: whole[:-30]),
]


@pytest.mark.parametrize(("kind", "damage"), DAMAGE)
def test_a_damaged_file(store: Store, tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "b"
    backup(library(in_process()), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="damaged") as caught:
        restore(store, path)
    assert caught.value.hint, kind
    assert store.names() == []


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)


def changed(**values: Any) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps({**json.loads(data), **values}).encode()


def test_a_file_that_was_tampered_with(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "b"
    backup(library(in_process()), path)
    rewritten(path, "sources.jsonl", lambda data: data.replace(b"book0", b"book9"))
    with pytest.raises(InputError, match=r"sources\.jsonl is not what was written"):
        restore(store, path)
    assert store.names() == []


def test_members_above_the_bound_come_back_and_those_that_nobody_told_of_do_not(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phidex.retrieval.archive._MOST_BYTES", 200_000)
    path, here, there = tmp_path / "b", Blobs(tmp_path / "here"), Blobs(tmp_path / "there")
    collection, of = library(in_process()), source("film.mp4")
    data = b"frame" * 50_000
    of = replace(of, blob=here.put(of.id, data, ".mp4"))
    collection.replace(of, "x", chunks(of, "said in it"))
    backup(collection, path, blobs=here)
    restore(store, path, blobs=there)
    assert there.get(of.blob or "") == data
    rewritten(path, "manifest.json", changed(large={f"blobs/{of.blob}": len(data) - 1}))
    with pytest.raises(InputError, match="too large"):
        restore(store, path, "again", blobs=there)
    assert Collection.names(store) == ["library"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"format": "phidex-backup/99"}, InputError),
        ({"format": "other"}, InputError),
        ({"parts": None}, InputError),
        ({"made": {"schema_version": 99, "analyzer": "x", "embedder": None}}, ConfigError),
    ],
)
def test_a_manifest_of_another_version(store: Store, tmp_path: Path, values: Any, error: type[Exception]) -> None:
    path = tmp_path / "b"
    backup(library(in_process()), path)
    rewritten(path, "manifest.json", changed(**values))
    with pytest.raises(error):
        restore(store, path)
    assert store.names() == []


def test_an_older_backup_is_restored_and_asks_for_a_reindex(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "b"
    backup(library(in_process()), path)
    with zipfile.ZipFile(path) as archive:
        made = json.loads(archive.read("manifest.json"))["made"]
    rewritten(path, "manifest.json", changed(made={**made, "analyzer": "words-ngrams/0"}))
    restore(store, path)
    with pytest.raises(ConfigError, match="another version"):
        Collection.open(store, "library")
