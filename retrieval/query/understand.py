"""Question -> Query: what can be read off a question without a model, in a fraction of a millisecond.

Only inline operators (`kind:code`) limit the search. A page, time or day that the question speaks of is a hint: "page 12" may
as well be content.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from phidex.ingest.language import detect_language
from phidex.retrieval.filters import Filters
from phidex.retrieval.query.names import names_in, phrases_in
from phidex.retrieval.query.operators import Operators, take_operators
from phidex.retrieval.query.places import Days, dates_in, has_number, pages_in, times_in
from phidex.retrieval.query.words import all_words, every_ask

Style = Literal["keywords", "question", "code", "reference"]
_NO_FILTERS = Filters()
_HEAD = 600  # characters that are read for names, places and operators: a longer text is a document, searched as it is
_SHORT = 6  # words: a longer text says more than where to look
_LONE = re.compile("[\ud800-\udfff]")  # half a character: nothing that encodes text takes it
_CODE = re.compile("[a-z_-]{2}|[^A-Z0-9-]")  # COVID-19 is no code
_SPACELESS = frozenset(("zh", "ja", "th"))
_FILE_NAME = re.compile(r"[^\s/\\]\.[A-Za-z][A-Za-z0-9]{1,4}\Z")
_SCRIPTS = tuple(
    (name, re.compile(f"[{letters}]"))
    for name, letters in (
        ("Latn", "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff"),
        ("Cyrl", "\u0400-\u052f"),
        ("Grek", "\u0370-\u03ff\u1f00-\u1fff"),
        ("Hebr", "\u05d0-\u05f2"),
        ("Arab", "\u0620-\u06ff\u0750-\u077f"),
        ("Deva", "\u0900-\u097f"),
        ("Thai", "\u0e00-\u0e7f"),
        ("Hang", "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"),
        ("Hira", "\u3041-\u309f"),
        ("Kana", "\u30a0-\u30ff\u31f0-\u31ff"),
        ("Hani", "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"),
    )
)


@dataclass(frozen=True, slots=True)
class Query:
    """A question, understood.

    Args:
        text: what is searched: the question without operators.
        original: the question as it was asked.
        language: ISO 639-1, or "und"; `language_score` in [0, 1].
        scripts: ISO 15924 names of the scripts of its letters ("Latn", "Hani"), most frequent first.
        phrases: what it puts in quotation marks.
        symbols: identifiers, flags and error codes.
        files: file names and paths.
        pages: first and last page that it speaks of.
        times_s: start and end in seconds of the stretch of a recording that it speaks of; equal for a moment.
        dates: the days that it speaks of, each as first and last day.
        filters: what its operators say; `operators` are these as they were written.
        style: how it is asked: loose words, a whole question, about code, or naming a place in a document.
        warnings: what looked like an operator and is none, in sentences for people.
    """

    text: str
    original: str
    language: str = "und"
    language_score: float = 0.0
    scripts: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None
    times_s: tuple[float, float] | None = None
    dates: tuple[Days, ...] = ()
    filters: Filters = _NO_FILTERS
    operators: tuple[str, ...] = ()
    style: Style = "keywords"
    warnings: tuple[str, ...] = ()


def understand(question: str) -> Query:
    """What `question` says; never fails, and every word of it is in `text` or in one of the `operators`."""
    text = " ".join(_LONE.sub("\ufffd", question).split())
    cut = len(text) if len(text) <= _HEAD else max(text.rfind(" ", 0, _HEAD), 0)
    head, tail = text[:cut], text[cut:]
    taken = take_operators(head) if ":" in head or "：" in head else Operators(head, Filters(), (), ())
    head, text = taken.text, (taken.text + tail).strip()
    language, score = detect_language(text)
    plain = head.lower() if head.isascii() else unicodedata.normalize("NFKC", head).lower()
    phrases = phrases_in(head)
    symbols, files = names_in(head)
    if quoted := [phrase for phrase in phrases if _FILE_NAME.search(phrase)]:  # "Annual report.pdf": not report.pdf
        files = (*(name for name in files if not any(phrase.endswith(name) for phrase in quoted)), *quoted)
    pages = times = None
    dates: tuple[Days, ...] = ()
    if has_number(plain):
        pages, times, dates = pages_in(plain), times_in(plain), dates_in(plain, language)
    return Query(
        text=text,
        original=question,
        language=language,
        language_score=score,
        scripts=scripts_in(text),
        phrases=phrases,
        symbols=symbols,
        files=files,
        pages=pages,
        times_s=times,
        dates=dates,
        filters=taken.filters,
        operators=taken.written,
        style=_style(plain, language, symbols, bool(files or pages)),
        warnings=taken.warnings,
    )


def scripts_in(text: str) -> tuple[str, ...]:
    """ISO 15924 names of the scripts of its letters, most frequent first.

    >>> scripts_in("東京 and Киев и Минск")
    ('Cyrl', 'Latn', 'Hani')
    """
    if text.isascii():
        return ("Latn",) if any(map(str.isalpha, text)) else ()
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS}
    return tuple(sorted((name for name, count in counts.items() if count), key=lambda name: -counts[name]))


def is_question(plain: str, language: str) -> bool:
    """Whether a lower-case text asks in a sentence: by its mark, or by how its language begins or ends a question."""
    bare = plain.rstrip(" .!\"'”»」")
    if bare.endswith(("?", "؟", ";")):
        return not bare.endswith(";") or language == "el"
    first = bare.lstrip("¿¡\"'„“«「 ").partition(" ")[0]
    words = all_words().get(language)
    if words is None:
        return first in every_ask()
    if words.tail and bare.endswith(words.tail) and (language != "ja" or len(bare) > 4):
        return True
    if language in _SPACELESS:
        return any(ask in bare for ask in words.asks)
    return first in words.asks


def _style(plain: str, language: str, symbols: tuple[str, ...], names_place: bool) -> Style:
    if any(_CODE.search(name) for name in symbols):
        return "code"
    asks = is_question(plain, language)
    if names_place and not asks and plain.count(" ") < _SHORT:
        return "reference"
    return "question" if asks else "keywords"
