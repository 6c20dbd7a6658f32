"""The pages, times and days that a question speaks of, in every language of `words.toml`.

All are hints. Digits of any script count; of number words, only Chinese ones.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from phidex.retrieval.query.words import all_words

Days = tuple[datetime.date, datetime.date]

_HAN_DIGITS = {sign: value for value, sign in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}
_NUMERIC = re.compile("[\\d〇零一二三四五六七八九十百]")
_NUMBER = r"(\d{1,5}|[一二三四五六七八九十百〇零]{1,5})"
_END = r"(?!\d|[.,:/]\d)"
_SPACELESS = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff]")
_ORDINAL = r"(?:st|nd|rd|th|\.|º|ª|°|:e|-?(?:а|я|й|ій|ої|ой|ша|га|та))"
_CLOCK = r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?"
_CLOCKS = re.compile(rf"(?<![\w:.,/-]){_CLOCK}(?:\s*[-–—~〜]\s*{_CLOCK})?(?![\d:]|[.,]\d)")
_UNITS = re.compile(
    r"(?<![\w.,])(?:(\d{1,3})\s?(?:h|std\.?|ч|год|小时|時間|시간)\s?(\d{1,2})(?:\s?(?:m|min|мин|хв|分|분)\.?)?(?:\s?(\d{1,2})\s?(?:s|sec|秒|초))?"
    r"|(\d{1,3})\s?(?:m|min\.?|мин\.?|хв\.?|分|분)\s?(\d{1,2})\s?(?:s|sec\.?|sek\.?|с|сек\.?|秒|초))(?!\w*\d)"
)
_ISO = re.compile(r"(?<![\w-])(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2}))?(?![\w-]|[./]\d)")
_DAY_FIRST = re.compile(r"(?<![\w.])(\d{1,2})([./])\s?(\d{1,2})\2\s?(\d{4})(?!\d)")
_EASTERN = re.compile(r"(\d{4})\s?[年년]\s?(?:(\d{1,2})\s?[月월]\s?(?:(\d{1,2})\s?[日일])?)?")


def has_number(text: str) -> bool:
    """Whether a place can be meant at all."""
    return _NUMERIC.search(text) is not None


def pages_in(text: str) -> tuple[int, int] | None:
    """First and last page that a lower-case text speaks of.

    >>> pages_in("what is on pp. 10-20?"), pages_in("第十二页写了什么"), pages_in("a 12 page report")
    ((10, 20), (12, 12), None)
    """
    for pattern in _page_patterns():
        if found := pattern.search(text):
            first, last = _number(found[1]), _number(found[2] or found[1])
            if 1 <= first <= last:
                return first, last
    return None


def times_in(text: str) -> tuple[float, float] | None:
    """Start and end in seconds; equal for a moment. "14:30" counts as minutes and seconds, "1:02:30" has hours too.

    >>> times_in("what is said at 14:30"), times_in("um 1h02m"), times_in("from 1:00 - 1:30")
    ((870.0, 870.0), (3720.0, 3720.0), (60.0, 90.0))
    """
    if found := _CLOCKS.search(text):
        start = _clock(found[1], found[2], found[3])
        end = _clock(found[4], found[5], found[6]) if found[4] else start
        return (start, end) if start <= end else (start, start)
    if found := _UNITS.search(text):
        hours, minutes, seconds = (found[1], found[2], found[3]) if found[1] else ("0", found[4], found[5])
        start = float(3600 * int(hours) + 60 * int(minutes) + int(seconds or 0))
        return start, start
    if found := _minute_pattern().search(text):
        start = 60.0 * int(found[1] or found[2] or found[3])
        return start, start
    return None


def dates_in(text: str, language: str = "") -> tuple[Days, ...]:
    """The days, months and years that a lower-case text names with their year, each as first and last day.

    In English "03/04/2024" is both the third of April and the fourth of March.

    >>> [day.isoformat() for day in dates_in("am 15. märz 2024")[0]]
    ['2024-03-15', '2024-03-15']
    >>> [day.isoformat() for day in dates_in("in february 2024")[0]]
    ['2024-02-01', '2024-02-29']
    """
    return tuple(dict.fromkeys(days for days in _dates(text, language) if days is not None))


def _dates(text: str, language: str) -> Iterator[Days | None]:
    for found in _ISO.finditer(text):
        if found[2] == "-" or found[4]:
            yield _days(found[1], found[3], found[4])
    for found in _DAY_FIRST.finditer(text):
        yield _days(found[4], found[3], found[1])
        if found[2] == "/" and language == "en":
            yield _days(found[4], found[1], found[3])
    for found in _EASTERN.finditer(text):
        yield _days(found[1], found[2], found[3])
    pattern, numbers = _month_pattern()
    for found in pattern.finditer(text):
        month = str(numbers[found["month"]])
        if found["year"]:
            yield _days(found["year"], month, found["day"] or found["behind"])
        elif found["before"]:
            yield _days(found["before"], month, found["last"])


def _days(year: str, month: str | None, day: str | None) -> Days | None:
    """A day, month or year from first to last day; Thai years count from 543 BC."""
    number = int(year)
    number -= 543 if number >= 2400 else 0
    if not 1500 <= number <= 2200:
        return None
    try:
        if month is None:
            return datetime.date(number, 1, 1), datetime.date(number, 12, 31)
        if day is None:
            length = calendar.monthrange(number, int(month))[1]
            return datetime.date(number, int(month), 1), datetime.date(number, int(month), length)
        exact = datetime.date(number, int(month), int(day))
    except ValueError:
        return None
    return exact, exact


def _number(text: str) -> int:
    """A number in digits of any script, or in Chinese numerals below 1000.

    >>> _number("十二"), _number("二百零三"), _number("٣٤")
    (12, 203, 34)
    """
    if text[0].isdigit() and text.isdecimal():
        return int(text)
    if not {"十", "百"} & set(text):
        return int("".join(str(_HAN_DIGITS.get(sign, 0)) for sign in text))
    total, digit = 0, 0
    for sign in text:
        if sign in "十百":
            total += (digit or 1) * (10 if sign == "十" else 100)
            digit = 0
        else:
            digit = _HAN_DIGITS.get(sign, 0)
    return total + digit


def _clock(first: str, second: str, third: str | None) -> float:
    return float(60 * (60 * int(first) + int(second)) + int(third) if third else 60 * int(first) + int(second))


def _either(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))


@lru_cache(maxsize=1)
def _page_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The word before its number, and behind it; a bare base form behind ("12 pages") is a count."""
    every = all_words().values()
    before = {word.lower() for words in every for word in words.page}
    loose = {word for word in before if _SPACELESS.match(word)}
    to = _either(word for words in every for word in words.to)
    upto = rf"(?:[页頁]?\s?(?:[-–—~〜～]|(?:{to}))\s?(?:第|p\.?)?{_NUMBER})?"
    spaced = rf"(?<!\w)(?:{_either(before - loose)}|pp?\.?(?=\d))"
    first = re.compile(rf"(?:{spaced}|(?:{_either(loose)}))\s?(?:no\.|nr\.|nº|n°|№|#|第)?\s?{_NUMBER}{upto}{_END}")
    after = {word.lower() for words in every for word in words.page_after}
    loose = {word for word in after if _SPACELESS.match(word)}
    counted = {words.page[0].lower() for words in every} & (after - loose)
    joined = rf"(?:{_ORDINAL}?\s?-?(?:{_either(after - loose - counted)})(?!\w)|{_ORDINAL}\s?(?:{_either(counted)})(?!\w))"
    second = re.compile(rf"(?<![\w.,共全])(?:第)?{_NUMBER}{upto}(?:{joined}|\s?(?:{_either(loose)}))")
    return first, second


