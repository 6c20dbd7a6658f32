"""Every block of Python and every `phidex …` command in README.md and docs/: run where that is possible, else parsed.

A block is not run where `<!-- parsed only -->` stands above it; a command is not where it names what nobody has (a placeholder,
an address of the web) or does not come back (`phidex ui`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.docs.blocks import PARSED_ONLY, ROOT, RUN_ELSEWHERE, Block, blocks, commands, python_blocks
from typer.testing import CliRunner

from phidex import Phidex
from phidex.cli.app import app

COMMANDS = commands()


def spare(tmp_path: Path) -> dict[str, Any]:
    """What blocks speak of without making it."""
    from llama_index.core import MockEmbedding
    from llama_index.core.postprocessor import SimilarityPostprocessor

    return {
        "__name__": "documentation",
        "my_embedding": MockEmbedding(embed_dim=3),
        "my_postprocessor": SimilarityPostprocessor(similarity_cutoff=0.1),
    }


@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.name)
def test_python_runs(block: Block, workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(block.code, block.name, "exec", dont_inherit=True)
    if not block.is_run:
        return
    pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")
    pytest.importorskip("langchain_core", reason="needs the langchain extra")
    names = spare(tmp_path)
    opens_none = "phidex" in code.co_names and "Phidex" not in code.co_names  # it goes on from the block before
    if opens_none:
        with Phidex("library") as names["phidex"]:
            exec(code, names)
    else:
        exec(code, names)
    opened = names.get("phidex")
    if isinstance(opened, Phidex):
        opened.close()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("page", sorted({command.block.page for command in COMMANDS}))
def test_commands_run(page: str, workplace: Path) -> None:
    """From the top of the page to its end, as a reader follows it."""
    for command in (one for one in COMMANDS if one.block.page == page):
        said = f"{command.block.name}: phidex {' '.join(command.arguments)}"
        parse(command.arguments)
        if not command.is_run:
            continue
        done = CliRunner().invoke(app, list(command.arguments), prog_name="phidex")
        assert done.exception is None or isinstance(done.exception, SystemExit), f"{said}\n{done.exception}"
        assert done.exit_code == 0, f"{said}\n{done.output}"


def parse(arguments: tuple[str, ...]) -> None:
    """Hold a command to the options and arguments that there are, and do nothing."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("phidex", list(arguments), resilient_parsing=False)
    while hasattr(group, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest and group.invoke_without_command:
            return
        _, group, rest = group.resolve_command(context, rest)
        context = group.make_context(group.name, rest, parent=context)


def test_commands_that_are_not_there_are_noticed() -> None:
    parse(("ingest", "FOLDER", "--sync"))
    for wrong in (("ingest",), ("ingest", "FOLDER", "--sink"), ("injest", "FOLDER"), ("models", "comand", "mini")):
        with pytest.raises(Exception, match=r"(?i)missing|no such"):
            parse(wrong)


def test_blocks_are_found_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.blocks.ROOT", tmp_path)
    monkeypatch.setattr("tests.docs.blocks.PAGES", (tmp_path / "page.md",))
    (tmp_path / "page.md").write_text(
        f"Text.\n\n```python\nx = 1\n```\n\n{PARSED_ONLY}\n```python\ny = 2\n```\n\n    phidex search QUERY    aside\n\n"
        "```console\n$ phidex ask 'how much?' --json   # aside\nphidex is no prompt\n$ phidex ui\n$ phidex ingest https://e.com/a\n```\n"
    )
    found = [(one.line, one.language, one.is_run) for one in blocks(tmp_path / "page.md")]
    assert found == [(3, "python", True), (8, "python", False), (12, "", True), (14, "console", True)]
    assert [(one.arguments, one.is_run) for one in commands()] == [
        (("search", "QUERY"), False),
        (("ask", "how much?", "--json"), True),
        (("ui",), False),
        (("ingest", "https://e.com/a"), False),
    ]


def test_most_of_the_documentation_is_run() -> None:
    assert len(python_blocks()) > 15
    assert sum(command.is_run for command in COMMANDS) > 25
    for page, test in RUN_ELSEWHERE.items():
        assert (ROOT / page).name in (ROOT / test).read_text("utf-8")
