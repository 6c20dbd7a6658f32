"""Fusion: what one leg is sure of survives the other's doubts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phidex.retrieval.fuse import fuse, spread


def leg(*scores: float, prefix: str = "") -> list[tuple[str, float]]:
    return [(f"{prefix}{index}", score) for index, score in enumerate(scores)]


def test_a_peaked_lexical_leg_leads() -> None:
    lexical = leg(30.0, *([5.0] * 40), prefix="l")
    dense = leg(0.6, *([0.5] * 40), prefix="d")
    assert fuse(lexical, dense, 99)[0][0] == "l0"


def test_a_flat_lexical_leg_gives_way() -> None:
    lexical = leg(*(10.0 - 0.05 * i for i in range(60)), prefix="l")
    dense = leg(*(0.6 - 0.01 * i for i in range(60)), prefix="d")
    assert [key for key, _ in fuse(lexical, dense, 5)] == ["d0", "d1", "d2", "d3", "d4"]


def test_one_leg_alone_keeps_its_order() -> None:
    only = leg(3.0, 2.0, 1.0)
    assert [key for key, _ in fuse(only, [], 9)] == [key for key, _ in fuse([], only, 9)] == ["0", "1", "2"]
    assert fuse(leg(), leg(), 9) == []


def test_equal_scores_are_all_kept() -> None:
    assert {key for key, _ in fuse(leg(1.0, 1.0, 1.0), [], 9)} == {"0", "1", "2"}


scores = st.lists(st.floats(0.01, 50), max_size=40).map(lambda found: leg(*sorted(found, reverse=True)))


@given(scores, scores)
def test_every_hit_comes_once_best_first(lexical: list[tuple[str, float]], dense: list[tuple[str, float]]) -> None:
    fused = fuse(lexical, dense, 99)
    assert {key for key, _ in fused} == {key for key, _ in [*lexical, *dense]}
    assert len({key for key, _ in fused}) == len(fused)
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    assert 0 <= spread(lexical) <= 1
