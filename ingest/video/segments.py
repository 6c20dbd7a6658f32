"""Turns and frames -> chunks: what was said, who said it and what was shown, joined in segments of time.

    turns -> units (a turn; of a long one, its sentences) -> groups (one slide, one topic) -> segments within the limit
    frames -> a passage for each time that one was shown, with the text on it

A segment is never cut inside a turn, unless the turn alone is longer than the limit: then between its sentences. Its text says
what was shown and who spoke ("[Slide: Costs]", "Ada: …"); its cues say when each stretch of it was said. Frames and the
segments spoken over them name each other in their links, and stand next to each other.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from operator import attrgetter

from phidex.ingest.clean import glue
from phidex.ingest.language import chunk_language
from phidex.ingest.records import Block, Chunk, Cue, Locator, TimeLocator, Times
from phidex.ingest.sentences import sentence_spans
from phidex.ingest.tokens import Ruler, TokenStarts
from phidex.ingest.video.topics import topic_changes

_TITLE_CHARS = 80
_LEAST_SHARE = 4  # a topic is cut off where both sides have a quarter of the limit
_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch of a turn that is not cut; `slide` is the index of the frame shown meanwhile, -1 for none."""

    turn: Block
    start: int
    end: int
    tokens: int
    times: Times
    slide: int

    @property
    def text(self) -> str:
        return self.turn.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class _Showing:
    """One time that a frame was shown."""

    times: Times
    frame: int


def recording_chunks(
    blocks: Sequence[Block],
    *,
    source_id: str,
    language: str,
    limit_tokens: int,
    token_starts: TokenStarts,
    images: Sequence[str] = (),
) -> list[Chunk]:
    """The chunks of a recording in order of time, each at most `limit_tokens` long.

    Args:
        blocks: of the kinds "frame" and "turn".
        images: ids of the frames' pictures among the blobs, by `Block.image`.
    """
    frames = [block for block in blocks if block.kind == "frame"]
    showings = sorted((_Showing(times, n) for n, frame in enumerate(frames) for times in frame.times), key=lambda s: s.times)
    maker = _Maker(frames, images, source_id, language, limit_tokens, token_starts)
    units = [unit for block in blocks if block.kind == "turn" for unit in maker.units(block, showings)]
    units.sort(key=lambda unit: unit.times)
    made = [chunk for showing in showings for chunk in maker.shown(showing)]
    for group in _groups(units, frames, limit_tokens):
        made += [maker.said(part) for part in _parts(group, maker.room(group[0].slide))]
    made.sort(key=lambda chunk: (_times(chunk)[0], chunk.modality != "frame"))
    return _linked(made)


