"""Recordings told by their first bytes, and by the suffixes that they have."""

from __future__ import annotations

VIDEO = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".flv", ".3gp"))
AUDIO = frozenset((".mp3", ".m4a", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac", ".wma", ".aiff", ".aif", ".mka"))
RECORDINGS = VIDEO | AUDIO
"""Suffixes, in lower case; `.ts` is told by its bytes, since it is TypeScript too."""

_STILL = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx ", b"jp2 ", b"jpx ")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"pnot", b"skip", b"free")
_MAGIC = (
    *(b"\x1aE\xdf\xa3", b"OggS", b"fLaC", b"FLV\x01", b"caff\x00", b"#!AMR", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
)
_TS_BYTES = 188


def is_recording(suffix: str, head: bytes) -> bool:
    """Whether the bytes begin as those of a video or audio file do; of a suffix of such, also where they are no text.

    >>> is_recording(".txt", b"RIFF....WAVEfmt "), is_recording(".ts", b"export const a = 1;")
    (True, False)
    """
    if head.startswith(_MAGIC) or (head[4:8] in _BOXES and head[8:12] not in _STILL):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] in (b"WAVE", b"AVI ")
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    if head[:3] == b"ID3" and len(head) > 3 and head[3] < 16:
        return True
    if head[:1] == b"G" and len(head) > 2 * _TS_BYTES and head[_TS_BYTES] == head[2 * _TS_BYTES] == 0x47:
        return b"\x00" in head or b"\xff" in head
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0 and head[:2] not in (b"\xff\xfe", b"\xff\xff"):
        return suffix in AUDIO or head[1] & 0x06 != 0  # MPEG audio: a layer is named
    return suffix in RECORDINGS and b"\x00" in head
