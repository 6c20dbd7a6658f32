"""The phrases that tell decisions, tasks, dates and open questions, by language, ready to be looked for: `phrases.toml`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

NAME = "\ue000"
"""Begins what stands for a participant's name in a folded text; the character behind it says whose."""

_SPACELESS = frozenset(("zh", "ja", "ko", "th"))
_VERB_LAST = frozenset(("ja", "ko", "tr"))
_CLAUSE_NEGATED = frozenset(("de", "nl", "sv", "da", "no"))
_PREFIXES = {"ar": "[وفبل]?", "he": "[והבלשמ]?"}  # written with the word
_GAP = r"(?: [^.!?;]{0,50}?)? "
_GAP_SPACELESS = r"[^。！？；.!?;]{0,20}?"
_NUMERIC = r"\d{1,2}[./]\d{1,2}\.?(?:(?:19|20)?\d\d)?|\d{4}-\d\d-\d\d"
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "`": "'", "\u0307": None})
_LISTED = ("decided", "mine", "idle", "asked", "duty", "open")
_PLAIN = ("not", "if", "past", "done", "unsure", "by", "when", "lead")
NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Phrases:
    """Of one language; patterns are for `folded` text. Their names are explained in `phrases.toml`.

    Args:
        due: a time with what makes it a date to be kept.
        is_verb_last: a cue ends the sentence and says by itself that it is not negated.
        denies_behind: a negation may stand anywhere behind its verb.
    """

    decided: re.Pattern[str]
    mine: re.Pattern[str]
    idle: re.Pattern[str]
    asked: re.Pattern[str]
    duty: re.Pattern[str]
    open: re.Pattern[str]
    no: re.Pattern[str]
    supposed: re.Pattern[str]
    past: re.Pattern[str]
    done: re.Pattern[str]
    unsure: re.Pattern[str]
    due: re.Pattern[str]
    when: re.Pattern[str]
    dated: re.Pattern[str]
    lead: re.Pattern[str]
    is_verb_last: bool
    denies_behind: bool


def folded(text: str) -> str:
    """A text as the phrases are written: lower case, composed, straight apostrophes.

    >>> folded("I’LL do İt")
    "i'll do it"
    """
    return unicodedata.normalize("NFC", text).casefold().translate(_APOSTROPHES)


def languages() -> frozenset[str]:
    """Those that have phrases, ISO 639-1."""
    return frozenset(_read())


def phrases(language: str) -> list[Phrases]:
    """Those of a language; of one that is not known, all."""
    known = _read()
    return [_compiled(language)] if language in known else [_compiled(one) for one in known]


@cache
def _read() -> Mapping[str, Mapping[str, str | bool]]:
    return tomllib.loads(files("phidex.generation.summary").joinpath("phrases.toml").read_text("utf-8"))


@cache
def _compiled(language: str) -> Phrases:
    given = _read()[language]

    def found(key: str) -> re.Pattern[str]:
        lines = str(given[key]).splitlines()
        return _bounded("|".join(_gapped(line.strip(), language) for line in lines if line.strip()), language)

    listed = {key: found(key) for key in _LISTED}
    plain = {key: _bounded(str(given[key]), language) for key in _PLAIN}
    by, when = str(given["by"]), f"{given['when']}|{_NUMERIC}"
    few = r".{0,4}?" if language in _SPACELESS else r"(?:\s(?:\w+\s){0,2}?|(?<='))"
    due = f"(?:{when}){few}(?:{by})" if given.get("after") else f"(?:{by}){few}(?:{when})"
    if language == "hu":  # until: an ending
        due += "|\\w+ig(?!\\w)"
    return Phrases(
        **listed,
        no=plain["not"],
        supposed=plain["if"],
        past=plain["past"],
        done=plain["done"],
        unsure=plain["unsure"],
        due=_bounded(due, language),
        when=_bounded(when, language),
        dated=found("dated") if "dated" in given else NEVER,
        lead=plain["lead"],
        is_verb_last=language in _VERB_LAST,
        denies_behind=language in _CLAUSE_NEGATED,
    )


def _gapped(line: str, language: str) -> str:
    named = line.replace("NAME", f"{NAME}.")
    plain = re.sub(r"(?:^|(?<=\)\?))\.\. ", "", named)
    return plain.replace(" .. ", _GAP_SPACELESS if language in _SPACELESS else _GAP).replace(" ..", "")


def _bounded(pattern: str, language: str) -> re.Pattern[str]:
    if language in _SPACELESS:
        return re.compile(f"(?:{pattern})")
    negated = "|(?<=\\w)n't(?!\\w)" if language == "en" and pattern.startswith("not|") else ""
    return re.compile(rf"(?<!\w){_PREFIXES.get(language, '')}(?:{pattern})(?!\w){negated}")
