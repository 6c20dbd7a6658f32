"""Passages of recordings made by hand, for the tests of minutes."""

from __future__ import annotations

from collections.abc import Sequence

from phidex.ingest.records import Chunk, Cue, Source, TimeLocator
from phidex.retrieval.hit import Hit


def spoken(turns: Sequence[tuple[str, str]], *, slide: str = "", language: str = "en", name: str = "talk") -> Hit:
    """One segment of turns (speaker, words), each of four seconds with one between them, from the tenth second on."""
    text = f"[Slide: {slide}]" if slide else ""
    cues: list[Cue] = []
    for at, (speaker, words) in enumerate(turns):
        text += ("\n" if text else "") + (f"{speaker}: " if speaker else "")
        cues.append(Cue(len(text), len(text) + len(words), 10.0 + 5 * at, 14.0 + 5 * at, speaker))
        text += words
    heading = (slide,) if slide else ()
    place = TimeLocator(10.0, cues[-1].end_s)
    source = Source(name, f"file:///{name}.mp4", "video", name.title(), "0" * 64, language, "video/mp4")
    return Hit(Chunk(f"{name}-0", name, place, text, "speech", language, 0, heading, cues=tuple(cues)), source, 1.0, {})
