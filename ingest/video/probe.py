"""What a recording's file holds: its streams, as FFmpeg's demuxers (PyAV) find them, and what they claim.

Opens nothing but the file itself: playlists, which would lead to other files or the network, are refused.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phidex.errors import InputError, NotFoundError

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,asf_o,ogg,wav,w64,mp3,flac,aac,ac3,eac3,amr,"
    "aiff,au,caf,dv,gxf,mxf,nut,rm,wv,ape,dts,h264,hevc,av1,obu,ivf,m4v,mjpeg,h261,h263,vc1,webm_dash_manifest,swf,opus,tta,truehd"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_PRIMING_S = 0.1  # by which encoders let sound begin before a picture that begins with it
_MOST_PIXELS = 64_000_000  # of a frame: 8K has 33 million
_INSTALL = "pip install 'phidex[video]'"
_DAMAGED = "it may be cut off or damaged: fetch or export it again"


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A subtitle stream: `index` among the subtitle streams; `language` as the file says it, "" where it does not."""

    index: int
    codec: str
    language: str


@dataclass(frozen=True, slots=True)
class Streams:
    """What a file holds, as its header says.

    Args:
        container: FFmpeg's name of it ("mov,mp4,m4a,3gp,3g2,mj2").
        duration_s: what the header claims; 0 where it says nothing.
        video_codec: "" without a picture; a cover is none.
        width, height: as coded, before `quarter_turns`.
        video_start_s: the container's time of the first frame; 0 without a picture.
        audio_start_s: likewise of the first sample.
    """

    container: str
    duration_s: float
    video_codec: str = ""
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    video_start_s: float = 0.0
    audio_codec: str = ""
    audio_start_s: float = 0.0
    subtitles: tuple[SubtitleStream, ...] = ()

    @property
    def has_video(self) -> bool:
        """Whether there is a moving picture."""
        return bool(self.video_codec)

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return bool(self.audio_codec)

    @property
    def zero_s(self) -> float:
        """The container's time that is 0 in all records: where its picture begins, or its sound where that is clearly first."""
        if self.has_video and not (self.has_audio and self.video_start_s - self.audio_start_s > _PRIMING_S):
            return self.video_start_s
        return self.audio_start_s


def import_av() -> Any:
    """PyAV; quiet, since its decoders print what they dislike.

    Raises:
        InputError: it is not installed.
    """
    try:
        import av  # 0.2 s
    except ImportError as exc:
        raise InputError(f"recordings need: {_INSTALL}", hint=_INSTALL) from exc
    return av


@contextmanager
def opened(path: Path) -> Generator[Any]:
    """The file as a PyAV container.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, or is no recording that FFmpeg's demuxers know.
    """
    av = import_av()
    try:
        container = av.open(f"file:{path}", options=dict(_OPTIONS), metadata_errors="ignore")
    except FileNotFoundError as exc:
        raise NotFoundError(f"{path} does not exist.", hint="check the path") from exc
    except (PermissionError, IsADirectoryError) as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}.", hint="check its permissions") from exc
    except (av.error.FFmpegError, ValueError, OSError) as exc:
        if path.exists() and not path.stat().st_size:
            raise InputError(f"{path.name} is empty.", hint="check that it was copied or downloaded completely") from exc
        raise InputError(f"{path.name} cannot be opened as a recording: {_said(exc)}.", hint=_DAMAGED) from exc
    with container:
        yield container


def probe(path: Path) -> Streams:
    """The streams of a file. Some milliseconds; as far as half a second for one without an index.

    Raises:
        NotFoundError, InputError: see `opened`; also where it has neither picture, sound nor subtitles.
    """
    with opened(path) as container:
        return streams_of(container, path)


def streams_of(container: Any, path: Path) -> Streams:
    """The streams of an open container.

    Raises:
        InputError: there are none, or the picture is too large.
    """
    video, audio = video_stream(container), next(iter(container.streams.audio), None)
    subtitles = tuple(
        SubtitleStream(index, str(one.codec_context.name) if one.codec_context else "", _language(one))
        for index, one in enumerate(container.streams.subtitles)
    )
    if video is None and audio is None and not subtitles:
        raise InputError(f"{path.name} has neither picture nor sound.", hint=_DAMAGED)
    starts = [_start_s(one) for one in (video, audio) if one is not None]
    first_s = min((start_s for start_s in starts if start_s is not None), default=0.0)  # stands for one that is not said
    facts: dict[str, Any] = {}
    if video is not None:
        facts |= _video_facts(video, path) | {"video_start_s": first_s if starts[0] is None else starts[0]}
    if audio is not None:
        facts |= {"audio_codec": audio.codec_context.name, "audio_start_s": first_s if starts[-1] is None else starts[-1]}
    return Streams(container.format.name, max(0.0, (container.duration or 0) / 1e6), subtitles=subtitles, **facts)


def video_stream(container: Any) -> Any | None:
    """The first stream of moving pictures whose codec is known; a cover picture is none."""
    for stream in container.streams.video:
        context = stream.codec_context
        if context is not None and context.width and not int(stream.disposition) & _attached():
            return stream
    return None


def _attached() -> int:
    av = import_av()
    return int(av.stream.Disposition.attached_pic) | int(av.stream.Disposition.timed_thumbnails)


def _video_facts(stream: Any, path: Path) -> dict[str, Any]:
    context = stream.codec_context
    if context.width * context.height > _MOST_PIXELS:
        raise InputError(f"{path.name} has a picture of {context.width} x {context.height} pixels.", hint="export it smaller")
    rate = stream.average_rate or stream.guessed_rate
    return {
        "video_codec": context.name,
        "width": context.width,
        "height": context.height,
        "frame_rate": float(rate) if rate else 0.0,
    }


def _start_s(stream: Any) -> float | None:
    """None where the file does not say."""
    return float(stream.start_time * stream.time_base) if stream.start_time is not None and stream.time_base else None


def _language(stream: Any) -> str:
    language = str(stream.language or "")
    return "" if language == "und" else language


def _said(exc: BaseException) -> str:
    """What FFmpeg says of it, without its number and our path."""
    text = str(getattr(exc, "strerror", "") or exc)
    return (text[:1].lower() + text[1:]).rstrip(".") or "unknown format"
