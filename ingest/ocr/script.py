"""Recognised words become the text of a line as people write it in its script.

Tesseract puts spaces where there are none (Han, kana), plain commas where Arabic and Chinese have their own, and takes the Thai
letter am apart. What it says about characters is not changed otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from phidex.ingest.clean import clean_line
from phidex.ingest.ocr.tesseract import Word

_CJK = "\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uffef"  # without Hangul, which is written with spaces
_IS_CJK = re.compile(f"[{_CJK}]")
_AFTER_ARABIC = re.compile("(?<=[\u0620-\u065f\u066e-\u06ff)»])([,;?])")
_ARABIC = {",": "،", ";": "؛", "?": "؟"}
_AFTER_CJK = re.compile(rf"(?<=[{_CJK}”])(?: ?([,;:!?])(?![A-Za-z0-9]) ?|(\))(?! ))")
_BEFORE_CJK = re.compile(rf"(?<! )\((?=[{_CJK}])")
_FULL = {mark: chr(ord(mark) + 0xFEE0) for mark in ",;:!?()"}
_THAI_AM = re.compile("\u0e4d([\u0e48-\u0e4b]?)\u0e32")


def line_text(words: Sequence[Word], language: str) -> str:
    """The text of words in logical order.

    Args:
        language: ISO 639-1, as the page was read.

    >>> line_text([Word("日本", (0, 0, 20, 10), 90.0), Word("語", (21, 0, 31, 10), 90.0)], "ja")
    '日本語'
    """
    parts: list[str] = []
    before: Word | None = None
    for word in words:
        if before is not None and _has_space(before, word):
            parts.append(" ")
        parts.append(word.text)
        before = word
    text = clean_line("".join(parts))
    match language:
        case "ar":
            return _AFTER_ARABIC.sub(lambda found: _ARABIC[found[1]], text)
        case "zh":
            text = _AFTER_CJK.sub(lambda found: _FULL[found[1] or found[2]], text)
            return _BEFORE_CJK.sub(_FULL["("], text)
        case "th":
            return _THAI_AM.sub("\\1\u0e33", text)
        case _:
            return text


def _has_space(before: Word, word: Word) -> bool:
    """Whether a space stands between two words that follow each other; never between Han and kana."""
    return word.spaced and not (_IS_CJK.match(before.text[-1]) and _IS_CJK.match(word.text[0]))
