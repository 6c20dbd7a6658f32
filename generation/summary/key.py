"""The key sentences of texts: the central ones, each saying something else, spread over the sections, in document order.

Source: what a title says is Edmundson, New Methods in Automatic Extracting (JACM 16, 1969); what repeats is Carbonell and
Goldstein, The Use of MMR (SIGIR 1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phidex.generation.summary.candidates import Candidate, candidates
from phidex.generation.summary.centrality import Floats, SentenceMatrix, centrality
from phidex.generation.summary.matter import leans_back
from phidex.generation.support import CJK
from phidex.ingest.language import UNDETERMINED
from phidex.ingest.records import Chunk

_TELLS, _OPENS, _EARLY = 2.0, 1.0, 1.0  # added to a sentence's prior of 1
_EARLY_SHARE = 0.03  # of the sentences
_PRIOR_POWER = 0.15  # of the prior, once more behind the walk, which wears it down
_READABLE, _READABLE_CJK = 240, 105  # characters: a longer sentence is central by its length alone
_LENGTH_POWER = 0.7
_TITLED = 1.0  # added, times the share of its section's title that a sentence has
_LEANS, _FOREIGN = 0.6, 0.3  # times, for what leans on the sentence before it, and for another language than most of the text's
_RELEVANCE = 0.6  # beside the distance from what is chosen
_AGAIN = 0.3  # times, for each sentence that its section, or its text, has already
_POOL = 240  # best sentences that compete


@dataclass(frozen=True, slots=True)
class KeySentence:
    """A sentence that was chosen, and the section and text (by index) that it stands for."""

    candidate: Candidate
    section: str
    text_index: int


def key_sentences(texts: Sequence[Sequence[Chunk]], count: int) -> list[KeySentence]:
    """At most `count` sentences, in the order of the texts and within each in its own.

    About 0.5 ms a sentence of the texts.

    Args:
        texts: the chunks of each, in document order; of several, each is represented where `count` allows.
    """
    each = count if len(texts) == 1 else max(2, min(count, 4))
    found: list[KeySentence] = []
    scores: list[float] = []
    for index, chunks in enumerate(texts):
        listed = candidates(chunks)
        if not listed:
            continue
        sections = _sections(listed, count)
        matrix = SentenceMatrix.of([one.text for one in listed])
        score = _score(matrix, listed)
        for at in _chosen(matrix, score, sections, each):
            found.append(KeySentence(listed[at], sections[at], index))
            scores.append(float(score[at]))
    if len(found) > count:  # only of several texts
        matrix = SentenceMatrix.of([one.candidate.text for one in found])
        kept = _chosen(matrix, np.array(scores), [str(one.text_index) for one in found], count)
        found = [found[at] for at in kept]
    return found


def _score(matrix: SentenceMatrix, listed: Sequence[Candidate]) -> Floats:
    """The weights were chosen on seven manuals in five languages, and checked on others (eval/LOG.md)."""
    prior = _prior(listed)
    lengths = np.array([len(one.text) / (_READABLE_CJK if CJK.search(one.text) else _READABLE) for one in listed])
    score = centrality(matrix, prior) * np.maximum(1.0, lengths) ** -_LENGTH_POWER * prior**_PRIOR_POWER
    score *= 1 + _TITLED * matrix.shares([one.chunk.heading[-1] if one.chunk.heading else "" for one in listed])
    languages = Counter(one.chunk.language for one in listed)
    own = languages.most_common(1)[0][0]
    known = (own, UNDETERMINED)
    score *= [(_LEANS if leans_back(one.text) else 1.0) * (1.0 if one.chunk.language in known else _FOREIGN) for one in listed]
    return score / score.max()


def _prior(listed: Sequence[Candidate]) -> Floats:
    early = max(1.0, _EARLY_SHARE * len(listed))
    weights = [1.0 + _TELLS * one.tells + _OPENS * one.opens + _EARLY * (at < early) for at, one in enumerate(listed)]
    return np.array(weights)


def _sections(listed: Sequence[Candidate], count: int) -> list[str]:
    """The titles by which sentences are grouped: of the highest level that has enough of them, otherwise whole paths."""
    paths = [one.chunk.heading for one in listed]
    deepest = max(map(len, paths))
    for level in range(1, deepest + 1):
        if len({path[:level] for path in paths}) >= max(2, count // 2):
            return [" › ".join(path[:level]) for path in paths]
    return [" › ".join(path) for path in paths]


def _chosen(matrix: SentenceMatrix, score: Floats, sections: Sequence[str], count: int) -> list[int]:
    """Indices of the sentences chosen, ascending."""
    pool = np.sort(np.argsort(-score, kind="stable")[:_POOL])
    cosines = matrix.similarities(pool.tolist())
    nearest = np.zeros(len(pool))
    weight = np.ones(len(pool))
    left = np.ones(len(pool), dtype=bool)
    of_pool = [sections[at] for at in pool]
    chosen: list[int] = []
    for _ in range(min(count, len(pool))):
        value = _RELEVANCE * score[pool] * weight - (1 - _RELEVANCE) * nearest
        best = int(np.argmax(np.where(left, value, -np.inf)))
        left[best] = False
        chosen.append(int(pool[best]))
        nearest = np.maximum(nearest, cosines[best])
        same = np.array([section == of_pool[best] for section in of_pool])
        weight = np.where(same, weight * _AGAIN, weight)
    return sorted(chosen)
