"""The passages of a recording -> WebVTT: its subtitles as they are stored, names corrected, and its chapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from phidex.errors import InputError
from phidex.ingest.picture import read_picture
from phidex.ingest.records import Chunk, Cue, TimeLocator
from phidex.ingest.sentences import sentence_spans
from phidex.ingest.video.records import Keyframe, Span

_TITLE_CHARS = 60
_LEAST_CHAPTER_S = 10.0


def write_subtitles(chunks: Sequence[Chunk]) -> str:
    """What was said as WebVTT, each cue with its speaker.

    Raises:
        InputError: nothing was said, as far as it is known.
    """
    cues = sorted(
        ((cue, chunk.text[cue.start : cue.end]) for chunk in chunks for cue in chunk.cues), key=lambda one: one[0].start_s
    )
    if not cues:
        raise InputError("there is no transcript to write", hint="put a .vtt beside the recording, or set PHIDEX_SPEECH__URL")
    body = [f"{_timing(cue.start_s, cue.end_s)}\n{_spoken(cue, text)}" for cue, text in cues]
    return "\n\n".join(["WEBVTT", *body]) + "\n"


def write_chapters(chunks: Sequence[Chunk], end_s: float = 0.0) -> str:
    """Chapters as WebVTT: one for each slide with a title, by its title; otherwise one for each segment, by what it opens with.

    Args:
        end_s: of the recording; 0 for the end of its last passage.

    Raises:
        InputError: nothing was said or shown.
    """
    marks = list(_marks(chunks))
    if not marks:
        raise InputError("there is nothing to make chapters of", hint="it has neither slides nor a transcript")
    last_s = max(end_s, *(_times(chunk)[1] for chunk in chunks))
    starts = [start_s for start_s, _ in marks]
    ends = [*starts[1:], max(last_s, starts[-1] + 1.0)]
    body = [
        f"{number}\n{_timing(start_s, stop_s)}\n{_escaped(title)}"
        for number, ((start_s, title), stop_s) in enumerate(zip(marks, ends, strict=True), 1)
    ]
    return "\n\n".join(["WEBVTT", *body]) + "\n"


def stored_keyframes(chunks: Sequence[Chunk], read: Callable[[str], bytes]) -> list[Keyframe]:
    """The keyframes of a recording as they are stored, each picture once with all its times.

    Args:
        read: the bytes of a picture, by its id among the blobs.
    """
    spans: dict[str, list[Span]] = {}
    texts: dict[str, str] = {}
    for chunk in chunks:
        if chunk.modality == "frame" and chunk.image:
            span = Span(*_times(chunk))
            texts.setdefault(chunk.image, chunk.heading[0] if chunk.heading else "")
            if span not in spans.setdefault(chunk.image, []):
                spans[chunk.image].append(span)
    found: list[Keyframe] = []
    for image, times in spans.items():
        picture = read_picture(read(image))
        if picture is not None:
            found.append(Keyframe(tuple(times), times[0].start_s, picture, texts[image]))
    return found


def _marks(chunks: Sequence[Chunk]) -> Iterator[tuple[float, str]]:
    """Where each chapter begins, and its title; what is shorter than 10 s becomes the beginning of the one behind it."""
    ordered = sorted(chunks, key=lambda chunk: _times(chunk)[0])
    titled = any(chunk.heading for chunk in ordered)
    found: list[tuple[float, str]] = []
    for title, run in groupby(ordered, key=lambda chunk: _title(chunk, titled=titled)):
        start_s = min(_times(chunk)[0] for chunk in run)
        if not title or (found and found[-1][1] == title):
            continue
        if found and start_s - found[-1][0] < _LEAST_CHAPTER_S:
            start_s = found.pop()[0]
        if not found or found[-1][1] != title:
            found.append((start_s, title))
    yield from found


def _title(chunk: Chunk, *, titled: bool) -> str:
    if titled:
        return chunk.heading[0] if chunk.heading else ""
    if not chunk.cues:
        return ""
    said = chunk.text[chunk.cues[0].start :]
    start, end = next(sentence_spans(said), (0, len(said)))
    sentence = " ".join(said[start:end].split())
    return sentence if len(sentence) <= _TITLE_CHARS else f"{sentence[: _TITLE_CHARS - 1].rstrip()}…"


def _spoken(cue: Cue, text: str) -> str:
    voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
    return voice + _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _timing(start_s: float, end_s: float) -> str:
    return f"{_stamp(start_s)} --> {_stamp(max(end_s, start_s + 0.001))}"


def _stamp(seconds: float) -> str:
    milliseconds = round(max(seconds, 0.0) * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _times(chunk: Chunk) -> tuple[float, float]:
    assert isinstance(chunk.locator, TimeLocator)
    return chunk.locator.start_s, chunk.locator.end_s
