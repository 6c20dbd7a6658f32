"""Makes the virtual environment `.venv` and installs Phidex in it, editable, with the extras named; quick when nothing changed.

    python3 setup/install.py dense ui            standard library only

torch is installed first and as a CPU build (the default one brings gigabytes of CUDA): what pip is configured with is tried
first, then PyTorch's own index of CPU builds.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)
_LARGE = re.compile(r"Downloading .*\(\d+(\.\d+)? [MG]B\)")
_IDLE = re.compile(  # what pip says of places that it does without, and of itself
    r"WARNING: ((Location|Url) .* is ignored|The directory .* or its parent directory is not|Running pip as the 'root' user)"
    r"|\[notice\]"
)


def main(extras: list[str]) -> int:
    """Installs what is missing; returns the exit code."""
    if sys.version_info < OLDEST:
        print(f"Phidex needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    stamp = VENV / f".installed-{'-'.join(extras) or 'base'}"
    wanted = _digest(extras)
    if stamp.is_file() and stamp.read_text() == wanted and _python().exists():
        return 0
    if not _has_pip() and not _make_venv():
        print("cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv", file=sys.stderr)
        return 1
    if {"dense", "all", "dev"} & set(extras) and not _install_torch():
        return 1
    target = f".[{','.join(extras)}]" if extras else "."
    print(f"installing phidex {target[1:]}", flush=True)
    if _pip("--constraint", str(ROOT / "constraints.txt"), "--editable", target):
        print("the installation failed: see pip's message above", file=sys.stderr)
        return 1
    stamp.write_text(wanted)
    return 0


def _make_venv() -> bool:
    """A new one; what a failed attempt has left goes away, before and after."""
    if _python().exists():  # made by a tool that leaves pip out, such as uv, it can be given one
        subprocess.run([str(_python()), "-m", "ensurepip"], capture_output=True)
        if _has_pip():
            return True
    if VENV.exists():
        print(f"{VENV.name} has no pip that works: removed", flush=True)
        shutil.rmtree(VENV)
    print(f"making {VENV.name}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode == 0 and _has_pip()
    if not made:
        shutil.rmtree(VENV, ignore_errors=True)
    return made


def _has_pip() -> bool:
    """Whether the environment is whole: without ensurepip, venv leaves one that has a Python but no pip."""
    if not _python().exists():
        return False
    return subprocess.run([str(_python()), "-m", "pip", "--version"], capture_output=True).returncode == 0


def _install_torch() -> bool:
    """A CPU build of the pinned torch, unless one is there."""
    version = next(
        line.split()[0].removeprefix("torch==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith("torch==")
    )
    have = subprocess.run(
        [str(_python()), "-c", "import importlib.metadata as m; print(m.version('torch').split('+')[0])"],
        capture_output=True,
        text=True,
    )
    if have.stdout.strip() == version:
        return True
    print(f"installing torch {version} (CPU build)", flush=True)
    if sys.platform == "darwin":  # the default build for macOS has no CUDA
        return not _pip(f"torch=={version}")
    return not _pip(f"torch=={version}+cpu", quiet=True) or not _pip(f"torch=={version}", "--index-url", CPU_INDEX)


def _pip(*arguments: str, quiet: bool = False) -> int:
    """pip's exit code. Of what it says, its faults are passed on, and what it is fetching; not what it thinks of its places.

    Args:
        quiet: a failure is no news.
    """
    command = [str(_python()), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        assert pip.stderr is not None
        faults = threading.Thread(target=_pass_on, args=(pip.stderr, quiet))
        faults.start()
        for line in pip.stdout:
            _show_progress(line.strip())
        faults.join()
    _show_progress("")
    return pip.returncode


def _show_progress(line: str) -> None:
    """What pip is at: on a terminal in one line that changes, else a line for each large download."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stdout.write("\r" + f"  {line}"[:width].ljust(width) + ("" if line else "\r"))
        sys.stdout.flush()
    elif _LARGE.match(line):
        print(f"  {line}", flush=True)


def _pass_on(faults: IO[str], quiet: bool) -> None:
    for line in faults:
        if not quiet and not _IDLE.match(line):
            sys.stderr.write(line)
            sys.stderr.flush()


def _python() -> Path:
    return VENV / "bin" / "python"


def _digest(extras: list[str]) -> str:
    text = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return hashlib.sha256(text + sys.version.encode() + " ".join(extras).encode() + str(ROOT).encode()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
