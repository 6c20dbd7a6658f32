"""The code blocks of a page, and the `phidex …` commands in them, as a reader would take them from it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PARSED_ONLY = "<!-- parsed only -->"
"""Above a block that is not to be run; the reader does not see it."""

RUN_ELSEWHERE = {"docs/server.md": "tests/server/test_docs.py"}
"""Pages whose blocks need a server of their own, and the tests that run them."""

_ASIDE = re.compile(r"\s{2,}\S.*$|\s+#\s.*$")  # what a line says of its command
_PROMPT = re.compile(r"^\$ ")
_PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b|…")
_WEB = re.compile(r"https?://|git@")
_STAYS = ("ui", "serve", "mcp", "chat")  # they go on until they are ended, or ask for questions
_ELSEWHERE = ("--engine", "--ray-address", "--watch", "--background", "--resume")


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `line` is where it begins in its page, from 1."""

    page: str
    line: int
    language: str
    code: str
    is_run: bool

    @property
    def name(self) -> str:
        """As a test is called."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A `phidex` command: its arguments, and whether it is run or only parsed."""

    block: Block
    arguments: tuple[str, ...]
    is_run: bool


def blocks(page: Path) -> Iterator[Block]:
    """The fenced and indented code blocks of a page."""
    lines = page.read_text("utf-8").split("\n")
    for token in MarkdownIt().parse("\n".join(lines)):
        if token.type in ("fence", "code_block") and token.map:
            above = next((line for line in reversed(lines[: token.map[0]]) if line.strip()), "")
            language = token.info.split()[0] if token.info.strip() else ""
            name = str(page.relative_to(ROOT))
            is_run = above.strip() != PARSED_ONLY and name not in RUN_ELSEWHERE
            yield Block(name, token.map[0] + 1, language, token.content, is_run)


def python_blocks() -> list[Block]:
    """All blocks of Python."""
    return [block for page in PAGES for block in blocks(page) if block.language == "python"]


def commands() -> list[Command]:
    """All commands, of consoles and of the listings that begin a page."""
    found: list[Command] = []
    for page in PAGES:
        for block in blocks(page):
            if block.language not in ("", "console", "bash", "sh", "shell"):
                continue
            for line in block.code.split("\n"):
                text = _PROMPT.sub("", line)
                if text.startswith("phidex ") and (_PROMPT.match(line) or block.language != "console"):
                    found.append(_command(block, text))
    return found


def _command(block: Block, text: str) -> Command:
    arguments = tuple(shlex.split(_ASIDE.sub("", text)))[1:]
    away = any(_PLACEHOLDER.search(one) or _WEB.search(one) or one in _ELSEWHERE for one in arguments)
    is_console = block.language == "console"  # a listing speaks of files that nobody has
    return Command(block, arguments, block.is_run and is_console and not away and arguments[0] not in _STAYS)
