"""A subtitle file that is given by itself -> the turns of a recording without pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phidex.ingest.records import Parsed
from phidex.ingest.speech.beside import language_of
from phidex.ingest.speech.captions import read_captions
from phidex.ingest.speech.transcript import told_of, turn_blocks


def parse_captions(data: bytes, path: Path) -> Parsed:
    """The turns of a WebVTT or SRT file.

    Raises:
        InputError: it cannot be decoded, or has no captions.
    """
    transcript = read_captions(data, path.name)
    transcript = replace(transcript, language=language_of(path) or transcript.language)
    mime = "text/vtt" if path.suffix.lower() == ".vtt" else "application/x-subrip"
    turns = turn_blocks(transcript.utterances)
    told = told_of(transcript, turns[-1].times[0][1])
    return Parsed("audio", tuple(turns), mime=mime, warnings=transcript.warnings, metadata=told)
