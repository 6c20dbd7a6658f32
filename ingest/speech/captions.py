"""WebVTT and SRT -> utterances, as exact as the file: fractions of seconds, speakers, entities; rolling captions said once.

Timing lines are what is looked for; all else of the formats (headers, notes, styles, numbers, settings) stands between them. So
damaged files give what is left of them. Captions of embedded streams take the same way (`embedded.py`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from phidex.errors import InputError
from phidex.ingest.clean import clean_line, glue
from phidex.ingest.speech.names import name_speakers
from phidex.ingest.speech.transcript import Transcript, Utterance
from phidex.ingest.text import NEWLINE, decode_text

_STAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?"
_TIMING = re.compile(rf"\s*{_STAMP}\s*-+>\s*{_STAMP}(?=\s|$)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)*(?:\s+([^>]*))?>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_HEADER = re.compile(r"(?m)^Language:\s*([A-Za-z]{2,3})\b")
_SECONDS = 2.0  # that a caption whose end is lost stays
_FLASH_S = 0.05
_TOUCH_S = 0.3
_ROLLING = 0.3  # of the captions repeat the line before: they all roll


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption as it is shown: its lines with their markup."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def is_captions(suffix: str, text: str) -> bool:
    """Whether a text is WebVTT or SRT: by its header, or by its suffix and a timing near its beginning."""
    if text.lstrip("\ufeff").startswith("WEBVTT"):
        return True
    return suffix in (".srt", ".vtt") and any(map(_TIMING.match, NEWLINE.split(text[:4096])))


def read_captions(data: bytes, name: str) -> Transcript:
    """The transcript of a subtitle file, `name` for people.

    Raises:
        InputError: it cannot be decoded, or has no captions.
    """
    text, warnings = decode_text(data, name)
    header = _HEADER.search(text[:500])
    found = transcript_of(list(_captions(text)), name)
    if not found.utterances:
        raise InputError(f"{name} has no captions.", hint="export the transcript again, as WebVTT or SRT")
    return replace(found, warnings=(*warnings, *found.warnings), language=header[1].lower()[:2] if header else "")


def transcript_of(captions: Sequence[Caption], origin: str) -> Transcript:
    """The captions as utterances in order of time: speakers apart from text, ends mended, rolling lines once."""
    mended, wrong = _mended(sorted(captions, key=lambda caption: caption.start_s))
    spoken = [one for caption in _unrolled(mended) for one in _voices(caption)]
    warnings = (f"{wrong} captions ended before they began; their ends were estimated.",) if wrong else ()
    return Transcript(tuple(name_speakers(spoken)), origin=origin, warnings=warnings)


def _captions(text: str) -> Iterable[Caption]:
    lines = NEWLINE.split(text.lstrip("\ufeff"))
    ends_blank = lines[0].startswith("WEBVTT")  # in SRT, text may go on behind an empty line
    is_numbered = not ends_blank and _is_numbered(lines)
    times: tuple[float, float] | None = None
    body: list[str] = []
    for number, line in enumerate(lines):
        timing = _TIMING.match(line) if "->" in line else None
        if timing:
            if times:
                yield Caption(*times, tuple(_without_number(body, is_numbered=is_numbered)))
            times, body = (_seconds(*timing.groups()[:4]), _seconds(*timing.groups()[4:])), []
        elif times and line.strip():
            body.append(line)
        elif times and ((ends_blank and not (line and not body)) or number == len(lines) - 1):
            yield Caption(*times, tuple(body))
            times, body = None, []
    if times:
        yield Caption(*times, tuple(body))


def _is_numbered(lines: Sequence[str]) -> bool:
    """Whether most timings stand right below a number."""
    above = [before.strip().isdigit() for before, line in pairwise(["", *lines]) if "->" in line and _TIMING.match(line)]
    return 2 * sum(above) > len(above)


def _without_number(body: list[str], *, is_numbered: bool) -> list[str]:
    """The lines of a caption without the next one's number at their end."""
    return body[:-1] if is_numbered and body and body[-1].strip().isdigit() else body


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    return round(3600 * int(hours or 0) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction or 0}"), 3)


