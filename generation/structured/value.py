"""Whether a sentence states a value: its words, its amount in any way of writing numbers, or its day in any of 23 languages."""

from __future__ import annotations

import datetime
import math
import re

from phidex.generation.control import ZERO_WIDTH_SPACE
from phidex.generation.support import CJK
from phidex.retrieval.lexical import normalize
from phidex.retrieval.query.places import dates_in

_THOUSANDS = ".,'’٬ \u00a0\u202f\u2009"
_POINTS = ".,٫"
_AMOUNT = re.compile(rf"\d{{1,3}}(?:[{_THOUSANDS}]\d{{3}})+(?!\d)(?:[{_POINTS}]\d+)?|\d+(?:[{_POINTS}]\d+)?")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d(?=$|[T ])")
_PERCENT = re.compile(r"\s?[%٪]")
_LEAST_CHARS = 3  # letters and digits; a shorter value stands somewhere by chance


def folded(text: str) -> str:
    """A text for comparing: case, compatibility forms, white space and broken control tokens folded away."""
    return " ".join(normalize(text.replace(ZERO_WIDTH_SPACE, "")).split())


def is_weak(value: object) -> bool:
    """Whether a value is so short that it stands in many texts by chance.

    >>> is_weak(12), is_weak(1250), is_weak("B"), is_weak("租金")
    (True, False, True, False)
    """
    text = str(value)
    return not CJK.search(text) and sum(char.isalnum() for char in text) < _LEAST_CHARS


def says_words(value: str, sentence: str) -> bool:
    """Whether a folded sentence has the folded words of a value, not as parts of longer words.

    >>> says_words("ohm", "by ohm ltd."), says_words("ohm", "by mr ohmsted")
    (True, False)
    """
    at = sentence.find(value) if value else -1
    while at >= 0:
        if _is_border(sentence, at) and _is_border(sentence, at + len(value)):
            return True
        at = sentence.find(value, at + 1)
    return False


def _is_border(text: str, at: int) -> bool:
    if not 0 < at < len(text):
        return True
    before, behind = text[at - 1], text[at]
    return (
        not (before.isalnum() and behind.isalnum()) or bool(CJK.search(before + behind)) or before.isdigit() != behind.isdigit()
    )


def amounts(text: str) -> set[float]:
    """What the numbers of a text may amount to: "1,250" is 1250 or 1.25, as people write both; "5%" is 5 or 0.05.

    >>> sorted(amounts("from 1,250.50 € to 1.500,75 € at 5%")), sorted(amounts("1 250 metres"))
    ([0.05, 5.0, 1250.5, 1500.75], [1.0, 250.0, 1250.0])
    """
    found: set[float] = set()
    for match in _AMOUNT.finditer(text):
        readings = _readings(match[0])
        if _PERCENT.match(text, match.end()):
            readings |= {value / 100 for value in readings}
        found |= readings
    return found


def _readings(number: str) -> set[float]:
    groups = re.split(rf"[{_THOUSANDS}{_POINTS}]", number)
    last = re.sub(r"\d", "", number)[-1:]
    is_grouped = all(len(group) == 3 for group in groups[1:])
    found = {float("".join(groups))} if is_grouped else set[float]()
    if last and last in _POINTS and all(len(group) == 3 for group in groups[1:-1]):
        found.add(float(f"{''.join(groups[:-1])}.{groups[-1]}"))
    if any(char.isspace() for char in number):  # two numbers side by side look the same
        found |= {float(group) for group in groups}
    return found


def says_amount(value: float, sentence: str) -> bool:
    """Whether one of the sentence's numbers amounts to the value; the sign, written in many ways, is not compared.

    >>> says_amount(-1250, "1,250 euros"), says_amount(10**310, "1,250 euros")
    (True, False)
    """
    try:
        amount = abs(float(value))
    except OverflowError:  # an integer that no float holds
        return False
    return any(math.isclose(amount, said, rel_tol=1e-9) for said in amounts(sentence))


def day_of(value: str) -> datetime.date | None:
    """The day that an ISO date or time names, else None."""
    if not _ISO_DAY.match(value):
        return None
    try:
        return datetime.date.fromisoformat(value[:10])
    except ValueError:
        return None


def says_day(day: datetime.date, sentence: str, language: str) -> bool:
    """Whether the sentence names this day, in words or digits of any of our languages.

    >>> says_day(datetime.date(2021, 5, 14), "signed on 14 May 2021", "en")
    True
    """
    return (day, day) in dates_in(sentence.lower(), language)
