"""Small recordings for tests: slides drawn by Pillow, tones or espeak-ng's speech, encoded by PyAV."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

RATE = 16_000
Samples = NDArray[np.int16]


def slide(title: str, *lines: str, size: tuple[int, int] = (640, 360)) -> NDArray[np.uint8]:
    """A white slide with a title and lines below it, as pixels."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.text((30, 20), title, fill="black", font=ImageFont.load_default(34))
    for number, line in enumerate(lines):
        draw.text((40, 100 + 44 * number), line, fill="black", font=ImageFont.load_default(24))
    return np.asarray(image)


def tones(*stretches: tuple[float, bool]) -> Samples:
    """Seconds of a wavering tone, or of silence."""
    made: list[Samples] = []
    for seconds, loud in stretches:
        at: NDArray[np.float64] = np.arange(int(seconds * RATE)) / RATE
        wave_ = np.sin(2 * np.pi * 180 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at)) if loud else np.zeros(len(at))
        made.append((wave_ * 12_000).astype(np.int16))
    return np.concatenate(made)


def speech(text: str) -> Samples | None:
    """What espeak-ng says, at 16 kHz; None where it is not installed."""
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    out = subprocess.run([program, "--stdout", "-s", "150", text], check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(out[:40] + (len(out) - 44).to_bytes(4, "little") + out[44:])) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    at = np.linspace(0.0, len(samples) - 1.0, len(samples) * RATE // rate)
    heard: NDArray[np.float64] = np.interp(at, np.arange(len(samples)), samples)
    return heard.astype(np.int16)


def record(
    path: Path,
    shown: Sequence[tuple[NDArray[np.uint8], float]] = (),
    sound: Samples | None = None,
    *,
    fps: int = 5,
) -> Path:
    """A recording of slides, each for so many seconds, with sound."""
    import av as _av

    av: Any = _av
    with av.open(str(path), "w") as out:
        picture = _video_stream(out, shown, fps)
        voice = (
            out.add_stream("pcm_s16le" if path.suffix in (".mkv", ".wav") else "aac", rate=RATE) if sound is not None else None
        )
        if voice is not None:
            voice.layout = "mono"
        number = 0
        for pixels, seconds in shown:
            for _ in range(int(seconds * fps)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                out.mux(picture.encode(frame))
                number += 1
        if picture is not None:
            out.mux(picture.encode(None))
        if voice is not None and sound is not None:
            for start in range(0, len(sound), 1024):
                frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                out.mux(voice.encode(frame))
            out.mux(voice.encode(None))
    return path


def _video_stream(out: Any, shown: Sequence[tuple[NDArray[np.uint8], float]], fps: int) -> Any:
    if not shown:
        return None
    height, width = shown[0][0].shape[:2]
    stream = out.add_stream("libx264", rate=fps)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": "18", "preset": "ultrafast", "g": "25"}
    return stream
