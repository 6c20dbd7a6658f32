"""The minutes of recordings, without a model: agenda, slides, and what is found in what was said, one recording or several.

recordings, oldest first -> utterances -> items (`items.py`) -> what a later one says is done or decided is closed
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from phidex.generation.answer import Citation
from phidex.generation.summary.items import Found, find_items, is_done
from phidex.generation.summary.minutes import AgendaPoint, KeySlide, Minutes, MinutesItem
from phidex.generation.summary.spoken import Utterance, utterances
from phidex.generation.summary.summary import Length, Sentence
from phidex.generation.support import Rarity, terms
from phidex.ingest.records import Chunk, Source, TimeLocator
from phidex.ingest.video.speakers import speakers_of
from phidex.retrieval.hit import Hit

SLIDES: dict[Length, int] = {"short": 3, "medium": 6, "long": 12}
_TITLE_CHARS = 60
_LEAST_POINT_S = 10.0
_SAME_MATTER = 0.5  # share of an item's telling terms that what closes it must have
_DATE = re.compile(r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d")
_DATED = ("date", "created", "creation_time", "recorded")

Number = Callable[[Utterance], int]
"""The marker of a sentence that was said."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One recording as it is summarised: its passages in order of time, and what was said."""

    source: Source
    chunks: tuple[Chunk, ...]
    said: tuple[Utterance, ...]

    @property
    def participants(self) -> list[str]:
        """Who speaks, by their corrected names."""
        return speakers_of(self.source.metadata) or list(dict.fromkeys(one.speaker for one in self.said if one.speaker))


def meetings_of(texts: Sequence[tuple[str, Sequence[Hit]]]) -> list[Meeting]:
    """The recordings among texts, oldest first: by the date that they tell, or that their name holds, otherwise by name."""
    by_source: dict[str, list[Hit]] = {}
    for _, hits in texts:
        for hit in hits:
            if isinstance(hit.chunk.locator, TimeLocator):
                by_source.setdefault(hit.source.id, []).append(hit)
    found: list[Meeting] = []
    for hits in by_source.values():
        chunks = tuple(sorted((hit.chunk for hit in hits), key=lambda chunk: (_times(chunk), chunk.order)))
        found.append(Meeting(hits[0].source, chunks, tuple(utterances(chunks))))
    return sorted(found, key=lambda one: (_date(one.source), one.source.name))


def quoted_minutes(meetings: Sequence[Meeting], length: Length, number: Number) -> Minutes:
    """The minutes as sentences that were said tell them."""
    found = [(meeting, one) for meeting in meetings for one in found_items(meeting)]
    return minutes_of(meetings, [(one.kind, quoted_item(meeting, one, number)) for meeting, one in found], length)


def found_items(meeting: Meeting) -> list[Found]:
    """What one recording holds, by phrases alone."""
    return find_items(meeting.said, meeting.participants, meeting.source.language)


def quoted_item(meeting: Meeting, found: Found, number: Number) -> MinutesItem:
    """A sentence as an item."""
    cited = citation(meeting.source, found.said, number)
    return MinutesItem(found.said.text, (cited,), found.said.speaker, found.owner, found.due)


def citation(source: Source, said: Utterance, number: Number) -> Citation:
    """The citation of a sentence that was said."""
    return Citation(number(said), source, said.locator, said.chunk.id, said.text, True)


def minutes_of(meetings: Sequence[Meeting], items: Sequence[tuple[str, MinutesItem]], length: Length) -> Minutes:
    """The minutes with these items, each with its kind, by recording in order of time."""
    place = {meeting.source.id: at for at, meeting in enumerate(meetings)}
    ordered = sorted(items, key=lambda one: (place[one[1].citations[0].source.id], one[1].start_s))
    closed = _closed(meetings, ordered)
    return Minutes(
        tuple(meeting.source for meeting in meetings),
        tuple(dict.fromkeys(name for meeting in meetings for name in meeting.participants)),
        tuple(point for meeting in meetings for point in agenda(meeting)),
        tuple(one for kind, one in closed if kind == "decision"),
        tuple(one for kind, one in closed if kind == "action"),
        tuple(one for kind, one in closed if kind == "question"),
        tuple(slide for meeting in meetings for slide in _slides(meeting, SLIDES[length])),
    )