class _Maker:
    """Makes units of turns, and chunks of units and frames."""

    def __init__(
        self,
        frames: Sequence[Block],
        images: Sequence[str],
        source_id: str,
        language: str,
        limit: int,
        token_starts: TokenStarts,
    ) -> None:
        self._frames, self._images = frames, images
        self._source_id = source_id
        self._language = language
        self._limit = limit
        self._token_starts = token_starts
        self._seen: dict[str, int] = {}
        self._narrowest = min(self.room(slide) for slide in range(-1, len(frames)))

    def units(self, turn: Block, showings: Sequence[_Showing]) -> Iterator[_Unit]:
        """The turn, or its sentences where it is longer than the limit."""
        ruler = Ruler(turn.text, self._token_starts)
        room = max(8, self._narrowest - self._count(turn.speaker) - 1)
        whole = ruler.count(0, len(turn.text)) <= room
        spans = [(0, len(turn.text))] if whole else list(sentence_spans(turn.text))
        for start, end in spans:
            while ruler.count(start, end) > room:
                cut = min(ruler.cut(start, room), end)
                yield self._unit(turn, ruler, start, cut, showings)
                start = cut
            yield self._unit(turn, ruler, start, end, showings)

    def said(self, part: Sequence[_Unit]) -> Chunk:
        """The segment of these units."""
        slide = self._frames[part[0].slide] if part[0].slide >= 0 else None
        text = self._title(slide)
        cues: list[Cue] = []
        last: _Unit | None = None
        for unit in part:
            if last is not None and last.turn is unit.turn:
                text += glue(text, unit.text)
            else:
                text += ("\n" if text else "") + (f"{unit.turn.speaker}: " if unit.turn.speaker else "")
            cues += _cues(unit, len(text))
            text += unit.text
            last = unit
        return self._chunk(text, "speech", (part[0].times[0], max(unit.times[1] for unit in part)), slide, tuple(cues))

    def shown(self, showing: _Showing) -> Iterator[Chunk]:
        """The passages of a frame at one time that it was shown: the text on it, in parts where that is long."""
        frame = self._frames[showing.frame]
        body = frame.text
        if frame.part and body.lstrip().startswith(frame.part):
            body = body.lstrip()[len(frame.part) :].lstrip("\n")
        head = self._title(frame) or ("[Slide]" if body else "[Picture]")
        room = max(16, self._limit - self._count(head) - 2)
        pieces: list[str] = []
        for line in (part for whole in body.split("\n") if whole.strip() for part in self._short(whole, room)):
            if pieces and self._count(f"{pieces[-1]}\n{line}") <= room:
                pieces[-1] += f"\n{line}"
            else:
                pieces.append(line)
        for piece in pieces or [""]:
            yield self._chunk(f"{head}\n{piece}" if piece else head, "frame", showing.times, frame, ())

    def _short(self, line: str, room: int) -> Iterator[str]:
        """The line, in stretches that fit."""
        ruler = Ruler(line, self._token_starts)
        start = 0
        while ruler.count(start, len(line)) > room:
            cut = ruler.cut(start, room)
            yield line[start:cut].strip()
            start = cut
        yield line[start:].strip()

    def _unit(self, turn: Block, ruler: Ruler, start: int, end: int, showings: Sequence[_Showing]) -> _Unit:
        times = _moment(turn, start)[0], _moment(turn, max(start, end - 1))[1]
        tokens = ruler.count(start, end) + self._count(turn.speaker) + 1
        return _Unit(turn, start, end, tokens, times, _slide_at(times, showings))

    def room(self, slide: int) -> int:
        """Tokens left for what is said, beside what is shown."""
        return self._limit - (self._count(self._title(self._frames[slide])) if slide >= 0 else 0)

    def _title(self, frame: Block | None) -> str:
        """The line that says what is shown; "" where there is no title, or no room for it."""
        line = f"[Slide: {frame.part}]" if frame and frame.part else ""
        return line if self._count(line) <= self._limit // 3 else ""

    def _count(self, text: str) -> int:
        return len(self._token_starts(text)) if text else 0

    def _chunk(self, text: str, modality: str, times: Times, frame: Block | None, cues: tuple[Cue, ...]) -> Chunk:
        image = self._images[frame.image] if frame and frame.image is not None and frame.image < len(self._images) else ""
        slide = frame.links[0] if frame and frame.links else ""
        locator = TimeLocator(round(times[0], 3), round(times[1], 3), image, slide)
        return Chunk(
            id=segment_id(self._source_id, modality, locator, text, cues, self._seen),
            source_id=self._source_id,
            locator=locator,
            text=text,
            modality="speech" if modality == "speech" else "frame",
            language=chunk_language(text.partition("]\n")[2] or text, self._language),
            order=0,
            heading=(frame.part,) if frame and frame.part else (),
            token_count=self._count(text),
            links=(slide,) if slide else (),
            image=image,
            cues=cues,
        )


def segment_id(source_id: str, modality: str, locator: Locator, text: str, cues: Sequence[Cue], seen: dict[str, int]) -> str:
    """The id of a recording's passage: its place, words and cues; `seen` tells equal ones apart."""
    key = "\x1f".join((modality, repr(locator), text, repr(tuple(cues))))
    seen[key] = seen.get(key, 0) + 1
    return str(uuid.uuid5(uuid.UUID(source_id), f"{key}\x1f{seen[key]}"))


def slide_title(text: str) -> str:
    """The first line of a slide's text that has letters, shortened; "" where there is none.

    >>> slide_title("12\\nCosts in 2025\\n- Rent")
    'Costs in 2025'
    """
    line = next((line.strip() for line in text.splitlines() if sum(map(str.isalpha, line)) > 1), "")
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1].rsplit(' ', 1)[0]}…"


