"""The robustness benchmark: its child outlives hangs and deaths, and its report counts what must not happen."""

from __future__ import annotations

import os
import signal
import tarfile
from collections import Counter
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from phidex.eval.bench import hostile
from phidex.eval.bench.robust import Case, Child, letters, report

pymupdf: Any = _pymupdf  # its own types are incomplete


def write_pdf(path: Path, text: str) -> Path:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), text)
    document.save(path)
    return path


def test_both_sides_read_a_file(tmp_path: Path) -> None:
    child = Child()
    good, bad = write_pdf(tmp_path / "good.pdf", "Some text"), tmp_path / "bad.pdf"
    bad.write_bytes(b"%PDF-1.7\nnothing")
    try:
        case = child.read(good)
        assert (case.recall, case.reason, case.is_lost) == (1.0, "", False)
        case = child.read(bad)
        assert "truncated" in case.reason
        assert not case.reference
    finally:
        child.stop()


def test_a_dead_or_silent_child_is_told_and_replaced(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "good.pdf", "Some text")
    child = Child(limit_s=20)
    try:
        assert child.read(path).found
        (process,) = active_children()
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        assert child.read(path).reason == "crash"
        assert child.read(path).found
        (process,) = active_children()
        assert process.pid
        child.limit_s = 0.2
        os.kill(process.pid, signal.SIGSTOP)
        assert child.read(path).reason == "hang"
        child.limit_s = 20
        assert child.read(path).found
    finally:
        child.stop()


def test_the_report_counts_what_must_not_happen() -> None:
    some = Counter("text")
    cases = [
        Case(Path("kept.pdf"), some, some),
        Case(Path("lost.pdf"), some, reason="lost.pdf has 3 faults"),
        Case(Path("dead.pdf"), reason="crash"),
        Case(Path("bug.pdf"), some, some, reason="BUG KeyError: 1"),
        Case(Path("mute.pdf")),
    ]
    outcome = report(cases)
    assert [check.value for check in outcome.checks[:3]] == [1, 2, 1]
    assert not any(check.ok for check in outcome.checks[:3])
    assert ["FILE has N faults", 1] in [list(row) for row in outcome.tables[0].rows]


@pytest.mark.parametrize(("text", "count"), [("Ab 1!", 3), ("ﬁ", 2), ("\ufffd\ufffd", 1), ("  ", 0)])
def test_letters(text: str, count: int) -> None:
    assert letters(text).total() == count


def test_each_pdf_of_an_archive_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name, content in (("a.pdf", b"one"), ("b.PDF", b"one"), ("c.pdf", b"two"), ("d.txt", b"three")):
        (tmp_path / "tree" / name).write_bytes(content)
    scratch, folder = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    folder.mkdir()
    with tarfile.open(scratch / "tool_1.0.orig.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "tree", "tool-1.0")
    assert hostile.unpack("tool", scratch, folder) == "tool_1.0.orig.tar.gz"
    assert len(list(folder.glob("tool-*.pdf"))) == 2
    assert list(scratch.iterdir()) == []
