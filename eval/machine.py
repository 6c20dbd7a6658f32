"""The machine and the versions that something was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

_PACKAGES = ("phidex", "pymupdf", "qdrant-edge-py", "sentence-transformers", "torch", "onnxruntime", "bm25s")


def machine_facts() -> list[tuple[str, str]]:
    """Processor, cores, load and the versions that matter, each with its name."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    model = found.group(1).strip() if found else platform.processor() or "unknown"
    bf16 = " (bfloat16 in hardware)" if has_bfloat16() else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = ", ".join(f"{name} {version}" for name in _PACKAGES if (version := _version(name)))
    return [
        ("processor", f"{model}{bf16}"),
        ("cores", str(cores)),
        ("load before (1, 5, 15 min)", load),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("versions", versions),
    ]


def has_bfloat16() -> bool:
    """Whether the processor computes with bfloat16, where our passages then are embedded with it."""
    return re.search(r"\b(?:avx512_bf16|amx_bf16)\b", _cpuinfo()) is not None


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
