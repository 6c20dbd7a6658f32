"""The interface's texts, by key, in the visitor's language: ui/locales/<language>.toml.

Texts are written so that they need no plural ("Documents: 3"): Arabic alone has six forms. What documents, people and errors
say is never translated.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "zh": "中文",
    "ja": "日本語",
    "ar": "العربية",
}
"""ISO 639-1 codes, each with the language's own name."""

RIGHT_TO_LEFT = frozenset(("ar",))
_FOLDER = Path(__file__).with_name("locales")
_CHOICE = "language"  # in the session


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of a language by their keys, such as `ask.placeholder`."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        groups: dict[str, dict[str, str]] = tomllib.load(file)
    return {f"{group}.{name}": text for group, entries in groups.items() for name, text in entries.items()}


def fitting(locale: str | None) -> str:
    """The language to begin with for what a browser asks for.

    >>> fitting("de-AT"), fitting("zh_TW"), fitting("sv"), fitting(None)
    ('de', 'zh', 'en', 'en')
    """
    language = (locale or "").replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else "en"


def language() -> str:
    """What this visitor reads: chosen, or asked for by the browser."""
    chosen: str | None = st.session_state.get(_CHOICE)
    return chosen or fitting(st.context.locale)


def say(key: str, **values: Any) -> str:
    """The text in the visitor's language, with its values; numbers are grouped.

    Raises:
        KeyError: there is no such text, or it lacks a value.
    """
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return texts(language())[key].format_map(shown)


def choose_language() -> None:
    """The choice, behind a small button."""
    codes = list(LANGUAGES)
    with st.popover("", icon=":material/translate:", type="tertiary", help=say("shell.language")):
        st.radio(say("shell.language"), codes, index=codes.index(language()), key=_CHOICE, format_func=LANGUAGES.__getitem__)
