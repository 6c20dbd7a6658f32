"""How sure a mean is, and whether two systems differ: bootstrap intervals, a paired randomisation test, Cohen's kappa.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals; Smucker, Allan and Carterette, A
Comparison of Statistical Significance Tests for Information Retrieval Evaluation (2007); Cohen, A Coefficient of Agreement
(1960).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

ROUNDS = 10_000
_EXACT = 13  # pairs that differ: up to here every one of the 2**n signings is looked at
_BATCH = 500  # rounds at a time: memory stays at 500 times the number of questions


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval over questions."""

    value: float
    low: float
    high: float
    count: int

    def to_dict(self) -> dict[str, float]:
        """JSON-ready values."""
        return asdict(self)


def mean_of(values: Sequence[float], *, seed: int = 0, rounds: int = 2_000, level: float = 0.95) -> Mean:
    """The mean and its bootstrap percentile interval; of no values, zeros.

    >>> mean_of([1.0, 1.0, 1.0])
    Mean(value=1.0, low=1.0, high=1.0, count=3)
    """
    if not values:
        return Mean(0.0, 0.0, 0.0, 0)
    data = np.asarray(values, np.float64)
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            data[generator.integers(0, len(data), (min(_BATCH, rounds - at), len(data)))].mean(axis=1)
            for at in range(0, rounds, _BATCH)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Mean(float(data.mean()), float(low), float(high), len(data))


def paired_p(first: Sequence[float], second: Sequence[float], *, seed: int = 0, rounds: int = ROUNDS) -> float:
    """The two-sided probability of so large a mean difference if each pair's two values were dealt out by chance.

    Exact up to 13 pairs that differ; otherwise by random signs, the observed one counted among them.

    Raises:
        ValueError: there are not as many of one as of the other.

    >>> paired_p([1, 1, 1], [1, 1, 1]), paired_p([1, 1, 1], [0, 0, 0])
    (1.0, 0.25)
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values beside {len(second)}")
    all_differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    differences = all_differences[all_differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) - 1e-9 * np.abs(differences).sum()  # sums in another order differ in the last bits
    if len(differences) <= _EXACT:
        every = np.asarray(list(itertools.product((-1, 1), repeat=len(differences))), np.int64)
        return int(np.count_nonzero(np.abs(every @ differences) >= observed)) / len(every)
    generator = np.random.default_rng(seed)
    extreme = 0
    for at in range(0, rounds, _BATCH):
        signs = generator.integers(0, 2, (min(_BATCH, rounds - at), len(differences))) * 2 - 1
        extreme += int(np.count_nonzero(np.abs(signs @ differences) >= observed))
    return (extreme + 1) / (rounds + 1)


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Cohen's kappa of two who labelled the same things: 1 for the same labels, 0 for no more than chance gives.

    Raises:
        ValueError: there are not as many of one as of the other, or none.

    >>> round(kappa("yynn", "ynnn"), 3)
    0.5
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} labels beside {len(second)}")
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / len(first)
    counts, others = Counter(first), Counter(second)
    chance = sum(counts[label] * others[label] for label in counts) / len(first) ** 2
    return (agreed - chance) / (1 - chance) if chance < 1 else 1.0
