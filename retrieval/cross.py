"""A cross-encoder by sentence-transformers, as a `Reranker`: it reads question and passage together; slow without a GPU."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phidex.errors import ConfigError
from phidex.settings import RerankSettings

log = logging.getLogger(__name__)

_BATCH = 32


class CrossReranker:
    """See `Reranker`. Weights are loaded at first use.

    Args:
        folder: the model's files.
        name: for people.
    """

    def __init__(self, folder: Path, name: str, settings: RerankSettings) -> None:
        self._folder = folder
        self._name = name
        self._max_tokens = settings.max_tokens
        self._lock = threading.Lock()
        self._loaded: Any = None

    @property
    def name(self) -> str:
        """See `Reranker`."""
        return self._name

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`; from 0 to 1 for most models. The longer of question and passage is cut first.

        Raises:
            ConfigError: the folder holds no cross-encoder.
        """
        if not passages:
            return []
        found = self._model.predict(
            [(query, passage) for passage in passages], batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        return [float(score) for score in found]

    def load(self) -> None:
        """Load the model ahead of time."""
        _ = self._model

    @property
    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Any:
        import torch
        from sentence_transformers import CrossEncoder
        from transformers.utils.logging import disable_progress_bar

        from phidex.retrieval.sentence import native_bfloat16

        disable_progress_bar()
        gpu = torch.cuda.is_available()
        dtype = torch.bfloat16 if gpu or native_bfloat16() else torch.float32
        log.info("loading model=%s dtype=%s gpu=%s", self._name, dtype, gpu)
        try:
            model: Any = CrossEncoder(
                str(self._folder), device="cuda" if gpu else "cpu", model_kwargs={"dtype": dtype}, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as exc:
            raise ConfigError(f"cannot load the reranker in {self._folder}: {exc}", hint="download it again") from exc
        if model.num_labels != 1:
            message = f"{self._name} tells {model.num_labels} classes apart; a reranker gives one score"
            raise ConfigError(message, hint="choose a cross-encoder for ranking, e.g. BAAI/bge-reranker-v2-m3")
        model.max_length = min(self._max_tokens, model.max_length or self._max_tokens)
        return model
