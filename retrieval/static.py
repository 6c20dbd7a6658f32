"""Static models: a vector for each token, and a text's vector is their mean. Thousands of passages a second on one CPU core.

Reads the folders of sentence-transformers' `StaticEmbedding` and of model2vec, and computes what they compute, without torch:
the weights are mapped from the file, so that a question costs no start. Word order is lost, and no text is too long.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phidex.errors import ConfigError
from phidex.retrieval.card import card_languages, model_prompts, read_json
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Floats
from phidex.settings import EmbedSettings

_TYPES = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
}
_SAMPLE_BYTES = 1 << 16
_TOGETHER = 256  # texts tokenized at once, in threads of Rust


class StaticEmbedder:
    """See `Embedder`.

    Args:
        folder: the model's files; see `is_static`.
        name: what the collection remembers it by.
        identity: of the collection it is opened for; default: read from the folder.
    """

    def __init__(self, folder: Path, name: str, settings: EmbedSettings, *, identity: EmbedderIdentity | None = None) -> None:
        self._folder = folder
        self._files = _weights_folder(folder)
        self._name = name
        self._settings = settings
        self._identity = identity
        self._lock = threading.Lock()
        self._loaded: tuple[Floats, Any] | None = None

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`."""
        if self._identity is None:
            query, passage = model_prompts(self._folder, self._name, self._settings)
            full = int(self._model[0].shape[1])
            self._identity = EmbedderIdentity(
                model=self._name,
                dim=min(full, self._settings.dimensions or full),
                fingerprint=self.fingerprint(),
                languages=self._settings.languages or card_languages(self._folder, self._name),
                query_prompt=query,
                passage_prompt=passage,
            )
        return self._identity

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`; nothing is truncated."""
        return self._embed(texts, self.identity.passage_prompt)

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`."""
        return self._embed([text], self.identity.query_prompt)[0]

    def load(self) -> None:
        """Open the files ahead of time."""
        _ = self._model

    def fingerprint(self) -> str:
        """16 hex digits of the tokenizer and samples of the weights."""
        weights = self._files / "model.safetensors"
        digest = hashlib.sha256((self._files / "tokenizer.json").read_bytes())
        size = weights.stat().st_size
        with weights.open("rb") as file:
            digest.update(str(size).encode() + file.read(_SAMPLE_BYTES))
            file.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(file.read(_SAMPLE_BYTES))
        return digest.hexdigest()[:16]

    def _embed(self, texts: Sequence[str], prompt: str) -> Floats:
        table, tokenizer = self._model
        dim = self.identity.dim
        vectors = np.zeros((len(texts), dim), np.float32)
        for start in range(0, len(texts), _TOGETHER):
            batch = [prompt + text for text in texts[start : start + _TOGETHER]]
            for row, encoding in enumerate(tokenizer.encode_batch_fast(batch, add_special_tokens=False), start):
                if encoding.ids:
                    vectors[row] = table[encoding.ids, :dim].mean(axis=0, dtype=np.float32)
                else:  # nothing but what the tokenizer leaves out: any direction is as good, and none may be zero
                    vectors[row] = dim**-0.5
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    @property
    def _model(self) -> tuple[Floats, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> tuple[Floats, Any]:
        from tokenizers import Tokenizer

        try:
            tensors = _open_tensors(self._files / "model.safetensors")
            tokenizer: Any = Tokenizer.from_file(str(self._files / "tokenizer.json"))
            table = _rows(tensors)
        except Exception as exc:  # the tokenizer's own exceptions have no common base but Exception
            raise ConfigError(f"cannot load the static model in {self._folder}: {exc}", hint="download it again") from exc
        if tokenizer.get_vocab_size() > len(table):
            message = f"the static model in {self._folder} has {len(table)} vectors for {tokenizer.get_vocab_size()} tokens"
            raise ConfigError(message, hint="download it again")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return table, tokenizer


def is_static(folder: Path) -> bool:
    """Whether the folder holds a static model, of sentence-transformers or of model2vec."""
    modules: list[dict[str, Any]] = read_json(folder, "modules.json") or []
    if modules:
        return str(modules[0].get("type", "")).endswith("StaticEmbedding")
    return read_json(folder, "config.json").get("model_type") == "model2vec"


def _weights_folder(folder: Path) -> Path:
    modules: list[dict[str, Any]] = read_json(folder, "modules.json") or []
    return folder / modules[0]["path"] if modules else folder


def _rows(tensors: dict[str, Any]) -> Floats:
    """(tokens, dim): as `StaticEmbedding` reads them, with model2vec's mapping and weights of tokens."""
    if "embedding.weight" in tensors:
        return tensors["embedding.weight"]
    rows = tensors["embeddings"]
    if "mapping" in tensors:
        rows = rows[tensors["mapping"]]
    if "weights" in tensors:
        rows = (rows * tensors["weights"][:, None]).astype(np.float32)
    return rows


def _open_tensors(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors file, mapped and not read. Source: https://huggingface.co/docs/safetensors (format)"""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {
        name: np.memmap(path, _TYPES[entry["dtype"]], "r", 8 + size + entry["data_offsets"][0], tuple(entry["shape"]))
        for name, entry in header.items()
    }
