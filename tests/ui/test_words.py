"""The interface's texts are whole in every language."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from phidex.ui import words

_USED = re.compile(r"""say\(\s*["']([a-z_]+\.[a-z_]+)["']""")


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", sorted(set(words.LANGUAGES) - {"en"}))
def test_a_language_says_all_that_english_says_with_the_same_values(language: str) -> None:
    english, other = words.texts("en"), words.texts(language)
    assert english.keys() == other.keys()
    assert {key for key, text in english.items() if _values(text) != _values(other[key])} == set()
    same = [key for key, text in english.items() if text == other[key]]
    assert len(same) < len(english) / 5  # a few words are alike; whole languages are not


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    code = "".join(path.read_text() for path in Path(words.__file__).parent.rglob("*.py"))
    used = set(_USED.findall(code))
    built = {f"shell.{page}" for page in ("ask", "library", "status")}
    built |= {f"library.{state}" for state in ("complete", "searchable", "incomplete")}
    built |= {"evidence.view_page", "evidence.view_passage", "answer.unsupported", "answer.missing"}
    built |= {f"status.{state}" for state in ("ok", "missing", "broken", "off")}
    assert used | built == words.texts("en").keys()
