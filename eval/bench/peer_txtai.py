"""txtai, run in the peers' environment: texts -> its index -> the best of each question, dense alone and as its own hybrid.

    request: model, documents [{id, text}], questions, top_k, index (a folder, or empty)
    reply:   cached, seconds, dense [[position]], hybrid [[position]]

`Embeddings(path=…)` with its defaults (Faiss), and the same with `hybrid=True` (its BM25 beside the vectors, equal weights). It
cuts nothing: what is given as one text is one passage. Does not import phidex.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request."""
    embeddings_class: Any = importlib.import_module("txtai").Embeddings
    started = time.monotonic()
    settings = {"path": request["model"], "method": "sentence-transformers", "gpu": False, "hybrid": True, "encodebatch": 64}
    embeddings: Any = embeddings_class(settings)
    folder = Path(request["index"], "txtai") if request.get("index") else None
    cached = folder is not None and embeddings.exists(str(folder))
    if cached:
        embeddings.load(str(folder))
    else:
        embeddings.index([(at, item["text"], None) for at, item in enumerate(request["documents"])])
        if folder is not None:
            embeddings.save(str(folder))
    indexed = time.monotonic()
    questions, limit = request["questions"], request["top_k"]
    found = {
        name: [[int(at) for at, _ in hits] for hits in embeddings.batchsearch(questions, limit, weights=weight)]
        for name, weight in (("dense", 1.0), ("hybrid", 0.5))
    }
    return {"cached": cached, "seconds": {"index": indexed - started, "ask": time.monotonic() - indexed}, **found}


if __name__ == "__main__":
    reply = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(reply), "utf-8")
