"""Telling embedding models apart by what they make of four texts, where their files cannot be looked at.

The same model in another number type or on another GPU gives nearly the same vectors: so a fingerprint is made of the signs of
random projections, and two of them agree when few signs differ (Charikar 2002: the share is the angle between the vectors).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Floats

# Of different kinds, so that a model trained further on any of them shows.
PROBES = (
    "The engineers measured the depth of the harbour every morning after the storm.",
    "where is it written when the contract ends?",
    "报告描述了风暴之后港口是如何重建的。",
    "def count_words(text: str) -> int:\n    return len(text.split())",
)
_KIND = "probe"
_BITS = 32  # of each probe
_TOLERATED = 12  # of 128: a cosine of 0.96. int8 at 0.99 differs in 6, another model in 64.


def fingerprint_of(vectors: Floats) -> str:
    """ "probe:" and 32 hex digits, of the vectors of `PROBES` as they come from a model: (4, dim)."""
    signs = np.einsum("pd,db->pb", vectors, _projection(vectors.shape[1])) > 0
    return f"{_KIND}:{np.packbits(signs).tobytes().hex()}"


def agree(one: str, other: str) -> bool:
    """Whether two fingerprints are of the same model; those of files are compared to the letter."""
    if not (one.startswith(_KIND) and other.startswith(_KIND)):
        return one == other
    different = int(one.partition(":")[2], 16) ^ int(other.partition(":")[2], 16)
    return different.bit_count() <= _TOLERATED


def same_vectors(one: EmbedderIdentity, other: EmbedderIdentity) -> bool:
    """Whether vectors of the two can stand in one collection."""
    return (
        (one.model, one.dim, one.query_prompt, one.passage_prompt)
        == (other.model, other.dim, other.query_prompt, other.passage_prompt)
    ) and agree(one.fingerprint, other.fingerprint)


@lru_cache(maxsize=4)
def _projection(dim: int) -> Floats:
    """(dim, 32), the same in every process and version: PCG64's stream is fixed (NEP 19), that of `Generator` is not."""
    bits = np.random.PCG64(20_240_817).random_raw(dim * _BITS)
    return ((bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - 1).reshape(dim, _BITS)
