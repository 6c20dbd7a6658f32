"""What every benchmark is given (`Options`), and the machine it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.eval.bench.corpus import FOLDER, fetch_manuals

ROOT = Path(__file__).resolve().parents[2]
"""The repository's root."""

_PACKAGES = ("phidex", "pymupdf", "qdrant-edge-py", "sentence-transformers", "torch", "onnxruntime", "bm25s")


@dataclass(frozen=True, slots=True)
class Options:
    """Where data lie and how much to do.

    Args:
        xquad: folder with `xquad.<language>.json`.
        manuals: folder of PDFs that `corpus.py` fills.
        cache: what is kept between runs: vectors, indexes of peers.
        peers: whether peers are measured too.
        full: all documents where the default is a part of them.
        say: told what goes on.
    """

    xquad: Path
    manuals: Path
    cache: Path
    peers: bool = True
    full: bool = False
    say: Callable[[str], None] = print

    def documents(self, names: Sequence[str]) -> list[Path]:
        """The manuals of these names, fetched when they are not there.

        Raises:
            RuntimeError: one cannot be had; the message names it.
        """
        paths = [self.manuals / name for name in names]
        if not all(path.exists() for path in paths):
            self.say(f"fetching manuals to {self.manuals}")
            fetch_manuals(self.manuals)
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            raise RuntimeError(f"not in {self.manuals} and not to be had from Debian's packages: {', '.join(missing)}")
        return paths


def default_xquad() -> Path:
    """Where XQuAD is looked for; it is not fetched (`xquad.py` says where to get it)."""
    return Path("~/.cache/phidex/bench/xquad").expanduser()


def default_manuals() -> Path:
    """Where `corpus.py` leaves the manuals."""
    return FOLDER.expanduser()


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
