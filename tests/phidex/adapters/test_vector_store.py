"""A collection as a vector store of LlamaIndex: what goes in comes out, filters hold exactly, and the rest is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")

from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from phidex import PageLocator, Phidex
from phidex.adapters.llamaindex import PhidexVectorStore
from phidex.adapters.unsupported import UnsupportedError
from phidex.errors import InputError


def node(identity: str, text: str, document: str, **metadata: Any) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    return TextNode(id_=identity, text=text, metadata=metadata, relationships=source)  # pyright: ignore[reportArgumentType]


A = node("a-1", "The red kite nests in tall oaks.", "birds", author="Ada", year=2019, page_label="3")
B = node("a-2", "The red fox hunts at dusk.", "birds", author="Ada", year=2019, page_label="4")
C = node("b-1", "Red kelp grows under the pier.", "plants", author="Grace", year=2022, colour="red", language="Latin")
D = node("b-2", "Green kelp does not.", "plants", author="Grace", year=2022, colour="green", language="Latin")


@pytest.fixture(scope="module")
def store(notes: Phidex) -> PhidexVectorStore:
    made = PhidexVectorStore(notes, "vectors")
    assert made.query(VectorStoreQuery(query_str="red")).ids == []
    assert made.add([A, C]) == ["a-1", "b-1"]
    assert asyncio.run(made.async_add([B, D])) == ["a-2", "b-2"]
    return made


def ids(store: PhidexVectorStore, text: str = "red kelp kite fox", **options: Any) -> set[str]:
    return set(store.query(VectorStoreQuery(query_str=text, similarity_top_k=10, **options)).ids or ())


def question(**options: Any) -> VectorStoreQuery:
    given: dict[str, Any] = {"query_str": "red", **options}
    return VectorStoreQuery(**given)


def limited(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> dict[str, Any]:
    return {"filters": MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])}


def test_nodes_come_out_as_they_went_in(store: PhidexVectorStore) -> None:
    result = store.query(VectorStoreQuery(query_str="red kite", similarity_top_k=2))
    assert result.nodes is not None
    assert result.similarities is not None
    best = result.nodes[0]
    assert (best.node_id, best.get_content(), best.metadata) == ("a-1", A.text, A.metadata)
    assert best.ref_doc_id == "birds"
    assert result.similarities == sorted(result.similarities, reverse=True)
    best.metadata["author"] = "changed by who asked"
    again: Any = store.query(question(query_str="red kite")).nodes
    assert again[0].metadata["author"] == "Ada"
    (hit, *_) = store.client.search("red kite", "vectors")
    assert hit.chunk.locator == PageLocator(3)
    assert {one.node_id for one in store.get_nodes()} == {"a-1", "a-2", "b-1", "b-2"}
    assert [one.get_content() for one in asyncio.run(store.aget_nodes(["b-2"]))] == [D.text]


FILTERED: list[tuple[dict[str, Any], set[str]]] = [
    (limited("author", "Ada"), {"a-1", "a-2"}),
    (limited("author", "Ada", FilterOperator.NE), {"b-1", "b-2"}),
    (limited("author", ["Ada", "Eve"], FilterOperator.IN), {"a-1", "a-2"}),
    (limited("author", ["Ada"], FilterOperator.NIN), {"b-1", "b-2"}),
    (limited("author", "ra", FilterOperator.TEXT_MATCH), {"b-1", "b-2"}),
    (limited("author", "ADA", FilterOperator.TEXT_MATCH_INSENSITIVE), {"a-1", "a-2"}),
    (limited("year", 2020, FilterOperator.GT), {"b-1", "b-2"}),
    (limited("year", 2019, FilterOperator.LTE), {"a-1", "a-2"}),
    (limited("author", "nobody"), set()),
    (limited("language", "Latin"), {"b-1", "b-2"}),  # the documents' own word goes before ours
    (limited("kind", "text"), {"a-1", "a-2", "b-1", "b-2"}),
    (limited("kind", "pdf"), set()),
    (limited("page_label", "4"), {"a-2"}),
    (limited("page_label", 4, FilterOperator.GTE), {"a-2"}),
    (limited("page_label", 4, FilterOperator.LT), {"a-1"}),
    (limited("ref_doc_id", "plants"), {"b-1", "b-2"}),
    ({"doc_ids": ["birds"]}, {"a-1", "a-2"}),
    ({"doc_ids": ["nothing"]}, set()),
    ({"mode": VectorStoreQueryMode.HYBRID, "hybrid_top_k": 10, **limited("author", "Ada")}, {"a-1", "a-2"}),
]


@pytest.mark.parametrize(("options", "expected"), FILTERED)
def test_filters_hold_exactly(store: PhidexVectorStore, options: dict[str, Any], expected: set[str]) -> None:
    assert ids(store, **options) == expected


def test_filters_are_joined_by_and(store: PhidexVectorStore) -> None:
    both = [MetadataFilter(key="author", value="Ada"), MetadataFilter(key="page_label", value="3")]
    nested = MetadataFilters(filters=[MetadataFilters(filters=both), MetadataFilter(key="year", value=2019)])  # type: ignore[list-item]
    assert ids(store, filters=nested) == {"a-1"}
    contrary = [MetadataFilter(key="author", value="Ada"), MetadataFilter(key="author", value="Grace")]
    assert ids(store, filters=MetadataFilters(filters=contrary)) == set()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mode": VectorStoreQueryMode.MMR}, "mmr"),
        ({"alpha": 0.5}, "alpha"),
        ({"node_ids": ["a-1"]}, "among given nodes"),
        ({"query_str": None, "query_embedding": [0.1]}, "vector alone"),
        (limited("colour", "red"), "differs between the nodes"),
        (limited("height", 3), "which no document of the collection has"),
        (limited("kind", "text", FilterOperator.GT), "operator '>'"),
        (limited("author", "a", FilterOperator.ALL), "operator 'all'"),
        (limited("page_label", "iv"), "compare pages"),
        (
            {
                "filters": MetadataFilters(
                    filters=[MetadataFilter(key="author", value="Ada"), MetadataFilter(key="year", value=2022)],
                    condition=FilterCondition.OR,
                )
            },
            "joined by",
        ),
    ],
)
def test_what_would_not_be_done_as_meant_is_refused(store: PhidexVectorStore, options: dict[str, Any], named: str) -> None:
    with pytest.raises(NotImplementedError, match=named) as caught:
        store.query(question(**options))
    assert isinstance(caught.value, InputError)
    assert caught.value.hint


def test_nodes_are_replaced_and_removed(notes: Phidex) -> None:
    store = PhidexVectorStore(notes, "changing")
    store.add([A, B, C])
    store.add([node("a-1", "The red kite has flown.", "birds")])
    assert {one.get_content() for one in store.get_nodes(["a-1"])} == {"The red kite has flown."}
    assert ids(store) == {"a-1", "a-2", "b-1"}
    asyncio.run(store.adelete_nodes(["a-1"]))
    assert ids(store) == {"a-2", "b-1"}
    store.delete("never added")
    asyncio.run(store.adelete("birds"))
    assert ids(store) == {"b-1"}
    notes.ingest_documents([Document(text="Red paint.", id_="paint")], collection="changing")
    found = store.query(VectorStoreQuery(query_str="red paint", similarity_top_k=1)).nodes
    assert found is not None
    assert found[0].metadata["source"] == "document:paint"  # what Phidex took in is found too
    asyncio.run(store.aclear())
    assert [entry.source.uri for entry in notes.sources("changing")] == ["document:paint"]
    for call in (lambda: store.delete_nodes(**limited("author", "Ada")), lambda: store.get_nodes(**limited("author", "Ada"))):
        with pytest.raises(UnsupportedError):
            call()
    with pytest.raises(UnsupportedError, match="without text"):
        store.add([TextNode(id_="empty", text=" ")])


def test_an_index_over_it(notes: Phidex) -> None:
    storage = StorageContext.from_defaults(vector_store=PhidexVectorStore(notes, "index"))
    documents = [
        Document(text="The kiln is fired on Fridays.", id_="kiln"),
        Document(text="The glaze dries overnight.", id_="glaze"),
    ]
    index: Any = VectorStoreIndex.from_documents(documents, storage_context=storage, embed_model=MockEmbedding(embed_dim=1))
    (found, *_) = index.as_retriever(similarity_top_k=1).retrieve("When is the kiln fired?")
    assert found.node.ref_doc_id == "kiln"
    index.delete_ref_doc("kiln")
    assert [one.node.ref_doc_id for one in index.as_retriever(similarity_top_k=3).retrieve("kiln glaze")] == ["glaze"]
