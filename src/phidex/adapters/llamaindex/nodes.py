"""Hits, citations and passages as nodes of LlamaIndex, with their place as metadata and their relations to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from phidex.adapters.metadata import SHOWN, citation_metadata, hit_metadata, place_metadata
from phidex.generation.answer import Citation
from phidex.ingest.records import Chunk, Source
from phidex.retrieval.hit import Hit


def nodes_of_hits(hits: Sequence[Hit]) -> list[NodeWithScore]:
    """A node a hit, best first, with its score, its source, and its neighbours where they are hits too."""
    nodes = [make_node(hit.chunk, hit.source, hit_metadata(hit)) for hit in hits]
    relate(nodes, [hit.chunk for hit in hits])
    return [NodeWithScore(node=node, score=hit.score) for node, hit in zip(nodes, hits, strict=True)]


def nodes_of_chunks(source: Source, chunks: Sequence[Chunk]) -> list[TextNode]:
    """A node a passage of one document, in order."""
    made: list[TextNode] = []
    for chunk in chunks:
        told = place_metadata(source, chunk.locator)
        told |= {"language": chunk.language, "modality": chunk.modality, "order": chunk.order}
        told |= {"heading": " > ".join(chunk.heading)} if chunk.heading else {}
        made.append(make_node(chunk, source, told))
    relate(made, chunks)
    return made


def nodes_of_citations(cited: Iterable[tuple[Citation, str]]) -> list[NodeWithScore]:
    """A node a citation, in the order of their markers: its passage, with `marker`, `quote` and `verified`; without a score."""
    nodes: list[NodeWithScore] = []
    for citation, text in cited:
        node = _node(citation.chunk_id, text, citation.source, citation_metadata(citation))
        nodes.append(NodeWithScore(node=node, score=None))
    return nodes


def make_node(chunk: Chunk, source: Source, metadata: dict[str, Any]) -> TextNode:
    """The passage as a node, its document as its source."""
    return _node(chunk.id, chunk.text, source, metadata)


def relate(nodes: Sequence[TextNode], chunks: Sequence[Chunk]) -> None:
    """Name each node's neighbours in its document, where they are among these."""
    placed = {(chunk.source_id, chunk.order): node for node, chunk in zip(nodes, chunks, strict=True)}
    for node, chunk in zip(nodes, chunks, strict=True):
        for step, relation in ((-1, NodeRelationship.PREVIOUS), (1, NodeRelationship.NEXT)):
            if neighbour := placed.get((chunk.source_id, chunk.order + step)):
                node.relationships[relation] = RelatedNodeInfo(node_id=neighbour.node_id)


def _node(identity: str, text: str, source: Source, metadata: dict[str, Any]) -> TextNode:
    hidden = [key for key in metadata if key not in SHOWN]
    return TextNode(
        id_=identity,
        text=text,
        metadata=metadata,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(node_id=source.id, metadata={"source": source.uri, "title": source.title})
        },
    )
