"""LlamaIndex's CodeSplitter, run in the peers' environment: alone over files, or as a pipeline to Qdrant's local mode.

    request: files [[path, language]], rounds, max_chars; for the pipeline also model, store (an empty folder)
    reply:   files, nodes, split (CPU seconds a round) or seconds {total, cpu}

Nothing is searchable before the pipeline returns. Imports, parsers and
the model are loaded before the clock. Does not import phidex.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def make_splitters(languages: set[str], max_chars: int) -> dict[str, Any]:
    """A splitter for each language, tried once."""
    parsers: Any = importlib.import_module("llama_index.core.node_parser")
    splitters: dict[str, Any] = {
        language: parsers.CodeSplitter(language=language, max_chars=max_chars) for language in sorted(languages)
    }
    for splitter in splitters.values():
        splitter.split_text("x")
    return splitters


def documents_of(request: dict[str, Any]) -> dict[str, list[Any]]:
    """The files as documents, by language."""
    schema: Any = importlib.import_module("llama_index.core.schema")
    found: dict[str, list[Any]] = {}
    for path, language in request["files"]:
        text = Path(path).read_text("utf-8", errors="replace")
        found.setdefault(language, []).append(schema.Document(text=text, id_=path, metadata={"file_path": path}))
    return found


def split(request: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds for cutting all files, once a round: as bare texts, and as nodes."""
    splitters = make_splitters({language for _, language in request["files"]}, request["max_chars"])

    def clock(work: Callable[[], int]) -> list[float]:
        seconds: list[float] = []
        for _ in range(request["rounds"]):
            started = time.process_time()
            work()
            seconds.append(time.process_time() - started)
        return seconds

    nodes = 0

    def as_texts() -> int:
        texts = ((splitters[language], Path(path).read_text("utf-8", errors="replace")) for path, language in request["files"])
        return sum(len(splitter.split_text(text)) for splitter, text in texts if text)

    def as_nodes() -> int:
        nonlocal nodes
        by_language = documents_of(request)
        nodes = sum(len(splitters[language].get_nodes_from_documents(found)) for language, found in by_language.items())
        return nodes

    return {"texts": clock(as_texts), "nodes": clock(as_nodes), "count": nodes}


def pipeline(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds from files to an index that can be searched."""
    huggingface: Any = importlib.import_module("llama_index.embeddings.huggingface")
    ingestion: Any = importlib.import_module("llama_index.core.ingestion")
    stores: Any = importlib.import_module("llama_index.vector_stores.qdrant")
    qdrant: Any = importlib.import_module("qdrant_client")
    splitters = make_splitters({language for _, language in request["files"]}, request["max_chars"])
    embed_model: Any = huggingface.HuggingFaceEmbedding(model_name=request["model"], device="cpu")
    embed_model.get_text_embedding("Load everything.")
    store: Any = stores.QdrantVectorStore(client=qdrant.QdrantClient(path=request["store"]), collection_name="bench")
    started, used = time.monotonic(), time.process_time()
    nodes = 0
    for language, documents in documents_of(request).items():
        steps: Any = ingestion.IngestionPipeline(transformations=[splitters[language], embed_model], vector_store=store)
        nodes += len(steps.run(documents=documents))
    return {"count": nodes, "seconds": {"total": time.monotonic() - started, "cpu": time.process_time() - used}}


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request."""
    return pipeline(request) if "model" in request else split(request)


if __name__ == "__main__":
    reply = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(reply), "utf-8")
