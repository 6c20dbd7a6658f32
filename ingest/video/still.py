"""One full frame of a recording at a time: "what is on the screen at 12:30".

decord takes it where it is known to work (H.264, HEVC, VP9, MPEG-4 in a whole MP4, MOV, MKV or WebM file); PyAV takes all else,
and whatever decord fails at. decord never sees a transport stream or a file that ends too soon: there it can hang for good.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phidex.errors import InputError
from phidex.ingest.records import Picture
from phidex.ingest.video.damage import Damage, clock
from phidex.ingest.video.decode import Film, Shot
from phidex.ingest.video.keyframes import encode_picture, to_picture
from phidex.ingest.video.probe import Streams, import_av, opened, streams_of, video_stream

_CODECS = frozenset(("h264", "hevc", "vp9", "mpeg4"))
_CONTAINERS = ("mov,", "matroska")
_WHOLE_SLACK_S = 1.0  # by which the last packet may stand before the end that the header claims
_BEFORE_S = 10.0  # a second attempt begins so much earlier
_TAIL_S = 30.0  # before the end, where the last packets are looked for
_MOST_FRAMES = 2_000_000  # decord keeps the times of all


def picture_at(path: Path, time_s: float) -> Picture:
    """The frame shown at a time, upright, at full size; the last one where the recording ends before. 0.1 to 1 s.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be opened, has no picture, or nothing near that time can be decoded.
    """
    with opened(path) as container:
        streams = streams_of(container, path)
        if not streams.has_video:
            raise InputError(f"{path.name} has no picture.", hint="ask for what was said instead")
        whole = _is_whole(container, streams)
    if whole and streams.video_codec in _CODECS and streams.container.startswith(_CONTAINERS):
        found = _by_decord(path, time_s - (streams.video_start_s - streams.zero_s))
        if found is not None:
            return encode_picture(found)
    return _by_av(path, time_s)


def _is_whole(container: Any, streams: Streams) -> bool:
    """Whether packets reach to where the header says that the file ends."""
    av = import_av()
    stream = video_stream(container)
    last_s = -1.0
    try:
        container.seek(int(max(0.0, streams.duration_s - _TAIL_S) * 1e6))
        for packet in container.demux(stream):
            if packet.pts is not None:
                last_s = max(last_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except (av.error.FFmpegError, ValueError):
        return False
    return 0 < streams.duration_s <= last_s + _WHOLE_SLACK_S


def _by_decord(path: Path, time_s: float) -> Image.Image | None:
    """decord's frame at a time from the first frame on; None where it is not installed or fails. It turns pictures upright."""
    try:
        decord: Any = importlib.import_module("decord")
        reader = decord.VideoReader(str(path), num_threads=1)
        count = len(reader)
        if not 0 < count <= _MOST_FRAMES:
            return None
        stamps = np.asarray(reader.get_frame_timestamp(np.arange(count)))[:, 0]
        index = max(0, int(np.searchsorted(stamps - stamps[0], time_s + 1e-3, side="right")) - 1)
        return Image.fromarray(reader[index].asnumpy())
    except (ImportError, OSError, RuntimeError, ValueError, IndexError):  # its DECORDError is a RuntimeError
        return None


def _by_av(path: Path, time_s: float) -> Picture:
    """PyAV's frame, decoded from the I-frame before it."""
    for back_s in (0.0, _BEFORE_S, 1e9):
        shot, turns = _seek(path, time_s, max(0.0, time_s - back_s))
        if shot is not None:
            return to_picture(shot.frame, turns)
    raise InputError(f"{path.name} cannot be read at {clock(time_s)}.", hint="the file is damaged there")


def _seek(path: Path, time_s: float, from_s: float) -> tuple[Shot | None, int]:
    """The last frame not after `time_s`, looked for from the I-frame before `from_s`; None where it cannot be reached."""
    with Film(path, Damage()) as film:
        film.seek(from_s)
        found: Shot | None = None
        for shot in film.all_frames():
            if shot.time_s > time_s + 1e-3:
                return (found if found is not None or from_s > 0 else shot), film.turns
            found = shot
        return found, film.turns
