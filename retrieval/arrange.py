"""Fused hits -> the order in which they are shown: what the question itself says counts beside what the legs say.

    name      the hit is called what the question names: a symbol, a file                       + 2
    title     a section whose title the question is begins in the hit                           + 1
    phrase    every phrase in quotation marks stands in the hit, word for word                  + 1
    place     the hit stands on the page, or at the time, that the question speaks of           + 0.5
    language  the passage, the document, are not in another language than the question          + 0.1 each
    code      of code, the lexical leg's score once more, scaled: its words are chosen names    + up to 0.5

All but the last are shares of the best fused score, so that they mean the same in every list. The language's is a preference:
where nothing in the question's language answers, all hits lack it alike; of two equal texts, the one in an edition of that
language comes first. Measured (eval/LOG.md): the language takes XQuAD, six languages in one collection, from MRR@10 0.945 to
0.947 (a share of 0.1 gives 0.946, of 1 no more than 0.2); `code` takes docstrings from 0.520 to 0.541, where a weight for the
whole lexical leg costs reworded questions about prose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from phidex.ingest.records import LineLocator, PageLocator, TimeLocator
from phidex.retrieval.fields import asked_names, code_names, title_names, titles_in
from phidex.retrieval.hit import Hit
from phidex.retrieval.lexical import normalize
from phidex.retrieval.query.understand import Query

_NAMED = 2.0
_SAID = 1.0
_AT_PLACE = 0.5
_LANGUAGE = 0.1  # for the passage, and once more for its document
_CODE = 0.5
_SURE = 0.5  # of the question's language
_TITLE_CHARS = 120
_HAN = frozenset(("zh", "ja", "yue", "wuu"))  # not to be told apart in a short question without kana
_NOBODY: frozenset[str] = frozenset()


def arrange(hits: Sequence[Hit], query: Query) -> list[Hit]:
    """The hits with what the question adds, best first; `Hit.boosts` says what that was."""
    if not hits:
        return []
    asked = _Asked(query)
    unit = max(hit.score for hit in hits)
    scale = _code_scale(hits)
    found: list[Hit] = []
    for hit in hits:
        boosts = {reason: unit * share for reason, share in asked.reasons(hit)}
        if hit.chunk.modality == "code" and scale is not None and (place := hit.why.get("lexical")):
            boosts["code"] = _CODE * (place.score - scale[0]) / scale[1]
        found.append(Hit(hit.chunk, hit.source, hit.score + sum(boosts.values()), hit.why, boosts, hit.also))
    return sorted(found, key=lambda hit: -hit.score)


def holds_phrases(hit: Hit, phrases: Sequence[str]) -> bool:
    """Whether all of them stand in the hit's text, whatever their case and white space."""
    text = " ".join(hit.chunk.text.split()).casefold()
    return all(" ".join(phrase.split()).casefold() in text for phrase in phrases)


class _Asked:
    """What a question says of its answer, made ready for many hits."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._symbols = asked_names("", query.symbols)
        self._files = frozenset(name.replace("\\", "/").lower().strip("./") for name in query.files)
        self._titles = frozenset(title_names(query.text)) if len(query.text) <= _TITLE_CHARS else _NOBODY
        self._words = [word for word in min(self._titles, key=len, default="").split() if word.isascii()]
        sure = query.language_score >= _SURE and query.language != "und"
        self._languages = frozenset((query.language, "und")) if sure else _NOBODY
        if self._languages & _HAN and query.scripts == ("Hani",):
            self._languages |= _HAN

    def reasons(self, hit: Hit) -> Iterator[tuple[str, float]]:
        """Why the hit is preferred, beside what the legs say, and by what share of the best score."""
        if (self._symbols or self._files) and self._is_named(hit):
            yield "name", _NAMED
        if self._titles and self._has_title(hit.chunk.text):
            yield "title", _SAID
        if self._query.phrases and holds_phrases(hit, self._query.phrases):
            yield "phrase", _SAID
        if (self._query.pages or self._query.times_s) and self._is_at_place(hit):
            yield "place", _AT_PLACE
        alike = (hit.chunk.language in self._languages) + (hit.source.language in self._languages)
        if alike:
            yield "language", _LANGUAGE * alike

    def _has_title(self, text: str) -> bool:
        plain = text.lower() if text.isascii() else normalize(text)  # most lack one of the words, which is told in no time
        return all(word in plain for word in self._words) and not self._titles.isdisjoint(titles_in(text))

    def _is_named(self, hit: Hit) -> bool:
        if self._symbols and hit.chunk.modality == "code" and not self._symbols.isdisjoint(code_names(hit.chunk)):
            return True
        if not self._files:
            return False
        path = hit.chunk.locator.path if isinstance(hit.chunk.locator, LineLocator) else ""
        places = [f"/{place.lower()}" for place in (unquote(hit.source.uri), hit.source.name, path)]
        return any(place.endswith(f"/{name}") for place in places for name in self._files)

    def _is_at_place(self, hit: Hit) -> bool:
        locator, pages, times = hit.chunk.locator, self._query.pages, self._query.times_s
        if isinstance(locator, PageLocator) and pages is not None:
            return pages[0] <= locator.page_number <= pages[1]
        if isinstance(locator, TimeLocator) and times is not None:
            return locator.start_s <= times[1] and times[0] <= locator.end_s
        return False


def _code_scale(hits: Sequence[Hit]) -> tuple[float, float] | None:
    """The lexical leg's least score among the hits, and how far its best stands above; None where no other leg was asked."""
    lexical = [place.score for hit in hits if (place := hit.why.get("lexical"))]
    if not lexical or not any("dense" in hit.why for hit in hits):
        return None
    span = max(lexical) - min(lexical)
    return (min(lexical), span) if span > 0 else None
