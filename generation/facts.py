"""What of a statement can be compared without a model: its numbers, names and negations, in every script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise, takewhile

Reading = frozenset[str]
"""What one number may be, as plain decimals: "1,250" is 1250 or 1.25."""

_SEPARATED = re.compile(r"\d+(?:[.,'’٫٬\u00a0\u202f/-]\d+|[ ]\d{3}(?!\d))*")
_CJK_NUMERAL = re.compile(r"[〇零一二三四五六七八九十百千万萬亿億两]+")
_CJK_DIGITS = dict(zip("〇零一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_CJK_UNITS = {"十": 10, "百": 100, "千": 1000}
_CJK_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_SCALES = {
    3: "thousand|tausend|mille|mila|mil|duizend|tusen|tysięcy|tys|тысяч[аи]?|тыс|천|ألف|พัน|千",
    4: "万|萬|만|หมื่น",
    6: "million(?:en|s)?|mio|millón|millones|mili(?:one|oni|ões|ão)|miljoen|miljon(?:er)?|milion(?:ów|y)?|млн|миллион(?:а|ов)?"
    "|مليون|ล้าน|百万",
    8: "亿|億|억",
    9: "billions?|bn|milliarden?|mrd|milliards?|miliard[oiy]?|miljard(?:er)?|млрд|миллиард(?:а|ов)?|مليار",
}
_SCALE = {  # those of East Asia stand before the next word without a space
    power: re.compile(rf"\s*(?:{words})" if power in (4, 8) else rf"\s*(?:{words})(?![^\W\d_])", re.IGNORECASE)
    for power, words in _SCALES.items()
}

_COUNTED = (  # from one to twelve
    "one two three four five six seven eight nine ten eleven twelve",
    "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "un deux trois quatre cinq six sept huit neuf dix onze douze",
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "uno due tre quattro cinque sei sette otto nove dieci undici dodici",
    "um dois três quatro cinco seis sete oito nove dez onze doze",
    "een twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "en två tre fyra fem sex sju åtta nio tio elva tolv",
    "один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
    "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście",
)
_WORDS = {word: str(value) for row in _COUNTED for value, word in enumerate(row.split(), 1)} | {"twice": "2", "once": "1"}
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

_NEGATIONS = re.compile(
    r"(?<!\w)(?:not|no|never|none|neither|nor|without|cannot|\w+n['’]t"
    r"|nicht|nie|niemals|kein\w{0,2}|weder|ohne|ne|n['’](?=\w)|pas|jamais|aucune?|sans|no|nunca|ningun[oa]?|ningún|sin|ni"
    r"|non|mai|nessun[oa]?|senza|não|nem|nenhuma?|sem|niet|geen|nooit|zonder|inte|ej|aldrig|ikke|aldri|ingen|inget|utan|uden|uten"
    r"|ei|eivät|en|et|ilman|nem|nincs|soha|не|нет|ни|никогда|без|ніколи|немає|nie|nigdy|bez|není|nikdy|değil\w*|yok|asla"
    r"|لا|لم|لن|ليس|ليست|غير|دون|بدون|לא|אין|אינו|אינה|אינם|בלי|ללא)(?!\w)"
    r"|[不没沒未非無]|ない|ません|なかった|않|못|없|안\s|ไม่|มิได้",
    re.IGNORECASE,
)
_AT_HOME = {  # of the short ones, the languages in which they negate
    "en": ("fi",),
    "et": ("fi",),
    "pas": ("fr",),
    "ni": ("es", "fr"),
    "no": ("en", "es", "it"),
    "ne": ("fr", "tr"),
    "mai": ("it",),
    "nie": ("de", "pl"),
    "sin": ("es",),
    "sem": ("pt",),
    "ej": ("sv",),
    "ei": ("fi",),
    "bez": ("pl", "cs"),
    "sans": ("fr",),
    "nem": ("hu", "pt"),
}
_IN_COMPOUNDS = re.compile(
    r"不仅|不僅|不但|不同|不断|不斷|未来|未來|非常|无论|無論|无线|無線|少なくない|かもしれない|なければならない|않을 수 없"
)
_FRENCH_PAIR = re.compile(r"(?<!\w)(?:ne\s|n['’])", re.IGNORECASE)

_PREPOSITIONS = frozenset(
    ("in", "aus", "nach", "von", "bei", "durch", "für", "mit", "an")
)  # before a German name, without an article
_KATAKANA = re.compile(r"[ァ-ヺー・]{3,}")


def readings(text: str) -> list[Reading]:
    """What each number of a text may be, in its order; digits of every script, with . or , or a space between them.

    >>> [sorted(one) for one in readings("1.250,50 Euro, ٣٤ / 1,250")]
    [['1250.5'], ['34'], ['1.25', '1250']]
    >>> [sorted(one) for one in readings("1.2 million; 二零二一年")]
    [['1.2', '1200000'], ['2021']]
    """
    return [reading for _, reading in _numbers(text)]


def numbers_missing(claim: str, passage: str) -> list[str]:
    """The numbers of the claim that the passage does not have, as the claim writes them.

    >>> numbers_missing("It cost 1.250,00 Euro in 1999.", "Im Jahr 1998 kostete es 1,250 Euro.")
    ['1999']
    """
    wanted = _numbers(claim)
    if not wanted:
        return []
    words = _WORD.findall(passage.lower())
    have = set[str]().union(*readings(passage)) | {value for word in words if (value := _WORDS.get(word))}
    have |= {str(value) for char in passage if (value := _CJK_DIGITS.get(char)) is not None}
    return [written for written, reading in wanted if not reading & have]


def _numbers(text: str) -> list[tuple[str, Reading]]:
    """Each number as it is written, and what it may be."""
    plain = _ascii_digits(text)  # of the same length
    found: list[tuple[str, Reading]] = []
    for match in _SEPARATED.finditer(plain):
        behind, written = plain[match.end() : match.end() + 16], text[match.start() : match.end()]
        found += [(written, frozenset(one | _scaled(one, behind))) for one in _parts(match.group())]
    numerals = (match.group() for match in _CJK_NUMERAL.finditer(text) if len(match.group()) > 1)
    return found + [(numeral, frozenset((str(_cjk_value(numeral)),))) for numeral in numerals]


def names(text: str, language: str = "und") -> list[str]:
    """Words that name something: with a capital inside a sentence, or in runs of katakana.

    The first word is told by the one behind it. In German, where nouns have capitals too, only runs of such words, and those
    behind a preposition without an article.

    >>> names("In 2021 Maria Okafor moved to Lagos."), names("Der Vertrag mit Jörg Quandel gilt in Berlin.", "de")
    (['Maria', 'Okafor', 'Lagos'], ['Jörg', 'Quandel', 'Berlin'])
    """
    words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]
    capital = [word[0].isupper() and len(word) > 1 for word, _, _ in words]
    joined = [text[first[2] : second[1]] == " " for first, second in pairwise(words)]
    counts = [False] * len(words)  # German: a unit behind a number, and what it measures
    found: list[str] = []
    for at, (word, start, _) in enumerate(words):
        if not capital[at]:
            continue
        begins = at == 0 or _begins(text, start)
        after = at + 1 < len(words) and joined[at] and capital[at + 1]
        before = at > 0 and joined[at - 1] and capital[at - 1] and not (at == 1 or _begins(text, words[at - 1][1]))
        if language == "de":
            counts[at] = text[:start].rstrip()[-1:].isdigit() or (before and counts[at - 1])
            named = not counts[at] and (
                (after and not begins) or before or (at > 0 and joined[at - 1] and words[at - 1][0] in _PREPOSITIONS)
            )
        else:
            named = not begins or after or (word.isupper() and len(word) > 2)
        if named:
            found.append(word)
    return found + _KATAKANA.findall(text)


def is_named(name: str, passage: str) -> bool:
    """Whether a passage has a name, also in another case or with an ending; inside another word only in scripts without case.

    >>> is_named("Okafors", "von Maria Okafor"), is_named("Москве", "Москва велика"), is_named("Ann", "the annual fee")
    (True, True, False)
    """
    wanted, whole = _plain(name), _plain(passage)
    if wanted.upper() == wanted:  # no capitals: a script that may write words without spaces
        found = wanted in whole
    else:
        found = re.search(rf"(?<![^\W\d_]){re.escape(wanted)}(?![^\W\d_])", whole) is not None
    words = _plain_words(passage)
    return found or wanted in words or any(_same_stem(wanted, word) for word in words)


def negations(text: str, language: str = "und") -> int:
    """How many words of a text negate it; a French pair (ne … pas) is one."""
    if language == "fr":
        return len(_FRENCH_PAIR.findall(text)) or len(re.findall(r"(?<!\w)(?:sans|jamais|aucune?)(?!\w)", text, re.IGNORECASE))
    found = 0
    for match in _NEGATIONS.finditer(_IN_COMPOUNDS.sub(" ", text)):
        homes = _AT_HOME.get(match.group().lower())
        found += homes is None or language in homes
    return found


def _begins(text: str, start: int) -> bool:
    """Whether a word opens a sentence or a quotation."""
    before = text[:start].rstrip(" \"'“„«‘([*_-–—")
    return not before or before[-1] in ".!?:;…\n"


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in spread if not unicodedata.combining(char))


@lru_cache(maxsize=256)
def _plain_words(passage: str) -> frozenset[str]:
    """The words as they are compared; taken apart before too, since what stands behind one (™) may become letters."""
    return frozenset((*_WORD.findall(_plain(passage)), *map(_plain, _WORD.findall(passage))))


def _same_stem(first: str, second: str) -> bool:
    """Whether two words differ in their endings alone."""
    longer = max(len(first), len(second))
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    return shared >= 3 and shared >= longer - max(1, longer // 3)


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() and not char.isascii() else char for char in text)


def _parts(number: str) -> Iterator[set[str]]:
    """The numbers that one run of digits and separators stands for."""
    bare = number.replace("٬", ",").replace("٫", ".").replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")
    pieces = re.split(r"[^\d]", bare)
    marks = re.sub(r"\d", "", bare)
    if not marks:
        yield {_decimal(bare)}
    elif "/" in marks or "-" in marks:
        yield from _date(pieces)
    elif len(set(marks)) > 1 and marks[:-1].count(marks[0]) == len(marks) - 1 and marks[-1] in ".,":
        yield {_decimal(f"{''.join(pieces[:-1])}.{pieces[-1]}")}
    elif len(marks) > 1 and not all(len(piece) == 3 for piece in pieces[1:]):
        yield from _date(pieces)
    elif marks[0] in "' " or len(marks) > 1:
        yield {_decimal("".join(pieces))}
    elif len(pieces[1]) == 3 and 1 <= len(pieces[0]) <= 3:
        yield {_decimal("".join(pieces)), _decimal(".".join(pieces))}
    else:
        yield {_decimal(".".join(pieces))}


def _date(pieces: Sequence[str]) -> Iterator[set[str]]:
    """Day and year of a date, whose month a passage may name in letters; otherwise all pieces (a version)."""
    values = [_decimal(piece) for piece in pieces]
    is_date = len(pieces) == 3 and (len(pieces[0]) == 4 or len(pieces[2]) == 4) and int(pieces[1]) <= 12
    for at, value in enumerate(values):
        if not (is_date and at == 1):
            yield {value}


def _decimal(text: str) -> str:
    whole, _, part = text.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def _scaled(values: set[str], behind: str) -> set[str]:
    """What the numbers are with the word behind them: 1.2 million."""
    for power, pattern in _SCALE.items():
        if pattern.match(behind):
            return {_shifted(value, power) for value in values}
    return set()


def _shifted(value: str, power: int) -> str:
    whole, _, part = value.partition(".")
    return _decimal(f"{whole}{part[:power].ljust(power, '0')}.{part[power:]}")


def _cjk_value(numeral: str) -> int:
    """The value of a Chinese numeral, by places (二零二一) or by units (三千四百)."""
    if all(char in _CJK_DIGITS for char in numeral):
        return int("".join(str(_CJK_DIGITS[char]) for char in numeral))
    total, section, digit = 0, 0, None
    for char in numeral:
        if char in _CJK_DIGITS:
            digit = _CJK_DIGITS[char]
        elif char in _CJK_UNITS:
            section += (1 if digit is None else digit) * _CJK_UNITS[char]
            digit = None
        else:
            total += (section + (digit or 0) or 1) * _CJK_MYRIADS[char]
            section, digit = 0, None
    return total + section + (digit or 0)
