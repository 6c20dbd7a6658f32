"""One real vLLM process on the CPU with a tiny random Phi-3, for the tests marked `vllm`.

Takes about 30 s to start and 3 GB of memory, so that a test session has one of them, under both names of the text models.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".vllm" / "bin" / "vllm"
STAMP = ROOT / ".vllm" / "installed.json"
INSTALL = "python3 tests/vllm/install.py"
NAMES = ("phi-3.5-mini", "phi-3.5-moe")
WINDOW_TOKENS = 32_768
CHAT_FLAGS = ("--load-format", "dummy", "--enable-prompt-tokens-details")
POOLING_FLAGS = ("--runner", "pooling")
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 15.0


class ServerError(Exception):
    """vLLM did not start; the message holds the end of its log."""


def is_installed() -> bool:
    """Tells whether `install.py` has finished."""
    return STAMP.exists() and PROGRAM.exists()


@contextlib.contextmanager
def serve(
    model: Path,
    log: Path,
    *,
    names: Sequence[str] = NAMES,
    window_tokens: int = WINDOW_TOKENS,
    flags: Sequence[str] = CHAT_FLAGS,
) -> Generator[str]:
    """Yields the base URL (with `/v1`) of a vLLM that serves the folder `model`, and ends its processes afterwards.

    Raises:
        ServerError: it did not become healthy in time.
    """
    port = free_port()
    with serve_process(model, log, port=port, names=names, window_tokens=window_tokens, flags=flags):
        yield f"http://127.0.0.1:{port}/v1"


@contextlib.contextmanager
def serve_process(
    model: Path,
    log: Path,
    *,
    port: int,
    names: Sequence[str] = NAMES,
    window_tokens: int = WINDOW_TOKENS,
    flags: Sequence[str] = CHAT_FLAGS,
) -> Generator[subprocess.Popen[bytes]]:
    """As `serve`, on a given port; yields the process, which leads a group of its own, so that a test may kill all of it."""
    # vLLM must not outlive a pytest that was killed: the kernel tells it, where util-linux is installed.
    guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*guard, *_command(model, port), "--max-model-len", str(window_tokens), *flags, "--served-model-name", *names],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, f"http://127.0.0.1:{port}/health", log)
        yield process
    finally:
        _end(process)


def _command(model: Path, port: int) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return [str(PROGRAM), "serve", str(model), "--enforce-eager", *address]


def _environment() -> dict[str, str]:
    ours = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB
    # By default the worker is pinned to the first core and spins there, whoever else needs it. One free thread is plenty.
    ours |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    # Caches stay in the repository's ignored folder and out of the home of whoever runs the tests.
    caches = {"VLLM_CACHE_ROOT": str(ROOT / ".vllm" / "cache"), "HF_MODULES_CACHE": str(ROOT / ".vllm" / "cache" / "modules")}
    return {**os.environ, **ours, **caches}


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), direct.open(url, timeout=2):
            return
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
    raise ServerError(f"vLLM did not start (exit status {process.poll()}); the end of {log}:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the server, then whatever of its process group is left."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_TIMEOUT_S)
