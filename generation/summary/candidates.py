"""The sentences of a text that may stand in a summary by themselves: no titles, contents, references, code or furniture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from phidex.generation.summary.matter import is_back_matter, is_telling
from phidex.generation.summary.spoken import spoken_spans
from phidex.generation.support import CJK
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans

_RUNNING = ("text",)
_CODE = ("code",)
_LEAST, _LEAST_CJK, _MOST, _MOST_CJK = 40, 16, 420, 200  # characters of a sentence
_LEAST_WORDS = 6
_Taken = Literal["strict", "short", "lines"]
"""What is taken for a sentence: whole ones of some length; short ones too; any line."""

_ENOUGH = 8  # sentences: a text that has fewer is short, and each of them counts
_LETTERS = 0.78  # of the characters, spaces included: below, it is code, a formula or a list of numbers
_REPEATED = 3  # passages that have the same sentence: boilerplate
_CONTENTS_SHARE = 0.3  # of a passage's lines
_CONTENTS_LINE = re.compile(r"…|\.{4}|(?:\. ){4}|^\d+(?:\.\d+)+ +\S.{0,80} \d{1,4}$", re.MULTILINE)
_REFERENCE = re.compile(r"^\[?\d{1,3}[\].]\s+[^\W\d_]|\bdoi:|\barXiv:|\bISBN\b|\bpp\. ?\d", re.IGNORECASE)
_BOILERPLATE = re.compile(
    r"©|\(c\) ?\d{4}|copyright|all rights reserved|alle rechte vorbehalten|tous droits réservés", re.IGNORECASE
)
_ADDRESS = re.compile(r"https?://|www\.|\S@\S+\.\w")
_BULLET = re.compile(r"^(?:[-*•‣◦▪–—·]|\(?\d{1,2}[.)])\s+")
_NUMBERED = re.compile(r"\d+(?:\.\d+)+\s")  # a title
_NOTE_NUMBER = re.compile(r"\d{1,3}(?=[^\W\d_])")  # of a footnote, before a cased letter
_ENDED = re.compile(r"[.!?…؟۔。！？][\"'’”»)\]」』）]*$")
_THAI = re.compile(r"[\u0e00-\u0e7f]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_DOCUMENTED = re.compile(r'"""\s*(.+?)(?:"""|\n\s*\n)|/\*\*?\s*(.+?)(?:\*/|\n\s*\*?\s*\n)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence.

    Args:
        text: verbatim but for white space.
        place: its number among the sentences of its text, from 0.
        opens: it is the first of its section.
        tells: its section says what the whole is about.
    """

    text: str
    chunk: Chunk
    place: int
    opens: bool
    tells: bool


def candidates(chunks: Sequence[Chunk]) -> list[Candidate]:
    """The sentences of one text that can stand alone, in order, each once; of a short text, short ones too; where it has
    none, its lines, and what code says of itself.

    Args:
        chunks: in document order.
    """
    strict = _distinct(_sentences(chunks, "strict"))
    if len(strict) >= _ENOUGH:
        return strict
    return _distinct(_sentences(chunks, "short")) or _distinct(_sentences(chunks, "lines"))


def _sentences(chunks: Sequence[Chunk], taken: _Taken) -> Iterator[Candidate]:
    section: tuple[str, ...] | None = None
    place = 0
    for chunk in chunks:
        if any(map(is_back_matter, chunk.heading)):
            continue
        if chunk.modality == "speech":
            pieces = (chunk.text[start:end] for start, end in spoken_spans(chunk))
        elif chunk.modality in _CODE and taken == "lines":
            pieces = _documented(chunk.text)
        elif chunk.modality in _RUNNING and not _is_contents(chunk.text):
            pieces = (_unmarked(chunk.text[start:end]) for start, end in sentence_spans(chunk.text))
        else:
            continue
        tells = any(map(is_telling, chunk.heading))
        for piece in pieces:
            if piece in chunk.heading or not _stands_alone(piece, taken, spoken=chunk.modality == "speech"):
                continue
            yield Candidate(" ".join(piece.split()), chunk, place, chunk.heading != section, tells)
            section = chunk.heading
            place += 1


def _distinct(found: Iterator[Candidate]) -> list[Candidate]:
    """Overlapping passages share sentences: the first counts; what stands in many places is said of none."""
    listed = list(found)
    keys = ["".join(filter(str.isalnum, candidate.text)).casefold() for candidate in listed]
    counts = Counter(keys)
    once = {key: candidate for key, candidate in zip(reversed(keys), reversed(listed), strict=True) if counts[key] < _REPEATED}
    return sorted(once.values(), key=lambda candidate: candidate.place)


def _stands_alone(text: str, taken: _Taken, *, spoken: bool) -> bool:
    dense = CJK.search(text) or _HANGUL.search(text)
    least, most = (_LEAST_CJK, _MOST_CJK) if dense else (_LEAST, _MOST)
    strict = taken == "strict"
    if not (least if strict else least // 2) <= len(text) <= most or (text[0].islower() and not spoken):
        return False
    spaceless = dense or _THAI.search(text)
    if not spaceless and text.count(" ") + 1 < (_LEAST_WORDS if strict else 3):
        return False
    if taken == "short" and _NUMBERED.match(text):
        return False
    if taken != "lines" and not (_ENDED.search(text) or _THAI.search(text)):
        return False
    if not (text[0].isalnum() or text[0] in "\"'“„«「『¿¡(（"):
        return False
    if (number := _NOTE_NUMBER.match(text)) and text[number.end()].isupper():
        return False
    letters = sum(char.isalpha() or char == " " or (not char.isascii() and not char.isdigit()) for char in text)
    if letters < _LETTERS * len(text):
        return False
    return not any(pattern.search(text) for pattern in (_CONTENTS_LINE, _REFERENCE, _BOILERPLATE, _ADDRESS))


def _is_contents(text: str) -> bool:
    lines = text.count("\n") + 1
    return lines > 2 and sum(1 for _ in _CONTENTS_LINE.finditer(text)) > _CONTENTS_SHARE * lines


def _unmarked(text: str) -> str:
    return _BULLET.sub("", text)


def _documented(code: str) -> Iterator[str]:
    """The first sentence of each docstring and block comment."""
    for match in _DOCUMENTED.finditer(code):
        text = match.group(1) or match.group(2)
        start, end = next(sentence_spans(text), (0, 0))
        if end > start and "\n" not in text[start:end]:
            yield text[start:end]
