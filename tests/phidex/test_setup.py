"""setup/install.py, run as `make` runs it on a copy of the project, with a stand-in for the virtual environment's Python."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Notes how it is called. "version" stands for an installed torch; a call with a word in "failing" fails.
PYTHON = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
if [ "$1" = -c ]; then cat "$here/version" 2>/dev/null; exit 0; fi
if [ "$3" = install ]; then cat "$here/says" 2>/dev/null; cat "$here/warns" >&2 2>/dev/null; fi
while read -r word; do case " $* " in *"$word"*) echo "pip: cannot find $word" >&2; exit 1;; esac; done < "$here/failing"
exit 0
"""


class Project:
    """A copy of what setup/install.py reads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / ".venv/bin"
        (root / "setup").mkdir()
        self.bin.mkdir(parents=True)
        for name in ("setup/install.py", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, root / name)
        (self.bin / "python").write_text(PYTHON)
        (self.bin / "python").chmod(0o755)
        self.fail()

    def fail(self, *words: str) -> None:
        (self.bin / "failing").write_text("".join(f"{word}\n" for word in words))

    def install(self, *extras: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.root / "setup/install.py"), *extras]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=60)

    def calls(self) -> list[str]:
        """The calls of the environment's Python since the last look, but for the question whether it has pip."""
        path = self.bin / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [line for line in lines if line != "-m pip --version"]
        path.unlink(missing_ok=True)
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("phidex_setup_install", ROOT / "setup/install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pinned_torch() -> str:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line.split()[0].removeprefix("torch==") for line in lines if line.startswith("torch=="))


def test_second_call_does_nothing_in_under_a_second(project: Project) -> None:
    assert project.install("ui").returncode == 0
    (install,) = project.calls()
    assert "--editable .[ui]" in install
    assert "--constraint" in install
    started = time.monotonic()
    again = project.install("ui")
    assert time.monotonic() - started < 1
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert project.calls() == []


def test_other_extras_and_changed_requirements_are_installed(project: Project) -> None:
    project.install("ui")
    project.calls()
    assert project.install().returncode == 0
    assert project.calls()[-1].endswith("--editable .")
    with (project.root / "pyproject.toml").open("a") as file:
        file.write("\n# another requirement\n")
    assert project.install("ui").returncode == 0
    assert len(project.calls()) == 1


def test_failing_pip_is_reported_and_tried_again(project: Project) -> None:
    project.fail("--editable")
    failed = project.install("ui")
    assert failed.returncode == 1
    assert "pip: cannot find --editable" in failed.stderr
    assert "the installation failed" in failed.stderr
    project.fail()
    assert project.install("ui").returncode == 0


def test_what_takes_long_is_shown_and_what_matters_to_nobody_is_not(project: Project) -> None:
    (project.bin / "says").write_text(
        "Collecting numpy>=1.26\n  Downloading numpy-2.0-cp311.whl (16.9 MB)\n  Downloading six-1.17-py3.whl (11 kB)\n"
    )
    (project.bin / "warns").write_text(
        "WARNING: Location '/no/such/wheels' is ignored: it is neither a file nor a directory.\n"
        "[notice] A new release of pip is available\n"
        "WARNING: Retrying after connection broken\n"
    )
    done = project.install("ui")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["  Downloading numpy-2.0-cp311.whl (16.9 MB)"]
    assert done.stderr == "WARNING: Retrying after connection broken\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="torch for macOS comes without CUDA: one build, one index")
def test_cpu_build_of_torch_comes_from_the_configured_index_first(project: Project) -> None:
    assert project.install("dense").returncode == 0
    torch = [call for call in project.calls() if "torch==" in call]
    assert len(torch) == 1
    assert f"torch=={pinned_torch()}+cpu" in torch[0]
    assert "--index-url" not in torch[0]


@pytest.mark.skipif(sys.platform == "darwin", reason="as above")
def test_cpu_build_of_torch_comes_from_its_own_index_otherwise(project: Project) -> None:
    project.fail("+cpu")
    done = project.install("dense")
    assert done.returncode == 0
    assert "+cpu" not in done.stderr, "the first attempt's failure is no news"
    assert f"torch=={pinned_torch()} --index-url https://download.pytorch.org/whl/cpu" in project.calls()[2]


def test_torch_that_cannot_be_had_ends_it(project: Project) -> None:
    project.fail("torch==")
    done = project.install("dense")
    assert done.returncode == 1
    assert not any("--editable" in call for call in project.calls())


def test_torch_that_is_there_is_kept(project: Project) -> None:
    (project.bin / "version").write_text(pinned_torch())
    assert project.install("dense").returncode == 0
    assert not [call for call in project.calls() if "torch==" in call]


def test_python_too_old_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = load_script()
    monkeypatch.setattr(script, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(script, "OLDEST", (99, 0))
    assert script.main([]) == 1
    assert "Phidex needs Python 99.0 or newer" in capsys.readouterr().err
    assert not (tmp_path / ".venv").exists()


def test_oldest_python_is_the_one_of_pyproject() -> None:
    oldest = ".".join(map(str, load_script().OLDEST))
    assert f'requires-python = ">={oldest}"' in (ROOT / "pyproject.toml").read_text()


def test_missing_venv_module_names_the_system_package(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = load_script()
    monkeypatch.setattr(script, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    for _ in range(2):
        assert script.main([]) == 1
        assert "apt-get install python3-venv" in capfd.readouterr().err
        assert not (tmp_path / ".venv").exists()
        (tmp_path / ".venv/bin").mkdir(parents=True)  # as venv leaves it where ensurepip is missing: a Python, no pip
        (tmp_path / ".venv/bin/python").symlink_to(shutil.which("false") or "")


@pytest.mark.parametrize("half_made", [False, True])
def test_virtual_environment_is_made_where_no_whole_one_is(project: Project, half_made: bool) -> None:
    if half_made:
        project.fail("pip --version")
    else:
        shutil.rmtree(project.root / ".venv")
    broken = (project.root / "constraints.txt").read_text() + "\nno such requirement\n"
    (project.root / "constraints.txt").write_text(broken)  # so that pip stops before it asks any index
    done = project.install()
    assert done.returncode == 1
    assert "making .venv" in done.stdout
    assert ("has no pip" in done.stdout) == half_made
    assert (project.bin / "pip").exists()
    assert not (project.bin / "failing").exists()
    assert not list((project.root / ".venv").glob(".installed*"))
