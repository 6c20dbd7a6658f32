"""From files to a sink, through real workers: every file is accounted for, and each name leads to its chunks."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.builders import Author, Document, Here, Kept, pdf_bytes

from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.ingest.records import Chunk
from phidex.ingest.run import pipeline
from phidex.ingest.run.pipeline import Listeners, ingest_files, recipe_of
from phidex.ingest.run.prepare import Task
from phidex.ingest.run.report import FileReport, IngestReport
from phidex.ingest.run.sink import Content, Difference, Void
from phidex.ingest.run.workers import Event
from phidex.settings import IngestSettings


def settings(**values: object) -> IngestSettings:
    return IngestSettings(**{"workers": 2, **values})  # pyright: ignore[reportArgumentType]  # checked by pydantic


def outcomes(report: IngestReport) -> dict[str, str]:
    return {Path(file.path).name: file.outcome for file in report.files}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    author = Author(1)
    for name in ("a.md", "b.md", "c.pdf"):
        author.document(name, 3).write(folder)
    return folder


def letters(chunk: Chunk) -> int:
    """What a sink has its workers do."""
    return len(chunk.text)


class Analysing(Kept):
    """A sink that has every chunk analysed."""

    def __init__(self) -> None:
        super().__init__()
        self.analysed: list[bool] = []

    analyse = staticmethod(letters)

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        contents = [Content(one.source, one.digest, list(one.pieces)) for one in contents]
        self.analysed += [analysed == len(chunk.text) for content in contents for chunk, analysed in content.pieces]
        return super().replace_many(contents)


def test_workers_give_what_this_process_gives(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[3])])  # workers look for `letters` there
    here, there = Kept(), Analysing()
    ingest_files([docs], here, settings(), pool=Here())
    report = ingest_files([docs], there, settings())
    assert outcomes(report) == {"a.md": "added", "b.md": "added", "c.pdf": "added"}
    assert there.chunks == here.chunks
    assert there.analysed
    assert all(there.analysed)
    assert report.page_count == 3
    assert report.workers_replaced == 0


def test_the_report_keeps_the_order_in_which_files_were_found(tmp_path: Path) -> None:
    author = Author(2)
    names = [f"{number:02}.{'pdf' if number % 3 else 'md'}" for number in range(20)]
    for name in names:
        author.document(name, 2).write(tmp_path)
    told: list[tuple[int, int]] = []
    report = ingest_files(
        [tmp_path], Kept(), settings(), listeners=Listeners(file=lambda _, number, total: told.append((number, total)))
    )
    assert [Path(file.path).name for file in report.files] == names
    assert [number for number, _ in told] == list(range(1, 21))
    assert all(number <= total <= 20 for number, total in told)


def test_every_file_is_accounted_for(docs: Path) -> None:
    (docs / "empty.txt").touch()
    (docs / "broken.pdf").write_bytes(pdf_bytes(["x"])[:300])
    (docs / "strange.xyz").write_bytes(b"?")
    report = ingest_files([docs], Kept(), settings())
    assert outcomes(report) == {
        "a.md": "added",
        "b.md": "added",
        "c.pdf": "added",
        "broken.pdf": "failed",
        "empty.txt": "failed",
        "strange.xyz": "skipped",
    }
    assert all(file.reason for file in report.files if file.outcome in ("failed", "skipped"))
    assert json.loads(json.dumps(report.to_dict()))["counts"]["failed"] == 2


def test_the_same_bytes_are_stored_once_and_known_by_both_names(docs: Path) -> None:
    shutil.copy(docs / "a.md", docs / "z.md")
    sink = Kept()
    assert outcomes(ingest_files([docs], sink, settings()))["z.md"] == "duplicate"
    (source,) = [known for known in sink.sources.values() if known.uri.endswith("a.md")]
    assert source.also == ((docs / "z.md").as_uri(),)
    assert set(outcomes(ingest_files([docs], sink, settings())).values()) == {"unchanged"}


def test_a_copy_of_what_fails_fails_too(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(pdf_bytes(["x"])[:300])
    report = ingest_files([tmp_path], Kept(), settings())
    assert outcomes(report) == {"a.pdf": "failed", "b.pdf": "failed"}
    assert report.files[0].reason == report.files[1].reason


def test_sync_removes_what_is_gone(docs: Path, tmp_path: Path) -> None:
    sink = Kept()
    other = Author(3).document("other.md", 1).write(tmp_path / "other")
    ingest_files([docs, other], sink, settings())
    (docs / "b.md").unlink()
    other.unlink()
    assert "b.md" not in outcomes(ingest_files([docs], sink, settings()))
    assert outcomes(ingest_files([docs], sink, settings(), sync=True))["b.md"] == "removed"
    assert {Path(known.uri).name for known in sink.sources.values()} == {"a.md", "c.pdf", "other.md"}


def test_sync_removes_nothing_where_it_cannot_see(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be read, or one that is suddenly empty, like a share that is not mounted."""
    (docs / "deep").mkdir()
    Author(4).document("d.md", 1).write(docs / "deep")
    sink = Kept()
    ingest_files([docs], sink, settings())
    shutil.move(docs / "deep", docs.parent / "away")
    (docs / "locked").mkdir()
    scan = os.scandir

    def denied(path: object) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", denied)
    report = ingest_files([docs], sink, settings(), sync=True)
    assert report.count("removed") == 0
    assert "nothing was removed" in report.notes[0]
    monkeypatch.undo()
    shutil.rmtree(docs)
    docs.mkdir()
    report = ingest_files([docs], sink, settings(), sync=True)
    assert (report.count("removed"), len(sink.sources)) == (0, 4)
    assert report.notes


