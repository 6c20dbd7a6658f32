"""The examples of docs/structured.md run as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.generation.faulty import faulty_server
from tests.generation.structured.served import LEASE, Model, prompt_of, write_documents
from tests.retrieval.engines import end_engine

from phidex import Phidex
from phidex.generation.structured.record import Support

PAGE = (Path(__file__).resolve().parents[3] / "docs/structured.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
REPORT = "# Report\n\n| Year | Cost |\n|---|---|\n| 2020 | 5 |\n"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the data folder `library`, as the reader of the page is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    monkeypatch.setenv("PHIDEX_STORE__MIN_FREE_MB", "1")
    with Phidex(data="library") as phidex:
        phidex.ingest(write_documents(tmp_path / "docs", lease=LEASE, report=REPORT))
    yield tmp_path
    end_engine(tmp_path / "library")


def reply(body: dict[str, Any]) -> str:
    if "Labels:" in prompt_of(body):
        return json.dumps({"label": "lease"})
    return json.dumps({"tenant": "Maria Okafor", "signed": "2021-05-14", "rent": 1250, "deposit": None})


def test_the_examples_run(library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLES) == 4
    with faulty_server(Model(reply)) as server:
        monkeypatch.setenv("PHIDEX_CHAT__URL", server.url)
        for example in EXAMPLES:
            exec(compile(example, "docs/structured.md", "exec", dont_inherit=True), {"__name__": "example"})
    shown = capsys.readouterr().out
    assert "rent 1250 agrees [" in shown
    assert "lease.md ('lease',)" in shown
    assert (library / "leases.csv").read_text("utf-8").startswith("source,tenant,tenant (place),")
    assert (library / "table-1.csv").read_bytes() == b"Year,Cost\r\n2020,5\r\n"


def test_every_kind_of_support_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows[-len(get_args(Support)) :] == list(get_args(Support))
