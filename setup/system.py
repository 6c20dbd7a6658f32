"""Installs what Phidex uses of the system beside Python: Tesseract and its packs for 23 languages; quick when they are there.

    python3 setup/system.py            standard library only

On Debian and Ubuntu, as root or where sudo asks for no password, they are installed by apt (80 MB); elsewhere the command is
printed. Exits with 1 where something is missing still: scans are then left out with a message, and all else works.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKS = (
    "ara", "ces", "chi_sim", "chi_tra", "dan", "deu", "eng", "fin", "fra", "heb", "hun", "ita", "jpn",
    "kor", "nld", "nor", "osd", "pol", "por", "rus", "spa", "swe", "tha", "tur", "ukr",
)  # fmt: skip
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")


def main() -> int:
    """Installs what is missing; returns the exit code."""
    wanted = missing()
    if not wanted:
        return 0
    prefix = _may_install()
    if prefix is not None:
        print(f"installing {wanted[0]}{f' and {len(wanted) - 1} more packages' if len(wanted) > 1 else ''} (apt)", flush=True)
        # The lists may be empty or old, which is told only by the failure to install.
        if not _apt(prefix, "install", wanted) and _apt(prefix, "update", []):
            _apt(prefix, "install", wanted)
        wanted = missing()
        if not wanted:
            return 0
    print(f"scans and images will not be read in all languages; to have them read:\n    {_command(wanted)}", file=sys.stderr)
    return 1


def missing() -> list[str]:
    """The Debian packages of what is not there."""
    program = shutil.which("tesseract")
    have: set[str] = set()
    if program:
        listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True)
        have = set(listed.stdout.split("\n")[1:])
    packages = [] if program else ["tesseract-ocr"]
    return packages + [f"tesseract-ocr-{pack.replace('_', '-')}" for pack in PACKS if pack not in have]


def _may_install() -> list[str] | None:
    """What to put before apt-get; None where it is not there or may not be used."""
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "--non-interactive", "true"], capture_output=True).returncode == 0:
        return [sudo, "--non-interactive"]
    return None


def _apt(prefix: list[str], verb: str, packages: list[str]) -> bool:
    """Whether apt did it; what it says is shown only where it failed to install."""
    options = ["--yes", "--no-install-recommends", *packages] if verb == "install" else []
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *APT, "--quiet", verb, *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()[-1:]
        print(f"apt-get {verb}: {' '.join(lines) or f'exit code {done.returncode}'}", file=sys.stderr)
    return done.returncode == 0


def _command(packages: list[str]) -> str:
    if sys.platform == "darwin":
        return "brew install tesseract tesseract-lang"
    if shutil.which("apt-get"):
        return f"sudo apt-get install {' '.join(packages)}"
    return f"install Tesseract with these language packs: {' '.join(PACKS)}"


if __name__ == "__main__":
    raise SystemExit(main())