def _groups(units: Sequence[_Unit], frames: Sequence[Block], limit: int) -> Iterator[list[_Unit]]:
    """Units over one slide, and of one topic."""
    changes = topic_changes([unit.text for unit in units])
    group: list[_Unit] = []
    slide = -1
    for index, unit in enumerate(units):
        silent = unit.slide < 0 or not frames[unit.slide].text
        now = slide if silent and slide >= 0 and group else unit.slide  # a glance at the speaker is no new slide
        enough = sum(one.tokens for one in group) >= limit // _LEAST_SHARE
        if group and (now != slide or (index in changes and enough and _left(units[index:], limit))):
            yield group
            group = []
        slide = now
        group.append(unit if unit.slide == now else replace(unit, slide=now))
    if group:
        yield group


def _left(units: Sequence[_Unit], limit: int) -> bool:
    """Whether enough follows over the same slide."""
    tokens = 0
    for unit in units:
        tokens += unit.tokens
        if tokens >= limit // _LEAST_SHARE:
            return True
        if unit.slide != units[0].slide:
            return False
    return False


def _parts(group: Sequence[_Unit], room: int) -> Iterator[Sequence[_Unit]]:
    """The group in as few parts as the room allows, of about equal size."""
    left = sum(unit.tokens for unit in group)
    start = 0
    while left > room:
        target = ceil(left / ceil(left / room))
        end, count = start, 0
        while end < len(group):
            tokens = group[end].tokens
            if end > start and (count + tokens > room or count + tokens // 2 > target):
                break
            end += 1
            count += tokens
        yield group[start:end]
        left -= count
        start = end
    if start < len(group):
        yield group[start:]


def _slide_at(times: Times, showings: Sequence[_Showing]) -> int:
    """The frame that is shown most of the time; -1 where there is none."""
    shown: dict[int, float] = {}
    for showing in showings:
        overlap = min(times[1], showing.times[1]) - max(times[0], showing.times[0])
        if overlap > 0 or showing.times[0] <= times[0] < showing.times[1]:
            shown[showing.frame] = shown.get(showing.frame, 0.0) + max(overlap, 1e-6)
    return max(shown, key=lambda frame: shown[frame], default=-1)


def _moment(turn: Block, offset: int) -> Times:
    """When the character was said: the part of its utterance from there on, and up to its end."""
    at = max(0, bisect_right(turn.anchors, offset, key=_start) - 1)
    anchor = turn.anchors[at]
    end = turn.anchors[at + 1].start if at + 1 < len(turn.anchors) else len(turn.text)
    begin_s, end_s = anchor.time or turn.times[0]
    length = max(1, end - anchor.start)
    step = (end_s - begin_s) / length
    return begin_s + step * (offset - anchor.start), begin_s + step * min(length, offset + 1 - anchor.start)


def _cues(unit: _Unit, base: int) -> Iterator[Cue]:
    """The cues of a unit whose text stands at `base`; an utterance that is cut is shared by its length."""
    anchors = unit.turn.anchors
    first, last = max(0, bisect_right(anchors, unit.start, key=_start) - 1), bisect_left(anchors, unit.end, key=_start)
    for at in range(first, last):
        start = max(anchors[at].start, unit.start)
        end = min(anchors[at + 1].start if at + 1 < len(anchors) else len(unit.turn.text), unit.end)
        while end > start and unit.turn.text[end - 1].isspace():
            end -= 1
        if start < end:
            begin_s, end_s = _moment(unit.turn, start)[0], _moment(unit.turn, end - 1)[1]
            place = base + start - unit.start
            yield Cue(place, place + end - start, round(begin_s, 3), round(end_s, 3), unit.turn.speaker)


def _linked(chunks: Sequence[Chunk]) -> list[Chunk]:
    """The chunks in their order, frames and what was said over them naming each other."""
    frames = [chunk for chunk in chunks if chunk.modality == "frame"]
    links: dict[str, list[str]] = {chunk.id: list(chunk.links) for chunk in chunks}
    for chunk in chunks:
        if chunk.modality != "speech":
            continue
        begin_s, end_s = _times(chunk)
        for frame in frames:
            shown_s = _times(frame)
            if shown_s[0] < end_s and begin_s < shown_s[1]:
                links[chunk.id].append(frame.id)
                links[frame.id].append(chunk.id)
    return [replace(chunk, order=order, links=tuple(links[chunk.id])) for order, chunk in enumerate(chunks)]


def _times(chunk: Chunk) -> Times:
    assert isinstance(chunk.locator, TimeLocator)
    return chunk.locator.start_s, chunk.locator.end_s
