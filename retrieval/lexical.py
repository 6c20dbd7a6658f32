"""Text -> sparse BM25 vector, for every script with one setting and no language detection.

Words, and the words in identifiers (`parse_file`, `parseFile`), plus character n-grams by script: 4-grams of alphabetic words
(with their borders), 1- and 2-grams of Chinese, Japanese and Korean, 3-grams of Thai, Lao, Khmer and Burmese. The engine
multiplies by IDF (Qdrant's IDF modifier); the term weights here are BM25's. On XQuAD in 15 languages this beats word tokenizers
by 17 points of recall@1 (docs/decisions). What counts for more than running text is told from outside (`retrieval/fields.py`).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np

from phidex.retrieval.store import Floats, Indices, SparseVector

ANALYZER_VERSION = "words-ngrams-fields/3"
"""Changes whenever the same text would get another vector; stored with a collection."""

_K1 = 1.2
_B = 0.75
AVERAGE_TERMS = 400.0  # of a passage of about 120 words; fixed, so that vectors do not depend on the rest of the collection
_NGRAM_WEIGHT = 0.5  # beside a whole word's 1; 0.5 was best on average over 15 languages
_FAINT_WEIGHT = 0.4  # XQuAD in ar, de, en, ru: recall@5 0.978 at 1, 0.981 at 0.5, 0.982 at 0.3, with less recall@1 below
_NAME_WEIGHT = 2.0  # of a whole name; about what a word can reach at most, and names are rarer

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_SEA = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u1000-\u103f\u1050-\u109f\u1780-\u17d3"
_MARKS = (  # combining signs that Python's \w leaves out, and that belong to their word: Indic vowels, points, accents
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u06d6-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0963\u0981-\u0983\u09bc-\u09cd"
    "\u0a01-\u0a51\u0a81-\u0acd\u0b01-\u0b57\u0b82-\u0bcd\u0c00-\u0c56\u0c81-\u0cd6\u0d00-\u0d57"
)
_RUN = re.compile(rf"(?:[^\W\d{_CJK}{_HANGUL}{_SEA}]|[{_MARKS}])+|[{_CJK}]+|[{_SEA}]+|[{_HANGUL}]+|\d+")
# parse_file, parseFile, HTMLParser, _private; starts at the start of a run, so that its time stays linear.
_COMPOUND = re.compile(r"(?<![A-Za-z_])[A-Za-z_]*(?:_|[a-z][A-Z]|[A-Z]{2}[a-z])[A-Za-z_]*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SPACELESS = re.compile(rf"(?P<cjk>[{_CJK}])|[{_SEA}]")
_SCRIPT = re.compile(rf"(?P<hangul>[{_HANGUL}])|(?P<digits>\d)")
# Arabic vowel signs and the tatweel, Hebrew points: written or not at will.
_OPTIONAL_MARKS = re.compile("[\u064b-\u065f\u0670\u0640\u0591-\u05c7]")
_GREEK_ACCENTED = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")


def normalize(text: str) -> str:
    """Compatibility forms, case, optional marks and Greek accents folded away.

    >>> normalize("ΆΛΦΑ Straße ﬁn")
    'αλφα strasse fin'
    """
    if text.isascii():
        return text.lower()
    folded = _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return _GREEK_ACCENTED.sub(lambda match: unicodedata.normalize("NFD", match.group())[0], folded)


def _term_id(term: str) -> int:
    return zlib.crc32(term.encode())


def _name(name: str) -> int:
    """Id of a whole name."""
    return _term_id("\x03" + name)


def _ngrams(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(len(text) - size + 1)]


@lru_cache(maxsize=1 << 17)
def _word(run: str) -> int:
    """Id of a whole word."""
    return _term_id("\x01" + run)


@lru_cache(maxsize=1 << 17)
def _grams(run: str) -> tuple[int, ...]:
    """Ids of a word's n-grams, with repetitions. Cached, since words repeat: this is where the time goes."""
    script = _SCRIPT.match(run)
    match script and script.lastgroup:
        case "hangul":
            return tuple(_term_id("\x02" + gram) for size in (1, 2) for gram in _ngrams(run, size))
        case "digits":
            return ()
        case _:
            framed = f"^{run}$"
            return tuple(_term_id("\x02" + gram) for gram in _ngrams(framed, 4)) if len(framed) > 4 else ()


