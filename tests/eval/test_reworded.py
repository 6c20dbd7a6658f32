"""The reworded questions keep the form that the benchmarks read: one JSON object a line, each with its evidence.

That the quotes stand on their pages was checked against the PDFs (see eval/data/README.md); those are not needed here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "eval" / "data" / "reworded.en.jsonl"
FIELDS = {"id", "question", "document", "pages", "quote"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def test_there_are_enough_rows_over_enough_documents(rows: list[dict[str, Any]]) -> None:
    assert len(rows) >= 60
    assert len({row["document"] for row in rows}) >= 7


def test_every_row_has_exactly_the_fields(rows: list[dict[str, Any]]) -> None:
    assert [row for row in rows if set(row) != FIELDS] == []


@pytest.mark.parametrize("field", ["id", "question"])
def test_no_value_is_used_twice(rows: list[dict[str, Any]], field: str) -> None:
    values = [row[field] for row in rows]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("field", ["id", "question", "document", "quote"])
def test_texts_are_trimmed_and_not_empty(rows: list[dict[str, Any]], field: str) -> None:
    assert [row for row in rows if not isinstance(row[field], str) or row[field] != row[field].strip()] == []
    assert [row for row in rows if not row[field]] == []


def test_documents_are_flat_pdf_names(rows: list[dict[str, Any]]) -> None:
    assert [row for row in rows if Path(row["document"]).name != row["document"]] == []
    assert [row for row in rows if not row["document"].endswith(".pdf")] == []


def test_pages_are_positive_and_in_order(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        pages = row["pages"]
        assert pages, row["id"]
        assert all(type(page) is int and page >= 1 for page in pages), row["id"]
        assert pages == sorted(set(pages)), row["id"]


def test_questions_ask_and_quotes_are_short(rows: list[dict[str, Any]]) -> None:
    assert [row["id"] for row in rows if not row["question"].endswith("?")] == []
    assert [row["id"] for row in rows if not 5 <= len(row["quote"].split()) <= 15] == []
