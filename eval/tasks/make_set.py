"""A test set of a user's own collection: questions from headings, definitions, tables, captions and docstrings, with the places
that answer them. Without a model; with one, better questions (`invent.py`).

Such questions share words with their passages, so that they flatter lexical search: they tell whether a change made things
worse, and how languages and kinds of documents differ; not how people's own questions fare.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from phidex.errors import InputError
from phidex.eval.metrics.text import ARTICLES
from phidex.eval.records import Gold, Question
from phidex.ingest.records import Chunk, Source
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.settings import Settings

QuestionType = Literal["heading", "definition", "table", "caption", "docstring"]
TYPES: tuple[QuestionType, ...] = get_args(QuestionType)

_TERM_WORDS, _TERM_CHARS = 5, 40
_LEAST_TITLE, _MOST_TITLE = 8, 120
_LEAST_TITLE_UNSPACED = 4
_LEAST_DOC = 20
_DOC = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|/\*\*(.*?)\*/', re.DOTALL)
_LINE_DOC = re.compile(r"^\s*(?:///?!?|##?|--)\s?(.*)$")
_CAPTION = re.compile(r"^\s*(?:\w+\.?)\s*\d+(?:[.-]\d+)*\s*[:.：．]\s*(.{10,200})", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[^.\s])[.。!?]\s|\n\s*\n|\n\s*(?:@|:param|Args:|Returns:|Raises:)")
_NUMBERING = re.compile(r"^\s*(?:(?:Chapter|Kapitel|Chapitre|Capítulo|Capitolo)\s+)?(?:[A-Z]\.)?\d+(?:\.\d+)*[.)]?\s+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")


@dataclass(frozen=True, slots=True)
class Phrases:
    """How a language asks (`questions.toml`); `is_a` finds what stands between a term and its definition."""

    define: str
    cell: str
    is_a: re.Pattern[str]


@lru_cache(maxsize=1)
def phrases() -> dict[str, Phrases]:
    """By language; those that are not there are asked by the bare words."""
    data = tomllib.loads((Path(__file__).parent / "questions.toml").read_text("utf-8"))
    return {name: Phrases(row["define"], row["cell"], re.compile(row["is"])) for name, row in data.items()}


def make_questions(
    settings: Settings, collection: str = "default", *, count: int = 200, types: Sequence[str] = TYPES, seed: int = 0
) -> list[Question]:
    """At most `count` questions over a collection, spread evenly over its types, languages and documents.

    Raises:
        NotFoundError: there is no such collection.
        InputError: nothing in it makes a question; there is no such type.
    """
    if unknown := [name for name in types if name not in TYPES]:
        raise InputError(f"there is no type of question {unknown[0]!r}", hint=f"types are: {', '.join(TYPES)}")
    found = [question for source, chunks in passages(settings, collection) for question in questions_of(source, chunks)]
    questions = spread([one for one in unique(found) if one.type in types], count, seed)
    if not questions:
        hint = "it needs headings, definitions, tables, captions or docstrings; or a model: --with-model"
        raise InputError(f"nothing in {collection!r} makes a question", hint=hint)
    return [replace(question, id=f"{question.type}-{number:04d}") for number, question in enumerate(questions, 1)]


def passages(settings: Settings, collection: str) -> Iterator[tuple[Source, list[Chunk]]]:
    """Every source with its passages in order."""
    store = open_store(settings.data, settings.store)
    try:
        opened = Collection.open(store, collection)
        for entry in opened.entries():
            yield entry.source, sorted(opened.source_chunks(entry.source.id), key=lambda chunk: chunk.order)
    finally:
        store.close()


def questions_of(source: Source, chunks: Sequence[Chunk]) -> Iterator[Question]:
    """All questions that one document makes; ids are for the caller to give."""
    yield from _headings(source, chunks)
    for chunk in chunks:
        if chunk.modality == "code":
            yield from _docstring(source, chunk)
        elif chunk.modality == "table":
            yield from _cells(source, chunk)
        else:
            yield from _definitions(source, chunk)
            yield from _captions(source, chunk)


def _question(source: Source, chunks: Sequence[Chunk], type_: QuestionType, text: str, answers: Sequence[str] = ()) -> Question:
    gold = Gold(source.name, tuple(dict.fromkeys(chunk.locator for chunk in chunks)))
    return Question("", text, tuple(answers), (gold,), chunks[0].language, source.kind, type_)


def _headings(source: Source, chunks: Sequence[Chunk]) -> Iterator[Question]:
    """The titles of sections, each with the passages of its section."""
    sections: dict[tuple[str, ...], list[Chunk]] = {}
    for chunk in chunks:
        if chunk.heading and chunk.modality != "code":
            sections.setdefault(chunk.heading, []).append(chunk)
    for heading, inside in sections.items():
        title = _NUMBERING.sub("", " ".join(heading[-1].split()))
        least = _LEAST_TITLE_UNSPACED if _UNSPACED.search(title) else _LEAST_TITLE
        if least <= len(title) <= _MOST_TITLE and title.casefold() != source.title.casefold():
            yield _question(source, inside, "heading", title)


def _definitions(source: Source, chunk: Chunk) -> Iterator[Question]:
    """Sentences that begin with a short term and say what it is."""
    words = phrases().get(chunk.language)
    if words is None:
        return
    for start, end in sentence_spans(chunk.text):
        sentence = " ".join(chunk.text[start:end].split())
        match = words.is_a.search(sentence)
        if match is None:
            continue
        term, rest = _uncapitalized(sentence[: match.start()].strip(), chunk.language), sentence[match.start() :]
        if _is_term(term) and len(rest) > len(term) + 10:
            yield _question(source, [chunk], "definition", words.define.format(term=term), (rest,))


def _uncapitalized(term: str, language: str) -> str:
    """A term with its article in lower case, as it stands inside a question."""
    first, _, rest = term.partition(" ")
    return f"{first.lower()} {rest}" if rest and first.lower() in ARTICLES.get(language, "").split() else term


def _is_term(text: str) -> bool:
    """Whether a sentence's beginning is a name or noun: short, and not a pronoun or the like, which mostly are very short."""
    if not 0 < len(text) <= _TERM_CHARS or len(text.split()) > _TERM_WORDS or "," in text:
        return False
    letters = sum(map(str.isalpha, text))
    named = any(char.isupper() for char in text[1:]) or len(text) >= _LEAST_TITLE
    return letters >= 2 and (bool(_UNSPACED.search(text)) or (letters > 4 and named))


