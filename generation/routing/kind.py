"""Question -> what kind of work its answer takes, by the words that people ask with in 23 languages; without a model.

Cues are in `kinds.toml`. A question is matched against those of its own language and of English, whose terms people mix in;
a question too short to tell its language, against all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

from phidex.retrieval.query.understand import Query

Kind = Literal["lookup", "reasoning", "comparison", "summary", "mathematics", "code", "visual"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Where several kinds have a cue each, the one that decides most about who can answer.
_FIRST: tuple[Kind, ...] = ("visual", "code", "mathematics", "comparison", "summary", "reasoning")
_SPACELESS = frozenset(("zh", "ja", "ko", "th"))
_SURE = 0.5  # of the language
_HEAD = 600  # characters that are read
_SUM = re.compile(r"\d\s*[+*×÷^=]\s*\d|\d\s*%|[∫∑√π]")
_NUMBERS = re.compile(r"(?<![\d./-])\d{1,6}(?![\d./-]).{2,80}?(?<![\d./-])\d{1,6}(?![\d./-])")
_FAULT = re.compile(r"\berror\b|\bfault\b|\bE[A-Z]{5,}\b|\b[45]0\d\b|\w\(\)|\bcannot find\b|\bCORS\b|\bnull\b")


def kind_of(query: Query) -> Kind:
    """The kind of a question.

    >>> from phidex.retrieval.query.understand import understand
    >>> kind_of(understand("Vergleiche die beiden Angebote")), kind_of(understand("When does the warranty end?"))
    ('comparison', 'lookup')
    """
    text = " ".join(query.text[:_HEAD].lower().split())
    sure = query.language_score >= _SURE and query.language in _cues()
    languages = (query.language, "en") if sure else tuple(_cues())
    found: dict[Kind, int] = {}
    for language in dict.fromkeys(languages):
        for kind, pattern in _patterns(language).items():
            found[kind] = found.get(kind, 0) + len(set(pattern.findall(text)))
    if query.style == "code" or _FAULT.search(query.text[:_HEAD]):
        found["code"] = found.get("code", 0) + 1
    if _SUM.search(text):
        found["mathematics"] = found.get("mathematics", 0) + 2
    if not any(found.values()) and query.pages is None and _NUMBERS.search(text):
        return "mathematics"  # two numbers and no other cue
    most = max(found.values(), default=0)
    best: list[Kind] = [kind for kind in _FIRST if most and found.get(kind) == most]
    return best[0] if best else "lookup"


@lru_cache(maxsize=1)
def _cues() -> Mapping[str, dict[Kind, list[str]]]:
    return tomllib.loads(files("phidex.generation.routing").joinpath("kinds.toml").read_text("utf-8"))


@lru_cache(maxsize=32)
def _patterns(language: str) -> dict[Kind, re.Pattern[str]]:
    """One for each kind; compiled when the language is first met."""
    return {kind: _pattern(cues, language) for kind, cues in _cues()[language].items()}


def _pattern(cues: list[str], language: str) -> re.Pattern[str]:
    start = "" if language in _SPACELESS else r"(?<!\w)"
    prefix = r"(?<!\w)[والبكف]{0,2}" if language == "ar" else r"(?<!\w)[והבלכשמ]?" if language == "he" else start
    parts = [re.escape(cue.removesuffix("|")) + (r"(?!\w)" if cue.endswith("|") else "") for cue in cues]
    return re.compile(f"{prefix}(?:{'|'.join(sorted(parts, key=len, reverse=True))})")
