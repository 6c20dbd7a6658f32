"""Names of languages as transcription endpoints write them ("english") -> ISO 639-1."""

from __future__ import annotations

_NAMES = (
    "arabic ar, bulgarian bg, catalan ca, chinese zh, croatian hr, czech cs, danish da, dutch nl, english en, estonian et, "
    "finnish fi, french fr, german de, greek el, hebrew he, hindi hi, hungarian hu, indonesian id, italian it, japanese ja, "
    "korean ko, latvian lv, lithuanian lt, malay ms, norwegian no, persian fa, polish pl, portuguese pt, romanian ro, "
    "russian ru, serbian sr, slovak sk, slovenian sl, spanish es, swedish sv, thai th, turkish tr, ukrainian uk, vietnamese vi"
)
_CODES: dict[str, str] = {name: code for name, _, code in (entry.partition(" ") for entry in _NAMES.split(", "))}


def language_code(name: str) -> str:
    """The code of a language given by code or English name; "" where it is neither.

    >>> language_code("English"), language_code("de"), language_code("gibberish")
    ('en', 'de', '')
    """
    name = name.strip().lower()
    return name if len(name) == 2 and name.isalpha() else _CODES.get(name, "")
