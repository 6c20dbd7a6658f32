"""The pictures of a recording, decoded as sparingly as may be: packets come in groups, each from one I-frame to the next.

    file -> Group (packets, its I-frame decoded) -> frames of the groups that somebody wants to look into

One pass over the file, without seeking, so that streams without an index read as well as others. Packets are held as they are,
and decoded when asked. What cannot be decoded is noted (`Damage`), and passed over. Full frames at a time: `still.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from phidex.ingest.video.damage import Damage
from phidex.ingest.video.probe import Streams, import_av, opened, streams_of, video_stream

Gray = npt.NDArray[np.uint8]
"""uint8, (height, width)."""

GROUP_S = 12.0
"""A group that lasts longer is given out in parts, the first of which is its I-frame's."""

_LEAST_GROUP_S = 0.45  # where every frame is an I-frame, groups have several
_GROUP_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Shot:
    """A decoded frame at its time. `frame` is PyAV's, not turned upright."""

    time_s: float
    frame: Any


@dataclass(slots=True)
class Group:
    """Packets that follow one another.

    Args:
        start_s: of its first packet.
        key: the I-frame that it begins with, decoded; None where it continues the group before, or the frame is damaged.
        packets: compressed; all of them, the I-frame's first.
        is_whole: whether the next I-frame follows; False where it is cut because it is long.
        continues: whether it has no I-frame: it can be decoded only right after the group before.
    """

    start_s: float
    key: Shot | None
    packets: list[Any]
    is_whole: bool = True
    continues: bool = False


class Film:
    """The moving picture of an open file.

    Args:
        damage: told what could not be read.

    Attributes:
        streams: what the file holds.
        turns: quarter turns against the clock that make a frame upright.
        end_s: when the last frame seen so far ends.
    """

    def __init__(self, path: Path, damage: Damage) -> None:
        self._path, self._damage = path, damage
        self._stack = ExitStack()
        self.turns = 0
        self.end_s = 0.0

    def __enter__(self) -> Self:
        av = import_av()
        self._errors: Any = (av.error.FFmpegError, ValueError)
        with ExitStack() as stack:
            self._container = stack.enter_context(opened(self._path))
            self.streams: Streams = streams_of(self._container, self._path)
            self._stream = video_stream(self._container)
            self._keys: Any = None
            if self._stream is not None:
                with opened(
                    self._path
                ) as other:  # for a second decoder with all its parameters, for I-frames; its index is large
                    found = video_stream(other)
                    self._keys = found and found.codec_context
            self._stack = stack.pop_all()
        for context in (self._keys, self._stream and self._stream.codec_context):
            if context is not None:
                context.thread_count = 1  # a worker is one core's; threads would cost more CPU
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def groups(self) -> Iterator[Group]:
        """All packets of the picture, in groups, in the order of the file."""
        if self._stream is None:
            return
        held: Group | None = None
        size, last_s = 0, 0.0
        for packet, time_s in self._packets():
            is_key = bool(packet.is_keyframe) and (held is None or time_s - held.start_s >= _LEAST_GROUP_S)
            if held is None or is_key:
                if held is not None:
                    yield held
                key = self._decode_key(packet, time_s) if is_key else None
                held, size = Group(time_s, key, []), 0
            elif (time_s - held.start_s > GROUP_S or size > _GROUP_BYTES) and not packet.is_disposable:
                held.is_whole = False
                yield held
                held, size = Group(last_s, None, [], continues=True), 0
            held.packets.append(packet)
            size += packet.size
            last_s = time_s
        if held is not None:
            yield held

    def frames(self, group: Group, *, afresh: bool) -> Iterator[Shot]:
        """The frames of a group in the order they are shown, those that nothing depends on left out.

        Args:
            afresh: whether the group before was not decoded.
        """
        assert self._stream is not None
        context = self._stream.codec_context
        context.skip_frame = "NONREF"
        if afresh:
            context.flush_buffers()
        last_s = group.start_s - 1e-3 if afresh and group.key is not None else -1.0
        for packet in (*group.packets, *([None] if group.is_whole else [])):
            for shot in self._decoded(context, packet, group.start_s):
                if shot.time_s > last_s:
                    last_s = shot.time_s
                    yield shot
        if group.is_whole:
            context.flush_buffers()

    def seek(self, time_s: float) -> None:
        """Go to the I-frame before that time, as well as the file allows."""
        if self._stream is None:
            return
        with suppress(*self._errors):
            stamp = int((time_s + self.streams.zero_s) / self._stream.time_base)
            self._container.seek(stamp, stream=self._stream, backward=True)

    def all_frames(self) -> Iterator[Shot]:
        """Every frame from here on that can be decoded, in the order they are shown."""
        if self._stream is None:
            return
        context = self._stream.codec_context
        for packet, time_s in self._packets():
            for shot in self._decoded(context, packet, time_s):
                self._turn(shot.frame)
                yield shot
        yield from self._decoded(context, None, self.end_s)

    def _packets(self) -> Iterator[tuple[Any, float]]:
        """Packets with something in them, and the time each is shown."""
        assert self._stream is not None
        packets = self._container.demux(self._stream)
        zero_s, base, rate = self.streams.zero_s, float(self._stream.time_base), self.streams.frame_rate or 25.0
        time_s = 0.0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._errors:
                self._damage.add("picture", time_s)
                return
            if not packet.size:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            time_s = stamp * base - zero_s if stamp is not None else time_s + 1 / rate
            self.end_s = max(self.end_s, time_s + (packet.duration * base if packet.duration else 1 / rate))
            yield packet, time_s

    def _decode_key(self, packet: Any, time_s: float) -> Shot | None:
        """An I-frame, decoded on its own."""
        context = self._keys
        shots = [shot for one in (packet, None) for shot in self._decoded(context, one, time_s)]
        context.flush_buffers()
        if not shots:
            return None
        self._turn(shots[0].frame)
        return Shot(time_s, shots[0].frame)

    def _turn(self, frame: Any) -> None:
        self.turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4

    def _decoded(self, context: Any, packet: Any, time_s: float) -> Iterator[Shot]:
        try:
            frames = context.decode(packet)
        except EOFError:
            return
        except self._errors:
            if packet is not None:
                self._damage.add("picture", time_s)
            return
        zero_s = self.streams.zero_s
        for frame in frames:
            stamp = frame.pts if frame.pts is not None else frame.dts
            base = frame.time_base or (packet and packet.time_base) or self._stream_base()
            yield Shot(float(stamp * base) - zero_s if stamp is not None else time_s, frame)

    def _stream_base(self) -> Any:
        assert self._stream is not None
        return self._stream.time_base


class Shrinker:
    """Frames made small and grey: the long side 320 pixels, both sides multiples of 10; upright."""

    def __init__(self) -> None:
        self._reformatter: Any = (
            import_av().video.reformatter.VideoReformatter()
        )  # one for all: its tables cost more than its use

    def __call__(self, frame: Any, turns: int) -> Gray:
        """The small picture. Some 0.3 ms for 720p."""
        width, height = small_size(frame.width, frame.height)
        small = self._reformatter.reformat(frame, width=width, height=height, format="gray", interpolation="AREA")
        plane = small.planes[0]
        pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels.copy()


def small_size(width: int, height: int, longest: int = 320) -> tuple[int, int]:
    """Width and height of the small picture.

    >>> small_size(1920, 1080), small_size(480, 640)
    ((320, 180), (240, 320))
    """
    scale = longest / max(width, height)
    return max(20, round(width * scale / 10) * 10), max(20, round(height * scale / 10) * 10)
