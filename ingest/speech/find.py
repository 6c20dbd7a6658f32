"""Where the words of a recording come from: subtitles beside it, subtitles inside it, recognition, or nowhere, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from phidex.errors import ConfigError, InputError
from phidex.ingest.speech.beside import SUBTITLES, choose_language, language_of, short_code
from phidex.ingest.speech.captions import read_captions
from phidex.ingest.speech.embedded import TEXT_CODECS, read_packets
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.recognise import SET_UP, recognise_speech
from phidex.ingest.speech.silence import Samples
from phidex.ingest.speech.transcript import Transcript
from phidex.ingest.video.damage import Damage
from phidex.ingest.video.probe import Streams
from phidex.ingest.video.sound import SubtitlePacket, audio_blocks, subtitle_packets


@dataclass(frozen=True, slots=True)
class Found:
    """A transcript, and whether it depends on how recognition is set up (`Parsed.lacks_speech`)."""

    transcript: Transcript
    lacks: Literal["", "set-up", "pieces"] = ""


def find_transcript(
    path: Path, streams: Streams, companions: Sequence[Path], options: SpeechOptions, beat: Callable[[], None], damage: Damage
) -> Found:
    """The words of a recording from the first of its places that has any."""
    beside, warnings = _beside(companions, options)
    if beside is not None:
        return Found(replace(beside, warnings=(*warnings, *beside.warnings)))
    inside = _inside(path, streams, options, damage)
    if inside is not None:
        return Found(replace(inside, warnings=(*warnings, *inside.warnings)))
    heard = _heard(path, streams, options, beat, damage)
    return replace(heard, transcript=replace(heard.transcript, warnings=(*warnings, *heard.transcript.warnings)))


def _beside(companions: Sequence[Path], options: SpeechOptions) -> tuple[Transcript | None, tuple[str, ...]]:
    """The transcript of the files beside it, in the language that is wanted; damaged files are passed over, and named."""
    found: list[Transcript] = []
    warnings: list[str] = []
    for path in companions:
        if path.suffix.lower() not in SUBTITLES:
            continue
        try:
            transcript = read_captions(path.read_bytes(), path.name)
        except InputError as exc:
            warnings.append(f"{path.name} was not read: {exc.message}")
        except OSError as exc:
            warnings.append(f"{path.name} cannot be read: {exc.strerror}.")
        else:
            found.append(replace(transcript, language=language_of(path) or transcript.language))
    return _chosen(found, options), tuple(warnings)


def _inside(path: Path, streams: Streams, options: SpeechOptions, damage: Damage) -> Transcript | None:
    """The transcript of the subtitle streams of the file."""
    if not any(stream.codec in TEXT_CODECS for stream in streams.subtitles):
        return None
    packets: dict[int, list[SubtitlePacket]] = {}
    for packet in subtitle_packets(path, damage):
        if packet.codec in TEXT_CODECS:
            packets.setdefault(packet.stream, []).append(packet)
    found: list[Transcript] = []
    for _, of_stream in sorted(packets.items()):
        first = of_stream[0]
        origin = f"embedded subtitles ({first.language})" if first.language else "embedded subtitles"
        transcript = read_packets(((one.start_s, one.end_s, one.data) for one in of_stream), first.codec, origin)
        if transcript.utterances:
            found.append(replace(transcript, language=short_code(first.language)))
    return _chosen(found, options)


def _chosen(found: Sequence[Transcript], options: SpeechOptions) -> Transcript | None:
    """One of several transcripts; which, and what else there is, is said."""
    if len(found) < 2:
        return found[0] if found else None
    languages = [one.language for one in found]
    wanted = (*options.languages, *((options.language,) if options.language else ()))
    chosen = found[choose_language(languages, wanted)]
    others = ", ".join(one.origin for one in found if one is not chosen)
    said = f"Of {len(found)} transcripts, {chosen.origin} was read, not {others}: PHIDEX_SPEECH__LANGUAGES chooses."
    return replace(chosen, warnings=(*chosen.warnings, said))


def _heard(path: Path, streams: Streams, options: SpeechOptions, beat: Callable[[], None], damage: Damage) -> Found:
    """What a recogniser makes of the sound."""
    if not streams.has_audio:
        return Found(Transcript())
    if not options.is_set:
        return Found(
            Transcript(warnings=(f"What is said in it was not read: it has no transcript. {_sentence(SET_UP)}",)), "set-up"
        )
    try:
        transcript = recognise_speech(_samples(path, damage), options, beat)
    except ConfigError as exc:
        return Found(Transcript(warnings=(f"What is said in it was not read: {exc}.",)), "pieces")
    return Found(transcript, "pieces" if transcript.lost else "set-up")


def _samples(path: Path, damage: Damage) -> Iterator[Samples]:
    for block in audio_blocks(path, damage):
        yield np.frombuffer(block.samples, "<i2")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
