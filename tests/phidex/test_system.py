"""setup/system.py, run as `make` runs it, with stand-ins for apt-get, sudo and Tesseract."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from phidex.ingest.ocr.tesseract import PACKS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "setup/system.py"
ALL = sorted({"osd", *(pack for packs in PACKS.values() for pack in packs)})

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="apt is Debian's and Ubuntu's")


class Machine:
    """A folder of programs that stand for the system's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add("env", 'shift; exec "$@"')

    def add(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def add_tesseract(self, packs: list[str]) -> None:
        self.add("tesseract", "echo 'List of available languages (2):'\n" + "\n".join(f"echo {pack}" for pack in packs))

    def add_apt(self, *, installs: bool, after_update: bool = False) -> None:
        """An apt-get that writes down its arguments, and whose `install` puts a Tesseract with all packs in place."""
        full = "\\n".join(["List:", *ALL])
        ready = f"[ -e {self.folder}/updated ]" if after_update else "true"
        self.add(
            "apt-get",
            f'echo "$*" >> {self.folder}/calls\n'
            f'case " $* " in *" update "*) : > {self.folder}/updated; exit 0;; esac\n'
            + (
                f"if {ready}; then printf '#!/bin/sh\\nprintf \"{full}\\\\n\"\\n' > {self.folder}/tesseract; "
                f"/bin/chmod 755 {self.folder}/tesseract; exit 0; fi\n"
                if installs
                else ""
            )
            + "echo 'E: Unable to locate package' >&2; exit 100",
        )

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def run(self) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.folder)}
        return subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=60, env=environment)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_done_where_all_is_there(machine: Machine) -> None:
    machine.add_tesseract(ALL)
    machine.add_apt(installs=True)
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls() == []


def test_what_is_missing_is_printed_as_a_command(machine: Machine) -> None:
    machine.add_tesseract([pack for pack in ALL if pack not in ("deu", "chi_sim")])
    done = machine.run()
    assert done.returncode == 1
    assert "chi_sim" in done.stderr
    machine.add_apt(installs=False)
    done = machine.run()
    assert done.returncode == 1
    assert "sudo apt-get install tesseract-ocr-chi-sim tesseract-ocr-deu\n" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs without sudo")
def test_root_installs_once(machine: Machine) -> None:
    machine.add_apt(installs=True)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    (call,) = machine.calls()
    assert " install --yes --no-install-recommends tesseract-ocr tesseract-ocr-ara " in call
    assert machine.run().returncode == 0
    assert len(machine.calls()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs without sudo")
def test_lists_are_fetched_where_the_package_is_not_known(machine: Machine) -> None:
    machine.add_apt(installs=True, after_update=True)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert ["update" in call for call in machine.calls()] == [False, True, False]


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs no sudo")
def test_sudo_that_asks_for_a_password_is_not_used(machine: Machine) -> None:
    machine.add_apt(installs=True)
    machine.add("sudo", "exit 1")
    assert machine.run().returncode == 1
    assert machine.calls() == []


def test_it_installs_what_recognition_reads() -> None:
    spec = importlib.util.spec_from_file_location("system", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert sorted(module.PACKS) == ALL
