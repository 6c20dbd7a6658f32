"""Phidex's parsers and store under an index of LlamaIndex: nodes with their places in, the same nodes out.

The collection embeds by itself, so the index needs no embedding of its own.

pip install 'phidex[llamaindex]'; python examples/llamaindex_index.py
"""

from pathlib import Path

from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from phidex import Phidex
from phidex.adapters.llamaindex import PhidexReader, PhidexVectorStore

NOTES = Path(__file__).resolve().parent / "notes"
UNUSED = MockEmbedding(embed_dim=1)  # or PhidexEmbedding(), where another vector store is to hold Phidex's vectors

with Phidex() as phidex:
    nodes = PhidexReader().load_nodes(NOTES)
    storage = StorageContext.from_defaults(vector_store=PhidexVectorStore(phidex, "index"))
    index = VectorStoreIndex(nodes, storage_context=storage, embed_model=UNUSED)

    only = MetadataFilters(filters=[MetadataFilter(key="file_name", value="minutes.md")])
    for found in index.as_retriever(similarity_top_k=1, filters=only).retrieve("Who writes the notice?"):
        print(found.node.metadata["file_name"], found.node.metadata["location"])
        print(found.node.get_content())
