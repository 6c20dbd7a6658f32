"""What is asked of the syntax tree of one programming language, and its grammar, loaded when its first file comes.

Each grammar is a small wheel of its own (extra `code`). One that is missing is no error: files of its language are cut by
indentation and blank lines (`ingest/code/structure.py`). The table of languages is `ingest/code/languages.py`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from phidex.ingest.code.names import Naming

if TYPE_CHECKING:
    from tree_sitter import Language, Query

ImportStyle = Literal["python", "quoted", "path"]


@dataclass(frozen=True, slots=True)
class Grammar:
    """What is asked of the syntax tree of one language; all types are of its grammar.

    Args:
        package: the module of its wheel; `function` is what in it gives the grammar.
        definitions: node types that define a symbol, with how it is named: a field of the node, or a function that may say no.
        classes: those of them whose members are symbols of their own.
        scopes: give their members a name before their own, and are no symbol: namespaces.
        through: bodies and conditions, passed through on the way to members.
        wrappers: hold one definition and belong to it: decorators, `export`, `template`.
        leading: comments and attributes, which belong to the definition right below them.
        joined: definitions that go on in one of the same name on the next line: signatures, equations, clauses.
        imports: nodes that import, where their text has `import_mark`.
        calls: a query that captures what is `called`, where that needs no parentheses; otherwise they tell (`links.py`).
    """

    name: str
    package: str
    suffixes: tuple[str, ...]
    definitions: Mapping[str, Naming]
    classes: frozenset[str] = frozenset()
    scopes: Mapping[str, Naming] = field(default_factory=dict[str, Naming])
    through: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    leading: frozenset[str] = frozenset(("comment",))
    joined: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    import_mark: re.Pattern[str] | None = None
    import_style: ImportStyle = "path"
    calls: str = ""
    function: str = "language"

    def load(self) -> Language | None:
        """The grammar ready to parse with; None where its wheel, or tree-sitter, is not installed or too old."""
        return _load(self.package, self.function)

    def call_query(self, language: Language) -> Query | None:
        """The compiled `calls`; None where there is none."""
        return _compile(language, self.calls) if self.calls else None


@lru_cache(maxsize=64)
def _load(package: str, function: str) -> Language | None:
    try:
        from tree_sitter import Language

        pointer: object = getattr(importlib.import_module(package), function)()
        return Language(pointer)
    except (ImportError, AttributeError, ValueError):  # ValueError: a grammar of a version that this tree-sitter cannot run
        return None


@lru_cache(maxsize=64)
def _compile(language: Language, query: str) -> Query:
    from tree_sitter import Query

    return Query(language, query)
