"""An embedder that remembers: dense vectors are kept between runs, so that only text never seen before costs minutes.

Everything else of a collection is made anew in every run; a vector depends on model and text alone, which are its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.store import Floats


class RememberingEmbedder:
    """`Embedder` over another one; `save` writes what is new.

    Args:
        folder: where the vectors are kept, one file a model.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self._path = folder / f"vectors-{embedder.identity.fingerprint}.npz"
        self._known: dict[str, Floats] = {}
        if self._path.is_file():
            with np.load(self._path) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))
        self.reused = 0
        self.computed = 0

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`."""
        return self._embedder.identity

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`."""
        keys = [self._key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            vectors = self._embedder.embed_passages(list(new.values()))
            self._known.update(zip(new, vectors, strict=True))
        self.computed += len(new)
        self.reused += len(texts) - len(new)
        return np.stack([self._known[key] for key in keys]) if keys else np.empty((0, self.identity.dim), np.float32)

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`."""
        return self._embedder.embed_query(text)

    def save(self) -> None:
        """Write all vectors, in one step; nothing when none is new."""
        if not self.computed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new.npz")
        np.savez(fresh, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        fresh.replace(self._path)

    def _key(self, text: str) -> str:
        return hashlib.sha256((self.identity.passage_prompt + text).encode()).hexdigest()[:32]
