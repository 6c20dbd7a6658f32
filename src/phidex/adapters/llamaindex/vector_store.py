"""A collection of Phidex as a vector store of LlamaIndex.

Nodes that are added become passages of one document (their `ref_doc_id`), embedded and searched as all others of the
collection: by words and by meaning at once, with the collection's own embedder. LlamaIndex's vectors of them are not used. The
nodes themselves are kept beside the document, so that what is found has all their metadata and relationships again.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import (
    metadata_dict_to_node,  # pyright: ignore[reportUnknownVariableType]
    node_to_metadata_dict,
)

from phidex.adapters.documents import flat
from phidex.adapters.doors import Shelf
from phidex.adapters.llamaindex.filters import NO_SOURCE, VARYING, filters_of
from phidex.adapters.llamaindex.nodes import nodes_of_hits
from phidex.adapters.unsupported import UnsupportedError
from phidex.errors import NotFoundError, ServiceError
from phidex.ingest.records import Locator, PageLocator, Source, locator_from_dict
from phidex.ingest.run.given import GIVEN, Passage, TextDocument, passage_id
from phidex.ingest.sources.discover import source_id
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit

_URI = "llamaindex:"
_PLACE = frozenset(  # of a passage, and so no word about its document
    (
        *("locator", "location", "boxes", "page_number", "page_label", "start_line", "end_line", "start", "end", "cells"),
        *("order", "start_s", "end_s", "frame", "heading", "why", "source_id", "tags", "unit", "type"),
    )
)
_REMEMBERED = 256  # documents of which the nodes are at hand
_MODES = (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The nodes of one document, by their own ids and by those of their passages. They are not to be changed."""

    by_id: dict[str, TextNode]
    by_chunk: dict[str, TextNode]


