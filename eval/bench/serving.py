"""A real vLLM on the CPU with the tiny Phi-3 of the tests: its answers are noise, its tokenizer, window and cache are real."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from phidex.eval.bench.options import ROOT


def tiny_tokenizer(folder: Path) -> Path:
    """The `tokenizer.json` of the tiny model, written into `folder`."""
    path = folder / "tokenizer.json"
    _tests("tiny_models").train_tokenizer().save(str(path))
    return path


@contextlib.contextmanager
def served_model() -> Generator[str]:
    """The base URL (with `/v1`) of a vLLM that answers to `phi-3.5-mini`; about 30 s to start.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """
    server, models = _tests("server"), _tests("tiny_models")
    if not server.is_installed():
        raise RuntimeError(f"vLLM for the CPU is not installed: run `{server.INSTALL}` (2.5 GB)")
    with tempfile.TemporaryDirectory(prefix="phidex-bench-") as name:
        folder = Path(name)
        with server.serve(models.write_phi3(folder / "phi3"), folder / "server.log") as url:
            yield url


def _tests(name: str) -> Any:
    """A module of `tests/vllm`, which stands in the repository and is not installed."""
    spec = importlib.util.spec_from_file_location(f"_vllm_{name}", ROOT / "tests" / "vllm" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"tests/vllm/{name}.py is not there: run this in a checkout of the repository")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
