"""Whose names a sentence says: those who take part, also inflected or by one of their names, and who is spoken to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from phidex.generation.summary.phrases import NAME, Phrases, folded
from phidex.generation.support import CJK

_FIRST = 0xE100  # the character that says which person
_LEAST_STEM = 3
_UNSPACED = re.compile(rf"{CJK.pattern}|[\u0e00-\u0eff\uac00-\ud7a3]")
_TITLES = r"(?:さん|君|くん|氏|様|ちゃん|씨|님| 씨| 님)?"
_BEFORE = re.compile(r"(?:^|[,，、;:：—–-])\s*$")
_BEHIND = re.compile(rf"^{_TITLES}\s*(?:[,，、:：?？!]|[—–-]\s|\.?$)")
_CALLED = re.compile(r"(?:(?P<lead>[^\W\d_]+),? )?(?P<name>[^\W\d_]{2,}), ")


@dataclass(frozen=True, slots=True)
class Named:
    """A folded sentence in which two characters stand for each name; and who is named, in order.

    Args:
        people: the names as the recording knows them, each with where it stands and whether it is spoken to.
    """

    text: str
    people: tuple[tuple[str, int, bool], ...]


class People:
    """Finds names of participants in sentences."""

    def __init__(self, participants: Sequence[str]) -> None:
        self._names = list(participants)
        forms: dict[str, int] = {}
        for at, name in enumerate(participants):
            parts = [name, *(part for part in name.split() if len(part) > 1)] if not _UNSPACED.search(name) else [name]
            for part in parts:
                key = folded(part)
                forms[key] = -1 if key in forms and forms[key] != at else at  # of two: it tells nobody
        self._forms = {form: at for form, at in forms.items() if at >= 0}
        listed = sorted(self._forms, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(f"(?P<n{n}>{_inflected(form)})" for n, form in enumerate(listed))) if listed else None
        )
        self._listed = listed

    def named(self, sentence: str, language: Phrases) -> Named:
        """The sentence, folded, with its names."""
        text = folded(sentence)
        if self._pattern is None:
            return self._called(sentence, text, language)
        pieces: list[str] = []
        found: list[tuple[str, int, bool]] = []
        end = length = 0
        for match in self._pattern.finditer(text):
            at = self._forms[self._listed[int((match.lastgroup or "n0")[1:])]]
            before, behind = text[: match.start()], text[match.end() :]
            pieces += [text[end : match.start()], NAME + chr(_FIRST + at)]
            length += match.start() - end
            found.append((self._names[at], length, _is_spoken_to(before, behind, language)))
            length += 2
            end = match.end()
        if not found:
            return self._called(sentence, text, language)
        return Named("".join([*pieces, text[end:]]), tuple(found))

    def _called(self, sentence: str, text: str, language: Phrases) -> Named:
        """Somebody who is spoken to by a name that is none of a participant's: "Zoe, …"."""
        match = _CALLED.match(sentence)
        name = match["name"] if match else ""
        if match is None or not name[0].isupper() or name.isupper() or language.lead.fullmatch(folded(name)):
            return Named(text, ())
        if match["lead"] and not language.lead.fullmatch(folded(match["lead"])):
            return Named(text, ())
        start, end = match.span("name")
        stand = NAME + chr(_FIRST + len(self._names))
        return Named(text[:start] + stand + text[end:], ((name, start, True),))


def _inflected(form: str) -> str:
    """A name with the endings of cases, which may take its last vowel's place."""
    if _UNSPACED.search(form):
        return re.escape(form)
    if form.isascii() or len(form) <= _LEAST_STEM:
        stem = re.escape(form[:-1]) + f"(?:{re.escape(form[-1])}" if len(form) > _LEAST_STEM else f"(?:{re.escape(form)}"
        endings = "(?:'?s|'\\w{1,4}|\\w{0,4})" if len(form) > _LEAST_STEM else "(?:'?s|'\\w{1,4})?"
        swapped = "|[aeiouyę]\\w{0,2}" if form[-1] in "aeo" and len(form) > _LEAST_STEM else ""
        return rf"(?<!\w){stem}{endings}{swapped})(?!\w)" if len(form) > _LEAST_STEM else rf"(?<!\w){stem}){endings}(?!\w)"
    stem, last = re.escape(form[:-1]), re.escape(form[-1])
    return rf"(?<!\w)[ולבהמשفبو]?{stem}(?:{last}\w{{0,4}}|\w{{1,3}})(?!\w)"


def _is_spoken_to(before: str, behind: str, language: Phrases) -> bool:
    """Whether a name stands by itself: "Bob, …", "…, Bob?"."""
    is_apart = _BEHIND.match(behind) is not None
    words = re.split(r"[,，、.]?\s+|[,，、]", before.strip())
    opens = all(language.lead.fullmatch(word) for word in words if word)
    return is_apart and (opens or _BEFORE.search(before) is not None or behind.strip(" .!?？。") == "")
