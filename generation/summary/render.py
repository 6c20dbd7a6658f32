"""A summary as Markdown for people, and what its HTML and DOCX forms share: headings by language, times, links."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from urllib.parse import urlparse

from phidex.generation.summary.minutes import Minutes, MinutesItem
from phidex.generation.summary.summary import NOTICE, Sentence, Summary
from phidex.ingest.records import Source, TimeLocator

RIGHT_TO_LEFT = frozenset(("ar", "he"))
_LINKED = ("file", "http", "https")


@dataclass(frozen=True, slots=True)
class Labels:
    """The headings in one language."""

    participants: str
    agenda: str
    summary: str
    decisions: str
    actions: str
    questions: str
    slides: str
    places: str
    done: str


def labels(language: str) -> Labels:
    """The headings in a language; of others, in English."""
    known = _read()
    return Labels(*known.get(language, known["en"]))


def clock(seconds: float) -> str:
    """A time as recordings are cited.

    >>> clock(750.4), clock(3723)
    ('12:30', '1:02:03')
    """
    return str(TimeLocator(seconds, seconds))


def link(source: Source, start_s: float) -> str:
    """The address of a second of a recording; "" where the recording is nowhere to be opened."""
    uri = source.uri
    if urlparse(uri).scheme not in _LINKED:
        return ""
    return f"{uri.partition('#')[0]}#t={start_s:g}"


def owner_and_due(item: MinutesItem) -> str:
    """What stands before a task: "Ada, by Friday"; "" where neither is known."""
    return ", ".join(filter(None, (item.owner, item.due)))


def sections(minutes: Minutes, named: Labels) -> list[tuple[str, tuple[MinutesItem, ...]]]:
    """Headings with their items, those without any left out."""
    listed = ((named.decisions, minutes.decisions), (named.actions, minutes.actions), (named.questions, minutes.questions))
    return [(title, items) for title, items in listed if items]


def paragraphs(summary: Summary) -> Iterator[tuple[str, list[Sequence[Sentence]]]]:
    """Sections of the summary, each with its paragraphs or list items."""
    for section, under in groupby(summary.sentences, key=lambda one: one.section):
        yield section, [list(item) for _, item in groupby(under, key=lambda one: one.item)]


def notice(summary: Summary) -> str:
    """What says that nobody wrote it; "" where a model did."""
    return NOTICE if summary.route.role == "extractive" else ""


def to_markdown(summary: Summary) -> str:
    """The summary and its minutes, places and warnings as Markdown."""
    named = labels(summary.language)
    lines = [f"# {_safe(summary.title)}"]
    minutes = summary.minutes
    lines += _opening(minutes, named) if minutes else []
    lines += [f"## {named.summary}"] if minutes and summary.sentences else []
    for section, items in paragraphs(summary):
        lines += [f"{'###' if minutes else '##'} {_safe(section)}"] if section else []
        said = [" ".join(_safe(one.marked) for one in item) for item in items]
        lines += ["\n".join(f"- {one}" for one in said)] if summary.style == "bullets" else said
    lines += minutes_markdown(minutes, named) if minutes else []
    if summary.citations:
        lines += [f"## {named.places}", "\n".join(f"- {_safe(str(one))}" for one in summary.citations)]
    lines += [f"> {_safe(one)}" for one in summary.warnings]
    lines += [notice(summary)] if notice(summary) else []
    return "\n\n".join(lines) + "\n"


def minutes_markdown(minutes: Minutes, named: Labels) -> list[str]:
    """Decisions, tasks, open questions and slides, as blocks of Markdown."""
    several = len(minutes.recordings) > 1
    lines: list[str] = []
    for title, items in sections(minutes, named):
        lines += [f"## {title}", "\n".join(_item(one, named, several=several) for one in items)]
    if minutes.slides:
        shown = (
            f"- {_safe(one.heading or one.text.partition(chr(10))[0])} ({', '.join(clock(start) for start, _ in one.times)})"
            for one in minutes.slides
        )
        lines += [f"## {named.slides}", "\n".join(shown)]
    return lines


def _opening(minutes: Minutes, named: Labels) -> list[str]:
    lines = [f"**{named.participants}:** {_safe(', '.join(minutes.participants))}"] if minutes.participants else []
    if minutes.agenda:
        points = (f"- {clock(one.start_s)} {_safe(one.title)}{_of(one.source, minutes)}" for one in minutes.agenda)
        lines += [f"## {named.agenda}", "\n".join(points)]
    return lines


def _of(source: Source, minutes: Minutes) -> str:
    return f" ({_safe(source.name)})" if len(minutes.recordings) > 1 else ""


def _item(item: MinutesItem, named: Labels, *, several: bool) -> str:
    head = owner_and_due(item)
    cited = item.citations[0]
    place = f"{cited.source.name}, {clock(item.start_s)}" if several else clock(item.start_s)
    who = ", ".join(filter(None, (item.speaker, place)))
    state = "" if item.is_open else f" ({named.done})"
    return f"- {f'**{_safe(head)}:** ' if head else ''}{_safe(item.marked)} ({_safe(who)}){state}"


def _safe(text: str) -> str:
    """Text that is no markup and stays on one line."""
    return " ".join(text.split()).replace("<", "&lt;").replace("](", "]\\(").replace("`", "\\`")


@cache
def _read() -> dict[str, list[str]]:
    return tomllib.loads(files("phidex.generation.summary").joinpath("labels.toml").read_text("utf-8"))
