"""An edited file replaces its older version in one step; what stayed keeps its ids and vectors; one bad file spoils nothing."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pymupdf as _pymupdf
import pytest
from tests.builders import (
    Author,
    Document,
    Stepping,
    found_ids,
    pdf_bytes,
    phidex,
    settings_for,
    store,
    stored,
    take_in,
    undisturbed,
)
from tests.retrieval.engines import end_engine

from phidex.errors import NotFoundError
from phidex.retrieval import choose
from phidex.retrieval.choose import Choice
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.filters import Filters
from phidex.retrieval.search import search
from phidex.retrieval.store import Floats, Store
from phidex.sdk import Phidex

__all__ = ["phidex", "store"]  # fixtures

pymupdf: Any = _pymupdf  # its own types are incomplete


class CountingEmbedder:
    """Vectors from character codes, and all texts that it was asked for."""

    identity = EmbedderIdentity("counting", 8, "counting/1")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Floats:
        counts = 1 + np.bincount(np.frombuffer(text.encode(), np.uint8) % 8, minlength=8).astype(np.float32)
        return counts / np.float32(np.linalg.norm(counts))


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> CountingEmbedder:
    """The dense model of all collections of the test."""
    counting = CountingEmbedder()

    def chosen(*_: Any) -> Choice:
        return Choice(counting, "counting")

    monkeypatch.setattr(choose, "choose_embedder", chosen)
    monkeypatch.setattr(choose, "open_embedder", chosen)
    return counting


def vectors(phidex: Phidex, collection: str = "default") -> dict[str, Floats]:
    """The dense vector of each point that has one."""
    from phidex.retrieval.engines import open_store
    from phidex.retrieval.store import Where

    store = open_store(phidex.settings.data, phidex.settings.store)
    try:
        records, _ = store.scroll(collection, Where(), limit=1000, fields=())
        found = store.retrieve(collection, [record.id for record in records], dense=True)
    finally:
        store.close()
    return {record.id: record.dense for record in found if record.dense is not None}


class Reader:
    """A thread with a client of its own that looks all the time, from `start` until `stop`."""

    def __init__(self, data: Path, look: Callable[[Phidex], frozenset[str]]) -> None:
        self.seen: set[frozenset[str]] = set()
        self.looks = 0
        self._error: BaseException | None = None
        self._data, self._look = data, look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Reader:
        self._thread.start()
        while not self.looks and self._thread.is_alive():
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with Phidex(settings=settings_for(self._data)) as phidex:
                while not self._stop.is_set():
                    self.seen.add(self._look(phidex))
                    self.looks += 1
        except BaseException as exc:  # noqa: BLE001  shown in the test's own thread
            self._error = exc


@pytest.mark.parametrize("suffix", ["md", "pdf"])
def test_a_reader_sees_the_old_version_or_the_new_one(phidex: Phidex, tmp_path: Path, suffix: str) -> None:
    author = Author(1)
    old = author.document(f"plan.{suffix}", 5)
    new = author.edited(old)
    versions = [undisturbed(document.write(tmp_path))[old.name] for document in (old, new)]
    old.write(tmp_path)
    phidex.ingest(tmp_path / old.name)
    with Reader(phidex.settings.data, lambda reader: found_ids(reader, old)) as reader:
        for number in range(12):
            (new, old)[number % 2].write(tmp_path)  # each old version returns, under the digest it had before
            report = phidex.ingest(tmp_path / old.name)
            assert report.count("replaced") == 1
            assert stored(phidex)[old.name] == versions[(number + 1) % 2]
    assert reader.seen <= set(versions)
    assert reader.looks > 12


@pytest.mark.parametrize(("old", "new"), ["AB", "BA", "-A", "A-"])
def test_a_change_between_any_two_steps_of_a_search(store: Store, tmp_path: Path, old: str, new: str) -> None:
    """The whole change, or its first half, happens before the search's n-th request; "-" is a source that is not there."""
    author = Author(15)
    first = author.document("plan.md", 4)
    documents = {"A": first, "B": author.edited(first)}
    ids = {key: undisturbed(document.write(tmp_path))["plan.md"] for key, document in documents.items()}
    ids["-"] = frozenset()

    def go(collection: Collection, wanted: str) -> None:
        if wanted in documents:
            take_in(collection, documents[wanted].write(tmp_path))
        else:
            for entry in collection.entries():
                collection.remove(entry.source.id)

    writer = Collection.create(store, "default", lambda: None)
    for request in range(1, 8):
        go(writer, old)
        left = request

        def before(_: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                go(writer, new)

        reader = Collection(cast(Store, Stepping(store, before)), "default", writer.meta)
        found = frozenset(hit.chunk.id for hit in search(reader, first.word, embedder=None))
        assert found in (ids[old], ids[new]), f"a mixture when the source changes before request {request}"
        assert frozenset(hit.chunk.id for hit in search(writer, first.word, embedder=None)) == ids[new if left <= 0 else old]


def test_a_reader_sees_all_of_a_large_document_or_nothing(phidex: Phidex, tmp_path: Path) -> None:
    """Written in several batches."""
    author = Author(2)
    word = author.word()
    large = Document("large.md", word, tuple(author.page(word) for _ in range(1200)))
    path = large.write(tmp_path)
    first = author.document("first.md", 2)
    phidex.ingest(first.write(tmp_path))
    whole = undisturbed(path)[large.name]

    def look(reader: Phidex) -> frozenset[str]:
        return frozenset(hit.chunk.id for hit in reader.search(word, limit=500) if hit.source.name == large.name)

    def count(reader: Phidex) -> frozenset[str]:
        return frozenset([str(reader.status()["collections"]["default"]["chunks"])])

    with Reader(phidex.settings.data, look) as found, Reader(phidex.settings.data, count) as counted:
        phidex.ingest(path)
    assert {len(ids) for ids in found.seen} <= {0, 500}
    assert counted.seen <= {frozenset(["2"]), frozenset(["1202"])}
    assert stored(phidex)[large.name] == whole


def test_what_stayed_keeps_its_id_and_vector(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    author = Author(3)
    old = author.document("plan.md", 6)
    path = old.write(tmp_path)
    assert phidex.ingest(path).embedded == 6
    before = vectors(phidex)
    embedder.asked.clear()
    new = author.edited(old)
    report = phidex.ingest(new.write(tmp_path))
    assert (report.count("replaced"), report.embedded, report.pending) == (1, 2, 0)
    assert sorted(any(page.marker in text for text in embedder.asked) for page in new.pages) == [False] * 5 + [True] * 2
    after = vectors(phidex)
    kept = before.keys() & after.keys()
    assert len(kept) == 5
    assert all((before[identity] == after[identity]).all() for identity in kept)


def test_a_moved_page_is_not_embedded_again(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    old = Author(4).document("plan.pdf", 5)
    assert phidex.ingest(old.write(tmp_path)).embedded == 5
    embedder.asked.clear()
    first, second, third, *rest = old.pages
    moved = replace(old, pages=(first, third, second, *rest))
    report = phidex.ingest(moved.write(tmp_path))
    assert (report.count("replaced"), report.embedded, report.pending, embedder.asked) == (1, 0, 0, [])
    for number, page in enumerate(moved.pages, 1):
        hit = phidex.search(page.marker)[0]
        assert page.marker in hit.chunk.text
        assert hit.chunk.locator.to_dict()["page_number"] == number


def test_positions_follow_when_a_page_is_put_before(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    """The chunks behind it keep their ids, and their order says where they stand now."""
    path = tmp_path / "notes.txt"
    author = Author(5)
    paragraphs = [author.page("common").text for _ in range(4)]
    path.write_text("\n\n".join(paragraphs))
    phidex.ingest(path)
    embedder.asked.clear()
    # The lines of a text file are its places: a line that grows moves nothing behind it, though it is cut in two chunks.
    paragraphs[0] = f"{author.page('common').text} {author.page('common').text} {author.page('common').text}"
    path.write_text("\n\n".join(paragraphs))
    report = phidex.ingest(path)
    assert report.embedded == len(embedder.asked) > 1
    source = phidex.sources()[0]
    assert source.state == "complete"
    orders = sorted(hit.chunk.order for hit in phidex.search("common", limit=100))
    assert orders == list(range(source.chunk_count))
    assert set(stored(phidex)["notes.txt"]) == undisturbed(path)["notes.txt"]


def test_back_and_forth_loses_nothing(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    """An older version's text comes back: what both share is neither hidden meanwhile nor embedded again."""
    author = Author(6)
    old = author.document("plan.md", 4)
    new = author.edited(old)
    phidex.ingest(old.write(tmp_path))
    phidex.ingest(new.write(tmp_path))
    embedder.asked.clear()
    report = phidex.ingest(old.write(tmp_path))
    assert report.embedded == len(embedder.asked) == 1
    assert stored(phidex) == undisturbed(tmp_path / old.name)


def test_tags_change(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    document = Author(7).document("plan.pdf", 3)
    path = document.write(tmp_path)
    phidex.ingest(path, tags=["draft"])
    embedder.asked.clear()
    report = phidex.ingest(path, tags=["final", "2024"])
    assert (report.count("updated"), report.embedded, embedder.asked) == (1, 0, [])

    def tagged(tag: str) -> int:
        return len(phidex.search(document.word, filters=Filters(tags=(tag,))))

    assert (tagged("draft"), tagged("final"), tagged("2024")) == (0, 3, 3)
    assert phidex.sources()[0].source.tags == ("final", "2024")
    assert phidex.ingest(path, tags=["final", "2024"]).count("unchanged") == 1
    assert phidex.ingest(path).count("unchanged") == 1  # without tags, those that it has stay
    assert tagged("final") == 3
    assert phidex.ingest(path, tags=[]).count("updated") == 1
    assert (tagged("final"), phidex.sources()[0].source.tags) == (0, ())


def test_passages_of_earlier_runs_are_told_apart(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    author = Author(17)
    phidex.ingest(author.document("one.md", 3).write(tmp_path), dense="later")
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(pdf_bytes(["x"])[:300])
    report = phidex.ingest(broken)
    assert (report.count("failed"), report.embedded) == (1, 3)
    assert report.notes == ["3 passages of earlier runs (1 source) got the dense vectors that were still missing too"]
    assert phidex.ingest(author.document("two.md", 2).write(tmp_path)).notes == []


def test_pictures_of_what_was_never_committed_go_in_time(phidex: Phidex, tmp_path: Path) -> None:
    stray = phidex.settings.data / "blobs" / "default" / str(uuid.uuid4()) / f"{'0' * 32}.png"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"picture")
    phidex.ingest(Author(18).document("one.md", 1).write(tmp_path))
    assert stray.exists()  # its source may be about to come
    day_ago = time.time() - 86_500
    for path in (stray, stray.parent.parent / ".swept"):
        os.utime(path, (day_ago, day_ago))
    phidex.ingest(tmp_path / "one.md")
    assert not stray.parent.exists()


def test_an_unchanged_file_follows_its_repository(phidex: Phidex, tmp_path: Path) -> None:
    """Citations name the commit that is there now; nothing is read again for that."""
    author, repo = Author(19), tmp_path / "repo"
    author.document("same.md", 1).write(repo)
    edited = author.document("other.md", 2)

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    for document in (edited, author.edited(edited)):
        document.write(repo)
        git("add", ".")
        git("commit", "-qm", "x")
        report = phidex.ingest(repo)
        commits = {entry.source.metadata["commit"] for entry in phidex.sources()}
        assert commits == {git("rev-parse", "HEAD")}
    assert (report.count("unchanged"), report.count("replaced")) == (1, 1)


def test_removal(phidex: Phidex, tmp_path: Path) -> None:
    author = Author(8)
    documents = [author.document(f"d{n}.md", 3) for n in range(3)]
    for document in documents:
        document.write(tmp_path / "docs")
    phidex.ingest(tmp_path / "docs")
    with Reader(phidex.settings.data, lambda reader: found_ids(reader, documents[0])) as reader:
        assert phidex.remove("d0.md") == [(tmp_path / "docs" / "d0.md").resolve().as_uri()]
    assert {len(ids) for ids in reader.seen} <= {0, 3}
    assert sorted(stored(phidex)) == ["d1.md", "d2.md"]
    with pytest.raises(NotFoundError, match=r"'d0\.md'"):
        phidex.remove("d1.md", "d0.md")
    assert sorted(stored(phidex)) == ["d1.md", "d2.md"]
    assert phidex.ingest(tmp_path / "docs").count("added") == 1
    assert len(found_ids(phidex, documents[0])) == 3


def test_a_second_run_is_quick_and_writes_nothing(phidex: Phidex, embedder: CountingEmbedder, tmp_path: Path) -> None:
    author = Author(9)
    for number in range(40):
        author.document(f"d{number:02}.pdf", 8).write(tmp_path / "docs")
    first = phidex.ingest(tmp_path / "docs")
    before, times = stored(phidex), {entry.source.name: entry.ingested_at for entry in phidex.sources()}
    embedder.asked.clear()
    second = phidex.ingest(tmp_path / "docs")
    assert (first.count("added"), second.count("unchanged"), second.embedded, embedder.asked) == (40, 40, 0, [])
    assert stored(phidex) == before
    assert {entry.source.name: entry.ingested_at for entry in phidex.sources()} == times
    assert second.seconds_to_complete < first.seconds_to_searchable / 4


def test_the_same_content_in_another_collection(phidex: Phidex, tmp_path: Path) -> None:
    document = Author(10).document("plan.md", 3)
    path = document.write(tmp_path)
    assert phidex.ingest(path, collection="one").count("added") == 1
    assert phidex.ingest(path, collection="two").count("added") == 1
    one, two = found_ids(phidex, document, "one"), found_ids(phidex, document, "two")
    assert len(one) == len(two) == 3
    assert not one & two
    phidex.remove("plan.md", collection="one")
    assert not found_ids(phidex, document, "one")
    assert found_ids(phidex, document, "two") == two
    phidex.drop("one")
    assert list(phidex.status()["collections"]) == ["two"]


def test_the_same_content_under_two_names(phidex: Phidex, tmp_path: Path) -> None:
    document = Author(11).document("plan.md", 2)
    document.write(tmp_path / "docs")
    replace(document, name="copy.md").write(tmp_path / "docs")
    report = phidex.ingest(tmp_path / "docs")
    assert [file.outcome for file in report.failed] == []
    assert len(report.files) == 2
    ((kept, ids),) = stored(phidex).items()
    assert len(ids) == 2
    (hit, _) = phidex.search(document.word)
    assert {Path(uri).name for uri in (hit.source.uri, *hit.source.also)} == {"copy.md", "plan.md"}
    assert phidex.remove(kept) == [hit.source.uri]
    (other,) = stored(phidex)
    assert {kept, other} == {"copy.md", "plan.md"}
    assert len(found_ids(phidex, replace(document, name=other))) == 2
    phidex.remove(other)
    assert not stored(phidex)


def encrypted_pdf() -> bytes:
    with pymupdf.open() as document:
        document.new_page().insert_text((72, 72), "secret")
        return document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="a", user_pw="b")


def test_bad_files_spoil_nothing_else(phidex: Phidex, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    author = Author(12)
    good = [author.document(name, 2) for name in ("aaa.pdf", "zzz.md")]
    for document in good:
        document.write(folder)
    bad = {
        "truncated.pdf": (pdf_bytes(["one page"] * 20)[:300], "damaged|no page|text|broken"),
        "empty.pdf": (b"", "empty"),
        "empty.txt": (b"", "empty"),
        "encrypted.pdf": (encrypted_pdf(), "encrypted|password"),
        "binary.txt": (bytes(range(256)) * 40, "binary"),
        "office.md": (b"PK\x03\x04\x14\x00\x06\x00" + bytes(100), "damaged|cut off"),
        "blank.pdf": (pdf_bytes([""]), "text"),
        "blank.txt": (b" \n\n \n", "text|empty"),
    }
    for name, (data, _) in bad.items():
        (folder / name).write_bytes(data)
    (folder / "dangling.txt").symlink_to(folder / "nowhere.txt")
    (folder / "picture.xyz").write_bytes(b"?")
    report = phidex.ingest(folder)
    reasons = {Path(file.path).name: file.reason for file in report.failed}
    assert set(reasons) == set(bad)
    for name, (_, pattern) in bad.items():
        assert any(part in reasons[name] for part in pattern.split("|")), f"{name}: {reasons[name]}"
    skipped = [file for file in report.files if file.outcome == "skipped"]
    assert {Path(file.path).name: file.reason for file in skipped} == {
        "dangling.txt": "a symbolic link to nothing",
        "picture.xyz": "not a kind of document that is read here",
    }
    for document in good:
        assert len(found_ids(phidex, document)) == 2
    assert sorted(stored(phidex)) == ["aaa.pdf", "zzz.md"]


def test_a_file_that_turns_bad_keeps_its_last_good_version(phidex: Phidex, tmp_path: Path) -> None:
    document = Author(13).document("plan.pdf", 3)
    path = document.write(tmp_path)
    phidex.ingest(path)
    path.write_bytes(document.to_bytes()[:500])
    assert len(phidex.ingest(path).failed) == 1
    assert len(found_ids(phidex, document)) == 3


def test_a_named_pipe_is_not_waited_for(phidex: Phidex, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    report = phidex.ingest(tmp_path / "pipe.txt")
    assert "not a regular file" in report.failed[0].reason


def test_the_data_folder_is_not_a_document(tmp_path: Path) -> None:
    """It lies under the working folder by default, where people say `phidex ingest .`."""
    document = Author(14).document("plan.md", 2)
    document.write(tmp_path)
    with Phidex(settings=settings_for(tmp_path / "phidex-data")) as phidex:
        phidex.status()  # starts the engine, whose log lies there
        for outcome in ("added", "unchanged"):
            report = phidex.ingest(tmp_path)
            assert [(Path(file.path).name, file.outcome) for file in report.files] == [("plan.md", outcome)]
    end_engine(tmp_path / "phidex-data")
