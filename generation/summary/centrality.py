"""How central each sentence of a text is: LexRank over the lexical vectors, so in every language, and without a model.

Source: Erkan and Radev, LexRank: Graph-based Lexical Centrality as Salience in Text Summarization, JAIR 22 (2004), its
continuous form (section 3.3); the prior in place of the uniform jump is Otterbacher, Erkan and Radev's biased LexRank (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phidex.retrieval.lexical import passage_vector, query_vector
from phidex.retrieval.store import Indices

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_DAMPING = 0.85
_ROUNDS = 40
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class SentenceMatrix:
    """Sentences as rows of unit length over the terms of their text, each weighted by its rarity there.

    Args:
        rows, columns, values: of the entries; int64, int64, float64, ascending by row.
        terms, rarity: of the columns, ascending by term; uint32, float64.
        shape: sentences, terms.
    """

    rows: Places
    columns: Places
    values: Floats
    terms: Indices
    rarity: Floats
    shape: tuple[int, int]

    @staticmethod
    def of(texts: Sequence[str]) -> SentenceMatrix:
        """About 0.2 ms a sentence."""
        vectors = [passage_vector(text) for text in texts]
        count = len(vectors)
        rows = np.repeat(np.arange(count), [len(vector.indices) for vector in vectors]).astype(np.int64)
        empty = np.zeros(0, dtype=np.uint32)
        terms, columns = np.unique(np.concatenate([empty, *(one.indices for one in vectors)]), return_inverse=True)
        columns = columns.astype(np.int64)
        having = np.bincount(columns, minlength=len(terms))
        values = np.concatenate([empty.astype(np.float32), *(one.values for one in vectors)]).astype(np.float64)
        rarity = np.log((1 + count) / (0.5 + having))
        values = values * rarity[columns]
        norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=count))
        return SentenceMatrix(rows, columns, values / np.maximum(norms, 1e-12)[rows], terms, rarity, (count, len(terms)))

    def similarity_times(self, weights: Floats) -> Floats:
        """The matrix of all cosines, its diagonal 0, times a vector; never built: that costs the entries, not their square."""
        count, terms = self.shape
        by_term = np.bincount(self.columns, weights=self.values * weights[self.rows], minlength=terms)
        by_row = np.bincount(self.rows, weights=self.values * by_term[self.columns], minlength=count)
        return np.maximum(by_row - weights, 0.0)

    def shares(self, titles: Sequence[str]) -> Floats:
        """Of each row, which share of a title's terms it has, rarer ones counting more, in [0, 1]; one title a row."""
        columns = {title: self._columns_of(title) for title in dict.fromkeys(titles)}
        borders = np.searchsorted(self.rows, np.arange(len(titles) + 1))
        found = np.zeros(len(titles))
        for at, title in enumerate(titles):
            wanted = columns[title]
            if wanted.size:
                have = np.isin(wanted, self.columns[borders[at] : borders[at + 1]])
                found[at] = self.rarity[wanted[have]].sum() / self.rarity[wanted].sum()
        return found

    def _columns_of(self, text: str) -> Places:
        wanted = query_vector(text).indices
        return np.flatnonzero(np.isin(self.terms, wanted))

    def similarities(self, chosen: Sequence[int]) -> Floats:
        """Cosines of the chosen rows among themselves, (n, n)."""
        count, _ = self.shape
        places = np.full(count, -1, dtype=np.int64)
        places[np.asarray(chosen, dtype=np.int64)] = np.arange(len(chosen))
        mine = places[self.rows] >= 0
        used, columns = np.unique(self.columns[mine], return_inverse=True)
        dense = np.zeros((len(chosen), len(used)), dtype=np.float64)
        dense[places[self.rows[mine]], columns] = self.values[mine]
        return dense @ dense.T


def centrality(matrix: SentenceMatrix, prior: Floats) -> Floats:
    """How central each sentence is, the most central 1.

    Args:
        prior: how much each sentence counts before it is read, > 0.
    """
    count = matrix.shape[0]
    if count == 0:
        return np.zeros(0)
    jump = prior / prior.sum()
    degree = matrix.similarity_times(np.ones(count))
    safe = np.maximum(degree, 1e-12)
    rank = jump.copy()
    for _ in range(_ROUNDS):
        walked = matrix.similarity_times(np.where(degree > 0, rank / safe, 0.0))
        fresh = (1 - _DAMPING) * jump + _DAMPING * walked
        fresh /= fresh.sum()
        moved = float(np.abs(fresh - rank).sum())
        rank = fresh
        if moved < _CLOSE:
            break
    return rank / rank.max()
