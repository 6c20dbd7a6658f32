"""The records of a summary: sentences with their citations, and the summary that renders them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, get_args

from phidex.errors import InputError
from phidex.generation.answer import Citation, Route
from phidex.generation.chat_wire import Usage
from phidex.generation.notes import OnProgress as OnProgress  # steps: parts, notes, summary; without a model sentences
from phidex.generation.summary.minutes import Minutes, MinutesItem
from phidex.retrieval.context.ledger import Ledger
from phidex.retrieval.context.plan import MapPlan

Style = Literal["prose", "bullets", "abstract", "sections"]
"""prose: running text; bullets: a list; abstract: one paragraph of purpose, method, findings; sections: under headings."""

Length = Literal["short", "medium", "long"]
"""About 3, 7 or 15 sentences."""

STYLES: tuple[str, ...] = get_args(Style)
LENGTHS: tuple[str, ...] = get_args(Length)
SENTENCES: dict[Length, int] = {"short": 3, "medium": 7, "long": 15}
NOTICE = "(Key sentences, quoted: no model wrote this summary.)"
STOPPED = "the summary was stopped before its end"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a summary.

    Args:
        text: without markers.
        citations: the places that it rests on; empty where it names none.
        section: the heading that it stands under; "" for none.
        item: number of the paragraph or list item that it belongs to.
        supported: a cited passage supports it; of another language than the passage: its numbers stand there.
        speaker: who said it, where it is quoted from a recording.
    """

    text: str
    citations: tuple[Citation, ...]
    section: str = ""
    item: int = 0
    supported: bool = True
    speaker: str = ""

    @property
    def marked(self) -> str:
        """The text with its markers behind it; in front, who said it."""
        text = f"{self.speaker}: {self.text}" if self.speaker else self.text
        markers = "".join(f"[{marker}]" for marker in dict.fromkeys(citation.marker for citation in self.citations))
        return f"{text} {markers}" if markers else text

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "text": self.text,
            "section": self.section,
            "item": self.item,
            "supported": self.supported,
            **({"speaker": self.speaker} if self.speaker else {}),
            "citations": [citation.to_dict() for citation in self.citations],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary with what it rests on.

    Args:
        title: of what is summarised.
        language: that it is in, ISO 639-1; "und" where that is not known.
        plan: the parts that were read one by one, where the text did not fit one prompt.
        ledger: what was read, passage by passage; None without a model.
        warnings: sentences without support, and what else people should know.
        timings: seconds spent on "read", "parts", "notes", "summary", "check", "sentences" or "minutes".
        minutes: of recordings: who took part, when what came up, what was decided, taken on and left open, what was shown.
    """

    title: str
    sentences: tuple[Sentence, ...]
    style: Style
    length: Length
    language: str
    route: Route
    plan: MapPlan | None = None
    ledger: Ledger | None = None
    usage: Usage | None = None
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    minutes: Minutes | None = None

    @property
    def decisions(self) -> tuple[MinutesItem, ...]:
        """What was decided, of recordings; see `Minutes`."""
        return self.minutes.decisions if self.minutes else ()

    @property
    def actions(self) -> tuple[MinutesItem, ...]:
        """Who is to do what by when, of recordings; see `Minutes`."""
        return self.minutes.actions if self.minutes else ()

    @property
    def questions(self) -> tuple[MinutesItem, ...]:
        """What was left open, of recordings; see `Minutes`."""
        return self.minutes.questions if self.minutes else ()

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All places that it rests on, by marker, each once."""
        items = self.minutes.items if self.minutes else ()
        found = {(one.marker, one.chunk_id): one for said in (*self.sentences, *items) for one in said.citations}
        return tuple(sorted(found.values(), key=lambda citation: citation.marker))

    @property
    def text(self) -> str:
        """Markdown with markers like [1]; what is quoted without a model says so at its end."""
        lines: list[str] = []
        is_list = self.style == "bullets"
        for section, under in groupby(self.sentences, key=lambda sentence: sentence.section):
            lines += [f"## {section}"] if section else []
            items = [" ".join(one.marked for one in item) for _, item in groupby(under, key=lambda sentence: sentence.item)]
            lines += ["\n".join(f"- {item}" for item in items)] if is_list else items
        if self.route.role == "extractive" and lines:
            lines.append(NOTICE)
        return "\n\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "title": self.title,
            "text": self.text,
            "language": self.language,
            "style": self.style,
            "length": self.length,
            "sentences": [sentence.to_dict() for sentence in self.sentences],
            "citations": [citation.to_dict() for citation in self.citations],
            "route": self.route.to_dict(),
            "plan": self.plan and self.plan.to_dict(),
            "ledger": self.ledger and self.ledger.to_dict(),
            "usage": self.usage and self.usage.to_dict(),
            "warnings": list(self.warnings),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
            **(self.minutes.to_dict() if self.minutes else {}),
        }

    @property
    def _itself(self) -> Any:
        """For the renderers, which import this module: the type checker finds it under two paths and takes it for two."""
        return self

    def to_markdown(self) -> str:
        """Markdown for people: the text with its places, and of recordings the minutes with times."""
        from phidex.generation.summary.render import to_markdown

        return to_markdown(self._itself)

    def to_html(self, picture: Callable[[str], bytes] | None = None) -> str:
        """One HTML page that needs nothing else: times link to the second of the recording, slides are shown.

        Args:
            picture: the bytes of a slide's picture by its id, such as `Phidex.blob`; None for a page without pictures.
        """
        from phidex.generation.summary.render_html import to_html

        return to_html(self._itself, picture)

    def to_docx(self, picture: Callable[[str], bytes] | None = None) -> bytes:
        """A Word document; `picture` as in `to_html`.

        Raises:
            ConfigError: python-docx is not installed.
        """
        from phidex.generation.summary.render_docx import to_docx

        return to_docx(self._itself, picture)


def check_wishes(language: str, style: str, length: str) -> None:
    """Refuses what is no language code, style or length.

    Raises:
        InputError: one is none.
    """
    if language and not (language.isascii() and language.isalpha() and language.islower() and len(language) in (2, 3)):
        raise InputError(f"{language!r} is no language code", hint="write ISO 639-1, such as en, de or ja")
    if style not in STYLES:
        raise InputError(f"there is no style {style!r}", hint=f"styles are: {', '.join(STYLES)}")
    if length not in LENGTHS:
        raise InputError(f"there is no length {length!r}", hint=f"lengths are: {', '.join(LENGTHS)}")