class PhidexVectorStore(BasePydanticVectorStore):
    """For `VectorStoreIndex.from_vector_store` and `StorageContext`. Thread-safe.

    `similarities` are Phidex's fused scores: they order the nodes of one query, and compare with nothing else. The modes
    `default` and `hybrid` are one: words and meaning together. What Phidex does not do (a mode, an `alpha`, a query without
    its text, a filter that would not hold exactly) raises `UnsupportedError`, which is a `NotImplementedError`.

    Args:
        phidex: `Phidex`.
        collection: made with the first nodes, with the embedder of the settings.
    """

    stores_text: bool = True
    is_embedding_query: bool = False
    collection: str = "default"
    _phidex: Shelf = PrivateAttr()
    _writing: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _kept: dict[str, _Kept] = PrivateAttr(default_factory=dict)  # by the id of the blob that holds them

    def __init__(self, phidex: Shelf, collection: str = "default") -> None:
        super().__init__(stores_text=True, is_embedding_query=False, collection=collection)  # pyright: ignore[reportCallIssue]
        self._phidex = phidex

    @classmethod
    def class_name(cls) -> str:
        """As LlamaIndex names it."""
        return "PhidexVectorStore"

    @property
    def client(self) -> Shelf:
        """The `Phidex` that it was made with."""
        return self._phidex

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Add nodes, or replace those of the same id; returns their ids.

        Raises:
            UnsupportedError: a node has no text.
            ServiceError: a document could not be stored.
        """
        by_document: dict[str, list[TextNode]] = {}
        for node in nodes:
            if not node.get_content(metadata_mode=MetadataMode.NONE).strip():
                raise UnsupportedError(f"a node without text ({node.node_id})", hint="leave it out; pictures go in by ingest()")
            by_document.setdefault(node.ref_doc_id or node.node_id, []).append(_bare(node))
        with self._writing:
            there = self._sources()
            documents: list[TextDocument] = []
            for name, added in by_document.items():
                source = there.get(source_id(self.collection, _URI + quote(name)))
                kept = self._kept_of(source).by_id if source else {}
                documents.append(_document(name, {**kept, **{node.node_id: node for node in added}}))
            self._write(documents)
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """See `add`."""
        return await asyncio.to_thread(self.add, nodes)

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Remove a document's nodes; one that is not there is passed over, as LlamaIndex expects."""
        with self._writing:
            sources = self._sources()
            named = [source.id for source in sources.values() if ref_doc_id in (source.id, source.metadata.get(GIVEN))]
            if named:
                self._phidex.remove(*named, collection=self.collection)

    async def adelete(self, ref_doc_id: str, **_: Any) -> None:
        """See `delete`."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """Remove nodes that were added here, by their ids; the others of their documents stay.

        Raises:
            UnsupportedError: filters are given.
        """
        if filters is not None:
            raise UnsupportedError("removing nodes by filters", hint="name their ids, or delete(ref_doc_id)")
        with self._writing:
            gone = set(node_ids or ())
            for source in self._sources().values():
                nodes = self._kept_of(source).by_id
                left = {identity: node for identity, node in nodes.items() if identity not in gone}
                if nodes and not left:
                    self._phidex.remove(source.id, collection=self.collection)
                elif len(left) < len(nodes):
                    self._write([_document(source.metadata[GIVEN], left)])

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **options: Any
    ) -> None:
        """See `delete_nodes`."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **options)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Nodes that were added here, by their ids; all of them without.

        Raises:
            UnsupportedError: filters are given.
        """
        if filters is not None:
            raise UnsupportedError("nodes by filters without a question", hint="query with them, or name ids")
        wanted = None if node_ids is None else set(node_ids)
        nodes = (node for source in self._sources().values() for node in self._kept_of(source).by_id.values())
        return [node.model_copy(deep=True) for node in nodes if wanted is None or node.node_id in wanted]

    async def aget_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """See `get_nodes`."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    def clear(self) -> None:
        """Remove all nodes that were added here; documents that Phidex ingested stay."""
        with self._writing:
            named = [source.id for source in self._sources().values() if source.uri.startswith(_URI)]
            if named:
                self._phidex.remove(*named, collection=self.collection)

    async def aclear(self) -> None:
        """See `clear`."""
        await asyncio.to_thread(self.clear)

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        """The nodes that answer best: those that were added, and passages that Phidex ingested.

        Raises:
            UnsupportedError: see the class.
        """
        if query.mode not in _MODES:
            raise UnsupportedError(
                f"the mode {query.mode.value!r}", hint="default and hybrid search words and meaning together"
            )
        if query.alpha is not None:
            raise UnsupportedError("an alpha", hint="the legs are weighted by how sure each is; leave it out")
        if not query.query_str:
            raise UnsupportedError("a query by a vector alone", hint="the collection embeds the question itself: give its text")
        if query.node_ids:
            raise UnsupportedError("a search among given nodes", hint="give doc_ids, or get_nodes(node_ids)")
        if self.collection not in self._phidex.collections():
            return VectorStoreQueryResult(nodes=[], similarities=[], ids=[])
        filters = filters_of(query.filters, lambda: list(self._sources().values()))
        if query.doc_ids:
            filters = filters_of_ids(filters, query.doc_ids, self._sources().values())
        top = query.hybrid_top_k if query.mode is VectorStoreQueryMode.HYBRID else None
        hits = self._phidex.search(query.query_str, self.collection, top or query.similarity_top_k, filters)
        nodes = self._found(hits)
        scores = [hit.score for hit in hits]
        return VectorStoreQueryResult(nodes=nodes, similarities=scores, ids=[node.node_id for node in nodes])

    async def aquery(self, query: VectorStoreQuery, **options: Any) -> VectorStoreQueryResult:
        """See `query`."""
        return await asyncio.to_thread(self.query, query, **options)

    def _found(self, hits: Sequence[Hit]) -> list[BaseNode]:
        """The nodes as they were added; of what Phidex ingested, its passages as nodes."""
        made = {scored.node.node_id: scored.node for scored in nodes_of_hits(hits)}
        found: list[BaseNode] = []
        for hit in hits:
            added = self._kept_of(hit.source).by_chunk.get(hit.chunk.id)
            found.append(added.model_copy(deep=True) if added is not None else made[hit.chunk.id])
        return found

    def _sources(self) -> dict[str, Source]:
        if self.collection not in self._phidex.collections():
            return {}
        return {entry.source.id: entry.source for entry in self._phidex.sources(self.collection)}

    def _kept_of(self, source: Source) -> _Kept:
        """The nodes of a document; none of what was not added here."""
        if not source.uri.startswith(_URI) or not source.blob:
            return _Kept({}, {})
        if (known := self._kept.get(source.blob)) is not None:
            return known
        try:
            data = self._phidex.blob(source.blob, self.collection)
        except NotFoundError:  # replaced meanwhile
            return _Kept({}, {})
        nodes = [node for told in json.loads(data) if isinstance(node := metadata_dict_to_node(told), TextNode)]
        kept = _Kept({node.node_id: node for node in nodes}, {passage_id(source.id, _passage(node), 0): node for node in nodes})
        if len(self._kept) >= _REMEMBERED:
            self._kept.clear()
        self._kept[source.blob] = kept
        return kept

    def _write(self, documents: Iterable[TextDocument]) -> None:
        report = self._phidex.ingest_documents(documents, collection=self.collection)
        for failed in report.failed:
            raise ServiceError(f"{failed.path}: {failed.reason}", hint=failed.hint)


