"""Damaged files through `parse_file` in a process of its own: text where PyMuPDF has text, otherwise a reason; never worse.

PHIDEX_TEST_FUZZ=20000 tries that many files instead of the few hundred that fit a test run; PHIDEX_TEST_FUZZ_SEED others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.ingest.mutations import mutate
from tests.ingest.seeds import make_seeds

from phidex.eval.bench.robust import Case, Child

COUNT = int(os.environ.get("PHIDEX_TEST_FUZZ", "500"))
SEED = int(os.environ.get("PHIDEX_TEST_FUZZ_SEED", "1"))


@pytest.fixture(scope="module")
def child() -> Generator[Child]:
    process = Child(limit_s=20)
    yield process
    process.stop()


def fault(case: Case) -> str:
    """What is wrong with an outcome; nothing when it is as it should be."""
    if case.reason in ("crash", "hang") or case.reason.startswith("BUG"):
        return f"{case.stage}: {case.reason}"
    if case.path.suffix == ".pdf" and case.is_lost and "encrypted" not in case.reason:
        return f"PyMuPDF reads {case.reference.total()} letters, we say: {case.reason}"
    return "" if case.found or case.reason else "neither text nor a reason"


def test_seeds_are_read_whole(tmp_path: Path, child: Child) -> None:
    for name, data in make_seeds().items():
        path = tmp_path / name
        path.write_bytes(data)
        case = child.read(path)
        assert fault(case) == ""
        if name in ("plain.pdf", "packed.pdf", "locked.pdf", "form.pdf"):
            assert case.recall > 0.99


def test_damaged_files_give_text_or_a_reason(tmp_path: Path, child: Child) -> None:
    seeds = make_seeds()
    faults: list[str] = []
    outcomes = {"text": 0, "refused": 0}
    for number in range(COUNT):
        rng = random.Random(SEED * 1_000_000 + number)
        # PDFs are where the dangers lie.
        name = rng.choice([*seeds, "plain.pdf", "plain.pdf", "packed.pdf", "form.pdf", "form.pdf"])
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(mutate(seeds[name], rng))
        case = child.read(path)
        outcomes["text" if case.found else "refused"] += 1
        if found := fault(case):
            faults.append(f"{path}: {found}")
        else:
            path.unlink()
    assert faults == []
    assert min(outcomes.values()) > COUNT // 20  # the damage is neither harmless nor total
