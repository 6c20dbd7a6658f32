"""LlamaIndex's default retriever, run in the peers' environment: texts or PDFs -> index -> the best nodes of each question.

    request: model, dtype, chunk_size and chunk_overlap or code (most characters of a chunk), documents [{id, text}] or
             files [path], questions, top_k, texts, index
    reply:   nodes, cached, seconds, hits [[{id, page, text, start}]]

VectorStoreIndex over SentenceSplitter's nodes, or CodeSplitter's for Python, with the given model, `similarity_top_k` nearest
by cosine; `start` is a node's offset into its document. The vectors lie in Qdrant's local mode, because the default in-memory
store needs 0.1 s of Python a question for the same exact ranking. Does not import phidex.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def read_documents(request: dict[str, Any]) -> list[Any]:
    """One LlamaIndex document a text, or one a page of each PDF; metadata is not embedded and takes no room in a chunk."""
    schema: Any = importlib.import_module("llama_index.core.schema")
    keys = ["source", "file_path", "total_pages", "document"]
    left_out = {"excluded_embed_metadata_keys": keys, "excluded_llm_metadata_keys": keys}
    if "documents" in request:
        return [
            schema.Document(text=item["text"], metadata={"document": item["id"]}, **left_out) for item in request["documents"]
        ]
    reader: Any = importlib.import_module("llama_index.readers.file").PyMuPDFReader()
    found: list[Any] = []
    for path in request["files"]:
        for page in reader.load_data(file_path=path):
            page.metadata["document"] = Path(path).name
            page.excluded_embed_metadata_keys = page.excluded_llm_metadata_keys = keys
            found.append(page)
    return found


def open_index(request: dict[str, Any], embed_model: Any) -> tuple[Any, int, bool]:
    """The index, how many nodes it has, and whether an earlier run had made it."""
    core: Any = importlib.import_module("llama_index.core")
    parsers: Any = importlib.import_module("llama_index.core.node_parser")
    stores: Any = importlib.import_module("llama_index.vector_stores.qdrant")
    qdrant: Any = importlib.import_module("qdrant_client")
    folder = Path(request["index"]) if request.get("index") else None
    mark = folder / "complete" if folder else None
    cached = mark is not None and mark.exists()
    client: Any = qdrant.QdrantClient(path=str(folder / "qdrant")) if folder else qdrant.QdrantClient(":memory:")
    store: Any = stores.QdrantVectorStore(client=client, collection_name="bench")
    if cached:
        return core.VectorStoreIndex.from_vector_store(store, embed_model=embed_model), client.count("bench").count, True
    if client.collection_exists("bench"):  # of a run that was stopped
        client.delete_collection("bench")
    if "code" in request:
        splitter: Any = parsers.CodeSplitter(language="python", max_chars=request["code"])
    else:
        splitter = parsers.SentenceSplitter(chunk_size=request["chunk_size"], chunk_overlap=request["chunk_overlap"])
    nodes: list[Any] = splitter.get_nodes_from_documents(read_documents(request))
    context: Any = core.StorageContext.from_defaults(vector_store=store)
    index: Any = core.VectorStoreIndex(nodes, storage_context=context, embed_model=embed_model)
    if mark is not None:
        mark.write_text(str(len(nodes)), "utf-8")
    return index, client.count("bench").count, False  # nodes without text are left out


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request."""
    schema: Any = importlib.import_module("llama_index.core.schema")
    huggingface: Any = importlib.import_module("llama_index.embeddings.huggingface")
    started = time.monotonic()
    embed_model: Any = huggingface.HuggingFaceEmbedding(
        model_name=request["model"], device="cpu", embed_batch_size=64, model_kwargs={"dtype": request["dtype"]}
    )
    index, count, cached = open_index(request, embed_model)
    indexed = time.monotonic()
    retriever: Any = index.as_retriever(similarity_top_k=request["top_k"])
    questions: list[str] = request["questions"]
    vectors: list[list[float]] = embed_model.get_text_embedding_batch(questions)  # this model has no prompt for questions
    hits: list[list[dict[str, Any]]] = []
    for text, vector in zip(questions, vectors, strict=True):
        found: list[Any] = retriever.retrieve(schema.QueryBundle(text, embedding=vector))
        hits.append(
            [
                {
                    "id": hit.metadata["document"],
                    "page": int(hit.metadata.get("source", 0)),
                    "text": hit.node.get_content() if request.get("texts", True) else "",
                    "start": hit.node.start_char_idx or 0,
                }
                for hit in found
            ]
        )
    seconds = {"index": indexed - started, "ask": time.monotonic() - indexed}
    return {"nodes": count, "cached": cached, "seconds": seconds, "hits": hits}


if __name__ == "__main__":
    reply = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(reply), "utf-8")
