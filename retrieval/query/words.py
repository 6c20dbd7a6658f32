"""The words of questions in the languages that Phidex serves, from `words.toml`; read once, on first use."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Words:
    """What questions of one language are made of; `words.toml` says what each field holds."""

    page: tuple[str, ...]
    page_after: tuple[str, ...]
    to: tuple[str, ...]
    minute: tuple[str, ...]
    months: tuple[tuple[str, ...], ...]
    asks: frozenset[str]
    tail: tuple[str, ...]
    goes_on: tuple[str, ...]
    dangles: tuple[str, ...]
    refers: frozenset[str]
    vague: frozenset[str]
    names: tuple[str, ...]


@lru_cache(maxsize=1)
def all_words() -> dict[str, Words]:
    """The words of each language, by its ISO 639-1 code."""
    text = files("phidex.retrieval.query").joinpath("words.toml").read_text("utf-8")
    return {language: _words(entry) for language, entry in tomllib.loads(text).items()}


@lru_cache(maxsize=1)
def language_codes() -> dict[str, str]:
    """The code of each language by its names, and by itself."""
    named = {name: code for code, words in all_words().items() for name in words.names}
    return named | {code: code for code in all_words()}


@lru_cache(maxsize=1)
def every_ask() -> frozenset[str]:
    """The words that begin a question in any language."""
    return frozenset(ask for words in all_words().values() for ask in words.asks)


def _words(entry: dict[str, list[str]]) -> Words:
    return Words(
        page=tuple(entry["page"]),
        page_after=tuple(entry["page_after"]),
        to=tuple(entry["to"]),
        minute=tuple(entry["minute"]),
        months=tuple(tuple(name.split("/")) for name in entry["months"]),
        asks=frozenset(entry["asks"]),
        tail=tuple(entry["tail"]),
        goes_on=tuple(entry["goes_on"]),
        dangles=tuple(entry.get("dangles", ())),
        refers=frozenset(entry["refers"]),
        vague=frozenset(entry["vague"]),
        names=tuple(entry["names"]),
    )
