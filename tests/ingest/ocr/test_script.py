"""Recognised words as people write them in their script."""

from __future__ import annotations

import pytest

from phidex.ingest.ocr.script import line_text
from phidex.ingest.ocr.tesseract import Word

BOX = (0.0, 0.0, 1.0, 1.0)


def words(text: str) -> list[Word]:
    """Words parted by "|" where Tesseract sees no space, and by a space where it does."""
    found: list[Word] = []
    for spaced in text.split(" "):
        found += [Word(part, BOX, 90.0, spaced=number == 0) for number, part in enumerate(spaced.split("|"))]
    return found


@pytest.mark.parametrize(
    ("language", "recognised", "text"),
    [
        ("en", "two words", "two words"),
        ("ja", "バ ブル デバ イス|。", "バブルデバイス。"),
        ("ja", "Mac OS など|の", "Mac OS などの"),
        ("ko", "사|용|자|에 대한", "사용자에 대한"),
        ("th", "ห้อง|สมุด เปิด", "ห้องสมุด เปิด"),
        ("th", "น\u0e4d\u0e32", "น\u0e33"),
        ("th", "น\u0e4d\u0e49\u0e32", "น\u0e49\u0e33"),
        ("ar", "ملفات, مجلدات; هل? 1,000", "ملفات، مجلدات؛ هل؟ 1,000"),
        ("ar", "objects\u200f (ملفات)", "objects (ملفات)"),
        ("he", "שלום, עולם", "שלום, עולם"),
        ("zh", "权利 , 自由 ;第 3,000 号", "权利，自由；第 3,000 号"),
        ("zh", "名称|(规范)", "名称（规范）"),
        ("zh", "名称 (规范) name", "名称 (规范) name"),
    ],
)
def test_line_text(language: str, recognised: str, text: str) -> None:
    assert line_text(words(recognised), language) == text
