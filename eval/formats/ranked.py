"""Judged retrieval: BEIR folders, TREC topics, qrels and runs, MIRACL. Documents are whole; relevance is graded.

Sources: https://github.com/beir-cellar/beir (layout), https://trec.nist.gov (topics, qrels, runs), Zhang et al., MIRACL (2022).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.eval.formats.lines import read_columns, read_rows, string_of, text_of
from phidex.eval.records import Fault, Gold, Question, TestSet

Qrels = dict[str, dict[str, int]]
"""Relevance by document, by question."""

Run = dict[str, dict[str, float]]
"""Score by document, by question."""

_TOP = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_NUM = re.compile(r"<num>\s*(?:Number:)?\s*([^\s<]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:Topic:)?\s*(.*?)\s*(?=<|\Z)", re.DOTALL | re.IGNORECASE)
_MIRACL = re.compile(r"topics\.miracl-v1\.0-(\w+)-([\w-]+)\.tsv")


def read_beir(folder: Path, split: str = "test") -> TestSet:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`; questions that nobody judged are left out.

    Raises:
        InputError: one of them is missing.
    """
    faults: list[Fault] = []
    judged = _existing(folder / "qrels" / f"{split}.tsv", "give the split that is there")
    queries = read_rows(_one(folder, "queries.jsonl*"), lambda row: (string_of(row, "_id"), string_of(row, "text")), faults)
    documents = dict(read_rows(_one(folder, "corpus.jsonl*"), _document, faults))
    qrels = _graded(judged, faults, beir=True)
    return _set(folder.name, dict(queries), qrels, documents, faults)


def read_trec(folder: Path) -> TestSet:
    """A folder with `topics*` and `qrels*`, and the documents where there is a `corpus.jsonl`.

    Raises:
        InputError: topics or qrels are missing.
    """
    faults: list[Fault] = []
    topics = read_topics(_one(folder, "topics*"), faults)
    qrels = read_qrels(_one(folder, "qrels*"), faults)
    corpus = sorted(folder.glob("corpus.jsonl*"))
    documents = dict(read_rows(corpus[0], _document, faults)) if corpus else {}
    return _set(folder.name, topics, qrels, documents, faults)


def read_miracl(folder: Path, split: str = "") -> TestSet:
    """Topics, qrels and the corpus (`docs-*.jsonl.gz`) of every language below a folder, the split `dev` unless named.

    Raises:
        InputError: there are no topics of that split, or their qrels are missing.
    """
    faults: list[Fault] = []
    questions: list[Question] = []
    documents: dict[str, str] = {}
    for path in sorted(folder.rglob("docs-*.jsonl*")):
        documents |= dict(read_rows(path, _document, faults))
    for path in sorted(folder.rglob("topics.miracl-*.tsv")):
        match = _MIRACL.search(path.name)
        if match is None or match[2] != (split or "dev"):
            continue
        name = path.name.replace("topics.", "qrels.", 1)
        qrels = read_qrels(_one(folder, f"**/{name}"), faults)
        topics = read_topics(path, faults)
        questions += _questions(topics, qrels, language=match[1], prefix=f"{match[1]}-")
    if not questions:
        raise InputError(f"no judged MIRACL topics of the split {split or 'dev'!r} below {folder}", hint="name the split")
    return TestSet(folder.name, tuple(questions), documents, tuple(faults))


def read_topics(path: Path, faults: list[Fault]) -> dict[str, str]:
    """Questions by id: lines of id and text with a tab between them, or TREC's `<top>` elements (the title is asked)."""
    text = text_of(path)
    if not _TOP.search(text):
        found: dict[str, str] = {}
        for _, columns in read_columns(path, 2, faults, "\t"):
            found[columns[0].strip()] = columns[1].strip()
        return found
    topics: dict[str, str] = {}
    for match in _TOP.finditer(text):
        number, title = _NUM.search(match[1]), _TITLE.search(match[1])
        if number and title and title[1].strip():
            topics[number[1]] = " ".join(title[1].split())
        else:
            faults.append(Fault(str(path), text.count("\n", 0, match.start()) + 1, "a topic without number or title"))
    return topics


def read_qrels(path: Path, faults: list[Fault]) -> Qrels:
    """TREC's judgements: question, iteration, document, relevance."""
    return _graded(path, faults, beir=False)


def _graded(path: Path, faults: list[Fault], *, beir: bool) -> Qrels:
    found: Qrels = {}
    for number, columns in read_columns(path, 3 if beir else 4, faults, "\t" if beir else None):
        question, document, relevance = columns[0], columns[1 if beir else 2], columns[2 if beir else 3]
        try:
            found.setdefault(question, {})[document] = int(relevance)
        except ValueError:
            if not (beir and number == 1):  # the head
                faults.append(Fault(str(path), number, f"a relevance of {relevance!r} is no whole number"))
    return found


def read_run(path: Path, faults: list[Fault]) -> Run:
    """A TREC run: question, `Q0`, document, rank, score, tag. The score orders, as for trec_eval."""
    found: Run = {}
    for number, columns in read_columns(path, 6, faults):
        try:
            found.setdefault(columns[0], {})[columns[2]] = float(columns[4])
        except ValueError:
            faults.append(Fault(str(path), number, f"a score of {columns[4]!r} is no number"))
    return found


def write_run(path: Path, ranked: Mapping[str, Iterable[str]], tag: str) -> None:
    """A TREC run of documents, best first, by question. White space in names becomes `_`: the format has no other way."""
    lines: list[str] = []
    for question, documents in ranked.items():
        for rank, document in enumerate(documents, 1):
            names = ("_".join(name.split()) for name in (question, document))
            lines.append("{} Q0 {} {} {} {}\n".format(*names, rank, 1 / rank, tag))
    path.write_text("".join(lines), "utf-8")


def _document(row: dict[str, Any]) -> tuple[str, str]:
    name = string_of(row, "_id" if "_id" in row else "docid")
    title, text = str(row.get("title") or ""), str(row.get("text") or "")
    return name, f"{title}\n\n{text}".strip()


def _set(name: str, topics: Mapping[str, str], qrels: Qrels, documents: dict[str, str], faults: list[Fault]) -> TestSet:
    lost = [one for one in qrels if one not in topics]
    faults += [Fault(name, 0, f"judgements of {one!r}, which no question has") for one in lost]
    return TestSet(name, tuple(_questions(topics, qrels)), documents, tuple(faults))


def _questions(topics: Mapping[str, str], qrels: Qrels, *, language: str = "und", prefix: str = "") -> list[Question]:
    return [
        Question(
            f"{prefix}{name}",
            text,
            gold=tuple(Gold(document, (), relevance) for document, relevance in qrels[name].items()),
            language=language,
        )
        for name, text in topics.items()
        if name in qrels
    ]


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise InputError(f"there is no {pattern} in {folder}")
    return found[0]


def _existing(path: Path, hint: str) -> Path:
    if not path.is_file():
        raise InputError(f"there is no {path}", hint=hint)
    return path
