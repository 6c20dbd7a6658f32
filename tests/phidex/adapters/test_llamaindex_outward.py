"""Phidex inside LlamaIndex: retriever, query engine, reader, embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")

from llama_index.core import SimpleDirectoryReader
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.schema import NodeRelationship
from tests.builders import Author, settings_for

from phidex import AsyncPhidex, Filters, NotFoundError, Phidex
from phidex.adapters.answering import Told
from phidex.adapters.llamaindex import PhidexEmbedding, PhidexQueryEngine, PhidexReader, PhidexRetriever
from phidex.errors import ConfigError, InputError
from phidex.generation.answer import AnswerEvent, Route
from phidex.generation.chat_wire import Delta
from phidex.ingest.records import locator_from_dict
from phidex.ingest.run.report import FileReport
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Floats

NOTES = Path(__file__).resolve().parents[3] / "examples" / "notes"
RENT = "How much is the rent?"


def related(node: Any, relation: NodeRelationship) -> str:
    return node.relationships[relation].node_id


def test_nodes_have_text_score_place_and_relations(notes: Phidex) -> None:
    retriever = PhidexRetriever(notes, "notes", limit=5, filters=Filters(names=("lease.md",)))
    found = retriever.retrieve(RENT)
    hits = notes.search(RENT, "notes", 5, Filters(names=("lease.md",)))
    assert [(one.node.node_id, one.score) for one in found] == [(hit.chunk.id, hit.score) for hit in hits]
    node, hit = found[0].node, hits[0]
    told = node.metadata
    assert (node.get_content(), told["file_name"], told["source"]) == (hit.chunk.text, "lease.md", hit.source.uri)
    assert locator_from_dict(told["locator"]) == hit.chunk.locator
    assert (told["location"], told["start_line"], told["end_line"]) == ("lines 1-7", 1, 7)
    assert related(node, NodeRelationship.SOURCE) == hit.source.id
    assert related(node, NodeRelationship.NEXT) == next(one.chunk.id for one in hits if one.chunk.order == 1)
    assert "locator" not in node.get_content(metadata_mode="llm")  # pyright: ignore[reportArgumentType]
    assert "lease.md" in node.get_content(metadata_mode="llm")  # pyright: ignore[reportArgumentType]


def test_errors_are_ours_with_their_hints(notes: Phidex) -> None:
    with pytest.raises(NotFoundError, match="ingest into it first"):
        PhidexRetriever(notes, "nowhere").retrieve(RENT)
    with pytest.raises(InputError):
        PhidexQueryEngine(notes, "notes").query(" ")


def test_async_calls_go_to_the_async_sdk_or_to_threads(notes: Phidex) -> None:
    async def main() -> tuple[list[str], list[str], str, str]:
        async with AsyncPhidex(settings=settings_for(notes.settings.data)) as aio:
            threaded, native = PhidexRetriever(notes, "notes", limit=3), PhidexRetriever(notes, "notes", limit=3, aio=aio)
            both = await asyncio.gather(threaded.aretrieve(RENT), native.aretrieve(RENT))
            engines = PhidexQueryEngine(notes, "notes"), PhidexQueryEngine(notes, "notes", aio=aio)
            answers = await asyncio.gather(*(engine.aquery(RENT) for engine in engines))
            first, second = ([one.node.node_id for one in found] for found in both)
            return first, second, str(answers[0]), str(answers[1])

    first, second, threaded, native = asyncio.run(main())
    assert first == second
    assert len(first) == 3
    assert threaded == native
    assert "2,400 euros" in native


def test_an_answer_has_its_citations_as_source_nodes(notes: Phidex) -> None:
    engine = PhidexQueryEngine(notes, "notes", filters=Filters(names=("lease.md",)))
    response = engine.query(RENT)
    assert isinstance(response, Response)
    answer = notes.ask(RENT, "notes", filters=Filters(names=("lease.md",)))
    assert response.response == answer.text
    assert [one.node.node_id for one in response.source_nodes] == [one.chunk_id for one in answer.citations]
    cited = response.source_nodes[0].node
    assert cited.metadata["marker"] == 1
    assert cited.metadata["verified"]
    assert cited.metadata["quote"] in cited.get_content()
    assert response.metadata is not None
    assert (response.metadata["found"], response.metadata["route"]["role"]) == (True, "extractive")
    assert engine.retrieve(_bundle(RENT))[0].node.node_id == notes.search(RENT, "notes")[0].chunk.id


def test_a_streamed_answer_has_its_sources_behind_its_text(notes: Phidex) -> None:
    streamed = PhidexQueryEngine(notes, "notes", streaming=True).query(RENT)
    assert isinstance(streamed, StreamingResponse)
    assert streamed.source_nodes == []
    text = "".join(streamed.response_gen)
    assert text == notes.ask(RENT, "notes").text
    assert len(streamed.source_nodes) == len(notes.ask(RENT, "notes").citations) > 0

    async def main() -> AsyncStreamingResponse:
        response = await PhidexQueryEngine(notes, "notes", streaming=True).aquery(RENT)
        assert isinstance(response, AsyncStreamingResponse)
        assert "".join([piece async for piece in response.async_response_gen()]) == text
        return response

    assert asyncio.run(main()).source_nodes


def test_leaving_a_stream_closes_the_answer() -> None:
    closed: list[bool] = []

    def events() -> Iterator[AnswerEvent]:
        try:
            yield Delta("a")
            yield Delta("b")
        finally:
            closed.append(True)

    pieces = Told().pieces(events())
    assert next(pieces) == "a"
    pieces.close()
    assert closed == [True]


def test_an_answer_that_begins_anew_says_so() -> None:
    route = Route("moe", "phi-3.5-moe", "mini seemed unsure, so moe answered again")
    told = Told()
    said = [told.take(event) for event in (Route("mini", "m", "first"), Delta("Ten."), route, Delta("Twelve."))]
    assert said == ["", "Ten.", "\n\n(mini seemed unsure, so moe answered again)\n\n", "Twelve."]


def test_our_parsers_as_documents_and_as_nodes(notes: Phidex, tmp_path: Path) -> None:
    Author(1).document("manual.pdf", 2).write(tmp_path)
    failed: list[FileReport] = []
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    reader = PhidexReader(notes.settings, on_failed=failed.append)
    documents = reader.load_data(tmp_path, NOTES, extra_info={"project": "move"})
    by_file: dict[str, list[Any]] = {}
    for document in documents:
        by_file.setdefault(document.metadata["file_name"], []).append(document)
    assert {name: len(held) for name, held in by_file.items()} == {
        "manual.pdf": 2,
        "lease.md": 1,
        "boiler.md": 1,
        "minutes.md": 1,
    }
    second = by_file["manual.pdf"][1].metadata
    assert (second["page_number"], second["location"], second["project"]) == (2, "p. 2", "move")
    assert second["boxes"]
    assert by_file["lease.md"][0].metadata["location"] == "lines 1-11"
    assert [Path(report.path).name for report in failed] == ["broken.pdf"]
    again = {document.id_ for document in reader.lazy_load_data(NOTES)}
    assert again == {held[0].id_ for name, held in by_file.items() if name.endswith(".md")}
    nodes = reader.load_nodes(NOTES / "lease.md")
    assert [node.metadata["location"] for node in nodes] == ["lines 1-7", "lines 9-11"]
    assert related(nodes[0], NodeRelationship.NEXT) == nodes[1].node_id


def test_a_reader_can_be_left_early_and_says_what_nobody_can_read(notes: Phidex, tmp_path: Path) -> None:
    first = next(iter(PhidexReader(notes.settings).lazy_load_data(NOTES)))
    assert first.text
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(InputError, match=r"broken\.pdf"):
        PhidexReader(notes.settings).load_data(tmp_path / "broken.pdf")
    with pytest.raises(NotFoundError):
        PhidexReader(notes.settings).load_data(tmp_path / "gone")


def test_our_reader_serves_their_directory_reader(notes: Phidex) -> None:
    extractor: dict[str, Any] = {".md": PhidexReader(notes.settings)}
    documents = SimpleDirectoryReader(NOTES, file_extractor=extractor).load_data()
    assert {one.metadata["location"] for one in documents} >= {"lines 1-11"}
    assert all("creation_date" in one.metadata for one in documents)


class Lengths:
    """An embedder that knows how long a text is."""

    identity = EmbedderIdentity("given:lengths", 2, "1")

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    def embed_query(self, text: str) -> Floats:
        return self.embed_passages([text])[0]


def test_our_embedder_as_an_embedding(notes: Phidex) -> None:
    embedding = PhidexEmbedding(embedder=Lengths())
    assert (embedding.model_name, embedding.embed_batch_size) == ("given:lengths", 256)
    assert embedding.get_query_embedding("abc") == [3.0, 1.0]
    assert embedding.get_text_embedding("ab") == [2.0, 1.0]
    assert embedding.get_text_embedding_batch(["a", "abcd"]) == [[1.0, 1.0], [4.0, 1.0]]

    async def main() -> list[list[float]]:
        return [
            await embedding.aget_query_embedding("abc"),
            await embedding.aget_text_embedding("ab"),
            *await embedding.aget_text_embedding_batch(["a"]),
        ]

    assert asyncio.run(main()) == [[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]]
    with pytest.raises(ConfigError, match="no dense model"):
        PhidexEmbedding(notes.settings)


def _bundle(text: str) -> Any:
    from llama_index.core.schema import QueryBundle

    return QueryBundle(text)
