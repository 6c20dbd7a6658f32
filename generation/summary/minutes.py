"""The records of a meeting's minutes: who took part, what came up when, what was decided, taken on, left open, shown.

Every item carries the second at which it was said; every slide the times at which it was shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phidex.generation.answer import Citation
from phidex.ingest.records import Source, TimeLocator

_OF = ("decisions", "actions", "questions")


@dataclass(frozen=True, slots=True)
class MinutesItem:
    """A decision, a task or an open question.

    Args:
        text: as it was said; written by a model where `is_written`.
        citations: the sentences that say so, verbatim, each with its seconds.
        speaker: who said it.
        owner: of a task, whose it is; "" where nobody is named, and of all else.
        due: of a task, as it was said ("by Friday"); "" where no date is named.
        is_open: of a task, that nobody said later that it is done; of a question, that no later decision answers it.
    """

    text: str
    citations: tuple[Citation, ...]
    speaker: str = ""
    owner: str = ""
    due: str = ""
    is_open: bool = True
    is_written: bool = False

    @property
    def start_s(self) -> float:
        """When it was said, in seconds from the start of its recording."""
        place = self.citations[0].locator
        return place.start_s if isinstance(place, TimeLocator) else 0.0

    @property
    def marked(self) -> str:
        """The text with its markers behind it."""
        return f"{self.text} {''.join(f'[{one.marker}]' for one in self.citations)}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "text": self.text,
            "speaker": self.speaker,
            "owner": self.owner,
            "due": self.due,
            "open": self.is_open,
            "written": self.is_written,
            "citations": [one.to_dict() for one in self.citations],
        }


@dataclass(frozen=True, slots=True)
class AgendaPoint:
    """What came up, and from when to when, in seconds."""

    title: str
    source: Source
    start_s: float
    end_s: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        place = {"start_s": self.start_s, "end_s": self.end_s}
        return {"title": self.title, "source": self.source.id, **place}


@dataclass(frozen=True, slots=True)
class KeySlide:
    """A slide that was shown.

    Args:
        image: id of its picture among the blobs (`Phidex.blob`).
        heading: its title; "" where it has none.
        text: what stands on it.
        times: when it was shown, ascending, in seconds.
    """

    image: str
    source: Source
    heading: str
    text: str
    times: tuple[tuple[float, float], ...]

    @property
    def shown_s(self) -> float:
        """How long it was shown."""
        return sum(end_s - start_s for start_s, end_s in self.times)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        shown = {"heading": self.heading, "text": self.text, "times": [list(one) for one in self.times]}
        return {"image": self.image, "source": self.source.id, **shown}


@dataclass(frozen=True, slots=True)
class Minutes:
    """What recordings hold beside their summary; of several, the newest recording last.

    Args:
        recordings: in order of their dates, as far as they are known, otherwise of their names.
        participants: who speaks, by their corrected names, in order of their first words.
    """

    recordings: tuple[Source, ...]
    participants: tuple[str, ...]
    agenda: tuple[AgendaPoint, ...]
    decisions: tuple[MinutesItem, ...] = ()
    actions: tuple[MinutesItem, ...] = ()
    questions: tuple[MinutesItem, ...] = ()
    slides: tuple[KeySlide, ...] = ()

    @property
    def items(self) -> tuple[MinutesItem, ...]:
        """Decisions, tasks and open questions."""
        return (*self.decisions, *self.actions, *self.questions)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "participants": list(self.participants),
            "agenda": [one.to_dict() for one in self.agenda],
            **{key: [one.to_dict() for one in getattr(self, key)] for key in _OF},
            "slides": [one.to_dict() for one in self.slides],
        }
