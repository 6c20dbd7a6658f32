"""A recording is read on a machine that cannot see its files: with its transcript, and no larger than can be sent."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from tests.ingest.recorded import record, tones

from phidex.errors import InputError
from phidex.ingest.run.carried import MOST_RECORDING_MB, carried
from phidex.ingest.run.prepare import Prepared, Recipe, Task, prepare

pytest.importorskip("av")


def test_a_recording_travels_with_its_transcript(tmp_path: Path) -> None:
    path = record(tmp_path / "talk.wav", (), tones((4, True)))
    subtitles = tmp_path / "talk.vtt"
    subtitles.write_text("WEBVTT\n\n00:01.000 --> 00:03.000\n<v Ada>The roof is repaired in May.\n")
    task = Task(1, path, path.as_uri(), str(uuid.uuid4()), Recipe(), size_bytes=path.stat().st_size, companions=(subtitles,))
    here, sent = prepare(task), carried(task)
    path.unlink()
    subtitles.unlink()
    there = prepare(sent)
    assert isinstance(here, Prepared)
    assert isinstance(there, Prepared)
    assert [chunk for chunk, _ in there.pieces] == [chunk for chunk, _ in here.pieces]
    assert there.source == here.source
    assert there.digest == here.digest


def test_what_is_too_large_is_not_sent(tmp_path: Path) -> None:
    path = record(tmp_path / "talk.wav", (), tones((1, True)))
    task = Task(1, path, path.as_uri(), str(uuid.uuid4()), Recipe())
    with pytest.raises(InputError, match="not sent to a cluster"):
        carried(replace(task, size_bytes=(MOST_RECORDING_MB << 20) + 1))