def test_sync_of_a_part_is_refused(docs: Path) -> None:
    with pytest.raises(InputError, match="a part of a repository"):
        ingest_files([docs], Kept(), settings(), sync=True, only=["docs"])


def test_a_dry_run_says_what_would_change_and_changes_nothing(docs: Path) -> None:
    first = ingest_files([docs], Void("default"), settings(), dry_run=True)
    assert [file.difference for file in first.files] == [Difference(3, 0, 0)] * 3
    sink = Kept()
    ingest_files([docs], sink, settings())
    before = dict(sink.sources), dict(sink.chunks)
    shutil.copy(docs / "c.pdf", docs / "d.pdf")
    (docs / "b.md").write_text("# Other\n\nNothing is as it was.")
    (docs / "a.md").unlink()
    report = ingest_files([docs], sink, settings(), dry_run=True, sync=True)
    assert (dict(sink.sources), dict(sink.chunks)) == before
    assert outcomes(report) == {"a.md": "removed", "b.md": "replaced", "c.pdf": "unchanged", "d.pdf": "duplicate"}
    assert by_name(report.files)["b.md"].difference == Difference(1, 0, 3)


def test_members_of_an_archive_are_kept_as_blobs(docs: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        for path in docs.iterdir():
            archive.write(path, f"inner/{path.name}")
    sink, place = Kept(), tmp_path / "blobs"
    report = ingest_files([tmp_path / "docs.zip"], sink, settings(), blobs=str(place), workspace=tmp_path / "workspace")
    assert report.count("added") == 3
    stored = [path for path in place.rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in stored) == sorted(path.read_bytes() for path in docs.iterdir())
    assert {path.parent.name for path in stored} == set(sink.sources)
    assert not list((tmp_path / "workspace" / "spool").glob("*/*"))  # what was unpacked is gone


def test_what_only_some_parsers_need_comes_from_the_setting_of_its_name() -> None:
    recipe = recipe_of(settings(max_pages=7, passwords=("secret",)), Kept())
    assert recipe.options.max_pages == 7
    assert recipe.options.passwords == ("secret",)
    same = recipe_of(settings(max_pages=7), Kept())
    assert recipe.digest("s", ".pdf") == same.digest("s", ".pdf")  # a password changes no content
    assert recipe.digest("s", ".pdf") != recipe_of(settings(max_pages=8), Kept()).digest("s", ".pdf")


def test_errors_of_the_sink_end_the_run_and_the_workers(docs: Path) -> None:
    class Down(Kept):
        def replace_many(self, contents: Sequence[Content]) -> list[int]:
            raise ServiceError("the store is down", retryable=True)

    with pytest.raises(ServiceError, match="the store is down"):
        ingest_files([docs], Down(), settings())
    with pytest.raises(NotFoundError):
        ingest_files([docs, docs / "nowhere"], Kept(), settings())


def test_what_is_said_of_many_files_is_renewed_together(tmp_path: Path) -> None:
    author, sink = Author(3), Kept()
    for number in range(9):
        author.document(f"{number}.md", 1).write(tmp_path)
    ingest_files([tmp_path], sink, settings(), pool=Here())
    calls: list[int] = []
    refresh = sink.refresh
    sink.refresh = lambda details: (calls.append(len(details)), refresh(details))[1]
    dry = ingest_files([tmp_path], sink, settings(), pool=Here(), tags=["x"], dry_run=True)
    assert (dry.count("updated"), calls) == (9, [])
    assert ingest_files([tmp_path], sink, settings(), pool=Here(), tags=["x"]).count("updated") == 9
    assert calls == [9]
    assert {known.tags for known in sink.sources.values()} == {("x",)}
    assert ingest_files([tmp_path], sink, settings(), pool=Here()).count("unchanged") == 9


def test_workers_are_heard_during_a_long_row_of_unchanged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    author, sink = Author(4), Kept()
    for number in range(30):
        author.document(f"{number}.md", 1).write(tmp_path)
    ingest_files([tmp_path], sink, settings(), pool=Here())

    class Waiting(Here):
        nothing = 0

        def run(self, tasks: Iterator[Task | None]) -> Iterator[Event]:
            time.sleep(1)  # all files are found by now
            for task in tasks:
                assert task is None
                self.nothing += 1
                yield None

    monkeypatch.setattr(pipeline, "_LOOK_S", -1.0)
    pool = Waiting()
    assert ingest_files([tmp_path], sink, settings(), pool=pool).count("unchanged") == 30
    assert pool.nothing >= 30


def test_small_files_are_committed_together(tmp_path: Path) -> None:
    author = Author(5)
    for number in range(150):
        author.document(f"{number:03}.md", 1).write(tmp_path)
    sizes: list[int] = []

    class Counting(Kept):
        def replace_many(self, contents: Sequence[Content]) -> list[int]:
            sizes.append(len(contents))
            return super().replace_many(contents)

    report = ingest_files([tmp_path], Counting(), settings(), pool=Here())
    assert report.count("added") == sum(sizes) == 150
    assert max(sizes) == 64


def test_a_long_document_is_written_from_the_pipe(tmp_path: Path) -> None:
    """More pieces than a message holds: the sink reads them while the worker sends them."""
    document: Document = Author(6).document("long.md", 900)
    path = document.write(tmp_path)
    kinds: list[type] = []

    class Curious(Kept):
        def replace_many(self, contents: Sequence[Content]) -> list[int]:
            kinds.extend(type(content.pieces) for content in contents)
            return super().replace_many(contents)

    sink, undisturbed = Curious(), Kept()
    pages: list[tuple[str, int, int]] = []
    ingest_files(
        [path], sink, settings(), listeners=Listeners(page=lambda name, done, total: pages.append((name, done, total)))
    )
    ingest_files([path], undisturbed, settings(), pool=Here())
    assert sink.chunks == undisturbed.chunks
    assert kinds != [list]


def by_name(files: Iterable[FileReport]) -> dict[str, FileReport]:
    return {Path(file.path).name: file for file in files}


def test_a_bomb_costs_itself_alone(tmp_path: Path) -> None:
    """A PDF of a MB with a page of a GB of drawing."""
    packer = zlib.compressobj(9)
    block = b"0 0 m 1 1 l " * (1 << 16)
    stream = b"".join(packer.compress(block) for _ in range(1300)) + packer.flush()
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    body += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R>>endobj\n"
    body += b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(stream) + stream + b"\nendstream endobj\n"
    (tmp_path / "bomb.pdf").write_bytes(body + b"trailer<</Root 1 0 R>>\n%%EOF")
    good = Author(7).document("good.md", 2).write(tmp_path)
    report = ingest_files([tmp_path], Kept(), settings(memory_mb=400, timeout_s=2))
    files = by_name(report.files)
    assert files["good.md"].outcome == "added"
    assert files["bomb.pdf"].outcome == "failed"
    assert files["bomb.pdf"].reason
    assert good.exists()
