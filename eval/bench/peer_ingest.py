"""LlamaIndex's own ingest, run in the peers' environment: PDFs -> PyMuPDFReader -> its pipeline -> Qdrant's local mode.

    request: model, files [path], store (an empty folder), chunk_size, chunk_overlap
    reply:   pages, nodes, seconds {read, pipeline, total, cpu, again}

Nothing is searchable before the pipeline returns. Imports and loading the model come before the clock. Does not import phidex.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def make_pipeline(request: dict[str, Any]) -> Any:
    """Splitter, embedding and store with upserts by document, everything loaded and tried once."""
    huggingface: Any = importlib.import_module("llama_index.embeddings.huggingface")
    ingestion: Any = importlib.import_module("llama_index.core.ingestion")
    parsers: Any = importlib.import_module("llama_index.core.node_parser")
    schema: Any = importlib.import_module("llama_index.core.schema")
    docstore: Any = importlib.import_module("llama_index.core.storage.docstore")
    stores: Any = importlib.import_module("llama_index.vector_stores.qdrant")
    qdrant: Any = importlib.import_module("qdrant_client")
    embed_model: Any = huggingface.HuggingFaceEmbedding(model_name=request["model"], device="cpu")
    embed_model.get_text_embedding("Load everything.")
    splitter: Any = parsers.SentenceSplitter(chunk_size=request["chunk_size"], chunk_overlap=request["chunk_overlap"])
    splitter.get_nodes_from_documents([schema.Document(text="Load everything. Tokenizers too.")])
    client: Any = qdrant.QdrantClient(path=request["store"])
    return ingestion.IngestionPipeline(
        transformations=[splitter, embed_model],
        vector_store=stores.QdrantVectorStore(client=client, collection_name="bench"),
        docstore=docstore.SimpleDocumentStore(),
        docstore_strategy=ingestion.DocstoreStrategy.UPSERTS,
    )


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request."""
    reader: Any = importlib.import_module("llama_index.readers.file").PyMuPDFReader()
    pipeline = make_pipeline(request)
    reader.load_data(file_path=request["files"][0])  # it imports PyMuPDF only now

    def ingest() -> tuple[int, int, float, float]:
        started = time.monotonic()
        documents: list[Any] = []
        for path in request["files"]:
            for number, page in enumerate(reader.load_data(file_path=path)):
                page.id_ = f"{path}#{number}"  # without a stable id every page would count as new
                documents.append(page)
        read = time.monotonic()
        nodes: Any = pipeline.run(documents=documents)
        return len(documents), len(nodes), read - started, time.monotonic() - read

    used = time.process_time()
    pages, nodes, read, run = ingest()
    cpu = time.process_time() - used
    _, _, read_again, run_again = ingest()
    seconds = {"read": read, "pipeline": run, "total": read + run, "cpu": cpu, "again": read_again + run_again}
    return {"pages": pages, "nodes": nodes, "seconds": seconds}


if __name__ == "__main__":
    reply = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(reply), "utf-8")
