"""The benchmark of the citation check: its data, and that it measures what it says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from phidex.eval.bench.claims import CLAIMS, altered_pairs, judge_all, load_pairs, report


def test_the_set_is_balanced_and_says_each_thing_once() -> None:
    rows = [json.loads(line) for line in CLAIMS.read_text("utf-8").splitlines()]
    assert len(rows) >= 120
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(row["claim"], row["passage"]) for row in rows}) == len(rows)
    assert len({row["language"] for row in rows}) >= 6
    labels = Counter(row["label"] for row in rows)
    assert set(labels) == {"supported", "unsupported"}
    assert min(labels.values()) > 0.4 * len(rows)
    assert all(row["claim"] in row["passage"] for row in rows if row["kind"] == "quote")


def test_what_is_measured_of_the_pairs_written_by_hand() -> None:
    outcome = report(judge_all(load_pairs()), [])
    figures = {check.name: check.value for check in outcome.checks}
    assert figures["unsupported, precision, by hand"] >= 0.85
    assert figures["verified, precision, by hand"] >= 0.9


def test_sentences_are_altered_the_same_way_each_time(tmp_path: Path) -> None:
    text = "The bridge was opened by Margaret Hale in 1934 and carries 4300 vehicles on each day of the year, as they say."
    for language in ("ar", "de", "en", "ru", "th", "zh"):
        articles = [{"paragraphs": [{"context": f"{text} Of article {at} is nothing known."}]} for at in range(14)]
        (tmp_path / f"xquad.{language}.json").write_text(json.dumps({"data": articles}), "utf-8")
    pairs = list(altered_pairs(tmp_path))
    assert pairs == list(altered_pairs(tmp_path))
    kinds = Counter(pair.kind for pair in pairs)
    assert {"as it stands", "number", "half of it"} <= set(kinds)
    assert all(pair.claim != text for pair in pairs if pair.kind == "number")
