"""Hits -> the rank of the page that answers, where the same manual is there in several languages.

Editions of a manual leave some pages untranslated. A hit on such a copy of a right page in another edition is neither right nor
wrong: it is passed over, for all systems alike, so that copies do not push the right page out of the first ten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.eval.bench.metrics import Rank

pymupdf: Any = _pymupdf  # its own types are incomplete
_EDITION = re.compile(r"\.(?:[a-z]{2})(?:-[a-z]{2})?\.pdf$")
_WORD = re.compile(r"\w+")
_SHINGLE = 3  # words
_MIN_SHINGLES = 8  # a shorter passage is too common to call it a copy
_SAME = 0.8


@dataclass(frozen=True, slots=True)
class PageHit:
    """What a system found: a passage of a page (1-based) of a document (its file name)."""

    document: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """A question, and the pages of one document that answer it."""

    text: str
    document: str
    pages: tuple[int, ...]


class PageJudge:
    """Ranks right pages.

    Args:
        page_counts: pages of every document in the collection.
        page_text: the text of a page, by document and page number.
    """

    def __init__(self, page_counts: Mapping[str, int], page_text: Callable[[str, int], str]) -> None:
        self._page_counts = page_counts
        self._page_text = page_text

    def rank(self, question: PageQuestion, hits: Iterable[PageHit]) -> Rank:
        """The rank of the first hit on a right page, copies in other editions not counted."""
        rank = 0
        for hit in hits:
            if hit.document == question.document and hit.page in question.pages:
                return rank + 1
            if not self.is_copy(hit, question):
                rank += 1
        return None

    def is_copy(self, hit: PageHit, question: PageQuestion) -> bool:
        """Whether the hit is the untranslated text of a right page, at its place in another edition of its manual."""
        if hit.document == question.document or manual_of(hit.document) != manual_of(question.document):
            return False
        counts = self._page_counts
        shift = 1 + abs(counts.get(hit.document, 0) - counts.get(question.document, 0))  # editions differ in length
        return any(
            abs(hit.page - page) <= shift and is_contained(hit.text, self._page_text(question.document, page))
            for page in question.pages
        )


def manual_of(document: str) -> str:
    """The manual without its language.

    >>> manual_of("debian-reference.zh-cn.pdf"), manual_of("octave.pdf")
    ('debian-reference', 'octave')
    """
    return _EDITION.sub("", document).removesuffix(".pdf")


def is_contained(passage: str, page: str) -> bool:
    """Whether nearly all of the passage stands on the page, word for word.

    >>> words = "one two three four five six seven eight nine ten eleven twelve"
    >>> is_contained(words, "zero " + words + " more"), is_contained(words, words[:30])
    (True, False)
    """
    wanted = _shingles(passage)
    return len(wanted) >= _MIN_SHINGLES and len(wanted & _shingles(page)) >= _SAME * len(wanted)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1)}


def pdf_judge(paths: Sequence[Path]) -> PageJudge:
    """A judge over PDFs, whose pages are read when they are needed."""
    folder = {path.name: path for path in paths}
    texts: dict[tuple[str, int], str] = {}

    def page_text(document: str, page: int) -> str:
        if (document, page) not in texts:
            with pymupdf.open(folder[document]) as opened:
                texts[document, page] = str(opened.load_page(page - 1).get_text("text"))
        return texts[document, page]

    counts: dict[str, int] = {}
    for path in paths:
        with pymupdf.open(path) as opened:
            counts[path.name] = int(opened.page_count)
    return PageJudge(counts, page_text)
