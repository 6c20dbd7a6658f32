"""Models from the Hugging Face hub: the local cache first, then the network, never a hang."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phidex.retrieval.card import read_json

log = logging.getLogger(__name__)

# Weights in one format, the tokenizer and the configuration; not the ONNX, OpenVINO and TensorFlow copies beside them.
_FILES = ["*.json", "*.txt", "*.safetensors", "*.model", "README.md", "*/config.json"]
_NOT = ["onnx/*", "openvino/*", "*.onnx"]
_PICKLED = ["pytorch_model*.bin"]  # where there is nothing else, as in BAAI/bge-m3; torch loads the weights alone


@dataclass(frozen=True, slots=True)
class Found:
    """The model's folder, or None; `reason` completes the sentence "the model …"."""

    path: Path | None
    reason: str


def fetch_model(model: str, timeout_s: float) -> Found:
    """The model's folder from the local cache or the hub.

    The hub must answer within `timeout_s`; a download that has begun goes on as long as data keeps coming.
    """
    import huggingface_hub
    from huggingface_hub.constants import HF_HUB_OFFLINE

    hub: Any = huggingface_hub  # its functions are partly untyped

    try:
        path = hub.snapshot_download(model, allow_patterns=[*_FILES, *_PICKLED], ignore_patterns=_NOT, local_files_only=True)
        if _has_weights(Path(path)):
            return Found(Path(path), "from the local cache")
    except Exception as exc:  # noqa: BLE001  the hub client raises its own, requests', httpx' and OS errors
        log.debug("not cached model=%s error=%s", model, type(exc).__name__)
    if HF_HUB_OFFLINE:
        return Found(None, "is not in the local cache, and the hub is switched off (HF_HUB_OFFLINE)")
    try:
        siblings: list[Any] = hub.HfApi().model_info(model, timeout=timeout_s).siblings or []
    except Exception as exc:  # noqa: BLE001  as above
        return Found(None, f"is not in the local cache, and the hub cannot be reached ({type(exc).__name__})")
    safe = any(file.rfilename.endswith(".safetensors") for file in siblings)
    try:
        files = _FILES if safe else [*_FILES, *_PICKLED]
        path = hub.snapshot_download(model, allow_patterns=files, ignore_patterns=_NOT, etag_timeout=timeout_s)
    except Exception as exc:  # noqa: BLE001  as above
        return Found(None, f"could not be downloaded ({type(exc).__name__}: {exc})")
    return Found(Path(path), "from the hub")


def _has_weights(folder: Path) -> bool:
    """Whether the weights of the first module are there; static models have theirs in a folder of its own."""
    modules: list[dict[str, Any]] = read_json(folder, "modules.json") or []
    first = folder / modules[0].get("path", "") if modules else folder
    return any(first.glob("*.safetensors")) or any(first.glob("pytorch_model*.bin"))
