"""`phidex eval …` as people use it, from a set of their own to the gate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phidex.sdk import Phidex


class Command:
    """The command line in a folder of its own."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PHIDEX_")}
        self.environment |= {"PHIDEX_DATA": str(data), "PHIDEX_EMBED__MODEL": "none", "PHIDEX_STORE__IDLE_S": "1"}

    def __call__(self, *arguments: str, code: int = 0) -> str:
        line = [sys.executable, "-m", "phidex", "eval", *arguments]
        done = subprocess.run(line, capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=120)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr


@pytest.fixture
def command(tiny: Phidex, tmp_path: Path) -> Command:
    return Command(tiny.settings.data, tmp_path)


def test_from_ones_own_collection_to_the_gate(command: Command) -> None:
    assert "questions in set.jsonl" in command("make-set", "default", "-o", "set.jsonl", "--count", "6")
    rows = [json.loads(line) for line in (command.folder / "set.jsonl").read_text("utf-8").splitlines()]
    assert all(row["gold"][0]["places"] for row in rows)
    told = command("run", "set.jsonl", "-o", "runs/a")
    assert f"{len(rows)} of {len(rows)} questions; records in runs/a" in told
    assert "nDCG@10" in told
    assert "no worse than" in command("gate", "runs/a", "--against", "runs/a")
    worse = command.folder / "runs" / "b"
    shutil.copytree(command.folder / "runs" / "a", worse)
    records = [json.loads(line) for line in (worse / "records.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        record["scores"]["nDCG@10"] = 0.0
    (worse / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert "regression: nDCG@10" in command("gate", "runs/b", "--against", "runs/a", code=1)
    assert "nDCG@10" in command("compare", "runs/a", "runs/b")
    command("report", "runs/a", "runs/b", "-o", "report.html")
    assert (command.folder / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_what_is_wrong_is_told_with_its_cure(command: Command) -> None:
    assert "there is no" in command("run", "none.jsonl", code=2)
    (command.folder / "set.jsonl").write_text('{"question": "When?"}\nbroken\n')
    told = command("run", "set.jsonl", "-c", "nowhere", code=2)
    assert "set.jsonl:2: Expecting value" in told
    assert "there is no collection 'nowhere'" in told
    assert "set PHIDEX_CHAT__URL" in command("make-set", "--with-model", code=2)


def test_other_systems_runs_are_scored(command: Command) -> None:
    (command.folder / "run.trec").write_text("q1 Q0 b 1 2.0 x\nq1 Q0 a 2 1.0 x\n")
    (command.folder / "qrels").write_text("q1 0 a 1\nq2 0 c 1\n")
    found = json.loads(command("score", "run.trec", "--qrels", "qrels", "--measure", "RR@10", "--json"))
    assert found["RR@10"]["value"] == 0.25  # q2 is judged and was not answered


def test_long_contexts_by_an_oracle(command: Command) -> None:
    told = command("long", "--by", "oracle", "--length", "1024", "--language", "en", "-o", "long", "--json")
    assert json.loads(told)["overall"]["needle"]["value"] == 1.0


def test_routing_reports_accuracy_and_cost(command: Command) -> None:
    (command.folder / "own.jsonl").write_text('{"question": "How many bolts are there?", "language": "en", "type": "lookup"}\n')
    assert "billion parameters" in command("routing", "own.jsonl")
    (command.folder / "bad.jsonl").write_text('{"question": "?", "language": "en", "type": "riddle"}\n')
    assert "no kind 'riddle'" in command("routing", "bad.jsonl", code=2)
