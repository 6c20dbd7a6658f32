"""Recordings that are cut off, damaged, odd, or none at all: what can be read is kept, and what was lost is said."""

from __future__ import annotations

import builtins
import io
import re
import struct
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av as _av
import numpy as np
import pytest
from PIL import Image
from tests.ingest.recorded import record, slide, tones

from phidex.errors import InputError, NotFoundError
from phidex.eval.bench.recordings import Script, Truth, make
from phidex.eval.bench.screen import draw_slide, make_slides, to_frame, to_planes
from phidex.ingest.video.damage import Damage
from phidex.ingest.video.keyframes import find_keyframes
from phidex.ingest.video.probe import probe
from phidex.ingest.video.sound import RATE, audio_blocks, resampled
from phidex.ingest.video.still import picture_at

av: Any = _av  # not all of it is typed
SCRIPT = Script("base", ("slide", "slide", "slide"), 5, 640, 360, 10, scene_s=(8.0, 9.0), group=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def base(folder: Path) -> tuple[Path, Truth]:
    return make(SCRIPT, folder)


def remux(source: Path, target: Path, *, sound: bool = True, options: dict[str, str] | None = None) -> Path:
    """The same packets in another container."""
    with av.open(str(source)) as read, av.open(str(target), "w", options=options or {}) as written:
        streams = {one.index: written.add_stream_from_template(one) for one in read.streams if sound or one.type == "video"}
        for packet in read.demux():
            if packet.dts is not None and packet.stream.index in streams:
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
    return target


def cut(path: Path, share: float) -> Path:
    """The first part of the file's bytes."""
    target = path.with_name(f"cut-{path.name}")
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


@pytest.mark.parametrize(("name", "options"), [("fast.mp4", {"movflags": "faststart"}), ("whole.mkv", {})])
def test_of_a_file_cut_off_what_is_there_is_kept_and_the_rest_is_named(
    name: str, options: dict[str, str], base: tuple[Path, Truth], folder: Path
) -> None:
    path, truth = base
    recording = find_keyframes(cut(remux(path, folder / name, options=options), 0.6))
    assert 0 < recording.duration_s < truth.duration_s - 3
    assert recording.keyframes
    (said,) = recording.lost
    assert said.startswith("The picture ends at 0:")
    assert f"lasts 0:{int(truth.duration_s)}" in said


def test_a_transport_stream_cut_off_is_read_to_its_end(base: tuple[Path, Truth], folder: Path) -> None:
    path, truth = base
    whole = remux(path, folder / "whole.ts")
    assert find_keyframes(whole).starts == pytest.approx([one.start_s for one in truth.shown], abs=0.3)
    half = cut(whole, 0.6)
    assert 5 < find_keyframes(half).duration_s < truth.duration_s - 3
    assert picture_at(half, 7.0).width == 640  # where decord would hang


def test_a_file_whose_index_was_cut_off_says_so(base: tuple[Path, Truth]) -> None:
    with pytest.raises(InputError, match="cannot be opened as a recording") as caught:
        find_keyframes(cut(base[0], 0.5))
    assert "cut off" in caught.value.hint


def test_damage_in_the_middle_costs_its_place_alone(base: tuple[Path, Truth], folder: Path) -> None:
    path, truth = base
    content = bytearray(path.read_bytes())
    for at in range(len(content) * 2 // 5, len(content) * 3 // 5, 97):
        content[at] ^= 0xA5
    damaged = folder / "damaged.mp4"
    damaged.write_bytes(bytes(content))
    recording = find_keyframes(damaged)
    assert recording.duration_s == pytest.approx(truth.duration_s, abs=0.3)
    assert recording.keyframes
    assert any(said.startswith("The picture is damaged") for said in recording.lost)


def test_no_sound_is_no_fault(base: tuple[Path, Truth], folder: Path) -> None:
    recording = find_keyframes(remux(base[0], folder / "silent.mp4", sound=False))
    assert not recording.has_audio
    assert len(recording.starts) == 3
    assert list(audio_blocks(folder / "silent.mp4")) == []


def test_a_header_that_claims_ten_hours_is_not_believed(base: tuple[Path, Truth], folder: Path) -> None:
    path = remux(base[0], folder / "hours.mkv")
    content = path.read_bytes()
    at = content.index(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes, in milliseconds
    path.write_bytes(content[:at] + struct.pack(">d", 36_000_000.0) + content[at + 8 :])
    recording = find_keyframes(path)
    assert recording.duration_s == pytest.approx(base[1].duration_s, abs=0.3)
    assert "lasts 10:00:00" in recording.lost[0]
    assert picture_at(path, 2.0).height == 360


def test_a_rotated_recording_stands_upright(base: tuple[Path, Truth], folder: Path) -> None:
    content = bytearray(base[0].read_bytes())
    at = content.index(b"tkhd") + 44  # the matrix of the first track
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 360 << 16, 0, 1 << 30)
    path = folder / "rotated.mp4"
    path.write_bytes(bytes(content))
    recording = find_keyframes(path)
    assert (recording.width, recording.height) == (360, 640)
    assert {(frame.picture.width, frame.picture.height) for frame in recording.keyframes} == {(360, 640)}
    assert len(recording.starts) == 3
    still = picture_at(path, 1.0)
    assert (still.width, still.height) == (360, 640)


def test_times_are_those_of_the_frames_where_their_rate_varies(folder: Path) -> None:
    import random

    first, second = (to_frame(to_planes(draw_slide(one, 640, 360))) for one in make_slides(2, "light", random.Random(1)))
    times_s = [*(index / 25 for index in range(100)), 4.7, 6.1, 8.0, 11.3, *(12 + index / 10 for index in range(60))]
    path = folder / "vfr.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for time_s in times_s:
            frame = av.VideoFrame.from_ndarray(first if time_s < 11 else second, format="yuv420p")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert find_keyframes(path).starts == pytest.approx([0.0, 11.3], abs=0.15)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libsvtav1", ".mkv"), ("libvpx-vp9", ".webm"), ("libx265", ".mp4"), ("mpeg4", ".avi")]
)
def test_codecs(codec: str, suffix: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVT_LOG", "1")
    script = replace(SCRIPT, name=codec, codec=codec, suffix=suffix, sound=False, width=320, height=180)
    path, truth = make(script, folder)
    assert find_keyframes(path).starts == pytest.approx([one.start_s for one in truth.shown], abs=0.6)
    assert picture_at(path, 4.0).width == 320


def test_one_frame_is_a_keyframe(folder: Path) -> None:
    path, _ = make(replace(SCRIPT, name="one", scenes=("slide",), scene_s=(0.1, 0.1), sound=False), folder)
    recording = find_keyframes(path)
    assert [frame.spans[0].start_s for frame in recording.keyframes] == [0.0]
    assert recording.keyframes[0].picture.width == 640


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"%PDF-1.4 this is no recording" * 100, "cannot be opened as a recording"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n", "cannot be opened as a recording"),
        (b"ffconcat version 1.0\nfile base.mp4\n", "cannot be opened as a recording"),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, said: str, base: tuple[Path, Truth], folder: Path) -> None:
    path = folder / "none.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        find_keyframes(path)
    with pytest.raises(InputError, match=said):
        picture_at(path, 1.0)


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.mp4 does not exist"):
        probe(folder / "gone.mp4")


def test_without_pyav_the_cure_is_named(base: tuple[Path, Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def lacking(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(InputError, match=r"recordings need: pip install 'phidex\[video\]'"):
        find_keyframes(base[0])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_that_begins_before_the_picture_has_the_same_zero(suffix: str, folder: Path) -> None:
    path = folder / f"late{suffix}"
    record(path, [(slide("First"), 4.0), (slide("Second", "with more"), 4.0)], tones((13.0, True)), fps=10)
    late = folder / f"late-picture{suffix}"
    with av.open(str(path)) as read, av.open(str(late), "w") as written:
        streams = {one.index: written.add_stream_from_template(one) for one in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                if packet.stream.type == "video":
                    shift = int(5 / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
    shown = find_keyframes(late)
    assert shown.starts == pytest.approx([5.0, 9.0], abs=0.3)
    assert (shown.duration_s, shown.lost) == (pytest.approx(13.0, abs=0.2), ())
    blocks = list(audio_blocks(late))
    assert (blocks[0].start_s, blocks[-1].end_s) == (0.0, pytest.approx(13.0, abs=0.2))
    sharp = [np.asarray(Image.open(io.BytesIO(picture_at(late, at).data)).convert("L"), float) for at in (8.5, 9.5)]
    firsts = [np.asarray(Image.open(io.BytesIO(one.picture.data)).convert("L"), float) for one in shown.keyframes]
    assert [np.abs(one - other).mean() < 3 for one, other in zip(sharp, firsts, strict=True)] == [True, True]


def test_a_sound_recording_cut_off_says_so(folder: Path) -> None:
    whole = record(folder / "voice.mkv", sound=tones((40.0, True)))
    damage = Damage()
    list(audio_blocks(whole, damage))
    assert damage.sentences() == ()
    list(audio_blocks(cut(whole, 0.5), damage))
    [said] = damage.sentences()
    assert re.fullmatch(r"The sound ends at 0:(19|20|21), although the file says that it lasts 0:40: what .*", said)


def test_sound_may_change_its_form_and_jump() -> None:
    frames: list[tuple[float, Any]] = []
    for at_s, rate, layout in ((0.0, 16_000, "mono"), (1.0, 48_000, "stereo"), (5.0, 48_000, "stereo")):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, rate * (2 if layout == "stereo" else 1)), np.int16), "s16", layout)
        frame.sample_rate, frame.pts = rate, 0
        frames.append((at_s, frame))
    pieces = list(resampled(iter(frames), 2 * RATE))
    assert sum(map(len, pieces)) / 2 / RATE == pytest.approx(6.0, abs=0.05)
    assert max(map(len, pieces)) <= 2 * RATE


def test_i_frames_that_cannot_be_compared_are_no_fault(folder: Path) -> None:
    sizes = ((640, 360), (360, 640))
    parts = [record(folder / f"{n}.h264", [(slide(f"Size {n}", size=size), 4.0)], fps=10) for n, size in enumerate(sizes)]
    both = folder / "both.h264"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert find_keyframes(both).keyframes


def test_sound_is_mono_at_16_khz_without_holes(base: tuple[Path, Truth]) -> None:
    path, truth = base
    damage = Damage()
    blocks = list(audio_blocks(path, damage))
    assert damage.sentences() == ()
    assert sum(len(block.samples) for block in blocks) / 2 / RATE == pytest.approx(truth.duration_s, abs=0.2)
    assert all(after.start_s == pytest.approx(before.end_s) for before, after in pairwise(blocks))
    assert max(len(block.samples) for block in blocks) <= 2 * RATE