def filters_of_ids(filters: Filters, ids: Sequence[str], sources: Iterable[Source]) -> Filters:
    """Filters that let only these documents through, by our ids or LlamaIndex's."""
    named = tuple(source.id for source in sources if {source.id, source.metadata.get(GIVEN)} & set(ids))
    left = tuple(one for one in named if not filters.sources or one in filters.sources)
    return Filters.from_dict({**filters.to_dict(), "sources": list(left or (NO_SOURCE,))})


def _bare(node: BaseNode) -> TextNode:
    """The node without its vector; what is no text node, as one."""
    if isinstance(node, TextNode):
        return node.model_copy(update={"embedding": None}, deep=True)
    return TextNode(
        id_=node.node_id,
        text=node.get_content(metadata_mode=MetadataMode.NONE),
        metadata=dict(node.metadata),
        excluded_embed_metadata_keys=node.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=node.excluded_llm_metadata_keys,
        relationships=dict(node.relationships),
    )


def _document(name: str, nodes: dict[str, TextNode]) -> TextDocument:
    """The nodes of one document: a passage each, and all that they are as the original."""
    kept: list[dict[str, Any]] = []
    for node in nodes.values():
        told = node_to_metadata_dict(node)
        kept.append({key: told[key] for key in ("_node_content", "_node_type")})
    metadata = [node.metadata for node in nodes.values()]
    keys = dict.fromkeys(key for one in metadata for key in one if key not in _PLACE)
    shared = {key: metadata[0].get(key) for key in keys if all(one.get(key) == metadata[0].get(key) for one in metadata)}
    varying = ",".join(key for key in keys if key not in shared)
    return TextDocument(
        _URI + quote(name),
        passages=tuple(_passage(node) for node in nodes.values()),
        title=str(shared.get("title") or shared.get("file_name") or name),
        metadata={**flat(shared), VARYING: varying},
        document_id=name,
        original=json.dumps(kept).encode(),
    )


def _passage(node: TextNode) -> Passage:
    return Passage(node.text, node.node_id, _locator(node.metadata))


def _locator(metadata: dict[str, Any]) -> Locator | None:
    """Where a node stands: as our reader says it, or on the page that another one names."""
    told = metadata.get("locator")
    if isinstance(told, dict) and "type" in told:
        return locator_from_dict(told)  # pyright: ignore[reportUnknownArgumentType]
    page = str(metadata.get("page_label") or metadata.get("page_number") or "")
    return PageLocator(int(page)) if page.isdecimal() and int(page) else None
