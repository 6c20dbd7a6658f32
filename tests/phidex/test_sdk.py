"""What the SDK promises: typed results that become JSON, streams in order, threads, closing."""

from __future__ import annotations

import gc
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.builders import Author, Document, found_ids, phidex, settings_for, stored, undisturbed
from tests.retrieval.engines import end_engine

from phidex import (
    Answer,
    Chunk,
    Citation,
    ConfigError,
    Delta,
    FileReport,
    Filters,
    Hit,
    IngestReport,
    InputError,
    LineLocator,
    NotFoundError,
    PageLocator,
    Phidex,
    PhidexError,
    Route,
    Source,
    SourceEntry,
)
from phidex.generation.answer import event_name
from phidex.retrieval import choose

__all__ = ["phidex"]  # a fixture


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    author = Author(1)
    both = [author.document("manual.pdf", 4), author.document("notes.md", 3)]
    for document in both:
        document.write(tmp_path / "docs")
    return both


def test_typed_results_that_become_json(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    report = phidex.ingest(tmp_path / "docs")
    assert isinstance(report, IngestReport)
    assert all(isinstance(file, FileReport) for file in report.files)
    hits = phidex.search(documents[0].pages[1].marker)
    assert isinstance(hits[0], Hit)
    assert isinstance(hits[0].chunk, Chunk)
    assert isinstance(hits[0].source, Source)
    assert isinstance(hits[0].chunk.locator, PageLocator)
    assert hits[0].chunk.locator.page_number == 2
    assert hits[0].why["lexical"].rank == 1
    assert hits[0].score >= hits[-1].score
    assert isinstance(phidex.search(documents[1].pages[1].marker)[0].chunk.locator, LineLocator)
    answer = phidex.ask(f"Where was the {documents[0].pages[1].marker}?")
    assert isinstance(answer, Answer)
    assert isinstance(answer.citations[0], Citation)
    assert str(answer.citations[0]) == "[1] manual.pdf, p. 2"
    assert isinstance(answer.route, Route)
    assert {"search", "pack", "answer"} <= answer.timings.keys()
    entries = phidex.sources()
    assert all(isinstance(entry, SourceEntry) for entry in entries)
    for result in (report, *hits, answer, *entries):
        told = result.to_dict()
        assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert json.loads(json.dumps(phidex.status())) == phidex.status()


def test_progress_is_told(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    phidex.ingest(tmp_path / "docs", on_file=lambda file, number, total: told.append((Path(file.path).name, number, total)))
    assert told == [("manual.pdf", 1, 2), ("notes.md", 2, 2)]


def test_an_error_of_the_callers_own_ends_the_ingest(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        phidex.ingest(tmp_path / "docs", on_file=stop)
    kept = [entry.source.name for entry in phidex.sources()]
    assert "manual.pdf" in kept
    assert phidex.ingest(tmp_path / "docs").count("unchanged") == len(kept)


def test_paths_as_text_and_several_at_once(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    report = phidex.ingest(str(tmp_path / "docs" / "notes.md"), tmp_path / "docs", tmp_path / "docs" / "manual.pdf")
    assert [Path(file.path).name for file in report.files] == ["notes.md", "manual.pdf"]
    with pytest.raises(NotFoundError, match="no such file or folder") as caught:
        phidex.ingest(tmp_path / "docs", tmp_path / "nowhere")
    assert isinstance(caught.value, InputError | PhidexError)


def test_no_paths(phidex: Phidex) -> None:
    assert phidex.ingest().files == []
    assert phidex.search("anything") == []


def test_errors_say_what_to_do(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    for call in (
        lambda: phidex.search("x", "nowhere"),
        lambda: phidex.ask("x", "nowhere"),
        lambda: phidex.sources("nowhere"),
        lambda: phidex.remove("x", collection="nowhere"),
        lambda: phidex.drop("nowhere"),
        lambda: phidex.complete("nowhere"),
    ):
        with pytest.raises(NotFoundError, match="there is no collection 'nowhere'") as caught:
            call()
        assert caught.value.hint
    phidex.ingest(tmp_path / "docs")
    for call in (lambda: phidex.search(" "), lambda: phidex.ask(""), lambda: phidex.search("x" * 30_000)):
        with pytest.raises(InputError, match="query"):
            call()
    with pytest.raises(InputError, match="no name for a collection"):
        phidex.ingest(tmp_path / "docs", collection="Über uns")
    with pytest.raises(InputError, match="limit"):
        phidex.search("x", limit=-1)


def test_events_in_order(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    question = f"Where was the {documents[0].pages[1].marker}?"
    events = list(phidex.ask(question, stream=True))
    kinds = [event_name(event) for event in events]
    assert (kinds[:3], kinds[-1], set(kinds[3:-1])) == (["route", "evidence", "token"], "done", {"citation"})
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == answer.text
    assert answer.text == phidex.ask(question).text


def test_a_stream_closed_early(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    events = phidex.ask("Where is the pump?", stream=True)
    assert isinstance(next(events), Route)
    events.close()  # type: ignore[attr-defined]
    assert list(events) == []
    del events
    gc.collect()
    assert phidex.ask("Where is the pump?").text


def test_the_question_is_checked_when_the_stream_is_read(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    with pytest.raises(InputError, match="empty"):
        next(phidex.ask("", stream=True))


def test_eight_threads_search_while_one_ingests(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    author = Author(2)
    for number in range(40):
        author.document(f"d{number:02}.md", 3).write(tmp_path / "more")
    done = threading.Event()
    whole = undisturbed(tmp_path / "docs")

    def read(number: int) -> int:
        document, looks = documents[number % 2], 0
        while not done.is_set() or not looks:
            assert found_ids(phidex, document) == whole[document.name]
            looks += 1
        return looks

    with ThreadPoolExecutor(9) as pool:
        readers = [pool.submit(read, number) for number in range(8)]
        try:
            report = pool.submit(phidex.ingest, tmp_path / "more").result()
        finally:
            done.set()
        assert all(reader.result() for reader in readers)
    assert report.count("added") == 40
    assert stored(phidex) == undisturbed(tmp_path / "docs", tmp_path / "more")


def test_two_threads_ingest(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    """PyMuPDF is not made for threads: files are read one after the other, in whichever thread."""
    author = Author(3)
    for number in range(16):
        author.document(f"d{number:02}.pdf", 5).write(tmp_path / f"part{number % 2}")
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(phidex.ingest, (tmp_path / "part0", tmp_path / "part1")))
    assert [report.count("added") for report in reports] == [8, 8]
    assert stored(phidex) == undisturbed(tmp_path / "part0", tmp_path / "part1")


def test_closing(documents: list[Document], tmp_path: Path) -> None:
    phidex = Phidex(settings=settings_for(tmp_path / "data"))
    phidex.close()
    phidex.close()
    phidex.ingest(tmp_path / "docs")
    phidex.close()
    phidex.close()
    assert len(found_ids(phidex, documents[0])) == 4  # opens again
    assert repr(phidex) == f"Phidex(data={str(tmp_path / 'data')!r})"
    phidex.close()
    end_engine(tmp_path / "data")


def test_the_engine_may_leave_between_calls(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    end_engine(phidex.settings.data)
    assert len(found_ids(phidex, documents[0])) == 4


def test_the_folder_given_wins_over_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path / "data")
    assert Phidex(tmp_path / "other", settings).settings.data == tmp_path / "other"
    assert Phidex(settings=settings).settings.data == tmp_path / "data"
    monkeypatch.setenv("PHIDEX_DATA", str(tmp_path / "third"))
    assert Phidex().settings.data == tmp_path / "third"
    assert not (tmp_path / "data").exists()  # nothing is made before it is needed


def test_another_dense_model_than_the_collections(tmp_path: Path, documents: list[Document]) -> None:
    """None at first; a collection that was made without stays without, and says so."""
    with Phidex(settings=settings_for(tmp_path / "data")) as phidex:
        phidex.ingest(tmp_path / "docs")
    with Phidex(settings=settings_for(tmp_path / "data", model="bundled")) as phidex:
        report = phidex.ingest(tmp_path / "docs")
        assert report.embedder == "the collection was made without dense vectors"
        assert len(found_ids(phidex, documents[0])) == 4
    end_engine(tmp_path / "data")


def test_who_needs_no_model_does_not_wait_for_one(
    tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is fetched and read for seconds; meanwhile, all that needs none goes on, and it is opened once for all."""
    with Phidex(settings=settings_for(tmp_path / "data")) as plain:
        plain.ingest(tmp_path / "docs", collection="plain")
    with Phidex(settings=settings_for(tmp_path / "data", model="bundled")) as phidex:
        phidex.ingest(tmp_path / "docs", dense="later")
    opening, go_on, opened = threading.Event(), threading.Event(), 0
    whole = choose.open_embedder

    def slow(*args: Any) -> choose.Choice:
        nonlocal opened
        opened += 1
        opening.set()
        assert go_on.wait(30)
        return whole(*args)

    monkeypatch.setattr(choose, "open_embedder", slow)
    with Phidex(settings=settings_for(tmp_path / "data", model="auto")) as phidex, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(phidex.search, documents[0].word) for _ in range(2)]
        try:
            assert opening.wait(30)
            for call in (phidex.sources, phidex.status, lambda: phidex.search(documents[0].word, "plain")):
                assert pool.submit(call).result(timeout=10)
            assert not any(search.done() for search in waiting)
        finally:
            go_on.set()
        assert all(search.result() for search in waiting)
    assert opened == 1
    end_engine(tmp_path / "data")


def test_filters_and_limits(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    phidex.ingest(tmp_path / "docs")
    assert len(phidex.search(documents[0].word, limit=2)) == 2
    (source_id,) = phidex.find_sources("manual.pdf")
    by_id = phidex.search("pump valve boiler window", filters=Filters(sources=(source_id,)))
    assert {hit.source.id for hit in by_id} == {source_id}
    pages = phidex.search(documents[0].word, filters=Filters(pages=(2, 3)))
    assert {hit.chunk.locator.to_dict()["page_number"] for hit in pages} == {2, 3}
    answer = phidex.ask(f"Where was the {documents[0].pages[0].marker}?", filters=Filters(kinds=("markdown",)))
    assert {citation.source.kind for citation in answer.citations} <= {"markdown"}


def test_a_full_disk_is_a_service_error(phidex: Phidex, documents: list[Document], tmp_path: Path) -> None:
    from phidex import ServiceError
    from phidex.settings import StoreSettings

    short = StoreSettings(min_free_mb=10**9)  # pyright: ignore[reportCallIssue]  # all fields have defaults
    settings = phidex.settings.model_copy(update={"store": short})
    with Phidex(settings=settings) as starved, pytest.raises(ServiceError, match="nearly full"):
        starved.ingest(tmp_path / "docs")
    assert phidex.ingest(tmp_path / "docs").count("added") == 2


def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_EMBED__MODLE", "none")
    with pytest.raises(ConfigError, match="PHIDEX_EMBED__MODLE"):
        Phidex()


def test_an_ingest_that_ends_while_the_model_loads(tmp_path: Path, documents: list[Document]) -> None:
    """The dense model loads in a thread of its own; leaving at once must not hang or crash."""
    started = time.monotonic()
    with Phidex(settings=settings_for(tmp_path / "data", model="bundled")) as phidex:
        report = phidex.ingest(tmp_path / "docs", dense="later")
    assert (report.embedded, report.pending) == (0, 7)
    assert time.monotonic() - started < 30
    end_engine(tmp_path / "data")