def _cells(source: Source, chunk: Chunk) -> Iterator[Question]:
    """A cell by its row's name and its column's: one of each row, in turn over the columns."""
    words = phrases().get(chunk.language)
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in chunk.text.splitlines() if "|" in line]
    rows = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]
    head = rows[0] if rows else []
    names = Counter(row[0] for row in rows[1:])
    for number, row in enumerate(rows[1:]):
        if len(row) != len(head) or len(head) < 2 or names[row[0]] > 1 or not row[0]:
            continue
        at = 1 + number % (len(head) - 1)
        if row[at] and head[at] and row[at] != row[0]:
            form = words.cell if words else "{row}: {column}?"
            yield _question(source, [chunk], "table", form.format(row=row[0], column=head[at]), (row[at],))


def _captions(source: Source, chunk: Chunk) -> Iterator[Question]:
    """The captions of figures, without their numbers."""
    if chunk.modality not in ("image", "frame"):
        return
    match = _CAPTION.search(chunk.text)
    text = " ".join((match[1] if match else chunk.text.splitlines()[0]).split())
    if len(text) >= _LEAST_TITLE:
        yield _question(source, [chunk], "caption", text[:_MOST_TITLE])


def _docstring(source: Source, chunk: Chunk) -> Iterator[Question]:
    """The first sentence of a function's documentation."""
    if not chunk.symbol:
        return
    match = _DOC.search(chunk.text)
    said = next((group for group in match.groups() if group), "") if match else _line_comment(chunk.text)
    sentence = _SENTENCE.split(re.sub(r"^\s*\*", "", said, flags=re.MULTILINE).strip(), maxsplit=1)[0]
    text = " ".join(sentence.split()).rstrip(".。")
    if _LEAST_DOC <= len(text) <= 2 * _MOST_TITLE:
        yield _question(source, [chunk], "docstring", text, (chunk.symbol,))


def _line_comment(text: str) -> str:
    """Comment lines at the beginning of a definition, as one text."""
    lines: list[str] = []
    for line in text.splitlines():
        if match := _LINE_DOC.match(line):
            lines.append(match[1])
        elif lines or line.strip():
            break
    return "\n".join(lines)


def unique(questions: Iterable[Question]) -> list[Question]:
    """Only those whose words ask for one place: what several documents or sections answer is no test."""
    questions = list(questions)
    counts = Counter(question.text.casefold() for question in questions)
    return [question for question in questions if counts[question.text.casefold()] == 1]


def spread(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """At most `count` of them, taken in turn from every type, language and document."""
    groups: dict[tuple[str, str, str], list[Question]] = {}
    for question in questions:
        document = question.gold[0].document if question.gold else ""
        groups.setdefault((question.type, question.language, document), []).append(question)
    chance = random.Random(seed)
    for group in groups.values():
        chance.shuffle(group)
    by_kind: dict[tuple[str, str], list[list[Question]]] = {}
    for (type_, language, _), group in groups.items():
        by_kind.setdefault((type_, language), []).append(group)
    queues = [[group[at] for at in range(max(map(len, of))) for group in of if at < len(group)] for of in by_kind.values()]
    ordered = [queue[at] for at in range(max(map(len, queues), default=0)) for queue in queues if at < len(queue)]
    return ordered[:count]
