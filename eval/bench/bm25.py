"""bm25s as people use it: its default tokenizer (`\\w\\w+`, lower case), no stemmer. The lexical peer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any


def rank_bm25s(passages: Sequence[str], questions: Sequence[str], limit: int) -> list[list[int]]:
    """The positions of the best passages of each question, best first, at most `limit`.

    Raises:
        RuntimeError: the `eval` extra is not installed.
    """
    try:
        bm25s: Any = importlib.import_module("bm25s")
    except ImportError as exc:
        raise RuntimeError("bm25s is not installed: pip install 'phidex[eval]'") from exc
    index: Any = bm25s.BM25()
    index.index(bm25s.tokenize(list(passages), stopwords=None, show_progress=False), show_progress=False)
    tokens: Any = bm25s.tokenize(list(questions), stopwords=None, show_progress=False)
    found, scores = index.retrieve(tokens, k=min(limit, len(passages)), show_progress=False)
    return [
        [int(at) for at, score in zip(row, values, strict=True) if score > 0] for row, values in zip(found, scores, strict=True)
    ]
