"""Recordings through the SDK and the command line: taken in with what lies beside them, asked, corrected, exported."""

from __future__ import annotations

import importlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.ingest.recorded import record, slide, tones

from phidex import Phidex
from phidex.errors import InputError
from phidex.ingest.records import TimeLocator
from phidex.settings import EmbedSettings, Settings, SpeechSettings

pytest.importorskip("av")

VTT = """WEBVTT

00:00:01.000 --> 00:00:05.000
<v Ada>Let us begin with the heating. The old boiler was replaced in March.

00:00:06.000 --> 00:00:09.000
<v Speaker 2>Who pays for it?

00:00:16.000 --> 00:00:21.000
<v Ada>Now the roof. We decided that Ohm Ltd repairs the gutters before winter.

00:00:22.000 --> 00:00:25.000
<v Speaker 2>Good, I will call them on Monday.
"""
COSTS = slide("Boiler costs 2025", "Replacement 4,200 EUR", "Maintenance 300 EUR a year")
ROOF = slide("Roof and gutters", "Leak above the stairs", "Repair before winter")


def open_phidex(data: Path, **speech: object) -> Phidex:
    given = SpeechSettings(**speech)  # pyright: ignore[reportArgumentType]
    return Phidex(settings=Settings(data=data, embed=EmbedSettings(model="none"), speech=given))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talk with its transcript and deck beside it, and a recording of a voice with neither."""
    import pptx

    presentation: Any = pptx.Presentation
    folder = tmp_path_factory.mktemp("recordings")
    record(folder / "talk.mp4", [(COSTS, 15), (ROOF, 15)], tones((30, True)))
    (folder / "talk.en.vtt").write_text(VTT)
    (folder / "talk.de.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>Der alte Kessel wurde ersetzt.\n")
    deck = presentation()
    for title, body in (("Boiler costs 2025", "Replacement 4,200 EUR"), ("Roof and gutters", "Leak above the stairs")):
        page = deck.slides.add_slide(deck.slide_layouts[1])
        page.shapes.title.text, page.placeholders[1].text = title, body
    deck.save(str(folder / "talk.pptx"))
    record(folder / "voice.wav", (), tones((3, True)))
    return folder


@pytest.fixture(scope="module")
def phidex(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phidex]:
    with open_phidex(tmp_path_factory.mktemp("data"), languages=("en",)) as opened:
        opened.ingest(recordings)
        yield opened


def test_a_folder_is_taken_in_with_what_belongs_together(recordings: Path, tmp_path: Path) -> None:
    with open_phidex(tmp_path / "data", languages=("en",)) as phidex:
        report = phidex.ingest(recordings)
        names = {Path(file.path).name: file for file in report.files}
        assert {name: file.outcome for name, file in names.items()} == {
            "talk.mp4": "added",
            "talk.pptx": "added",
            "voice.wav": "failed",
        }
        assert report.left_out["read with their recordings"].count == 2
        assert "PHIDEX_SPEECH__URL" in names["voice.wav"].hint
        assert any("Of 2 transcripts, talk.en.vtt was read" in warning for warning in names["talk.mp4"].warnings)
        [talk] = [entry.source for entry in phidex.sources() if entry.source.kind == "video"]
        assert talk.metadata["transcript_language"] == "en"
        assert float(talk.metadata["duration_s"]) == pytest.approx(30, abs=0.5)
        again = phidex.ingest(recordings / "talk.mp4")
        assert {Path(file.path).name: file.outcome for file in again.files} == {
            "talk.mp4": "unchanged",
            "talk.pptx": "unchanged",
        }


@pytest.mark.parametrize(
    ("question", "seconds", "words"),
    [
        ("who repairs the gutters", 15, "Ohm Ltd"),
        ("what is said at 0:23?", 15, "call them on Monday"),
        ("what did Speaker 2 ask about paying", 0, "Who pays"),
    ],
)
def test_questions_land_on_the_time(phidex: Phidex, question: str, seconds: float, words: str) -> None:
    hit = next(hit for hit in phidex.search(question) if hit.chunk.modality == "speech")
    assert isinstance(hit.chunk.locator, TimeLocator)
    assert hit.chunk.locator.start_s == pytest.approx(seconds, abs=1.5)
    assert words in hit.chunk.text


def test_what_was_on_the_slide_is_found_with_its_picture_and_page(phidex: Phidex, recordings: Path, tesseract: object) -> None:
    del tesseract
    hit = next(hit for hit in phidex.search("Leak above the stairs") if hit.chunk.modality == "frame")
    assert isinstance(hit.chunk.locator, TimeLocator)
    assert hit.chunk.locator.start_s == pytest.approx(15, abs=1)
    assert Image.open(io.BytesIO(phidex.blob(hit.chunk.image))).size == (640, 360)
    [deck] = phidex.find_sources("talk.pptx")
    assert hit.chunk.locator.slide == f"{deck}#page=2"
    spoken = phidex.search("Ohm Ltd repairs the gutters")[0].chunk
    assert hit.chunk.id in spoken.links
    assert spoken.text.startswith("[Slide: Roof and gutters]\nAda: ")


def test_an_answer_cites_the_time(phidex: Phidex) -> None:
    answer = phidex.ask("Who repairs the gutters before winter?")
    assert any(str(citation.locator).startswith("0:1") for citation in answer.citations if citation.source.name == "talk.mp4")


def test_the_second_in_a_collection_of_many(tmp_path: Path) -> None:
    lines = [
        f"00:{n // 60:02d}:{n % 60:02d}.000 --> 00:{n // 60:02d}:{n % 60:02d}.900\n<v Ada>{_words(n)}\n"
        for n in range(0, 3000, 3)
    ]
    (tmp_path / "long.vtt").write_text("WEBVTT\n\n" + "\n".join(lines))
    with open_phidex(tmp_path / "data") as phidex:
        phidex.ingest(tmp_path / "long.vtt")
        place = phidex.search("what is said at 41:15?", limit=1)[0].chunk.locator
    assert isinstance(place, TimeLocator)
    assert place.start_s <= 2475 <= place.end_s


def _words(number: int) -> str:
    return f"What is said here is item {number} of a long list, at that point of it, said again and again."


def test_names_are_corrected_without_reading_again(recordings: Path, tmp_path: Path) -> None:
    shutil.copytree(recordings, tmp_path / "in")
    with open_phidex(tmp_path / "data", languages=("en",)) as phidex:
        phidex.ingest(tmp_path / "in" / "talk.mp4")
        assert phidex.speakers("talk.mp4") == ["Ada", "Speaker 2"]
        shutil.move(tmp_path / "in" / "talk.mp4", tmp_path / "away.mp4")  # nothing can be read again
        assert phidex.rename_speakers("talk.mp4", {"Speaker 2": "Bob Ohm"}) == ["Ada", "Bob Ohm"]
        found = phidex.search("Bob Ohm asks who pays")[0].chunk
        assert "Bob Ohm: Who pays for it?" in found.text
        assert "<v Bob Ohm>Who pays for it?" in phidex.subtitles("talk.mp4")
        assert not any("Speaker 2" in chunk.text for chunk in phidex.passages(found.source_id))
        frames = [chunk for chunk in phidex.passages(found.source_id) if chunk.modality == "frame"]
        ids = {chunk.id for chunk in phidex.passages(found.source_id)}
        assert all(link in ids for chunk in frames for link in chunk.links if "#" not in link)
        shutil.move(tmp_path / "away.mp4", tmp_path / "in" / "talk.mp4")
        assert phidex.ingest(tmp_path / "in" / "talk.mp4").count("unchanged") == 2
        (tmp_path / "in" / "talk.en.vtt").write_text(VTT.replace("on Monday", "on Tuesday"))
        assert phidex.ingest(tmp_path / "in" / "talk.mp4").count("replaced") == 1
        assert "<v Bob Ohm>Good, I will call them on Tuesday." in phidex.subtitles("talk.mp4")
        with pytest.raises(InputError, match="nobody in it is called 'Eve'"):
            phidex.rename_speakers("talk.mp4", {"Eve": "Ada"})


def test_exports_are_read_by_others(phidex: Phidex, tmp_path: Path) -> None:
    webvtt: Any = importlib.import_module("webvtt")  # it has no types
    subtitles = webvtt.from_string(phidex.subtitles("talk.mp4"))
    assert [(cue.start, cue.voice) for cue in subtitles][:2] == [("00:00:01.000", "Ada"), ("00:00:06.000", "Speaker 2")]
    chapters = webvtt.from_string(phidex.chapters("talk.mp4"))
    assert chapters[-1].end == "00:00:30.000"
    sheet = Image.open(io.BytesIO(phidex.contact_sheet("talk.mp4")))
    assert sheet.format == "JPEG"
    assert sheet.width > 640


def test_the_command_line_corrects_and_exports(phidex: Phidex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from typer.testing import CliRunner

    from phidex.cli.app import app

    del capsys
    runner, data = CliRunner(), str(phidex.settings.data)
    names = runner.invoke(app, ["speakers", "talk.mp4", "--data", data])
    assert names.output.split("\n")[:2] == ["Ada", "Speaker 2"]
    done = runner.invoke(
        app, ["export", "talk.mp4", "--data", data, "--chapters", str(tmp_path / "c.vtt"), "--sheet", str(tmp_path / "s.jpg")]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "c.vtt").read_text().startswith("WEBVTT")
    assert (tmp_path / "s.jpg").read_bytes()[:2] == b"\xff\xd8"
    (tmp_path / "s.jpg").write_bytes(b"mine")
    again = ["export", "talk.mp4", "--data", data, "--subtitles", str(tmp_path / "new.vtt"), "--sheet", str(tmp_path / "s.jpg")]
    assert isinstance(runner.invoke(app, again).exception, InputError)
    assert (tmp_path / "s.jpg").read_bytes() == b"mine"
    assert runner.invoke(app, [*again, "--force"]).exit_code == 0
    assert (tmp_path / "s.jpg").read_bytes() != b"mine"
    wrong = runner.invoke(app, ["speakers", "talk.mp4", "--rename", "Ada", "--data", data])
    assert isinstance(wrong.exception, InputError)


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.mp3").write_bytes(b"ID3\x04" + b"\x00" * 4000)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("This is a note that somebody gave the wrong suffix.")
    with open_phidex(tmp_path / "data") as phidex:
        report = phidex.ingest(tmp_path)
        outcomes = {Path(file.path).name: file.outcome for file in report.files}
        assert outcomes == {"note.mp3": "failed", "empty.mp4": "failed", "text.mp4": "added"}
        assert all(file.reason for file in report.failed)