def agenda(meeting: Meeting) -> list[AgendaPoint]:
    """What came up when: slides by their titles; without slides, segments by what they open with."""
    titled = [chunk for chunk in meeting.chunks if chunk.modality == "frame" and chunk.heading]
    marks: list[tuple[float, str]] = []
    for title, run in groupby(titled or meeting.chunks, key=lambda chunk: _title(chunk, titled=bool(titled))):
        start_s = min(_times(chunk)[0] for chunk in run)
        if not title or (marks and marks[-1][1] == title):
            continue
        if marks and start_s - marks[-1][0] < _LEAST_POINT_S:
            marks[-1] = (marks[-1][0], title)
        else:
            marks.append((start_s, title))
    last_s = max((_times(chunk)[1] for chunk in meeting.chunks), default=0.0)
    ends = [*(start_s for start_s, _ in marks[1:]), last_s]
    return [AgendaPoint(title, meeting.source, start_s, end) for (start_s, title), end in zip(marks, ends, strict=True)]


def by_topic(sentences: Sequence[Sentence], minutes: Minutes) -> tuple[Sentence, ...]:
    """The sentences, each under the point of the agenda at which it was said."""
    if len(minutes.agenda) < 2:
        return tuple(sentences)
    return tuple(replace(one, section=_topic(one, minutes) or one.section) for one in sentences)


def _topic(sentence: Sentence, minutes: Minutes) -> str:
    for cited in sentence.citations:
        place = cited.locator
        if isinstance(place, TimeLocator):
            for point in minutes.agenda:
                if point.source.id == cited.source.id and point.start_s <= place.start_s < point.end_s:
                    several = len(minutes.recordings) > 1
                    return f"{point.source.title or point.source.name}: {point.title}" if several else point.title
    return ""


def _title(chunk: Chunk, *, titled: bool) -> str:
    if titled:
        return chunk.heading[0] if chunk.heading else ""
    said = next(iter(utterances([chunk])), None)
    text = said.text if said else ""
    return text if len(text) <= _TITLE_CHARS else f"{text[: _TITLE_CHARS - 1].rstrip()}…"


def _slides(meeting: Meeting, most: int) -> list[KeySlide]:
    """The slides that were shown longest, in order of time; what has neither title nor text says nothing by itself."""
    found: dict[str, KeySlide] = {}
    for chunk in meeting.chunks:
        if chunk.modality != "frame" or not chunk.image:
            continue
        heading, body = chunk.heading[0] if chunk.heading else "", chunk.text.partition("\n")[2].strip()
        if not heading and not body:
            continue
        known = found.get(chunk.image) or KeySlide(chunk.image, meeting.source, heading, "", ())
        text = known.text if body in known.text else f"{known.text}\n{body}".strip()
        times = tuple(sorted({*known.times, _times(chunk)}))
        found[chunk.image] = replace(known, text=text, times=times)
    longest = sorted(found.values(), key=lambda slide: -slide.shown_s)[:most]
    return sorted(longest, key=lambda slide: slide.times[0])


def _closed(meetings: Sequence[Meeting], items: Sequence[tuple[str, MinutesItem]]) -> list[tuple[str, MinutesItem]]:
    """Tasks that a later sentence says are done, and questions that a later decision answers, are closed."""
    place = {meeting.source.id: at for at, meeting in enumerate(meetings)}
    rarity = Rarity.of(one.text for meeting in meetings for one in meeting.said)
    done = [
        ((at, one.start_s), terms(one.text))
        for at, meeting in enumerate(meetings)
        for one in meeting.said
        if is_done(one.text, one.chunk.language)
    ]
    decided = [(_when(one, place), terms(one.text)) for kind, one in items if kind == "decision"]
    closing: Mapping[str, Sequence[tuple[tuple[int, float], frozenset[int]]]] = {"action": done, "question": decided}

    def is_open(kind: str, item: MinutesItem) -> bool:
        wanted, at = terms(_without(item.citations[0].quote, item.due)), _when(item, place)
        return not any(later > at and rarity.support(wanted, words) >= _SAME_MATTER for later, words in closing.get(kind, ()))

    return [(kind, replace(one, is_open=is_open(kind, one))) for kind, one in items]


def _without(text: str, due: str) -> str:
    """A task's words without its date, which nobody repeats."""
    return text.replace(due, " ") if due else text


def _when(item: MinutesItem, place: Mapping[str, int]) -> tuple[int, float]:
    return place[item.citations[0].source.id], item.start_s


def _date(source: Source) -> str:
    told = next((source.metadata[key] for key in _DATED if source.metadata.get(key)), "")
    match = _DATE.search(told) or _DATE.search(source.name)
    return re.sub(r"\D", "", match.group()) if match else ""


def _times(chunk: Chunk) -> tuple[float, float]:
    assert isinstance(chunk.locator, TimeLocator)
    return chunk.locator.start_s, chunk.locator.end_s
