"""The sound of a recording as a bounded stream of 16 kHz mono samples, and the subtitles inside its file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phidex.ingest.video.damage import Damage
from phidex.ingest.video.probe import import_av, opened, streams_of

RATE = 16_000
"""Samples a second: what speech recognisers take."""

_MOST_BAD = 200  # packets in a row that cannot be decoded: then the rest is given up
_GAP_S = 0.1  # a hole in the sound that is filled with silence
_MOST_SILENCE_S = 4 * 3600.0
_WITHOUT_HEADER = frozenset(("aac", "ac3", "eac3", "dts", "truehd", "amr"))  # FFmpeg guesses from their size how long they last


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Some samples: 16-bit signed little-endian mono at 16 kHz; `start_s` counts from where picture or sound begins."""

    start_s: float
    samples: bytes

    @property
    def end_s(self) -> float:
        """When the block ends."""
        return self.start_s + len(self.samples) / 2 / RATE


@dataclass(frozen=True, slots=True)
class SubtitlePacket:
    """A subtitle as it lies in the file; times count as an AudioBlock's. `stream` among subtitle streams."""

    data: bytes
    start_s: float
    end_s: float
    language: str
    codec: str
    stream: int


def audio_blocks(path: Path, damage: Damage | None = None, *, block_s: float = 1.0) -> Generator[AudioBlock]:
    """The first audio stream, in blocks of about `block_s` that follow one another; nothing where there is none.

    Holes become silence, so that a block's time is also its place in the samples. About 1,700 seconds of sound a CPU second.

    Args:
        damage: told what could not be read.

    Raises:
        InputError: the file cannot be opened.
    """
    damage = damage or Damage()
    with opened(path) as container:
        streams = streams_of(container, path)
        if not streams.has_audio:
            return
        held, at_s, size = bytearray(), 0.0, 2 * round(block_s * RATE)
        frames = _frames(container, container.streams.audio[0], damage, streams.zero_s)
        for samples in resampled(frames, size):
            held += samples
            while len(held) >= size:
                yield AudioBlock(at_s, bytes(held[:size]))
                del held[:size]
                at_s += size / 2 / RATE
        if held:
            yield AudioBlock(at_s, bytes(held))
        if not streams.has_video and streams.container not in _WITHOUT_HEADER:
            damage.check_end("sound", at_s + len(held) / 2 / RATE, streams.duration_s)


def resampled(frames: Iterator[tuple[float, Any]], most: int) -> Iterator[bytes]:
    """The samples of decoded frames as an AudioBlock has them, holes filled with silence in pieces of at most `most` bytes."""
    av = import_av()
    form: Any = None
    resampler: Any = None
    count = 0
    for time_s, frame in frames:
        missing = 2 * round(time_s * RATE) - count
        if 2 * _GAP_S * RATE < missing < 2 * _MOST_SILENCE_S * RATE:
            yield from (bytes(min(most, missing - at)) for at in range(0, missing, most))
            count += missing
        if form != (found := (frame.format.name, frame.layout.name, frame.sample_rate)):  # it may change within a stream
            form, resampler = found, av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for made in resampler.resample(frame):
            samples = bytes(made.planes[0])[: made.samples * 2]
            count += len(samples)
            yield samples


def _frames(container: Any, stream: Any, damage: Damage, zero_s: float) -> Iterator[tuple[float, Any]]:
    """Decoded frames with their time; what cannot be decoded is noted and passed over."""
    errors: Any = import_av().error.FFmpegError
    packets, bad, time_s = container.demux(stream), 0, 0.0
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
            bad = 0
        except StopIteration:
            return
        except (errors, ValueError) as exc:
            bad += 1
            damage.add("sound", time_s)
            if bad >= _MOST_BAD or "packet" not in locals() or not _goes_on(exc):
                return
            continue
        for frame in frames:
            if frame.pts is not None and frame.time_base:
                time_s = float(frame.pts * frame.time_base) - zero_s
            yield time_s, frame
            time_s += frame.samples / frame.sample_rate if frame.sample_rate else 0.0


def _goes_on(exc: BaseException) -> bool:
    return not isinstance(exc, EOFError)


def subtitle_packets(path: Path, damage: Damage | None = None) -> Iterator[SubtitlePacket]:
    """The packets of all subtitle streams in the order of the file.

    Raises:
        InputError: the file cannot be opened.
    """
    errors: Any = import_av().error.FFmpegError
    damage = damage or Damage()
    with opened(path) as container:
        streams = streams_of(container, path)
        if not streams.subtitles:
            return
        kinds = {stream.index: found for stream, found in zip(container.streams.subtitles, streams.subtitles, strict=True)}
        packets, start_s = container.demux(container.streams.subtitles), 0.0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (errors, ValueError):
                damage.add("subtitles", start_s)
                return
            if packet.pts is None or not packet.size:
                continue
            start_s = float(packet.pts * packet.time_base) - streams.zero_s
            end_s = start_s + float((packet.duration or 0) * packet.time_base)
            kind = kinds[packet.stream.index]
            yield SubtitlePacket(bytes(packet), start_s, end_s, kind.language, kind.codec, kind.index)
