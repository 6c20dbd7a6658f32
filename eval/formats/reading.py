"""Reading comprehension and code: SQuAD (also XQuAD, MLQA and SQuAD 2.0's unanswerable questions), and RepoQA."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError
from phidex.eval.formats.lines import string_of, text_of
from phidex.eval.records import Fault, Gold, Question, TestSet
from phidex.ingest.records import LineLocator

_LANGUAGE = re.compile(r"[._-]([a-z]{2})\.json(?:\.gz)?$")


def read_squad(path: Path) -> TestSet:
    """A SQuAD file, or every `*.json` of a folder (XQuAD): each paragraph is a document, the gold its whole.

    The language is the file's (`xquad.de.json`); "und" where its name has none.

    Raises:
        InputError: no file can be read as SQuAD.
    """
    faults: list[Fault] = []
    questions: list[Question] = []
    documents: dict[str, str] = {}
    for file in sorted(path.glob("*.json*")) if path.is_dir() else [path]:
        match = _LANGUAGE.search(file.name)
        language = match[1] if match else "und"
        for name, paragraph in _paragraphs(file, language, faults):
            documents[name] = paragraph["context"]
            questions += _asked(paragraph, name, language, file, faults)
    if not questions:
        raise InputError(f"no question could be read from {path}", hint=str(faults[0]) if faults else "is it SQuAD's JSON?")
    return TestSet(path.stem, tuple(questions), documents, tuple(faults))


def _paragraphs(file: Path, language: str, faults: list[Fault]) -> Iterator[tuple[str, dict[str, Any]]]:
    data = _json(file)
    articles = cast("dict[str, object]", data).get("data") if isinstance(data, dict) else None
    if not isinstance(articles, list):
        raise InputError(f"{file} has no list `data`", hint="is it SQuAD's JSON?")
    for number, article in enumerate(cast("list[dict[str, Any]]", articles)):
        try:
            paragraphs = list(article["paragraphs"])
        except (KeyError, TypeError):
            faults.append(Fault(str(file), 0, f"article {number + 1} has no paragraphs"))
            continue
        for at, paragraph in enumerate(paragraphs):
            name = f"{language}-{number:03d}-{at:03d}"
            try:
                yield name, {"context": string_of(paragraph, "context"), "qas": list(paragraph["qas"])}
            except (KeyError, ValueError, TypeError) as exc:
                faults.append(Fault(str(file), 0, f"article {number + 1}, paragraph {at + 1}: {exc}"))


def _asked(paragraph: dict[str, Any], name: str, language: str, file: Path, faults: list[Fault]) -> Iterator[Question]:
    for number, row in enumerate(paragraph["qas"], 1):
        try:
            answerable = not row.get("is_impossible", False)
            yield Question(
                f"{language}-{row['id']}",
                string_of(row, "question"),
                tuple(dict.fromkeys(str(answer["text"]) for answer in row["answers"])) if answerable else (),
                (Gold(name),) if answerable else (),
                language,
                "text",
                answerable=answerable,
            )
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            faults.append(Fault(str(file), 0, f"{name}, question {number}: {exc!s}"))


def read_repoqa(path: Path) -> TestSet:
    """RepoQA's JSON: repositories by programming language, and descriptions of functions in them.

    Documents are the files, named `<repository>/<path>`; gold is the function's lines.

    Raises:
        InputError: it is no such file.
    """
    data = _json(path)
    if not isinstance(data, dict):
        raise InputError(f"{path} has no repositories by language", hint="is it RepoQA's JSON?")
    faults: list[Fault] = []
    questions: list[Question] = []
    documents: dict[str, str] = {}
    for language, repositories in cast("dict[str, list[dict[str, Any]]]", data).items():
        for repository in repositories:
            try:
                name = string_of(repository, "repo")
                contents = cast("dict[str, str]", dict(repository["content"]))
                needles = list(repository["needles"])
            except (KeyError, ValueError, TypeError) as exc:
                faults.append(Fault(str(path), 0, f"{language}: {exc!s}"))
                continue
            documents |= {f"{name}/{file}": text for file, text in contents.items()}
            questions += _needles(needles, name, language, path, faults)
    return TestSet(path.stem, tuple(questions), documents, tuple(faults))


def _needles(
    needles: list[dict[str, Any]], repository: str, language: str, path: Path, faults: list[Fault]
) -> Iterator[Question]:
    for number, needle in enumerate(needles, 1):
        try:
            file = f"{repository}/{string_of(needle, 'path')}"
            first, last = int(needle["start_line"]) + 1, int(needle["end_line"])  # theirs count from 0, the end left out
            place = LineLocator(file, first, max(first, last))
            text, symbol = string_of(needle, "description"), string_of(needle, "name")
            yield Question(f"{file}:{symbol}", text, (symbol,), (Gold(file, (place,)),), "en", "code", language)
        except (KeyError, ValueError, TypeError) as exc:
            faults.append(Fault(str(path), 0, f"{repository}, needle {number}: {exc!s}"))


def _json(path: Path) -> object:
    try:
        return json.loads(text_of(path))
    except ValueError as exc:
        raise InputError(f"{path} is no JSON: {exc}") from exc
