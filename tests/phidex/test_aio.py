"""`AsyncPhidex` has the names of `Phidex`, gives the same results, and keeps the event loop free."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.builders import Author, Document, settings_for
from tests.retrieval.engines import end_engine

from phidex import AsyncPhidex, NotFoundError, Phidex, Route
from phidex.generation.answer import event_name

_STREAM_ONLY = {"stream", "cancelled"}  # of `Phidex.ask`: here they are `ask_stream`, and cancelling its task


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    author = Author(1)
    both = [author.document("manual.pdf", 4), author.document("notes.md", 3)]
    for document in both:
        document.write(tmp_path / "docs")
    return both


def run(tmp_path: Path, work: Callable[[AsyncPhidex], Awaitable[None]]) -> None:
    """`work` on a fresh data folder, whose engine is ended with it."""

    async def main() -> None:
        async with AsyncPhidex(settings=settings_for(tmp_path / "data")) as phidex:
            await work(phidex)

    try:
        asyncio.run(main())
    finally:
        end_engine(tmp_path / "data")


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def parameters(function: Callable[..., object]) -> dict[str, tuple[object, object, str]]:
    found = inspect.signature(function).parameters.values()
    return {one.name: (one.kind, one.default, str(one.annotation)) for one in found if one.name not in _STREAM_ONLY}


def test_the_same_names_and_parameters() -> None:
    assert public(AsyncPhidex) == public(Phidex) | {"ask_stream", "settings"}  # an attribute there, a property here
    for name in public(Phidex):
        if isinstance(getattr(Phidex, name), property):
            assert isinstance(getattr(AsyncPhidex, name), property), name
            continue
        assert parameters(getattr(Phidex, name)) == parameters(getattr(AsyncPhidex, name)), name
        assert inspect.iscoroutinefunction(getattr(AsyncPhidex, name)), name
        assert inspect.getdoc(getattr(AsyncPhidex, name)), name
    streamed = {name: one for name, one in parameters(AsyncPhidex.ask).items() if name != "schema"}  # it comes whole
    assert parameters(AsyncPhidex.ask_stream) == streamed
    assert parameters(AsyncPhidex) == parameters(Phidex)


def test_the_same_results(tmp_path: Path, documents: list[Document]) -> None:
    async def work(phidex: AsyncPhidex) -> None:
        seen: list[int] = []
        report = await phidex.ingest(tmp_path / "docs", on_file=lambda _, number, __: seen.append(number))
        assert (report.count("added"), seen) == (2, [1, 2])
        hits = await phidex.search(documents[0].pages[1].marker)
        question = f"Where was the {documents[0].pages[1].marker}?"
        answer = await phidex.ask(question)
        with Phidex(settings=phidex.settings) as plain:
            assert [hit.to_dict() for hit in hits] == [hit.to_dict() for hit in plain.search(documents[0].pages[1].marker)]
            assert answer.text == plain.ask(question).text
            assert await phidex.sources() == plain.sources()
            assert await phidex.status() == plain.status()
            assert await phidex.find_sources("notes.md") == plain.find_sources("notes.md")
        assert await phidex.complete() == 0
        assert len(await phidex.remove("notes.md")) == 1
        await phidex.drop("default")
        with pytest.raises(NotFoundError):
            await phidex.sources()

    run(tmp_path, work)


def test_events_in_order(tmp_path: Path, documents: list[Document]) -> None:
    async def work(phidex: AsyncPhidex) -> None:
        await phidex.ingest(tmp_path / "docs")
        events = [event async for event in phidex.ask_stream("Where is the pump?")]
        kinds = [event_name(event) for event in events]
        assert (kinds[:3], kinds[-1], set(kinds[3:-1])) == (["route", "evidence", "token"], "done", {"citation"})

    run(tmp_path, work)


def test_leaving_a_stream_and_cancelling_its_task(tmp_path: Path, documents: list[Document]) -> None:
    async def work(phidex: AsyncPhidex) -> None:
        await phidex.ingest(tmp_path / "docs")
        events: AsyncIterator[object] = phidex.ask_stream("Where is the pump?")
        async for event in events:
            assert isinstance(event, Route)
            break
        await events.aclose()  # type: ignore[attr-defined]

        async def read() -> None:
            async for _ in phidex.ask_stream("Where is the pump?"):
                await asyncio.sleep(10)

        task = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await phidex.ask("Where is the pump?")).text

    run(tmp_path, work)


def test_the_loop_stays_free_and_calls_run_side_by_side(tmp_path: Path, documents: list[Document]) -> None:
    author = Author(2)
    for number in range(30):
        author.document(f"d{number:02}.md", 3).write(tmp_path / "more")

    async def work(phidex: AsyncPhidex) -> None:
        await phidex.ingest(tmp_path / "docs")
        longest, beats = 0.0, 0
        ingest = asyncio.create_task(phidex.ingest(tmp_path / "more"))
        while not ingest.done():
            started = time.monotonic()
            await asyncio.sleep(0.005)
            longest, beats = max(longest, time.monotonic() - started), beats + 1
            if beats % 10 == 0:
                found = await asyncio.gather(*(phidex.search(document.word) for document in documents))
                assert [
                    len([hit for hit in hits if hit.source.name == document.name])
                    for hits, document in zip(found, documents, strict=True)
                ] == [4, 3]
        assert ingest.result().count("added") == 30
        assert beats > 3
        assert longest < 1.0

    run(tmp_path, work)


def test_closing(tmp_path: Path, documents: list[Document]) -> None:
    async def work(phidex: AsyncPhidex) -> None:
        await phidex.close()
        await phidex.close()
        await phidex.ingest(tmp_path / "docs")
        await phidex.close()
        assert await phidex.search(documents[0].word)

    run(tmp_path, work)
