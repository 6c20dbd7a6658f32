"""Recordings -> blocks in order of time: frames with the text on them, turns with who spoke.

    file -> keyframes -> their text -> the deck's pages      \\
         -> transcript (ingest/speech/find.py) -> turns       >  Parsed -> segments.py

The file is read as it lies on the disk, a bounded part at a time. What cannot be read of it costs itself alone, and is named.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.records import Block, Parsed, Picture, Times, page_link
from phidex.ingest.speech.beside import DECKS
from phidex.ingest.speech.find import Found, find_transcript
from phidex.ingest.speech.recognise import SET_UP
from phidex.ingest.speech.transcript import told_of, turn_blocks
from phidex.ingest.video.damage import Damage
from phidex.ingest.video.deck import deck_pages, match_pages
from phidex.ingest.video.keyframes import find_keyframes
from phidex.ingest.video.lettering import read_text
from phidex.ingest.video.probe import Streams, probe
from phidex.ingest.video.records import Recording
from phidex.ingest.video.segments import slide_title

_MIMES = {  # by FFmpeg's name of the container and whether there is a picture
    **{"matroska,webm": ("video/x-matroska", "audio/x-matroska"), "avi": ("video/x-msvideo", "audio/x-msvideo")},
    **{"mpegts": ("video/mp2t", "audio/mp2t"), "mp3": ("audio/mpeg", "audio/mpeg"), "wav": ("audio/wav", "audio/wav")},
    **{"flac": ("audio/flac", "audio/flac"), "ogg": ("video/ogg", "audio/ogg"), "flv": ("video/x-flv", "audio/x-flv")},
    **{"asf": ("video/x-ms-asf", "audio/x-ms-asf"), "aac": ("audio/aac", "audio/aac"), "mpeg": ("video/mpeg", "audio/mpeg")},
}
_MP4 = ("video/mp4", "audio/mp4")


def parse_recording(path: Path, options: ParseOptions = DEFAULT, data: bytes | None = None) -> Parsed:
    """What is said and shown in a video or audio file. `data` stands for the file where there is none.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be opened, or nothing of it can be read, or what reads recordings is not installed.
    """
    if data is None or path.exists():
        return _parse(path, options)
    with tempfile.NamedTemporaryFile(suffix=path.suffix) as file:
        file.write(data)
        file.flush()
        return _parse(Path(file.name), options)


def _parse(path: Path, options: ParseOptions) -> Parsed:
    streams, damage = probe(path), Damage()
    shown = _shown(path, streams, options)
    found = find_transcript(path, streams, options.companions, options.speech, _beat(options), damage)
    turns = turn_blocks(found.transcript.utterances)
    frames, images, notes = _frames(shown, options)
    if not turns and not frames:
        raise _nothing(path, streams, found, shown, options)
    heard_s = turns[-1].times[0][1] if turns else 0.0
    duration_s = max(shown.duration_s if shown else streams.duration_s, heard_s) or streams.duration_s
    blocks = sorted((*frames, *turns), key=lambda block: (block.times[0][0], block.kind != "frame"))
    video = bool(shown and shown.has_video)
    return Parsed(
        kind="video" if video else "audio",
        blocks=tuple(blocks),
        mime=_MIMES.get(streams.container, _MP4)[0 if video else 1],
        warnings=(*(shown.lost if shown else ()), *damage.sentences(), *found.transcript.warnings, *notes),
        metadata=told_of(found.transcript, duration_s) | _size(shown),
        images=images,
        lacks_tesseract=bool(shown and shown.lacks_tesseract),
        lacks_speech=found.lacks,
    )


def _shown(path: Path, streams: Streams, options: ParseOptions) -> Recording | None:
    """The keyframes with their text; None for a recording without picture."""
    if not streams.has_video:
        return None
    return read_text(find_keyframes(path, options.on_page), options, options.on_page)


def _frames(shown: Recording | None, options: ParseOptions) -> tuple[list[Block], tuple[Picture, ...], tuple[str, ...]]:
    """A block for each keyframe, their pictures, and what is to be said of the deck."""
    keyframes = shown.keyframes if shown else ()
    deck = next((path for path in options.companions if path.suffix.lower() in DECKS), None)
    links, note = _deck_links(deck, [keyframe.text for keyframe in keyframes], options) if deck and keyframes else ([], "")
    blocks: list[Block] = []
    for index, keyframe in enumerate(keyframes):
        spans: tuple[Times, ...] = tuple((span.start_s, span.end_s) for span in keyframe.spans)
        blocks.append(
            Block(
                keyframe.text,
                "frame",
                (),
                part=slide_title(keyframe.text) if keyframe.kind == "slide" else "",
                links=(links[index],) if links and links[index] else (),
                image=index,
                times=spans,
            )
        )
    return blocks, tuple(keyframe.picture for keyframe in keyframes), (note,) if note else ()


def _deck_links(deck: Path, texts: Sequence[str], options: ParseOptions) -> tuple[list[str], str]:
    """For each keyframe the page of the deck that it shows, "" for none; and what is to be said of it."""
    pages, fault = deck_pages(deck, replace(options, companions=()))
    if fault:
        return [], fault
    numbers = match_pages(texts, pages)
    links = [page_link(options.deck_id, number) if number and options.deck_id else "" for number in numbers]
    return links, "" if any(numbers) else f"None of its {len(texts)} pictures shows a page of {deck.name}."


def _nothing(path: Path, streams: Streams, found: Found, shown: Recording | None, options: ParseOptions) -> InputError:
    """Why there is nothing to store."""
    if streams.has_audio and not streams.has_video and found.lacks and not options.speech.is_set:
        return InputError(f"{path.name} is sound without a transcript, and nothing is set that recognises speech", hint=SET_UP)
    lost = (*(shown.lost if shown else ()), *found.transcript.warnings)
    if not streams.has_audio:
        return InputError(f"{path.name} shows nothing that could be read: {' '.join(lost) or 'it is damaged.'}", hint=_DAMAGED)
    if found.lacks == "set-up" and not lost:
        return InputError(f"nobody speaks in {path.name}, as far as can be told.", hint="check that it is the right file")
    return InputError(
        f"nothing of {path.name} could be read: {' '.join(lost) or 'it is damaged.'}", hint=SET_UP if lost else _DAMAGED
    )


_DAMAGED = "it may be cut off or damaged: fetch or export it again"


def _size(shown: Recording | None) -> dict[str, str]:
    return {"width": str(shown.width), "height": str(shown.height)} if shown and shown.has_video else {}


def _beat(options: ParseOptions) -> Callable[[], None]:
    on_page = options.on_page
    return (lambda: on_page(0, 0)) if on_page else (lambda: None)
