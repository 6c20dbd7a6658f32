"""What lies beside a recording, by name; when it is read again; and recordings told by their bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phidex.errors import InputError
from phidex.ingest.options import DEFAULT
from phidex.ingest.parse import sniff
from phidex.ingest.run.prepare import Recipe, hash_file, is_current
from phidex.ingest.speech.beside import companions_of, hash_companions, recordings_of
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.video.containers import RECORDINGS

ISO = b"\x00\x00\x00\x20ftypisom" + bytes(20)


def test_companions_by_name(tmp_path: Path) -> None:
    for name in ("Talk.mp4", "talk.vtt", "talk.de-AT.srt", "talk.notes.vtt", "talk2.vtt", "talk.pdf", "talk.pptx", "other.pdf"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in companions_of(tmp_path / "Talk.mp4")] == ["talk.de-AT.srt", "talk.vtt", "talk.pptx"]
    assert recordings_of(tmp_path / "talk.de-AT.srt", RECORDINGS) == [tmp_path / "Talk.mp4"]
    assert recordings_of(tmp_path / "talk2.vtt", RECORDINGS) == []


def test_a_changed_companion_is_another_recording(tmp_path: Path) -> None:
    subtitles = tmp_path / "talk.vtt"
    subtitles.write_text("one")
    first = hash_companions("ab", (subtitles,))
    subtitles.write_text("two")
    assert len({first, hash_companions("ab", (subtitles,)), hash_companions("ab", ())}) == 3
    subtitles.unlink()
    with pytest.raises(InputError, match="beside it cannot be read"):
        hash_companions("ab", (subtitles,))


def test_what_was_recognised_is_current_while_the_recogniser_is() -> None:
    now, other = SpeechOptions(url="http://a/v1", model="whisper"), SpeechOptions(model="small")
    moved = replace(now, url="http://b/v1", api_key="k", timeout_s=9.0)
    digest = Recipe().digest("ab", ".mp4")
    assert digest == Recipe(options=replace(DEFAULT, speech=now)).digest("ab", ".mp4")  # a transcript does not depend on it
    made = f"{digest}@speech:{now.identity()}"
    assert is_current(made, digest, moved.identity())
    assert not is_current(made, digest, other.identity())
    assert not is_current(f"{digest}@speech:none", digest, now.identity())
    assert not is_current(f"{digest}@lost", digest, now.identity())
    assert is_current(digest, digest, other.identity())
    assert "hunter2" not in repr(replace(now, api_key="hunter2"))


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.mp4", ISO, "recording"),
        ("a.txt", ISO, "recording"),
        ("a.webm", b"\x1aE\xdf\xa3" + bytes(40), "recording"),
        ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "recording"),
        ("a.avi", b"RIFF\x24\x00\x00\x00AVI LIST", "recording"),
        ("a.mp3", b"ID3\x04\x00" + bytes(40), "recording"),
        ("a.mp3", b"\xff\xfb\x90\x00" + bytes(40), "recording"),
        ("a.flac", b"fLaC" + bytes(40), "recording"),
        ("a.ogg", b"OggS" + bytes(40), "recording"),
        ("a.ts", (b"G\x40\x00\x10" + bytes(184)) * 4, "recording"),
        ("a.ts", b"export const a: number = 1;\n", "code"),
        ("a.mp4", b"This is a note.\n", "text"),
        ("a.mov", b"\x00\x01" * 50, "recording"),
        ("a.vtt", b"\xef\xbb\xbfWEBVTT\n\n", "captions"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nx".encode("utf-16"), "captions"),
        ("a.srt", b"just notes", "text"),
    ],
)
def test_recordings_by_their_bytes(name: str, head: bytes, kind: str) -> None:
    assert sniff(Path(name), head) == kind


def test_recordings_may_be_larger(tmp_path: Path) -> None:
    recipe = Recipe(max_file_mb=1, max_recording_mb=3)
    for name in ("a.mp4", "a.bin"):
        (tmp_path / name).write_bytes(bytes(2 << 20))
    assert hash_file(tmp_path / "a.mp4", recipe.most_mb(tmp_path / "a.mp4"))[1] == 2 << 20
    with pytest.raises(InputError, match="larger than 1 MB"):
        hash_file(tmp_path / "a.bin", recipe.most_mb(tmp_path / "a.bin"))
