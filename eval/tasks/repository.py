"""Functions of a real repository by what they do: RepoQA's search for a needle function, over any folder of Python code.

    folder -> its files without docstrings, and a question for each function that had a telling one -> TestSet

Search is judged by lines (`evaluate`). A model that reads the code in its prompt is judged as RepoQA does: of all functions,
the one that it wrote must be nearest to the one described, and near enough.
Source: Liu et al., RepoQA: Evaluating Long Context Code Understanding (2024).
"""

from __future__ import annotations

import ast
import difflib
import random
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import InputError
from phidex.eval.bench.docstrings import strip_docstrings
from phidex.eval.records import Gold, Question, TestSet
from phidex.eval.tasks.ruler import Count
from phidex.ingest.records import LineLocator
from phidex.retrieval.count import estimate_tokens

NEAR = 0.8  # of a function's tokens: RepoQA's own threshold
_SKIPPED = {"tests", "test", "_vendor", "node_modules", ".venv", ".git", "build", "dist"}
_FENCE = re.compile(r"```[\w+-]*\n(.*?)```", re.DOTALL)
_TOKEN = re.compile(r"\w+|[^\w\s]")


def functions_set(folder: Path, *, count: int = 100, seed: int = 0) -> TestSet:
    """Descriptions of functions in the Python files below a folder, and the files without docstrings.

    Raises:
        InputError: no function in it is described.
    """
    documents: dict[str, str] = {}
    questions: list[Question] = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if _SKIPPED & set(path.relative_to(folder).parts):
            continue
        text, found = strip_docstrings(path.read_text("utf-8", errors="replace"), name)
        if text.strip():
            documents[name] = text
        for one in found:
            if not _gives_away(one.text, one.symbol):
                place = LineLocator(name, *one.lines)
                questions.append(
                    Question(
                        f"{name}:{one.symbol}", one.text, (one.symbol,), (Gold(name, (place,)),), "en", "code", "docstring"
                    )
                )
    counts = Counter(question.text for question in questions)
    questions = [question for question in questions if counts[question.text] == 1]
    if not questions:
        raise InputError(f"no function below {folder} has a telling docstring", hint="name a folder of Python code")
    return TestSet(folder.name, tuple(questions), documents).sample(count, seed)


def _gives_away(text: str, symbol: str) -> bool:
    """Whether a description names the function."""
    name = symbol.rpartition(".")[2].strip("_").lower()
    return name in re.findall(r"\w+", text.lower())


def code_prompt(
    test_set: TestSet, question: Question, length_tokens: int, depth: float, count: Count = estimate_tokens
) -> tuple[str, str]:
    """The code of as many files as fit, the function's own at a depth (in [0, 1]) among them, and what is asked."""
    gold = question.gold[0].document
    others = [name for name in test_set.documents if name != gold]
    random.Random(question.id).shuffle(others)
    left = length_tokens - count(test_set.documents[gold]) - 256
    chosen: list[str] = []
    for name in others:
        cost = count(test_set.documents[name]) + 16
        if cost <= left:
            chosen.append(name)
            left -= cost
    chosen.insert(round(depth * len(chosen)), gold)
    shown = "\n\n".join(f"# File: {name}\n{test_set.documents[name]}" for name in chosen)
    return shown, (
        f"Find the function that does this: {question.text}\n"
        "Write that function, exactly as it stands in the code, in a code block, and nothing else."
    )


@dataclass(frozen=True, slots=True)
class Functions:
    """All functions of a set's documents: their code by document and name."""

    code: Mapping[str, str]

    @staticmethod
    def of(documents: Mapping[str, str]) -> Functions:
        """Read from the documents."""
        return Functions(
            {f"{name}:{symbol}": text for name, source in documents.items() for symbol, text in _functions(source)}
        )

    def nearest(self, reply: str) -> tuple[str, float]:
        """The function that a reply's code is nearest to, and the share of tokens that they have in common, in order."""
        match = _FENCE.search(reply)
        wanted = _TOKEN.findall(match[1] if match else reply)
        best, score = "", 0.0
        for name, text in self.code.items():
            matcher = difflib.SequenceMatcher(None, wanted, _TOKEN.findall(text), autojunk=False)
            if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score and (ratio := matcher.ratio()) > score:
                best, score = name, ratio
        return best, score

    def found(self, reply: str, question: Question) -> float:
        """1 where the reply is the function that the question describes."""
        name, score = self.nearest(reply)
        return float(name == question.id and score >= NEAR)


def _functions(source: str) -> Iterator[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return
    lines = source.splitlines()
    yield from _inside(tree.body, "", lines)


def _inside(body: Sequence[ast.stmt], prefix: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])
        elif isinstance(node, ast.ClassDef):
            yield from _inside(node.body, f"{prefix}{node.name}.", lines)
