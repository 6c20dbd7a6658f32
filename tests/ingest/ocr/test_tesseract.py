"""Tesseract run for real: words with boxes, orientation, and what is said when it cannot be run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.ingest.scanned import ARTICLE, likeness, picture_of, scan_of, set_page

from phidex.errors import InputError
from phidex.ingest.ocr.raster import gray_raster
from phidex.ingest.ocr.tesseract import PACKS, SlowPageError, Tesseract, find_tesseract, install_hint


def test_words_have_boxes_around_their_letters(tesseract: Tesseract) -> None:
    page = set_page([ARTICLE["en"], "Second paragraph with a few words."])
    lines = tesseract.read(gray_raster(picture_of(page), 150), "eng")
    text = " ".join(word.text for line in lines for word in line.words)
    assert likeness(f"{ARTICLE['en']} Second paragraph with a few words.", text) > 0.99
    found = {word.text: (word, line) for line in lines for word in line.words}
    for name in ("dignity", "conscience", "Second", "paragraph"):
        (true,) = page.search_for(name)
        word, line = found[name]
        x0, y0, x1, y1 = word.box
        assert abs(x0 - true.x0) < 3
        assert abs(x1 - true.x1) < 3
        assert true.y0 - 1 < y0 < y1 < true.y1 + 1
        assert line.box[1] <= y0
        assert line.box[3] >= y1
        assert word.confidence > 80
    assert found["dignity"][1].group != found["Second"][1].group
    assert all(10 < line.size < 18 for line in lines)


def test_a_line_without_tall_letters_is_as_high_as_one_with(tesseract: Tesseract) -> None:
    lines = tesseract.read(
        gray_raster(scan_of("Highly peculiar flying badgers", "a nose near me or a room", size=18), 150), "eng"
    )
    tall, flat = (line.box[3] - line.box[1] for line in lines)
    assert flat > 0.6 * tall


@pytest.mark.parametrize("language", ["ko", "th"])
def test_spaces_are_where_tesseract_sees_them(tesseract: Tesseract, language: str) -> None:
    (pack,) = PACKS[language]
    lines = tesseract.read(gray_raster(scan_of(ARTICLE[language]), 150), pack)
    spaced = sum(word.spaced for line in lines for word in line.words[1:])
    assert spaced <= ARTICLE[language].count(" ") + 2


@pytest.mark.parametrize(("turn", "quarter_turns"), [(0, 0), (90, 3), (180, 2), (270, 1)])
def test_orientation_says_how_to_turn(tesseract: Tesseract, turn: int, quarter_turns: int) -> None:
    picture = scan_of(ARTICLE["en"], ARTICLE["de"], ARTICLE["fr"], size=11).rotate(turn, expand=True)
    found = tesseract.orientation(gray_raster(picture, 150))
    assert found is not None
    assert found.quarter_turns == quarter_turns
    assert found.script == "Latin"


def test_orientation_of_an_empty_page_is_unknown(tesseract: Tesseract) -> None:
    assert tesseract.orientation(gray_raster(scan_of("x"), 150)) is None


def test_a_slow_page_is_given_up(tesseract: Tesseract) -> None:
    with pytest.raises(SlowPageError, match="longer than"):
        tesseract.read(gray_raster(scan_of(ARTICLE["en"]), 150), "eng", timeout_s=0.01)


def test_nothing_is_run_once_the_time_for_the_file_is_up(tmp_path: Path) -> None:
    late = Tesseract(str(tmp_path / "not there"), frozenset(("eng",)), until=time.monotonic() - 1)
    with pytest.raises(SlowPageError, match="time for its file was used up") as caught:
        late.read(gray_raster(scan_of("text"), 150), "eng")
    assert "PHIDEX_INGEST__TIMEOUT_S" in caught.value.hint


def test_a_pack_that_is_not_there_is_named(tesseract: Tesseract) -> None:
    with pytest.raises(InputError, match="Tesseract failed"):
        tesseract.read(gray_raster(scan_of("text"), 150), "tlh")


def test_the_program_runs_with_one_thread_and_is_announced(tmp_path: Path) -> None:
    program = tmp_path / "tesseract"
    program.write_text(f'#!/bin/sh\necho $OMP_THREAD_LIMIT "$@" > {tmp_path}/said\ncat > {tmp_path}/given\n')
    program.chmod(0o755)
    calls: list[int] = []
    fake = Tesseract(str(program), frozenset(("eng",)), lambda: calls.append(1))
    with pytest.raises(InputError, match="output cannot be read"):
        fake.read(gray_raster(scan_of("text"), 150), "eng")
    assert (tmp_path / "said").read_text().startswith("1 - - --dpi 150 -l eng")
    assert (tmp_path / "given").read_bytes().startswith(b"P5 875 625 255\n")
    assert calls == [1]


def test_without_tesseract_the_cure_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="not installed") as caught:
        find_tesseract()
    assert "install tesseract" in caught.value.hint


def test_what_is_installed_is_known(tesseract: Tesseract) -> None:
    listed = subprocess.run([tesseract.program, "--list-langs"], capture_output=True, text=True, check=True)
    assert tesseract.packs == set(listed.stdout.split("\n")[1:]) - {""}
    assert tesseract.languages() == set(PACKS)


def test_packs_are_looked_for_where_the_environment_says(
    tesseract: Tesseract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.environ.get("TESSDATA_PREFIX", "") == ""
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert find_tesseract().packs == frozenset()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere packs come in one package")
def test_hint_names_debian_packages() -> None:
    assert install_hint("chi_sim", "deu") == "apt install tesseract-ocr-chi-sim tesseract-ocr-deu"
    assert install_hint() == "apt install tesseract-ocr"
