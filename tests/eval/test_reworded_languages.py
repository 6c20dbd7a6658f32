"""The reworded questions in other languages: their form, and that they share few content words with what answers them.

Against the quotes always; against the passages around them where the manuals are there (`eval/bench/corpus.py` fetches them).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest

from phidex.eval.bench.options import default_manuals
from phidex.eval.bench.reworded import OTHERS, by_language, load_questions
from phidex.eval.metrics.wording import content_words, shared_share
from phidex.ingest.language import detect_language

pymupdf: Any = _pymupdf
FIELDS = {"id", "question", "document", "pages", "quote", "section", "language"}
MOST_SHARED = 0.25
AROUND = 400  # characters on either side of a quote; half as many where characters are words


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_form(path: Path) -> None:
    rows = rows_of(path)
    language = path.name.split(".")[1]
    assert len(rows) >= 40
    assert len({row["question"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == FIELDS
        assert row["language"] == language
        assert row["pages"] == sorted(set(row["pages"]))
        assert row["quote"]
        assert row["question"][-1] in "?？"
    told = [detect_language(row["question"])[0] for row in rows]
    assert told.count(language) >= 0.9 * len(rows)
    assert len(load_questions(path)) == len(rows)


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_questions_share_few_words_with_their_quotes(path: Path) -> None:
    rows = rows_of(path)
    shares = [shared_share(row["question"], row["quote"]) for row in rows]
    assert max(shares) <= MOST_SHARED
    assert sum(shares) / len(shares) < 0.05
    assert sum(len(content_words(row["question"])) for row in rows) / len(rows) > 1.4


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_questions_share_few_words_with_their_passages(path: Path) -> None:
    rows = rows_of(path)
    manual = default_manuals() / rows[0]["document"]
    if not manual.exists():
        pytest.skip(f"{manual.name} is not there: python -m phidex.eval.bench reworded fetches it")
    around = AROUND // 2 if rows[0]["language"] in ("ja", "zh") else AROUND
    with pymupdf.open(manual) as opened:
        for row in rows:
            texts = [" ".join(str(opened.load_page(page - 1).get_text("text")).split()) for page in row["pages"]]
            text = next((text for text in texts if row["quote"] in text), None)
            assert text is not None, f"{row['id']}: the quote stands on none of its pages"
            at = text.index(row["quote"])
            passage = text[max(0, at - around) : at + len(row["quote"]) + around]
            assert shared_share(row["question"], passage) <= MOST_SHARED, row["id"]


def test_words_are_compared_by_their_beginnings() -> None:
    assert shared_share("Wie lösche ich Sicherungen?", "Die Sicherung wurde gelöscht.") == 0.5
    assert shared_share("ディスクを消す", "ディスクの内容") > 0.5
    assert shared_share("?", "anything") == 0.0


def test_each_language_stands_beside_the_lexical_leg() -> None:
    found = {"hybrid": [1, 3, None, 2], "lexical leg": [None, 9, None, 2]}
    table = by_language({"de": found, "ja": found})
    assert table.columns[:3] == ("language", "questions", "hybrid R@5")
    assert table.rows[0] == [
        "de",
        4,
        0.75,
        pytest.approx((1 + 1 / 3 + 1 / 2) / 4),
        0.25,
        pytest.approx((1 / 9 + 1 / 2) / 4),
        0.5,
    ]
