"""How well a passage supports a sentence, without a model: shared terms, rarer ones counting more; numbers must agree."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phidex.generation.facts import numbers_missing
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.lexical import query_vector

CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
"""A character of Chinese or Japanese: text in them is short for what it says."""


def terms(text: str) -> frozenset[int]:
    """The distinct terms of a text, as the lexical leg sees them: words and n-grams in every script."""
    return frozenset(query_vector(text).indices.tolist())


_LEAST = 0.05  # weight of a term that every passage has


@dataclass(frozen=True, slots=True)
class Rarity:
    """How much a term tells, from how many of some passages have it; what all of them have (articles) tells nothing."""

    passages: int
    having: Mapping[int, int]

    @staticmethod
    def of(texts: Iterable[str]) -> Rarity:
        """Counted over these passages."""
        counts: Counter[int] = Counter()
        total = 0
        for text in texts:
            counts.update(terms(text))
            total += 1
        return Rarity(total, counts)

    def weight(self, term: int) -> float:
        """At least 0.05; log((1 + passages) / (having + 0.5))."""
        return max(_LEAST, math.log((1 + self.passages) / (self.having.get(term, 0) + 0.5)))

    def coverage(self, claim: frozenset[int], passage: frozenset[int]) -> float:
        """The weighted share of the claim's terms that the passage has, in [0, 1]; 0 for a claim without terms."""
        whole = sum(map(self.weight, claim))
        return sum(map(self.weight, claim & passage)) / whole if whole else 0.0

    def support(self, claim: frozenset[int], passage: frozenset[int]) -> float:
        """As `coverage`, for text that was written from the passages.

        A term that none of them has counts no more than one that a single passage has: in few passages common words ("whether")
        are missing too.
        """
        once = max(_LEAST, math.log((1 + self.passages) / 1.5))
        whole = sum(min(once, self.weight(term)) for term in claim)
        return sum(min(once, self.weight(term)) for term in claim & passage) / whole if whole else 0.0


def best_sentence(claim: str, passage: str, rarity: Rarity) -> tuple[str, float]:
    """The sentence of the passage that covers the claim best, verbatim, and how much of it (in [0, 1])."""
    wanted = terms(claim)
    best, score = "", 0.0
    for start, end in sentence_spans(passage):
        sentence = passage[start:end]
        covered = rarity.support(wanted, terms(sentence))
        if covered > score:
            best, score = sentence, covered
    return best, score


def numbers_agree(claim: str, passage: str) -> bool:
    """Whether every number of the claim stands in the passage, however it is written there.

    >>> numbers_agree("It was 1,200 in 1998.", "Im Jahr 1998 waren es 1.200."), numbers_agree("In 1999.", "In 1998.")
    (True, False)
    """
    return not numbers_missing(claim, passage)
