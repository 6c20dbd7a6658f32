"""Long audio in pieces, cut where nobody speaks; memory holds one piece.

Where faster-whisper is installed, the voice detector (Silero) that its wheel carries says where speech is: 1.4 s of CPU for 20
minutes. Otherwise loudness does: quiet is what lies near the quietest tenth of the piece.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
_FRAME = RATE // 50  # 20 ms
_FLOOR = 3e-4  # of full scale: quieter is digital silence (-70 dB)
_RANGE = 4.0  # times as loud as the quiet tenth is still quiet
_SHARE = 0.5  # a piece is at least this part of the longest
_LEAST_QUIET_S = 0.2

Samples = NDArray[np.int16]
FindSpeech = Callable[[Samples], list[tuple[float, float]]]
"""Stretches of speech in seconds, ascending; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of audio: mono, 16 kHz, 16 bits; `speech` says where, in it, somebody speaks."""

    start_s: float
    samples: Samples
    speech: tuple[tuple[float, float], ...]

    @property
    def end_s(self) -> float:
        """In the recording."""
        return self.start_s + len(self.samples) / RATE


def cut_at_silences(blocks: Iterable[Samples], longest_s: float, find_speech: FindSpeech | None = None) -> Iterator[Piece]:
    """The audio in pieces of `longest_s` at most, each ending in the longest pause of its second half.

    Args:
        blocks: samples of any number, in order.
    """
    find = find_speech or speech_finder()
    limit = int(longest_s * RATE)
    held: list[Samples] = []
    count = 0
    start = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        while count >= limit:
            whole = np.concatenate(held)
            head = whole[:limit]
            speech = find(head)
            cut = _cut(head, speech)
            yield _piece(start, whole[:cut], speech)
            start += cut
            rest = whole[cut:].copy()
            held, count = [rest], len(rest)
    if count:
        rest = np.concatenate(held)
        yield _piece(start, rest, find(rest))


def speech_finder() -> FindSpeech:
    """The best finder of speech that is installed."""
    return _by_voice if importlib.util.find_spec("faster_whisper") else find_loud


def find_loud(samples: Samples) -> list[tuple[float, float]]:
    """Stretches that are louder than the quiet of the piece, those with short pauses between them as one."""
    loudness = _loudness(samples)
    if not len(loudness) or loudness.max() < _FLOOR:
        return []
    quiet = max(float(np.percentile(loudness, 10)), _FLOOR)
    limit = min(quiet * _RANGE, float(np.percentile(loudness, 95)) / 2)
    loud = np.concatenate(([False], loudness > max(limit, _FLOOR), [False]))
    edges = np.flatnonzero(loud[1:] != loud[:-1]).reshape(-1, 2) * (_FRAME / RATE)
    found: list[tuple[float, float]] = []
    for begin, end in edges.tolist():
        if found and begin - found[-1][1] < _LEAST_QUIET_S:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def _by_voice(samples: Samples) -> list[tuple[float, float]]:
    vad: Any = importlib.import_module("faster_whisper.vad")  # it declares no types
    options = vad.VadOptions(min_silence_duration_ms=int(_LEAST_QUIET_S * 1000), speech_pad_ms=100)
    found: list[dict[str, int]] = vad.get_speech_timestamps(samples.astype(np.float32) / 32768.0, options)
    return [(one["start"] / RATE, one["end"] / RATE) for one in found]


def _piece(start: int, samples: Samples, speech: list[tuple[float, float]]) -> Piece:
    length_s = len(samples) / RATE
    inside = tuple((begin, min(end, length_s)) for begin, end in speech if begin < length_s)
    return Piece(start / RATE, samples, inside)


def _cut(samples: Samples, speech: list[tuple[float, float]]) -> int:
    """The sample in the middle of the longest pause of the second half; where nobody pauses, of the quietest moment."""
    length_s = len(samples) / RATE
    earliest_s = length_s * _SHARE
    edges = [0.0, *(edge for stretch in speech for edge in stretch), length_s]
    pauses = [(max(a, earliest_s), b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > earliest_s]
    begin, end = max(pauses, key=lambda pause: pause[1] - pause[0], default=(0.0, 0.0))
    if end - begin >= _LEAST_QUIET_S:
        return int((begin + end) / 2 * RATE)
    loudness = _loudness(samples)
    first = int(len(loudness) * _SHARE)
    smooth = np.convolve(loudness[first:], np.ones(5) / 5, mode="same")
    return (first + int(np.argmin(smooth))) * _FRAME + _FRAME // 2


def _loudness(samples: Samples) -> NDArray[np.float64]:
    """Root mean square of each 20 ms, of full scale."""
    frames = len(samples) // _FRAME
    shaped = samples[: frames * _FRAME].reshape(frames, _FRAME).astype(np.float32) / 32768.0
    return np.sqrt((shaped**2).mean(axis=1), dtype=np.float64)
