"""The stage that runs in workers: a pure function of its task, which travels by pickle and never raises."""

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from tests.builders import Author

from phidex.errors import InputError
from phidex.ingest.describe import Describe
from phidex.ingest.parse import parse_file
from phidex.ingest.records import LineLocator, Parsed
from phidex.ingest.run import prepare as prepare_module
from phidex.ingest.run.prepare import Failed, Prepared, Recipe, Task, hash_file, is_current, prepare


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = Author(1).document("plan.md", 2).write(tmp_path)
    return Task(
        7, path, path.as_uri(), str(uuid.uuid4()), Recipe(), tags=("a",), also=("file:///x",), metadata={"commit": "c1"}
    )


def prepared(task: Task) -> Prepared:
    result = prepare(task)
    assert isinstance(result, Prepared), result
    return result


def test_a_source_and_its_chunks(task: Task) -> None:
    result = prepared(pickle.loads(pickle.dumps(task)))
    source, data = result.source, task.path.read_bytes()
    assert (result.number, source.id, source.uri, source.tags, source.also) == (
        7,
        task.source_id,
        task.uri,
        ("a",),
        ("file:///x",),
    )
    assert (source.sha256, source.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert source.metadata["commit"] == "c1"
    assert len(list(result.pieces)) == 2
    assert result.digest == task.recipe.digest(source.sha256, task.path.suffix)
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_place_is_what_locators_name(task: Task) -> None:
    chunk, _ = next(iter(prepared(replace(task, place="docs/plan.md")).pieces))
    assert isinstance(chunk.locator, LineLocator)
    assert chunk.locator.path == "docs/plan.md"


def test_bytes_may_travel_with_the_task(task: Task) -> None:
    away = replace(task, data=task.path.read_bytes())
    expected = prepared(task)
    task.path.unlink()
    assert list(prepared(away).pieces) == list(expected.pieces)
    result = prepare(task)
    assert isinstance(result, Failed)
    assert "No such file" in result.reason


def test_what_is_parsed_is_what_is_hashed(task: Task) -> None:
    """The file may change between its discovery and its turn."""
    task.path.write_text("# Other\n\nwords")
    result = prepared(task)
    assert result.source.sha256 == hashlib.sha256(task.path.read_bytes()).hexdigest()


def test_a_large_file_that_changes_while_it_is_read_fails(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(path: Path, *_: object) -> Parsed:
        parsed = parse_file(path)
        path.write_text("# Another\n\nwith another text")
        return parsed

    monkeypatch.setattr(prepare_module, "_LARGE_BYTES", -1)
    assert prepared(task).source.sha256 == hashlib.sha256(task.path.read_bytes()).hexdigest()
    monkeypatch.setattr(prepare_module, "parse_file", parse)
    failed = prepare(task)
    assert isinstance(failed, Failed)
    assert failed.reason == "changed while it was read"
    assert "once nobody writes" in failed.hint


def test_it_never_raises(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, reason in (
        (InputError("is odd", hint="mend it"), "is odd"),
        (MemoryError(), "needs more than 2048 MB of memory"),
        (KeyError("x"), "KeyError: 'x'"),
    ):

        def fail(*_: object, raised: Exception = error) -> None:
            raise raised

        monkeypatch.setattr("phidex.ingest.run.prepare.parse_file", fail)
        result = prepare(task)
        assert isinstance(result, Failed)
        assert result.reason == reason
        assert result.hint
        assert bool(result.detail) == isinstance(error, KeyError)


def test_progress_is_told_while_chunks_are_analysed(task: Task) -> None:
    beats: list[tuple[int, int]] = []
    assert isinstance(prepare(task, lambda done, total: beats.append((done, total))), Prepared)
    assert beats


def test_the_digest_depends_on_all_that_decides_the_chunks(task: Task) -> None:
    base = task.recipe.digest("s", ".pdf")
    options = task.recipe.options
    others = [
        task.recipe.digest("t", ".pdf"),
        replace(task.recipe, chunk_tokens=99).digest("s", ".pdf"),
        replace(task.recipe, tokenizer=Path("x")).digest("s", ".pdf"),
        replace(task.recipe, options=replace(options, quality="fast")).digest("s", ".pdf"),
    ]
    assert len({base, *others}) == 5
    same = replace(task.recipe, options=replace(options, passwords=("x",), on_page=print, timeout_s=9), memory_mb=1, blobs="x")
    assert same.digest("s", ".pdf") == base


def test_options_change_only_what_they_concern(task: Task) -> None:
    options = replace(task.recipe.options, quality="fast", ocr="off")
    other = replace(task.recipe, options=options, describe=cast(Describe, print))
    for suffix, same in ((".pdf", False), (".png", False), (".docx", False), (".md", True), (".py", True), (".html", True)):
        assert (task.recipe.digest("s", suffix) == other.digest("s", suffix)) is same, suffix


def test_files_that_cannot_be_hashed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"\0" * ((1 << 20) + 1))
    assert hash_file(tmp_path / "large", 2) == (hashlib.sha256(b"\0" * ((1 << 20) + 1)).hexdigest(), (1 << 20) + 1)
    for name, reason in (("pipe", "not a regular file"), ("large", "larger than 1 MB"), ("none", "No such file")):
        with pytest.raises(InputError, match=reason):
            hash_file(tmp_path / name, 1)


def test_what_lacked_a_language_pack_is_read_again_once_something_is_installed(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    have = ["none"]
    monkeypatch.setattr("phidex.ingest.ocr.tesseract.installed", lambda: have[0])
    parsed = replace(parse_file(task.path), lacks_tesseract=True)

    def parse(*_: object) -> Parsed:
        return parsed

    monkeypatch.setattr(prepare_module, "parse_file", parse)
    committed = prepared(task)
    wanted = task.recipe.digest(committed.source.sha256, task.path.suffix)
    assert is_current(committed.digest, wanted)
    have[0] = "another pack"
    assert not is_current(committed.digest, wanted)