def _mended(captions: Sequence[Caption]) -> tuple[list[Caption], int]:
    """The captions with ends behind their starts, and how many had to be mended."""
    found: list[Caption] = []
    wrong = 0
    for number, caption in enumerate(captions, 1):
        following = captions[number] if number < len(captions) else None
        if caption.end_s <= caption.start_s:
            wrong += caption.end_s < caption.start_s
            end_s = caption.start_s + _SECONDS
            if following is not None and following.start_s > caption.start_s:
                end_s = min(end_s, following.start_s)
            caption = replace(caption, end_s=end_s)
        found.append(caption)
    return found, wrong


def _unrolled(captions: Sequence[Caption]) -> list[Caption]:
    """Each line once, where captions roll: what was shown before stands above what is new, and flashes by itself between."""
    plain = [tuple(clean_line(_TAG.sub("", line)) for line in caption.lines if line.strip()) for caption in captions]
    pairs = list(pairwise(plain))
    repeated = sum(
        bool(after) and after[0] in before and (len(after) > 1 or caption.end_s - caption.start_s <= _FLASH_S)
        for (before, after), caption in zip(pairs, captions[1:], strict=True)
    )
    if len(pairs) < 2 or repeated < _ROLLING * len(pairs):
        flashes = {n for n in range(1, len(captions)) if captions[n].end_s - captions[n].start_s <= _FLASH_S}
        return [one for n, one in enumerate(captions) if n not in flashes or plain[n] != plain[n - 1]]
    found: list[Caption] = []
    shown: tuple[str, ...] = ()
    until_s = -_TOUCH_S
    for caption, texts in zip(captions, plain, strict=True):
        touches = caption.start_s - until_s <= _TOUCH_S
        lines = [line for line in caption.lines if line.strip()]
        new = [line for line, text in zip(lines, texts, strict=True) if text and not (touches and text in shown)]
        if new:
            if found and found[-1].end_s > caption.start_s:
                found[-1] = replace(found[-1], end_s=max(caption.start_s, found[-1].start_s))
            found.append(replace(caption, lines=tuple(new)))
        elif found and touches:
            found[-1] = replace(found[-1], end_s=max(found[-1].end_s, caption.end_s))
        shown, until_s = tuple(filter(None, texts)), max(until_s, caption.end_s)
    return found


def _voices(caption: Caption) -> list[Utterance]:
    """What each voice of a caption says; lines that begin with dashes are different people's."""
    spoken: list[tuple[str, str]] = []
    speaker = ""
    for line in caption.lines:
        at = 0
        for voice in _VOICE.finditer(line):
            spoken.append((speaker, line[at : voice.start()]))
            speaker, at = clean_line(html.unescape(voice[1] or "")), voice.end()
        spoken.append((speaker, line[at:]))
    joined: list[tuple[str, str]] = []
    for who, markup in spoken:
        text = clean_line(html.unescape(_TAG.sub("", markup)))
        own = text.startswith(("- ", "– ", "— ", ">>"))
        if text and joined and joined[-1][0] == who and not own:
            joined[-1] = (who, joined[-1][1] + glue(joined[-1][1], text) + text)
        elif text:
            joined.append((who, text))
    return [Utterance(*times, text, who) for times, (who, text) in zip(_shares(caption, joined), joined, strict=True)]


def _shares(caption: Caption, joined: Sequence[tuple[str, str]]) -> list[tuple[float, float]]:
    """The caption's time, shared by length of text among those who speak in it."""
    total = sum(len(text) for _, text in joined)
    at, shares = caption.start_s, list[tuple[float, float]]()
    for _, text in joined:
        end = at + (caption.end_s - caption.start_s) * len(text) / total
        shares.append((round(at, 3), round(end, 3)))
        at = end
    return shares
