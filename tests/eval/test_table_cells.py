"""The table benchmark's own measure, and the bar itself on the pages kept in the repository."""

from __future__ import annotations

import pytest

from phidex.eval.bench.tables import DATA, Truth, find_ours, flat, from_markdown, measure, read_truth, right_cells

ROWS = [["Fruit", "Weight", "Price"], ["Apple", "182", "0.45"], ["Plum", "66", "0.20"], ["Fig", "50", "0.75"]]


def truth(rows: list[list[str]], header_rows: int = 1, spans: tuple[tuple[int, int, int, int], ...] = ()) -> Truth:
    return Truth("made.pdf", 1, "made", header_rows, spans, rows)


def test_the_same_table_is_all_right() -> None:
    assert right_cells(truth(ROWS), ROWS) == truth(ROWS).cell_count == 12


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ([["Fruit Weight", "Price"], ["Apple 182", "0.45"], ["Plum 66", "0.20"], ["Fig 50", "0.75"]], 4),  # two columns in one
        ([ROWS[0], ROWS[1], ["Plum Fig", "66 50", "0.20 0.75"]], 6),  # two rows in one
        ([["A", "caption", ""], *ROWS], 10),  # a row too many, which spoils two names of columns
        ([[*row, ""] for row in ROWS], 12),  # a column too many
        ([ROWS[0], ROWS[1], ["Plum", "0.20", "66"], ROWS[3]], 10),  # two cells exchanged
        ([ROWS[0], ROWS[2], ROWS[1], ROWS[3]], 9),  # two rows exchanged: one of them still in order
        ([["x", "y"], ["z", "w"]], 0),
    ],
)
def test_what_is_displaced_does_not_count(found: list[list[str]], right: int) -> None:
    assert right_cells(truth(ROWS), found) == right


def test_header_rows_count_as_one_however_they_are_found() -> None:
    known = truth([["", "Men", ""], ["Age", "old", "young"], ["1", "2", "3"]], 2, ((0, 1, 1, 2),))
    assert known.cell_count == 6
    assert right_cells(known, [["Age", "Men old", "Men young"], ["1", "2", "3"]]) == 6
    assert right_cells(known, [["", "Men", "Men"], ["Age", "old", "young"], ["1", "2", "3"]]) == 6
    assert flat([["a"], ["b"]], 1) == (["a"], [["b"]])


def test_markdown_gives_its_cells_back() -> None:
    assert from_markdown("Title\n\n| a | b\\|c |\n| --- | --- |\n|  | 2 |") == [["a", "b|c"], ["", "2"]]


def test_nine_of_ten_cells_of_real_tables_are_right() -> None:
    truths = [
        known for known in read_truth() if known.file in ("census.pdf", "r-data.pdf", "reference-ja.pdf", "strucplot.pdf")
    ]
    right, _, _ = measure(truths, find_ours, DATA)
    assert len(truths) > 8
    assert sum(right) >= 0.9 * sum(known.cell_count for known in truths)


def test_the_truth_is_well_formed() -> None:
    truths = read_truth()
    assert len(truths) >= 25
    for known in truths:
        assert (DATA / known.file).exists()
        assert len({len(row) for row in known.rows}) == 1
        assert known.rows[known.header_rows :]
        for row, column, height, width in known.spans:
            assert row + height <= len(known.rows)
            assert column + width <= len(known.rows[0])
