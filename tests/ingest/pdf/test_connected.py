"""Rectangles that hang together on a grid, compared with what following every cell finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phidex.ingest.pdf.connected import connected

Span = tuple[int, int, int, int]


def rectangle(x: int, y: int, width: int, height: int) -> Span:
    return x, y, x + width, y + height


SPANS = st.lists(
    st.builds(rectangle, st.integers(0, 40), st.integers(0, 40), st.integers(0, 25), st.integers(0, 25)),
    min_size=1,
    max_size=25,
)


def cells(span: Span) -> set[tuple[int, int]]:
    """The cells that count: all, or those of the rim where there are more than 400."""
    x0, y0, x1, y1 = span
    every = {(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)}
    return every if len(every) <= 400 else {(x, y) for x, y in every if x in (x0, x1) or y in (y0, y1)}


def followed(spans: list[Span]) -> list[frozenset[int]]:
    """For each rectangle the numbers of its group."""
    covered = [cells(span) for span in spans]
    groups: list[frozenset[int]] = []
    for first in range(len(spans)):
        group, reach = {first}, set(covered[first])
        while more := {i for i, held in enumerate(covered) if i not in group and held & reach}:
            group |= more
            reach |= set[tuple[int, int]]().union(*(covered[i] for i in more))
        groups.append(frozenset(group))
    return groups


@given(SPANS)
def test_groups_are_those_that_following_the_cells_finds(spans: list[Span]) -> None:
    labels = connected(np.array(spans, np.intp))
    assert [frozenset(i for i, label in enumerate(labels) if label == own) for own in labels] == followed(spans)


def test_a_frame_does_not_join_what_stands_in_it() -> None:
    frame, inside, on_the_rim = (0, 0, 30, 30), (10, 10, 12, 12), (28, 5, 33, 6)
    labels = connected(np.array([frame, inside, on_the_rim], np.intp))
    assert labels[0] == labels[2] != labels[1]


def test_neighbours_that_share_no_cell_are_apart() -> None:
    first, second = connected(np.array([(0, 0, 1, 1), (2, 0, 3, 1)], np.intp))
    assert first != second
