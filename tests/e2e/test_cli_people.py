"""What the command line says to people: numbers and their nouns, other names of a document, filters that can find nothing."""

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

from phidex.generation.extract import NOTICE
from phidex.ingest.records import KINDS

__all__ = ["phidex_cli"]  # a fixture

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def docs(tmp_path: Path) -> tuple[Path, Document]:
    """A folder with one document of one page."""
    document = Author(31).document("plan.pdf", 1)
    document.write(tmp_path / "docs")
    return tmp_path / "docs", document


def test_one_is_no_plural(phidex_cli: CommandLine, docs: tuple[Path, Document]) -> None:
    told = phidex_cli("ingest", docs[0]).stdout
    assert "(1 page, 1 chunk, " in told
    assert "context: 1 of 1 passage, " in phidex_cli("ask", f"Where was the {docs[1].pages[0].marker}?").stdout


def test_a_name_that_changed_is_told(phidex_cli: CommandLine, docs: tuple[Path, Document]) -> None:
    folder, document = docs
    phidex_cli("ingest", folder)
    (folder / document.name).rename(folder / "scheme.pdf")
    assert f"{folder / 'scheme.pdf'}  (renamed, was plan.pdf)" in phidex_cli("ingest", folder, "--dry-run").stdout
    assert f"renamed {folder / 'scheme.pdf'}: was plan.pdf" in phidex_cli("ingest", folder).stdout


def test_other_names_are_shown(phidex_cli: CommandLine, docs: tuple[Path, Document]) -> None:
    folder, document = docs
    (folder / "old").mkdir()
    shutil.copy(folder / document.name, folder / "copy.pdf")
    shutil.copy(folder / document.name, folder / "old" / document.name)
    phidex_cli("ingest", folder / document.name, folder)
    names = ("copy.pdf", str(folder / "old" / document.name))
    listed = phidex_cli("sources").stdout.splitlines()
    assert all(f"  also {name}" in listed for name in names)
    marker = document.pages[0].marker
    for arguments in (("search", marker), ("ask", f"Where was the {marker}?")):
        assert f"also {', '.join(names)}" in phidex_cli(*arguments).stdout


def test_long_names_are_not_broken(phidex_cli: CommandLine, tmp_path: Path) -> None:
    name = "the minutes of the meeting about the harbour and its winter timetable, second draft.md"
    (tmp_path / name).write_text("The harbour is closed in winter for all visitors.")
    phidex_cli("ingest", name)
    head, row = phidex_cli("sources").stdout.splitlines()
    assert row.startswith(f"{name}  complete  markdown")
    assert head.index("kind") == row.index("markdown")


def test_filters_that_can_find_nothing(phidex_cli: CommandLine, docs: tuple[Path, Document]) -> None:
    phidex_cli("ingest", docs[0], "--tag", "paper")
    word = docs[1].word
    failed = phidex_cli("search", word, "--tag", "papr", code=2).stderr
    assert "no source has the tag 'papr'" in failed
    assert "tags that there are: paper" in failed
    failed = phidex_cli("ask", word, "--language", "fr", code=2).stderr
    assert "no passage is in the language 'fr'" in failed
    assert "languages that there are: en" in failed
    some = phidex_cli("search", word, "--tag", "papr", "--tag", "paper", "--language", "EN")
    assert "no source has the tag 'papr'" in some.stderr
    assert "plan.pdf" in some.stdout
    (phidex_cli.home / "bare.md").write_text("The harbour is closed in winter for all visitors.")
    phidex_cli("ingest", "bare.md", "-c", "bare")
    assert "there are no tags at all" in phidex_cli("search", word, "-c", "bare", "--tag", "x", code=2).stderr


def test_the_help_names_all_kinds(phidex_cli: CommandLine) -> None:
    for command in ("search", "ask"):
        told = " ".join(phidex_cli(command, "--help").stdout.split())
        assert f"Only this kind ({', '.join(KINDS)}); repeatable." in told


def test_quotations_are_said_to_be_such(phidex_cli: CommandLine, docs: tuple[Path, Document]) -> None:
    phidex_cli("ingest", docs[0])
    assert " ".join(NOTICE.split()) in " ".join(phidex_cli("ask", docs[1].pages[0].marker).stdout.split())


def test_a_password_that_is_asked_for_is_tried_beside_those_of_the_settings(phidex_cli: CommandLine, tmp_path: Path) -> None:
    for name, password in (("one.pdf", "sesame"), ("two.pdf", "thistle")):
        with pymupdf.open(stream=pdf_bytes([f"The harbour of {name} is closed in winter for all visitors."])) as document:
            document.save(tmp_path / name, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password, owner_pw="other")
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "phidex", "ingest", "one.pdf", "two.pdf", "--ask-password"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=phidex_cli.environment(PHIDEX_INGEST__PASSWORDS='["thistle"]'),
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
    assert process.returncode == 0, output + errors
    assert "2 added" in output
    assert "sesame" not in output + errors


def test_one_question_after_another(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """Follow-ups are understood, an empty line ends, and a file keeps the conversation for the next time."""
    (tmp_path / "plant.md").write_text(
        "# Plant\n\nThe boiler was replaced in March 2021 by Ohm.\n\n## Pump\n\nThe pump was replaced in May 2019 by Hertz.\n"
    )
    phidex_cli("ingest", tmp_path / "plant.md")

    def say(*lines: str) -> str:
        with phidex_cli.start("chat", "--resume", tmp_path / "talk.json", stdin=subprocess.PIPE) as process:
            told, errors = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
        assert process.returncode == 0, errors
        return told

    first = say("When was the boiler replaced?", "and the pump?", "")
    assert first.index("March 2021") < first.index("searched for: and the pump?")
    assert "May 2019" in first
    assert first.count(NOTICE.splitlines()[0]) == 1
    assert "searched for: and by whom?" in say("and by whom?")
    (tmp_path / "talk.json").write_text("{}")
    refused = phidex_cli("chat", "--resume", tmp_path / "talk.json", code=2)
    assert "no saved conversation" in refused.stderr