@lru_cache(maxsize=1 << 16)
def _parts(compound: str) -> tuple[int, ...]:
    """Ids of the words that an identifier is made of, each as if it stood alone."""
    return tuple(_word(part.lower()) for part in _PART.findall(compound) if len(part) > 1)


def _spaceless_grams(run: str) -> list[str]:
    """N-grams of a run in a script without spaces. Such runs are clauses, which do not repeat: a cache would only grow."""
    script = _SPACELESS.match(run)
    if script and script.lastgroup:
        return [*run, *_ngrams(run, 2)]
    return _ngrams(run, 3) or [run]


def _count_terms(text: str) -> tuple[Counter[int], Counter[int]]:
    """How often each word and each n-gram occurs; an identifier counts as itself and as the words in it."""
    parts = chain.from_iterable(map(_parts, _COMPOUND.findall(text)))
    text = normalize(text)
    runs: list[str] = _RUN.findall(text)
    spaceless: list[str] = []
    if not text.isascii() and _SPACELESS.search(text):
        spaceless = [run for run in runs if _SPACELESS.match(run)]
        runs = [run for run in runs if not _SPACELESS.match(run)]
    grams = Counter(chain.from_iterable(map(_grams, runs)))
    for gram, count in Counter(chain.from_iterable(map(_spaceless_grams, spaceless))).items():
        grams[_term_id(gram)] += count
    return Counter(chain(map(_word, runs), parts)), grams


def passage_vector(
    text: str,
    *,
    fields: Sequence[tuple[str, float]] = (),
    names: Iterable[str] = (),
    average_terms: float = AVERAGE_TERMS,
    share: float = 1.0,
) -> SparseVector:
    """BM25 weights of a passage's terms, without IDF.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), eq. 3.15; `fields` as in its
    BM25F (section 3.6), but not counted in the length.

    Args:
        fields: what stands in the passage and says what it is about, and how many times more each occurrence in it counts.
        names: what the passage is called, each a term of its own: only a query that asks for the same name has it.
        average_terms: the length, in terms, at which a passage is neither favoured nor held back.
        share: what all weights are multiplied with.
    """
    words, grams = _count_terms(text)
    saturation = _K1 * (1 - _B + _B * (words.total() + grams.total()) / average_terms)
    for field, weight in fields:
        for counts, more in zip((words, grams), _count_terms(field), strict=True):
            for term, count in more.items():
                counts[term] += weight * count  # pyright: ignore[reportArgumentType]  # a Counter holds any number
    indices, frequencies = _arrays(words, grams)
    values = (frequencies * (_K1 + 1) / (frequencies + saturation)).astype(np.float32)
    values[len(words) :] *= _NGRAM_WEIGHT
    called = np.array([_name(name) for name in names], dtype=np.uint32)
    weights = np.concatenate([values * np.float32(share), np.full(len(called), _NAME_WEIGHT, dtype=np.float32)])
    return _sorted(np.concatenate([indices, called]), weights)


def query_vector(text: str, names: Iterable[str] = (), faint: Collection[str] = ()) -> SparseVector:
    """Weight 1 for each distinct term of a question, and for each of the names that it asks for.

    `faint` are words, in lower case, that say nothing of its subject ("how", "is"): what only they have counts for less.
    """
    weights = dict.fromkeys(chain(*_count_terms(text)), 1.0)
    words = text.split()
    telling = [word for word in words if word.lower().strip("¿?¡!.,;:") not in faint]
    if faint and 0 < len(telling) < len(words):
        subject = set(chain(*_count_terms(" ".join(telling))))
        weights = {term: 1.0 if term in subject else _FAINT_WEIGHT for term in weights}
    weights |= dict.fromkeys(map(_name, names), 1.0)
    terms = sorted(weights)
    return SparseVector(np.array(terms, dtype=np.uint32), np.array([weights[term] for term in terms], dtype=np.float32))


def _arrays(words: Counter[int], grams: Counter[int]) -> tuple[Indices, Floats]:
    """Term ids, words first, and their frequencies."""
    size = len(words) + len(grams)
    indices = np.fromiter(chain(words, grams), dtype=np.uint32, count=size)
    return indices, np.fromiter(chain(words.values(), grams.values()), dtype=np.float32, count=size)


def _sorted(indices: Indices, values: Floats) -> SparseVector:
    """Ascending and distinct: a word and an n-gram whose ids collide (one pair in 4 billion) keep the first."""
    distinct, first = np.unique(indices, return_index=True)
    return SparseVector(distinct, values[first])
