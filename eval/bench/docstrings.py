"""Questions about code that nobody had to write: the first sentences of docstrings, which are then taken out of the code.

    installed package -> files without docstrings, and a question for each function that had a telling one

Files are parted into a half to tune on and a half to measure on, by their names: no tuned weight has seen a measured file.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_WORDS = range(5, 31)  # of a sentence: shorter ones say nothing, longer ones are no question
_LEAST_LINES = 3  # of a function without its docstring
_SENTENCE = re.compile(r"(?<=[a-z0-9)`'\"])[.:](?:\s|$)|\n\s*\n")
_MARKUP = re.compile(r":\w+:`~?([^`]*)`|``([^`]*)``|`([^`]*)`")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class CodeQuestion:
    """What a function does, and where it stands in the file that is indexed: its first and last line, from 1."""

    text: str
    path: str
    symbol: str
    lines: tuple[int, int]

    @property
    def held_out(self) -> bool:
        """Whether its file belongs to the half that is measured on."""
        return hashlib.sha256(self.path.encode()).digest()[0] % 2 == 1


@dataclass(frozen=True, slots=True)
class CodeCorpus:
    """Files by their path, without docstrings, and what is asked of them."""

    files: dict[str, str]
    questions: list[CodeQuestion]


def load_code(packages: Sequence[str], limit: int) -> CodeCorpus:
    """The sources of installed packages, and `limit` questions at most, spread evenly; no two questions are alike.

    Raises:
        RuntimeError: a package is not installed; the message names it.
    """
    files: dict[str, str] = {}
    questions: list[CodeQuestion] = []
    for package in packages:
        root = _folder(package)
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root.parent).as_posix()
            source = path.read_text("utf-8", errors="replace")
            if not source.strip() or {"tests", "test", "_vendor", "node_modules"} & set(path.parts):
                continue
            files[name], found = strip_docstrings(source, name)
            questions += found
    counts = Counter(question.text for question in questions)
    questions = [question for question in questions if counts[question.text] == 1]
    step = max(1, len(questions) // limit)
    return CodeCorpus(files, questions[::step][:limit])


def strip_docstrings(source: str, path: str) -> tuple[str, list[CodeQuestion]]:
    """The source without any docstring, and a question for each function that had one, with its lines in what is left.

    >>> text, found = strip_docstrings('def area(r):\\n  "Return the area of a circle."\\n  pi = 3\\n  return pi * r', "a.py")
    >>> text
    'def area(r):\\n  pi = 3\\n  return pi * r'
    >>> found[0].text, found[0].lines
    ('Return the area of a circle', (1, 3))
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return source, []
    lines = source.splitlines(keepends=True)
    gone: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef | ast.Module) and (said := _docstring(node)):
            first, last = said.lineno, said.end_lineno or said.lineno
            gone |= set(range(first, last + 1))
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                gone.discard(first)
                lines[first - 1] = " " * said.col_offset + "...\n"
    kept = [number for number in range(1, len(lines) + 1) if number not in gone]
    new = {number: at for at, number in enumerate(kept, 1)}
    found: list[CodeQuestion] = []
    for symbol, node in _functions(tree.body, ""):
        inside = [new[number] for number in range(node.lineno, (node.end_lineno or node.lineno) + 1) if number in new]
        sentence = _first_sentence(ast.get_docstring(node) or "")
        if len(inside) >= _LEAST_LINES and len(sentence.split()) in _WORDS:
            found.append(CodeQuestion(sentence, path, symbol, (inside[0], inside[-1])))
    return "".join(lines[number - 1] for number in kept), found


def _docstring(node: Function | ast.ClassDef | ast.Module) -> ast.Expr | None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def _functions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, Function]]:
    """Functions and methods outside of functions, by their dotted names."""
    for node in body:
        if isinstance(node, Function):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _first_sentence(docstring: str) -> str:
    """Of a docstring, without markup and line breaks."""
    sentence = _SENTENCE.split(docstring.strip(), maxsplit=1)[0]
    plain = _MARKUP.sub(lambda match: next(group for group in match.groups() if group is not None), sentence)
    return " ".join(plain.split()).rstrip(".:")


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {package} is not installed: pip install {package}")
    return Path(spec.origin).parent