@lru_cache(maxsize=1)
def _minute_pattern() -> re.Pattern[str]:
    """A minute by its number; "12 minutes" is a duration."""
    words = {word for words in all_words().values() for word in words.minute}
    loose = {word for word in words if _SPACELESS.match(word)}
    spaced = _either(words - loose)
    return re.compile(
        rf"(?:(?<!\w)(?:{spaced})|นาทีที่)\s?(\d{{1,3}})(?![\d:.])"
        rf"|(?<!\w)(\d{{1,3}}){_ORDINAL}\s?(?:{spaced})(?!\w)"
        rf"|第(\d{{1,3}})(?:{_either(loose)})"
    )


@lru_cache(maxsize=1)
def _month_pattern() -> tuple[re.Pattern[str], dict[str, int]]:
    """Months by name beside a year, in any order, and the number of each name."""
    numbers = {
        form.lower(): number for words in all_words().values() for number, month in enumerate(words.months, 1) for form in month
    }
    of = r"(?:\s(?:of|de|del|di|d'))?"
    pattern = re.compile(
        rf"(?:(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|\.|º|ª|°|ا)?{of}\s?|(?<!\d)(?P<before>\d{{4}})\.?\s)?"
        rf"(?<![^\W\d])(?P<month>{_either(numbers)})(?!\w)\.?"
        rf"(?:(?:\s(?P<behind>\d{{1,2}})(?:st|nd|rd|th)?,?)?(?:,|{of})\s(?:พ\.ศ\. ?)?(?P<year>\d{{4}})(?!\d)"
        r"|\s(?P<last>\d{1,2})(?!\d))?"
    )
    return pattern, numbers
