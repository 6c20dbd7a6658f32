"""The examples of the adapters run as they stand, and what is not installed is said with its cure."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tests.retrieval.engines import end_engine

pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")
pytest.importorskip("langchain_core", reason="needs the langchain extra")

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("llamaindex_retriever", ["lease.md, lines 1-7", "[1] boiler.md, lines 1-7: The boiler in the workshop was replaced"]),
        ("llamaindex_index", ["minutes.md lines 1-8", "Jonas Weber writes the notice."]),
        (
            "llamaindex_inside",
            ["added 3, unchanged 0", "added 0, unchanged 3", "[1] boiler.md, lines 1-7 verified", "(canned)"],
        ),
        ("langchain_retriever", ["boiler.md, lines 1-7", "six months' notice", "('lease.md', 'lines 9-11', True)"]),
    ],
)
def test_example_runs(
    name: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    try:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    finally:
        end_engine(tmp_path / "phidex-data")
    shown = capsys.readouterr().out
    assert [text for text in said if text not in shown] == []


def test_every_example_of_a_framework_is_run() -> None:
    named = {path.stem for pattern in ("llamaindex_*.py", "langchain_*.py") for path in EXAMPLES.glob(pattern)}
    assert named == {"llamaindex_retriever", "llamaindex_index", "llamaindex_inside", "langchain_retriever"}


def test_without_the_frameworks_the_cure_is_said() -> None:
    code = (
        "import sys, json; sys.modules['llama_index'] = sys.modules['langchain_core'] = None\n"
        "from phidex import ConfigError\n"
        "import phidex.adapters.llamaindex as li, phidex.adapters.langchain as lc\n"
        "said = []\n"
        "for package, name in [(li, 'PhidexRetriever'), (lc, 'PhidexRetriever')]:\n"
        "    try: getattr(package, name)\n"
        "    except ConfigError as exc: said.append(str(exc))\n"
        "try: li.LlamaIndexChat(object())\n"
        "except ConfigError as exc: said.append(str(exc))\n"
        "from phidex.adapters.llamaindex import LlamaIndexEmbedder\n"
        "from phidex.adapters.documents import documents_of\n"
        "print(json.dumps(said))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert ["phidex[llamaindex]" in said[0], "phidex[langchain]" in said[1], "phidex[llamaindex]" in said[2]] == [True] * 3
