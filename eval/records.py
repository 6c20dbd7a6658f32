"""The records of evaluation: a question, the places that answer it, and a set of questions with its documents.

files of the field --formats--> TestSet --runs--> one record a question --metrics, report--> what was found
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from phidex.ingest.records import Locator, locator_from_dict


@dataclass(frozen=True, slots=True)
class Gold:
    """A place that answers.

    Args:
        document: the file's name (or the end of its path), or the id of a document of the set.
        places: any of them counts; empty where the whole document does.
        relevance: 0 for judged and wrong; above 0, how well it answers.
    """

    document: str
    places: tuple[Locator, ...] = ()
    relevance: int = 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; `gold_from_dict` reads them."""
        found: dict[str, Any] = {"document": self.document}
        if self.places:
            found["places"] = [place.to_dict() for place in self.places]
        return found if self.relevance == 1 else found | {"relevance": self.relevance}


@dataclass(frozen=True, slots=True)
class Question:
    """One question with all that is known of its answer.

    Args:
        answers: any of them is right; empty where none is given.
        gold: where the answer stands; empty where that is not known.
        language: of the question, ISO 639-1; "und" where it is not known.
        kind: of the documents that answer ("pdf", "code", "video" …); empty where it is not known.
        type: what kind of question it is ("heading", "table", "reworded" …).
        answerable: False where the documents hold no answer, and an honest system says so.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    gold: tuple[Gold, ...] = ()
    language: str = "und"
    kind: str = ""
    type: str = ""
    answerable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values: a line of our own format."""
        found: dict[str, Any] = {"id": self.id, "question": self.text}
        if self.answers:
            found["answers"] = list(self.answers)
        if self.gold:
            found["gold"] = [gold.to_dict() for gold in self.gold]
        if self.language != "und":
            found["language"] = self.language
        found |= {name: value for name in ("kind", "type") if (value := getattr(self, name))}
        return found if self.answerable else found | {"answerable": False}


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that could not be read: 1-based; 0 for the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class TestSet:
    """Questions, the documents that they are asked of where the set brings them, and what of its files was broken.

    Args:
        documents: text by id.
    """

    __test__ = False  # pytest takes the name for a class of tests

    name: str
    questions: tuple[Question, ...]
    documents: Mapping[str, str] = field(default_factory=dict[str, str])
    faults: tuple[Fault, ...] = ()

    @property
    def sha256(self) -> str:
        """Of its questions and documents: two runs compare where it is the same."""
        digest = hashlib.sha256()
        for question in self.questions:
            digest.update(json.dumps(question.to_dict(), sort_keys=True, ensure_ascii=False).encode("utf-8", "replace"))
        for name in sorted(self.documents):
            digest.update(f"\x00{name}\x00{self.documents[name]}".encode("utf-8", "replace"))
        return digest.hexdigest()

    def sample(self, count: int, seed: int) -> TestSet:
        """At most `count` of its questions, in their order; the same ones for the same seed.

        >>> TestSet("t", tuple(Question(str(at), "?") for at in range(9))).sample(3, 1).questions[0].id
        '1'
        """
        if count >= len(self.questions):
            return self
        chosen = sorted(random.Random(seed).sample(range(len(self.questions)), count))
        return replace(self, questions=tuple(self.questions[at] for at in chosen))

    def write_documents(self, folder: Path) -> list[Path]:
        """The documents as files to ingest; `is_document` knows their names again."""
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for name, text in self.documents.items():
            path = folder / document_file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", errors="replace")
            paths.append(path)
        return paths


def document_file(name: str) -> str:
    """The file of a document of a set: its name where that has a suffix, otherwise with `.txt`; odd characters are quoted.

    >>> document_file("doc 7"), document_file("src/a.py"), document_file("../x"), document_file("41#3")
    ('doc%207.txt', 'src/a.py', '..%2Fx.txt', '41%233.txt')
    """
    parts = name.split("/")
    suffix = parts[-1].rpartition(".")[2]
    if all(part.strip(".") for part in parts) and "." in parts[-1] and suffix.isalnum() and not suffix.isdigit():
        return "/".join(quote(part, safe=" ") for part in parts)
    return quote(name, safe="") + ".txt"


def is_document(source_name: str, document: str, *, path: str = "") -> bool:
    """Whether a source of a collection is the document that a set names: by its name, the end of its path, or its id.

    >>> is_document("doc%207.txt", "doc 7"), is_document("a.py", "src/a.py", path="/tmp/x/src/a.py")
    (True, True)
    """
    if source_name == document or unquote(source_name.removesuffix(".txt")) == document:
        return True
    whole = unquote(path or source_name)
    return whole.endswith(f"/{document}") or whole.endswith(f"/{document_file(document)}")


def gold_from_dict(data: Mapping[str, Any]) -> Gold:
    """A place as our own format writes it: `places` with whole locators, or the short forms `pages` (with `boxes` on the first
    of them), `lines` and `times`.

    Raises:
        KeyError, ValueError, TypeError: something is missing or of another form.

    >>> gold_from_dict({"document": "a.pdf", "pages": [3, 4]}).places[1].page_number
    4
    """
    document = data["document"]
    if not isinstance(document, str) or not document:
        raise ValueError("`document` should be a name")
    places: list[dict[str, Any]] = list(data.get("places", ()))
    pages: Sequence[int] = [data["page"]] if "page" in data else data.get("pages", ())
    for at, number in enumerate(pages):
        if int(number) < 1:
            raise ValueError(f"page {number}: pages count from 1")
        boxes = data.get("boxes", ()) if at == 0 else ()
        places.append({"type": "page", "page_number": number, "page_label": str(number), "boxes": boxes})
    if "lines" in data:
        start, end = map(int, data["lines"])
        if not 1 <= start <= end:
            raise ValueError(f"lines {start} to {end}: lines count from 1, the first one first")
        places.append({"type": "lines", "path": document, "start_line": start, "end_line": end, "commit": ""})
    if "times" in data:
        begin, until = map(float, data["times"])
        if not 0 <= begin <= until:
            raise ValueError(f"times {begin:g} to {until:g}: seconds, the earlier first")
        places.append({"type": "time", "start_s": begin, "end_s": until, "frame": ""})
    return Gold(document, tuple(locator_from_dict(place) for place in places), int(data.get("relevance", 1)))
