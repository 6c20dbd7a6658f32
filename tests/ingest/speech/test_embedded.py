"""Subtitle packets as containers keep them, and the choice between several transcripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from phidex.ingest.speech.embedded import read_packets
from phidex.ingest.speech.find import find_transcript
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.video.damage import Damage
from phidex.ingest.video.probe import Streams


def timed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data + b"\x00\x00\x00\x0cstyl\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("codec", "packets"),
    [
        ("mov_text", [timed("Ada: Grüße &amp; mehr."), timed("Bob: Ja.")]),
        ("subrip", ["Ada: Grüße &amp; mehr.".encode(), b"Bob: Ja."]),
        ("webvtt", ["<v Ada>Grüße &amp; mehr.</v>".encode(), b"<v Bob>Ja."]),
        ("ass", ["0,0,Default,Ada,0,0,0,,{\\b1}Grüße\\N& mehr.".encode(), b"1,0,Default,Bob,0,0,0,,Ja."]),
    ],
)
def test_packets_of_each_kind(codec: str, packets: list[bytes]) -> None:
    found = read_packets([(1.5, 3.0, packets[0]), (3.0, 4.0, b""), (4.0, 5.25, packets[1])], codec, "embedded")
    assert [(one.start_s, one.end_s, one.speaker, one.text) for one in found.utterances] == [
        (1.5, 3.0, "Ada", "Grüße & mehr."),
        (4.0, 5.25, "Bob", "Ja."),
    ]


def look(folder: Path, names: list[str], **given: object) -> tuple[str, tuple[str, ...], str]:
    paths = tuple(folder / name for name in names)
    options = SpeechOptions(**given)  # pyright: ignore[reportArgumentType]
    found = find_transcript(folder / "talk.mp4", Streams("wav", 1.0), paths, options, lambda: None, Damage())
    return found.transcript.origin, found.transcript.warnings, found.lacks


def test_one_of_several_languages_is_read_and_said(tmp_path: Path) -> None:
    for name in ("talk.de.vtt", "talk.en.vtt", "talk.fr.vtt"):
        (tmp_path / name).write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\nSomething said in {name}.\n")
    names = ["talk.de.vtt", "talk.en.vtt", "talk.fr.vtt"]
    assert look(tmp_path, names, languages=("it", "en"))[0] == "talk.en.vtt"
    origin, warnings, lacks = look(tmp_path, names)
    assert (origin, lacks) == ("talk.de.vtt", "")
    assert "not talk.en.vtt, talk.fr.vtt" in warnings[0]


def test_a_damaged_transcript_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "talk.srt").write_text("nothing in here")
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHere it is.\n")
    origin, warnings, _ = look(tmp_path, ["talk.srt", "talk.vtt"])
    assert origin == "talk.vtt"
    assert "talk.srt was not read" in warnings[0]
