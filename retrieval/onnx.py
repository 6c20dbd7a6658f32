"""The query encoder: a sentence-transformers model exported to ONNX whole, run without torch."""

from __future__ import annotations

import importlib
import json
import logging
import os
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from phidex.errors import ConfigError
from phidex.retrieval.store import Floats

log = logging.getLogger(__name__)

_MAX_TOKENS = 512
_OPSET = 17


class OnnxEncoder:
    """One text at a time -> vector of (dim,), L2-normalised; about 3 ms for a question on one CPU core.

    Args:
        path: the exported model.
        folder: of the model it came from, for its tokenizer.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        from tokenizers import Tokenizer

        onnxruntime: Any = importlib.import_module("onnxruntime")  # it has no types
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(4, os.cpu_count() or 1)
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # its exceptions have no common base but Exception
            raise ConfigError(f"cannot read {path}: {type(exc).__name__}", hint="remove it: it is made again") from exc
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_max_tokens(folder))

    def encode(self, text: str) -> Floats:
        """The vector of a text, truncated to what the model takes."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        output = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        vector = np.asarray(output[0], dtype=np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def export_onnx(folder: Path, path: Path) -> None:
    """Export the model in `folder` to `path`, whole or not at all; about 2 s for a small model, and 0.4 GB of memory.

    Raises:
        ConfigError: torch cannot express this model in ONNX.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(
        str(folder), device="cpu", model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"}, local_files_only=True
    )

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    example: Any = torch.tensor([[101, 7592, 2088, 102]]) % model[0].auto_model.config.vocab_size
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    axes = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask")}
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # the exporter warns of its own deprecation and of constants it traced
            exporter: Any = torch.onnx  # partly untyped
            exporter.export(
                Whole().eval(),
                (example, torch.ones_like(example)),
                str(partial),
                input_names=["input_ids", "attention_mask"],
                output_names=["sentence_embedding"],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,  # the newer exporter needs another package and takes ten times as long
            )
        partial.replace(path)
    except Exception as exc:
        raise ConfigError(f"cannot export {folder.name} for questions: {exc}", hint="choose another model") from exc
    finally:
        partial.unlink(missing_ok=True)
    log.info("exported model=%s path=%s", folder.name, path)


def _max_tokens(folder: Path) -> int:
    """The least of what the model's files allow: a sentence length, a tokenizer's length, a number of positions."""
    limits = [_MAX_TOKENS]
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
        ("config.json", "max_position_embeddings"),
    ):
        path = folder / name
        value: Any = json.loads(path.read_text("utf-8")).get(key) if path.is_file() else None
        if value:
            limits.append(int(value))
    return min(limits)
