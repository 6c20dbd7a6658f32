"""Answers against right ones: exact match, F1, contains, ROUGE; normalised as SQuAD does, and for other languages as MLQA does.

Sources: Rajpurkar et al., SQuAD (2016), its evaluation's normalisation (case, punctuation, English articles, white space);
Lewis et al., MLQA (2020): articles of each language, Unicode's punctuation, ideographs as words of their own;
Lin, ROUGE (2004), by the package rouge-score.
"""

from __future__ import annotations

import importlib
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from phidex.errors import ConfigError
from phidex.retrieval.lexical import normalize

ARTICLES = {
    "en": "a an the",
    "de": "ein eine einen einem eines einer der die das den dem des",
    "es": "un una unos unas el la los las",
    "fr": "un une des le la les",
    "it": "un uno una il lo la i gli le",
    "pt": "um uma uns umas o a os as",
    "nl": "een de het",
    "sv": "en ett",
    "da": "en et",
    "no": "en et ei",
    "vi": "của là cái chiếc những",
    "hu": "a az egy",
}
"""Words that are left out, by language; Arabic's article is cut from the beginning of words."""

_EACH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_ARABIC_ARTICLE = re.compile(r"\bال(?=\w{2})")
_ROUGE = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}


def normalize_answer(text: str, language: str = "en") -> str:
    """An answer without case, punctuation, articles and white space that does not matter.

    >>> normalize_answer("The  Cat's (tail)!"), normalize_answer("Der Hund", "de")
    ('cats tail', 'hund')
    """
    text = "".join(char for char in text.lower() if not _is_punctuation(char, language))
    if language == "ar":
        text = _ARABIC_ARTICLE.sub("", text)
    articles = _articles(language)
    words = articles.sub(" ", text) if articles is not None else text
    return " ".join(words.split())


def _is_punctuation(char: str, language: str) -> bool:
    """Of ASCII alone in English, as SQuAD has it; of all scripts in other languages."""
    return char in string.punctuation or (language != "en" and unicodedata.category(char).startswith("P"))


@lru_cache(maxsize=64)
def _articles(language: str) -> re.Pattern[str] | None:
    found = ARTICLES.get("en" if language == "und" else language)
    return re.compile(rf"\b(?:{'|'.join(found.split())})\b") if found else None


def answer_tokens(text: str, language: str = "en") -> list[str]:
    """Words of a normalised answer; in scripts that put no spaces between them, every character.

    >>> answer_tokens("The cat, the dog"), answer_tokens("1949年成立", "zh")
    (['cat', 'dog'], ['1949', '年', '成', '立'])
    """
    normalized = normalize_answer(text, language)
    return normalized.split() if language == "en" else _apart(normalized).split()


def _apart(text: str) -> str:
    """Characters of scripts without spaces between words, each by itself."""
    return _EACH.sub(lambda match: f" {match[0]} ", text)


def exact_match(given: str, right: Sequence[str], language: str = "en") -> float:
    """1 where the answer is, normalised, one of the right ones."""
    return float(any(normalize_answer(given, language) == normalize_answer(one, language) for one in right))


def f1(given: str, right: Sequence[str], language: str = "en") -> float:
    """The harmonic mean of precision and recall of words, at the nearest right answer.

    >>> f1("the cat sat", ["a cat sat down"])
    0.8
    """
    return max((_f1(answer_tokens(given, language), answer_tokens(one, language)) for one in right), default=0.0)


def _f1(given: list[str], right: list[str]) -> float:
    if not given or not right:
        return float(given == right)
    shared = sum((Counter(given) & Counter(right)).values())
    precision, recall = shared / len(given), shared / len(right)
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def contains(given: str, right: Sequence[str], language: str = "en") -> float:
    """1 where a right answer's words stand in the answer, one after another."""
    every = "und" if language == "en" else language  # quotation marks of any script are no part of a word here
    words = answer_tokens(given, every)
    return float(any(_stands_in(answer_tokens(one, every), words) for one in right))


def _stands_in(wanted: list[str], words: list[str]) -> bool:
    length = len(wanted)
    return length > 0 and any(words[at : at + length] == wanted for at in range(len(words) - length + 1))


def rouge(given: str, right: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, -2 and -L (F measures) at the right answer that they fit best, in every script.

    Raises:
        ConfigError: rouge-score is not installed.
    """
    scorer = rouge_scorer()
    scored = [scorer.score(one, given) for one in right]
    return {ours: max((float(one[theirs].fmeasure) for one in scored), default=0.0) for theirs, ours in _ROUGE.items()}


class ScriptTokenizer:
    """Words in every script for rouge-score, whose own tokenizer keeps ASCII letters only."""

    def tokenize(self, text: str) -> list[str]:
        """Words in lower case without marks; ideographs and other unspaced characters one by one."""
        return re.findall(r"\w+", _apart(normalize(text)))


@lru_cache(maxsize=1)
def rouge_scorer() -> Any:
    """The package's scorer with our tokenizer; no stemming, which is English alone.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        module = importlib.import_module("rouge_score.rouge_scorer")
    except ImportError as exc:
        raise ConfigError("rouge-score is not installed", hint="pip install 'phidex[eval]'") from exc
    return module.RougeScorer(list(_ROUGE), tokenizer=ScriptTokenizer())


def answer_scores(given: str, right: Sequence[str], language: str = "en") -> dict[str, float]:
    """All of them, by their names in `catalogue.py`; empty where no right answer is known."""
    if not right:
        return {}
    each: dict[str, Callable[..., float]] = {"exact_match": exact_match, "f1": f1, "contains": contains}
    return {name: score(given, right, language) for name, score in each.items()} | rouge(given, right)
