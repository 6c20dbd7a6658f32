"""How a file is told to be of a programming language: by its suffix, its name or its first line. The table is languages.py."""

from __future__ import annotations

import re
from pathlib import Path

from phidex.ingest.code.grammar import Grammar
from phidex.ingest.code.languages import GRAMMARS

__all__ = ["FILES", "GRAMMARS", "SUFFIXES", "grammar_for", "grammar_named"]

_BY_SUFFIX = {suffix: grammar for grammar in GRAMMARS for suffix in grammar.suffixes}
_BY_NAME = {grammar.name: grammar for grammar in GRAMMARS}
_BY_FILE = {
    **dict.fromkeys(("Rakefile", "Gemfile", "Vagrantfile", "Podfile", "Brewfile"), "ruby"),
    "SConstruct": "python",
}
_BY_PROGRAM = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh"), "shell"),
    **dict.fromkeys(("node", "nodejs"), "javascript"),
}
_SHEBANG = re.compile(rb"#![ \t]*\S*?/?(?:env[ \t]+(?:-\S+[ \t]+)*(?:\w+=\S+[ \t]+)*)?([\w+.-]+)(?=\s|$)")

SUFFIXES = frozenset(_BY_SUFFIX)
"""Suffixes, in lower case, of files that have a grammar."""


FILES = frozenset(_BY_FILE)
"""Names of files that have a grammar and no suffix."""


def grammar_for(path: Path, head: bytes) -> Grammar | None:
    """The grammar of a file, by its suffix, its name or the program in its first line.

    >>> grammar_for(Path("bin/start"), b"#!/usr/bin/env python3\\n").name
    'python'
    """
    if path.suffix.lower() == ".h" and not _is_cpp(head):
        return _BY_NAME["c"]
    found = _BY_SUFFIX.get(path.suffix.lower()) or _BY_NAME.get(_BY_FILE.get(path.name, ""))
    if found is None and not path.suffix and (shebang := _SHEBANG.match(head)):
        program = shebang[1].decode("ascii", "ignore").rsplit("/", 1)[-1].rstrip("0123456789.-")
        found = _BY_NAME.get(_BY_PROGRAM.get(program, program))
    return found


def grammar_named(name: str) -> Grammar | None:
    """The grammar of a language as notebooks and fences call it."""
    name = name.lower()
    return _BY_NAME.get(_BY_PROGRAM.get(name, name)) or _BY_SUFFIX.get("." + name)


def _is_cpp(head: bytes) -> bool:
    """Whether the head of a `.h` file is of C++."""
    return re.search(rb"^\s*(?:class|namespace|template|using)\b|^\s*(?:public|private|protected):|::", head, re.M) is not None
