"""The language of a page is found in all 23 languages, and a missing pack is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.ingest.scanned import ARTICLE, TRADITIONAL, likeness, scan_of

from phidex.errors import InputError
from phidex.ingest.ocr.raster import Raster, gray_raster
from phidex.ingest.ocr.scan import Scans
from phidex.ingest.ocr.tesseract import PACKS, Tesseract
from phidex.ingest.ocr.tongue import MissingPackError, find_tongue
from phidex.ingest.options import ParseOptions
from phidex.ingest.pdf.lines import Fonts


def raster_of(*texts: str) -> Raster:
    return gray_raster(scan_of(*texts), 150)


@pytest.mark.parametrize("language", sorted(PACKS))
def test_each_language_is_found_and_read(tesseract: Tesseract, language: str) -> None:
    scans = Scans(ParseOptions())
    page = scans.read(raster_of(ARTICLE[language]), 0, Fonts())
    assert not scans.warnings()
    assert scans.language == language
    latin = ARTICLE[language][0] < "\u0250"
    assert likeness(ARTICLE[language], " ".join(line.text for line in page.lines)) >= (0.97 if latin else 0.93)


def test_traditional_chinese_is_told_from_simplified(tesseract: Tesseract) -> None:
    packs: list[str] = []
    for text in (ARTICLE["zh"], TRADITIONAL):
        raster = raster_of(text)
        for allowed in ((), ("zh",)):
            trial = find_tongue(raster, tesseract, tesseract.orientation(raster), allowed)
            assert trial is not None
            packs.append(trial.tongue.packs)
    assert packs == ["chi_sim", "chi_sim", "chi_tra", "chi_tra"]


@pytest.mark.parametrize(("language", "package"), [("de", "deu"), ("ar", "ara"), ("pl", "pol")])
def test_a_missing_pack_is_named_with_its_command(tesseract: Tesseract, language: str, package: str) -> None:
    lacking = replace(tesseract, packs=tesseract.packs - {package})
    raster = raster_of(ARTICLE[language], ARTICLE[language])
    with pytest.raises(MissingPackError, match=package) as caught:
        find_tongue(raster, lacking, lacking.orientation(raster))
    assert f"tesseract-ocr-{package}" in caught.value.hint or "tesseract-lang" in caught.value.hint


def test_the_languages_to_expect_are_kept_to(tesseract: Tesseract) -> None:
    raster = raster_of(ARTICLE["da"])
    orientation = tesseract.orientation(raster)
    trial = find_tongue(raster, tesseract, orientation, ("no", "fr"))
    assert trial is not None
    assert trial.tongue.language == "no"
    with pytest.raises(MissingPackError):
        find_tongue(raster, replace(tesseract, packs=frozenset(("eng", "osd"))), orientation, ("da",))


def test_no_pack_at_all_is_an_error(tesseract: Tesseract) -> None:
    with pytest.raises(InputError, match="language pack"):
        find_tongue(raster_of(ARTICLE["en"]), replace(tesseract, packs=frozenset()), None)
