"""WebVTT and SRT as they come: exact times, speakers, entities, damage, and captions that roll."""

from __future__ import annotations

from pathlib import Path

import pytest

from phidex.errors import InputError
from phidex.ingest.parse import parse_file
from phidex.ingest.speech.captions import read_captions
from phidex.ingest.speech.transcript import Transcript


def read(text: str, name: str = "talk.vtt") -> Transcript:
    return read_captions(text.encode(), name)


def said(transcript: Transcript) -> list[tuple[float, float, str, str]]:
    return [(one.start_s, one.end_s, one.speaker, one.text) for one in transcript.utterances]


def test_webvtt_keeps_fractions_speakers_and_entities() -> None:
    found = read(
        "WEBVTT - a talk\n\nNOTE nobody says this\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n01:02.5 --> 01:03.250 align:start\n<v.loud Ada Lovelace>Q&amp;A <i>now</i>, 3 &lt; 4\n\n"
        "01:00:00.005 --> 01:00:01.000\n<v Ada Lovelace>First.</v> <v Bob>Second one.</v>\n"
    )
    assert said(found) == [
        (62.5, 63.25, "Ada Lovelace", "Q&A now, 3 < 4"),
        (3600.005, pytest.approx(3600.357, abs=0.002), "Ada Lovelace", "First."),
        (pytest.approx(3600.357, abs=0.002), 3601.0, "Bob", "Second one."),
    ]


def test_srt_with_names_numbers_and_empty_lines() -> None:
    found = read(
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nDr. Ada: Shall we start?\r\n\r\n2\r\n00:00:02,500 --> 00:00:04,000\r\n"
        "{\\an8}Bob: Yes.\r\n\r\nWe shall.\r\n\r\n3\r\n00:00:04,100 --> 00:00:05,000\r\nAnd so on at 12:30 or so.\r\n",
        "talk.srt",
    )
    assert said(found) == [
        (1.0, 2.0, "Dr. Ada", "Shall we start?"),
        (2.5, 4.0, "Bob", "Yes. We shall."),
        (4.1, 5.0, "Bob", "And so on at 12:30 or so."),
    ]


def test_a_last_line_of_digits_stays_where_captions_have_no_numbers() -> None:
    bare = "00:00:01,000 --> 00:00:02,000\nIt was built in\n1887\n\n00:00:03,000 --> 00:00:04,000\nby Ada\n"
    assert [one.text for one in read(bare, "talk.srt").utterances] == ["It was built in 1887", "by Ada"]
    numbered = "1\n00:00:01,000 --> 00:00:02,000\nIt was built\n\n2\n00:00:03,000 --> 00:00:04,000\nby Ada\n"
    assert [one.text for one in read(numbered, "talk.srt").utterances] == ["It was built", "by Ada"]


def test_a_colon_alone_names_nobody() -> None:
    lines = ["It has three parts.", "Note: the second is long.", "Why: nobody knows.", "The ratio is 3:1 here.", "That is all."]
    text = "\n\n".join(f"00:0{n}.000 --> 00:0{n}.900\n{line}" for n, line in enumerate(lines))
    assert {one.speaker for one in read(f"WEBVTT\n\n{text}").utterances} == {""}


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["Мария Иванова: Начнём.", "Пётр: Да."], ["Мария Иванова", "Пётр"]),
        (["田中：始めましょう。", "鈴木：はい。"], ["田中", "鈴木"]),
        (["Speaker 1: Hello.", "Speaker 2: Hi."], ["Speaker 1", "Speaker 2"]),
        ([">> ADA: Hello.", ">> BOB: Hi."], ["ADA", "BOB"]),
    ],
)
def test_names_in_any_script(lines: list[str], names: list[str]) -> None:
    text = "\n\n".join(f"00:0{n}.000 --> 00:0{n}.900\n{line}" for n, line in enumerate(lines))
    found = read(f"WEBVTT\n\n{text}")
    assert [one.speaker for one in found.utterances] == names
    assert not any(name in one.text for one, name in zip(found.utterances, names, strict=True))


def test_captions_that_roll_are_said_once() -> None:
    rolling = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.110 align:start position:0%
BLANK
hello<00:00:00.480><c> world</c><00:00:00.900><c> and</c>

00:00:02.110 --> 00:00:02.120 align:start position:0%
hello world and


00:00:02.120 --> 00:00:04.300 align:start position:0%
hello world and
welcome<00:00:02.480><c> to</c><00:00:02.900><c> this</c>

00:00:04.300 --> 00:00:04.310 align:start position:0%
welcome to this


00:00:04.310 --> 00:00:06.000 align:start position:0%
welcome to this
talk<00:00:04.480><c> about</c><00:00:04.900><c> ports</c>
"""
    found = read(rolling.replace("BLANK", " "))
    assert [one.text for one in found.utterances] == ["hello world and", "welcome to this", "talk about ports"]
    assert [one.start_s for one in found.utterances] == [0.16, 2.12, 4.31]
    assert found.language == "en"


def test_what_is_said_twice_stays() -> None:
    found = read("WEBVTT\n\n00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n\n00:03.000 --> 00:04.000\nWhy?\n")
    assert [one.text for one in found.utterances] == ["No.", "No.", "Why?"]


def test_ends_before_starts_are_mended_and_said() -> None:
    found = read("WEBVTT\n\n00:05.000 --> 00:03.000\nA\n\n00:06.000 --> 00:07.000\nB\n")
    assert said(found) == [(5.0, 6.0, "", "A"), (6.0, 7.0, "", "B")]
    assert "1 captions ended before they began" in found.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nGrüße aus Köln, schöne Straße über der Brücke\n"
    data = text.encode(encoding)
    if encoding == "utf-16-le":
        data = b"\xff\xfe" + data
    assert "Grüße aus Köln" in read_captions(data, "talk.vtt").utterances[0].text


def test_no_captions_is_an_error_with_a_cure() -> None:
    with pytest.raises(InputError, match="has no captions") as caught:
        read("WEBVTT\n\nNOTE nothing\n")
    assert "export" in caught.value.hint


def test_a_subtitle_file_is_a_recording_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "talk.de.srt"
    path.write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nAda: Guten Tag.\n\n2\n00:00:02,000 --> 00:00:03,000\nAda: Wir beginnen.\n"
    )
    parsed = parse_file(path)
    assert (parsed.kind, [(block.speaker, block.text, block.times) for block in parsed.blocks]) == (
        "audio",
        [("Ada", "Guten Tag. Wir beginnen.", ((1.0, 3.0),))],
    )
    assert parsed.metadata["transcript_language"] == "de"


def test_a_text_with_that_suffix_stays_a_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.srt"
    path.write_text("These are notes, and no subtitles.\n")
    assert parse_file(path).kind == "text"
