"""How many content words a question shares with a text: what decides how easy it is for a search by words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

_IDEOGRAPHS = re.compile(r"[\u30a1-\u30fa\u30fc\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 4  # letters: shorter words are mostly function words
_STEM = 5  # letters that are compared
_WORDS = Path(__file__).parent / "function_words.txt"  # of English, German, French and Portuguese, as long as four letters


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut to five letters; of Chinese and Japanese, pairs of ideographs and katakana.

    >>> sorted(content_words("Where does the harbour master keep it?"))
    ['harbo', 'keep', 'maste']
    >>> sorted(content_words("日記を読む"))
    ['日記']
    """
    text = unicodedata.normalize("NFKC", text).lower()
    pairs = {run[at : at + 2] for run in _IDEOGRAPHS.findall(text) for at in range(len(run) - 1)}
    words = _WORD.findall(_IDEOGRAPHS.sub(" ", text))
    latin = {word[:_STEM] for word in words if len(word) >= _LEAST and word not in _function_words() and not _is_kana(word)}
    return frozenset(pairs | latin)


def shared_share(question: str, passage: str) -> float:
    """The share of the question's content words that stand in the passage, in [0, 1].

    >>> shared_share("Which harbour is deep?", "The harbour was dredged.")
    0.5
    """
    wanted = content_words(question)
    return len(wanted & content_words(passage)) / len(wanted) if wanted else 0.0


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    return frozenset(_WORDS.read_text("utf-8").split())


def _is_kana(word: str) -> bool:
    return "\u3041" <= word[0] <= "\u309f"
