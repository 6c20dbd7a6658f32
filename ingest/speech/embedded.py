"""Subtitle packets of a container -> a transcript: MP4's timed text, SRT, WebVTT and SSA as Matroska keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from phidex.ingest.speech.captions import Caption, transcript_of
from phidex.ingest.speech.transcript import Transcript

Packet = tuple[float, float, bytes]
"""Start and end in seconds, and the bytes."""

_SSA_FIELDS = 8  # before the text: order, layer, style, name, three margins, effect
_SSA_NAME = 3
_SSA_BREAK = re.compile(r"\\[Nn]")
_SSA_OVERRIDE = re.compile(r"\{[^{}]*\}")
TEXT_CODECS = ("mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text")
"""The codecs whose packets are text; others (DVD, Blu-ray) are pictures."""


def read_packets(packets: Iterable[Packet], codec: str, origin: str) -> Transcript:
    """The transcript of one subtitle stream; times as the packets have them."""
    found: list[Caption] = []
    for start_s, end_s, data in packets:
        text = _text(data, codec)
        if text.strip():
            found.append(Caption(start_s, end_s, tuple(text.splitlines())))
    return transcript_of(found, origin)


def _text(data: bytes, codec: str) -> str:
    match codec:
        case "mov_text":  # its length in two bytes, and styles behind it
            size = int.from_bytes(data[:2], "big")
            body = data[2 : 2 + size]
            encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            return body.decode(encoding, "replace")
        case "ass" | "ssa":
            parts = data.decode("utf-8", "replace").split(",", _SSA_FIELDS)
            if len(parts) <= _SSA_FIELDS:
                return ""
            text = _SSA_BREAK.sub("\n", _SSA_OVERRIDE.sub("", parts[_SSA_FIELDS]))
            name = parts[_SSA_NAME].strip()
            return f"<v {name}>{text}" if name else text
        case _:
            return data.decode("utf-8", "replace").replace("\x00", "")
