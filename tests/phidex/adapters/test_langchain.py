"""Phidex inside LangChain: the retriever and the answerer, whole, streamed and in an event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_core", reason="needs the langchain extra")

from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from tests.builders import settings_for

from phidex import AsyncPhidex, Filters, NotFoundError, Phidex, ServiceError
from phidex.adapters.langchain import PhidexAnswerer, PhidexRetriever
from phidex.ingest.records import locator_from_dict

RENT = "How much is the rent?"


def text_of(told: dict[str, Any]) -> str:
    return told["answer"]


def test_documents_have_text_score_and_place(notes: Phidex) -> None:
    only = Filters(names=("lease.md",))
    found = PhidexRetriever(phidex=notes, collection="notes", limit=2, filters=only).invoke(RENT)
    hits = notes.search(RENT, "notes", 2, only)
    assert [(one.id, one.page_content, one.metadata["score"]) for one in found] == [
        (hit.chunk.id, hit.chunk.text, hit.score) for hit in hits
    ]
    assert locator_from_dict(found[0].metadata["locator"]) == hits[0].chunk.locator
    assert (found[0].metadata["file_name"], found[0].metadata["location"]) == ("lease.md", "lines 1-7")


def test_it_runs_in_an_event_loop_natively_or_in_threads(notes: Phidex) -> None:
    async def main() -> list[list[Document]]:
        async with AsyncPhidex(settings=settings_for(notes.settings.data)) as aio:
            threaded = PhidexRetriever(phidex=notes, collection="notes", limit=2)
            native = PhidexRetriever(phidex=notes, collection="notes", limit=2, aio=aio)
            return list(await asyncio.gather(threaded.ainvoke(RENT), native.ainvoke(RENT)))

    first, second = asyncio.run(main())
    assert [one.id for one in first] == [one.id for one in second]
    assert len(first) == 2


def test_errors_are_ours_and_can_be_retried_by_kind(notes: Phidex) -> None:
    class Flaky:
        calls = 0

        def search(self, *_: Any) -> list[Any]:
            self.calls += 1
            if self.calls < 3:
                raise ServiceError("down for the moment", retryable=True)
            return []

    with pytest.raises(NotFoundError, match="ingest into it first"):
        PhidexRetriever(phidex=notes, collection="nowhere").invoke(RENT)
    flaky = Flaky()
    retried = PhidexRetriever(phidex=flaky).with_retry(
        retry_if_exception_type=(ServiceError,), wait_exponential_jitter=False, stop_after_attempt=3
    )
    assert (retried.invoke(RENT), flaky.calls) == ([], 3)


def test_an_answer_whole_and_in_parts_that_add_up(notes: Phidex) -> None:
    answerer = PhidexAnswerer(notes, "notes", filters=Filters(names=("lease.md",)))
    whole = answerer.invoke(RENT)
    answer = notes.ask(RENT, "notes", filters=Filters(names=("lease.md",)))
    assert (whole["input"], whole["answer"]) == (RENT, answer.text)
    assert [one.id for one in whole["context"]] == [one.chunk_id for one in answer.citations]
    assert whole["context"][0].metadata["quote"] in whole["context"][0].page_content
    assert whole["metadata"]["route"]["role"] == "extractive"
    parts = list(answerer.stream(RENT))
    assert parts[0] == {"input": RENT}
    assert "".join(part.get("answer", "") for part in parts) == answer.text
    assert len(parts[-1]["context"]) == len(answer.citations)
    chain: Any = answerer | RunnableLambda(text_of)
    assert chain.invoke(RENT) == answer.text
    assert [one["answer"] for one in answerer.batch([RENT, RENT])] == [answer.text] * 2


def test_an_answer_in_an_event_loop(notes: Phidex) -> None:
    async def main() -> list[str]:
        async with AsyncPhidex(settings=settings_for(notes.settings.data)) as aio:
            found: list[str] = []
            for answerer in (PhidexAnswerer(notes, "notes"), PhidexAnswerer(notes, "notes", aio=aio)):
                found.append((await answerer.ainvoke(RENT))["answer"])
                found.append("".join([part.get("answer", "") async for part in answerer.astream(RENT)]))
            return found

    assert set(asyncio.run(main())) == {notes.ask(RENT, "notes").text}
