"""Text on keyframes, single frames at full size, and contact sheets."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phidex.errors import InputError
from phidex.eval.bench.recordings import Script, Truth, make
from phidex.eval.bench.screen import Slide, draw_slide, words_of
from phidex.ingest.ocr.tesseract import Tesseract
from phidex.ingest.options import ParseOptions
from phidex.ingest.video.keyframes import encode_picture, find_keyframes
from phidex.ingest.video.lettering import read_text
from phidex.ingest.video.records import Keyframe, Recording, Span
from phidex.ingest.video.sheet import caption, contact_sheet
from phidex.ingest.video.still import picture_at

SCRIPT = Script(
    "read", ("slide", "slide", "revisit"), 4, 1280, 720, 5, scene_s=(6.0, 7.0), inset="corner", theme="dark", sound=False
)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth, Recording]:
    path, truth = make(SCRIPT, tmp_path_factory.mktemp("pictures"))
    return path, truth, find_keyframes(path)


def shown(*slides: Slide) -> Recording:
    """A recording that shows each slide for ten seconds."""
    frames = tuple(
        Keyframe((Span(10.0 * at, 10.0 * at + 10),), 10.0 * at + 5, encode_picture(draw_slide(slide, 1280, 720)))
        for at, slide in enumerate(slides)
    )
    return Recording(10.0 * len(frames), 1280, 720, has_video=True, has_audio=False, keyframes=frames)


def test_dark_slides_are_read_without_the_webcam(tesseract: Tesseract, talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    read = read_text(recording, ParseOptions())
    assert read.lost == ()
    for frame, slide in zip(read.keyframes, truth.shown, strict=False):
        wanted, found = words_of([slide.text]), words_of([frame.text])
        assert len(set(wanted) & set(found)) >= 0.95 * len(set(wanted))
        assert len(found) <= len(wanted) + 4
        assert frame.language == "en"
        assert frame.text.splitlines() == [box.text for box in frame.boxes]


def test_boxes_are_in_pixels_of_the_picture(tesseract: Tesseract) -> None:
    slide = Slide("Quarterly results of the company", ("Revenue grew by twelve percent", "Costs fell in every region"), "plain")
    (frame,) = read_text(shown(slide), ParseOptions()).keyframes
    pixels = np.asarray(Image.open(io.BytesIO(frame.picture.data)).convert("L"))
    assert [box.text.lstrip("•*· ") for box in frame.boxes] == [slide.title, *slide.bullets]
    for line in frame.boxes:
        x0, y0, x1, y1 = (round(edge) for edge in line.box)
        inside, around = pixels[y0:y1, x0:x1], pixels[max(0, y0 - 4) : y1 + 4, max(0, x0 - 6) : x1 + 6]
        assert (inside < 128).sum() >= 0.97 * (around < 128).sum()


def test_a_language_is_found_on_the_slides_together_and_changes_with_them(tesseract: Tesseract) -> None:
    german = [
        Slide(
            "Über die Größe", ("Wir müssen die Prüfung der Verträge verschieben", "Für nächstes Jahr wird mehr Geld benötigt")
        ),
        Slide("Nächste Schritte", ("Die Behörde prüft den Antrag für das Gebäude", "Danach können wir mit dem Bau beginnen")),
    ]
    korean = Slide(
        "보안 정책 검토", ("모든 직원은 매년 보안 교육을 받아야 합니다", "새로운 규정은 다음 달부터 적용됩니다"), language="ko"
    )
    read = read_text(shown(*(replace(one, language="de") for one in german), korean), ParseOptions())
    assert [frame.language for frame in read.keyframes] == ["de", "de", "ko"]
    assert "Über die Größe" in read.keyframes[0].text
    assert "보안 교육을" in read.keyframes[2].text


def test_recognition_can_be_off_and_progress_is_told(tesseract: Tesseract, talk: tuple[Path, Truth, Recording]) -> None:
    _, _, recording = talk
    assert read_text(recording, ParseOptions(ocr="off")) is recording
    told: list[tuple[int, int]] = []
    read_text(recording, ParseOptions(), lambda done, total: told.append((done, total)))
    assert told[-1] == (len(recording.keyframes), len(recording.keyframes))


def test_without_tesseract_the_pictures_stay_and_the_cure_is_named(
    talk: tuple[Path, Truth, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    read = read_text(talk[2], ParseOptions())
    assert read.lacks_tesseract
    assert read.keyframes == talk[2].keyframes
    assert "Tesseract, which reads scans, is not installed" in read.lost[0]
    assert "install" in read.lost[0]


@pytest.mark.parametrize("decord", [True, False])
def test_the_frame_at_a_time(decord: bool, talk: tuple[Path, Truth, Recording], monkeypatch: pytest.MonkeyPatch) -> None:
    path, truth, recording = talk
    if not decord:
        monkeypatch.setitem(sys.modules, "decord", None)
    second = truth.shown[1]
    for at_s, index in ((second.start_s - 0.3, 0), (second.start_s + 0.3, 1), (1e6, 0)):  # the last slide is the first again
        still = Image.open(io.BytesIO(picture_at(path, at_s).data)).convert("L")
        assert still.size == (1280, 720)
        apart = [
            float(
                np.abs(
                    np.asarray(still, np.int16) - np.asarray(Image.open(io.BytesIO(one.picture.data)).convert("L"), np.int16)
                ).mean()
            )
            for one in recording.keyframes
        ]
        assert apart.index(min(apart)) == index


def test_a_contact_sheet_shows_all_keyframes_with_their_times(talk: tuple[Path, Truth, Recording]) -> None:
    _, _, recording = talk
    sheet = contact_sheet(recording.keyframes, columns=2, width=300, title="A talk about budgets " * 10)
    picture = Image.open(io.BytesIO(sheet.data))
    assert picture.size == (sheet.width, sheet.height)
    assert sheet.width == 12 + 2 * 312
    assert caption(recording.keyframes[0]).count("-") == 2
    first = np.asarray(picture.convert("L"))[60:200, 20:300]
    assert first.mean() < 80  # a dark slide


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no keyframes"):
        contact_sheet(())
