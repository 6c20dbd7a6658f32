"""Dense vectors from sentence-transformers models, on the fastest path the machine has.

Passages go through torch: in bfloat16 where the processor computes with it (twice as fast, same recall), on a GPU where there
is one. Questions go through an ONNX export of the same model, made once and cached: it starts in 0.3 s, where importing torch
and sentence-transformers takes 5.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phidex.errors import ConfigError
from phidex.retrieval.card import card_languages, model_prompts, read_json
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Floats
from phidex.settings import EmbedSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from phidex.retrieval.onnx import OnnxEncoder

log = logging.getLogger(__name__)

_BATCH = 32
_SAMPLE_BYTES = 1 << 16


class SentenceEmbedder:
    """A sentence-transformers model folder as an `Embedder`. Weights are loaded at first use.

    Args:
        folder: the model's files.
        name: what the collection remembers it by.
        identity: of the collection it is opened for; default: read from the folder.
    """

    def __init__(
        self, folder: Path, name: str, settings: EmbedSettings, cache: Path, *, identity: EmbedderIdentity | None = None
    ) -> None:
        self._folder = folder
        self._name = name
        self._settings = settings
        self._cache = cache
        self._identity = identity
        self._lock = threading.RLock()  # the warm-up thread and a caller may want the model at once
        self._loaded: SentenceTransformer | None = None
        self._encoder: OnnxEncoder | None = None

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`."""
        if self._identity is None:
            self._identity = self._read_identity()
        return self._identity

    def _read_identity(self) -> EmbedderIdentity:
        query, passage = model_prompts(self._folder, self._name, self._settings)
        full = self._dim()
        return EmbedderIdentity(
            model=self._name,
            dim=min(full, self._settings.dimensions or full),
            fingerprint=self.fingerprint(),
            languages=self._settings.languages or card_languages(self._folder, self._name),
            query_prompt=query,
            passage_prompt=passage,
        )

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`."""
        if not texts:
            return np.empty((0, self.identity.dim), dtype=np.float32)
        prompt = self.identity.passage_prompt
        batch = [prompt + text for text in texts] if prompt else list(texts)
        model: Any = self._model  # its overloads are partly untyped
        vectors = model.encode(
            batch, batch_size=_BATCH, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
        )
        return self._cut(np.asarray(vectors.float().cpu().numpy(), dtype=np.float32))

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`."""
        return self._cut(self._query_encoder.encode(self.identity.query_prompt + text))

    def _cut(self, vectors: Floats) -> Floats:
        """Vectors of the collection's length, where that is less than the model's."""
        dim = self.identity.dim
        if vectors.shape[-1] <= dim:
            return vectors
        short = vectors[..., :dim]
        return short / np.maximum(np.linalg.norm(short, axis=-1, keepdims=True), 1e-12)

    def load(self) -> None:
        """Load what passages need, and make what questions need, ahead of time."""
        _ = self._model
        _ = self._query_encoder

    def fingerprint(self) -> str:
        """16 hex digits of the configuration and samples of the weights; reads some 100 KB."""
        digest = hashlib.sha256()
        for name in ("config.json", "modules.json", "tokenizer.json"):
            if (self._folder / name).is_file():
                digest.update((self._folder / name).read_bytes())
        for weights in sorted(self._folder.glob("*.safetensors")) or sorted(self._folder.glob("pytorch_model*.bin")):
            size = weights.stat().st_size
            with weights.open("rb") as file:
                digest.update(f"{weights.name}:{size}".encode() + file.read(_SAMPLE_BYTES))
                file.seek(max(0, size - _SAMPLE_BYTES))
                digest.update(file.read(_SAMPLE_BYTES))
        return digest.hexdigest()[:16]

    @property
    def _model(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> SentenceTransformer:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        gpu = torch.cuda.is_available()
        dtype = torch.bfloat16 if gpu or native_bfloat16() else torch.float32
        log.info("loading model=%s dtype=%s gpu=%s", self._name, dtype, gpu)
        try:
            return SentenceTransformer(
                str(self._folder), device="cuda" if gpu else "cpu", model_kwargs={"dtype": dtype}, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as exc:
            raise ConfigError(f"cannot load the model in {self._folder}: {exc}", hint="download it again") from exc

    @property
    def _query_encoder(self) -> OnnxEncoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._open_encoder()
            return self._encoder

    def _open_encoder(self) -> OnnxEncoder:
        """The exported encoder; one that cannot be read (a full disk cut it off) is exported once more."""
        from phidex.retrieval.onnx import OnnxEncoder, export_onnx

        path = self._cache / "encoders" / f"{self.fingerprint()}.onnx"
        for _ in range(2):
            if not path.is_file():
                export_onnx(self._folder, path)
            try:
                return OnnxEncoder(path, self._folder)
            except ConfigError as exc:
                log.warning("encoder unreadable path=%s error=%s", path, exc)
                path.unlink(missing_ok=True)
        raise ConfigError(f"the exported encoder {path} cannot be read", hint="check the disk, and PHIDEX_CACHE")

    def _dim(self) -> int:
        """Vector length: of the last dense layer, of the pooling, or of the transformer."""
        dim: Any = read_json(self._folder, "config.json").get("hidden_size", 0)
        modules: list[dict[str, Any]] = read_json(self._folder, "modules.json") or []
        for module in modules:
            config: dict[str, Any] = read_json(self._folder, f"{module['path']}/config.json") if module["path"] else {}
            dim = config.get("out_features") or config.get("word_embedding_dimension") or dim
        if not dim:
            raise ConfigError(
                f"{self._folder} is not a sentence-transformers model", hint="it needs config.json and modules.json"
            )
        return int(dim)


def native_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (Linux: from its flags; elsewhere: no)."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and re.search(r"^flags.*\b(?:avx512_bf16|amx_bf16)\b", flags.read_text(), re.MULTILINE) is not None
