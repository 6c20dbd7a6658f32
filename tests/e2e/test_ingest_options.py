"""What `phidex ingest` can be told: to look first, to follow, to forget what is gone, to ask for a password."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.builders import Author, CommandLine, Document, pdf_bytes, phidex_cli

__all__ = ["phidex_cli"]  # a fixture

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def docs(tmp_path: Path) -> tuple[Path, list[Document]]:
    author, folder = Author(21), tmp_path / "docs"
    both = [author.document("a.md", 3), author.document("b.pdf", 4)]
    for document in both:
        document.write(folder)
    return folder, both


def test_a_dry_run_by_source(phidex_cli: CommandLine, docs: tuple[Path, list[Document]]) -> None:
    """Before anything is there, and over what is there."""
    folder, (first, second) = docs
    told = phidex_cli("ingest", folder, "--dry-run").stdout
    assert "would be: 2 added" in told
    assert f"+3 ~0 -0  {folder / first.name}" in told
    assert f"+4 ~0 -0  {folder / second.name}" in told
    assert phidex_cli.json("status")["collections"] == {}
    phidex_cli("ingest", folder)
    before = phidex_cli.json("sources")
    Author(22).edited(second).write(folder)  # one page rewritten, one more
    (folder / first.name).unlink()
    told = phidex_cli("ingest", folder, "--dry-run", "--sync").stdout
    assert f"+1 ~1 -0  {folder / second.name}" in told
    assert f"removed  {folder / first.name}" in told
    assert phidex_cli.json("sources") == before
    report = phidex_cli.json("ingest", folder, "--dry-run")
    assert report["dry_run"]
    assert report["files"][0]["difference"] == {"added": 1, "changed": 1, "removed": 0}


def test_sync(phidex_cli: CommandLine, docs: tuple[Path, list[Document]]) -> None:
    folder, (first, second) = docs
    phidex_cli("ingest", folder)
    (folder / first.name).unlink()
    assert "removed" not in phidex_cli("ingest", folder).stdout
    assert f"removed {folder / first.name}" in phidex_cli("ingest", folder, "--sync").stdout
    assert [source["name"] for source in phidex_cli.json("sources")] == [second.name]


def test_a_copy_is_cited_under_both_names(phidex_cli: CommandLine, docs: tuple[Path, list[Document]]) -> None:
    folder, (first, _) = docs
    shutil.copy(folder / first.name, folder / "copy.md")
    assert "2 added, 1 duplicate" in phidex_cli("ingest", folder).stdout
    hit = phidex_cli.json("search", first.word)[0]
    assert {hit["source"]["uri"], *hit["source"]["also"]} == {(folder / name).as_uri() for name in (first.name, "copy.md")}


def test_tags_stay_until_others_are_given(phidex_cli: CommandLine, docs: tuple[Path, list[Document]]) -> None:
    folder, _ = docs

    def tags() -> list[list[str]]:
        return [source["tags"] for source in phidex_cli.json("sources")]

    phidex_cli("ingest", folder, "--tag", "x")
    assert "2 unchanged" in phidex_cli("ingest", folder).stdout
    assert tags() == [["x"], ["x"]]
    phidex_cli("ingest", folder / "a.md", "--tag", "y")
    assert tags() == [["y"], ["x"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--watch", "--dry-run"), "--watch and --dry-run do not go together"),
        (("--watch", "--ref", "main"), "--watch and --ref do not go together"),
        (("--quality", "perfect"), "--quality"),
        (("--sync", "--only", "docs"), "a part of a repository"),
    ],
)
def test_wrong_use(phidex_cli: CommandLine, docs: tuple[Path, list[Document]], options: tuple[str, ...], message: str) -> None:
    assert message in phidex_cli("ingest", docs[0], *options, code=2).stderr


def test_a_password_is_asked_for_and_never_shown(phidex_cli: CommandLine, tmp_path: Path) -> None:
    with pymupdf.open(stream=pdf_bytes(["The harbour is closed in winter for all visitors."])) as document:
        document.save(tmp_path / "locked.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="other")
    assert "password" in phidex_cli("ingest", "locked.pdf", code=1).stdout
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "phidex", "ingest", "locked.pdf", "--ask-password"]
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=phidex_cli.environment(),
        start_new_session=True,  # so that the password is read from its standard input, not from our terminal
    ) as process:
        assert process.stderr is not None
        asked = ""
        while "password" not in asked:  # what is typed before is thrown away
            asked += process.stderr.read(1)
        time.sleep(0.5)
        os.write(terminal, b"sesame\n")
        output, errors = process.communicate(timeout=60)
    os.close(theirs)
    os.close(terminal)
    assert process.returncode == 0, errors
    assert "1 added" in output
    assert "sesame" not in output + errors
    assert phidex_cli.json("search", "harbour")
