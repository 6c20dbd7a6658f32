"""The OCR benchmark's own parts: what it counts, and that its scans are spoiled and the same each time."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf as _pymupdf
import pytest
from PIL import Image

from phidex.eval.bench.ocr import Result, accuracy, report
from phidex.eval.bench.scans import LATIN, OTHERS, Scan, paragraphs, scanned_pdf, spoil
from phidex.ingest.ocr.tesseract import PACKS

pymupdf: Any = _pymupdf  # its own types are incomplete


def test_accuracy_counts_characters_and_not_white_space() -> None:
    assert accuracy("a b\nc", "a  b c") == 100
    assert accuracy("é" * 10, "e\u0301" * 10) == 100
    assert accuracy("0123456789", "01234567") == pytest.approx(80)
    assert accuracy("ab", "wholly different") == 0


def test_all_23_languages_are_measured_and_both_kinds_of_chinese() -> None:
    assert {name.partition("-")[0] for name in (*LATIN, *OTHERS)} == set(PACKS)
    assert len(LATIN) + len(OTHERS) == 24


def test_own_texts_are_there(tmp_path: Path) -> None:
    for language in ("he", "th"):
        assert sum(map(len, paragraphs(language, tmp_path))) > 1000


def test_a_scan_is_spoiled_and_made_anew_the_same() -> None:
    page = Image.new("L", (300, 200), 255)
    page.paste(0, (50, 50, 250, 60))
    first, again = (spoil(page, random.Random("x")) for _ in range(2))
    assert first == again
    assert spoil(page, random.Random("y")) != first
    pixels = np.asarray(Image.open(io.BytesIO(first)))
    assert pixels[:40].std() > 2
    assert 150 < pixels.mean() < 250


def test_scans_become_pages_without_text() -> None:
    jpeg = spoil(Image.new("L", (300, 200), 255), random.Random(1))
    with pymupdf.open("pdf", scanned_pdf([Scan("de", jpeg, "x")] * 2)) as document:
        assert document.page_count == 2
        assert document[0].get_text() == ""
        assert document[0].get_images()


def test_the_worst_language_of_each_group_meets_its_bar_or_not() -> None:
    results = [Result("de", 10, 99.0, 1, 1), Result("fr", 10, 96.5, 1, 1), Result("ar", 10, 94.0, 1, 1, 80.0, 2.0)]
    outcome = report(results, 2)
    assert [(check.value, check.ok) for check in outcome.checks] == [(96.5, False), (94.0, True)]
    assert "fr" in outcome.checks[0].name
