"""What is printed on a terminal, where its width matters."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from phidex import Source, SourceEntry, show
from phidex.generation.chat_wire import Delta
from phidex.generation.extract import NOTICE


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> io.StringIO:
    printed = io.StringIO()
    terminal = Console(file=printed, width=width, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr(show, "console", lambda: terminal)
    return printed


def entry(name: str, *also: str) -> SourceEntry:
    source = Source(name, f"file:///docs/{name}", "pdf", "", "0", "en", "application/pdf", page_count=12, also=also)
    return SourceEntry(source, "complete", 40, 0, 0.0)


def test_a_name_that_leaves_no_room_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = on_terminal(monkeypatch, 80)
    long = "a-name-" * 12 + "at-last.pdf"
    show.show_sources([entry("short.pdf"), entry(long), entry("契約書.pdf", "file:///other/copy.pdf")])
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    column = lines[0].index("state")
    assert lines[2] == long
    assert lines[3].index("complete") == lines[1].index("complete") == column
    assert lines[4].index("complete") == column - 3  # three of its letters are two cells wide each
    assert lines[5] == "  also copy.pdf"
    assert all(len(line) <= 80 for line in lines if long not in line)


def test_the_notice_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = on_terminal(monkeypatch, 2 * len(NOTICE))
    printer = show.AnswerPrinter()
    for text in (f"“One.” [1]\n\n{NOTICE}", f"“Two.” [1]\n\n{NOTICE}"):
        printer.show(Delta(text))
    assert "One" in printed.getvalue()
    assert "Two" in printed.getvalue()
    assert printed.getvalue().count(NOTICE) == 1
