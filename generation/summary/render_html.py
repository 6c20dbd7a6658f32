"""A summary as one HTML page that needs nothing else: times link to the second, slides are shown, right to left too."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape

from phidex.errors import NotFoundError
from phidex.generation.answer import Citation
from phidex.generation.summary.minutes import AgendaPoint, KeySlide, Minutes, MinutesItem
from phidex.generation.summary.render import (
    RIGHT_TO_LEFT,
    Labels,
    clock,
    labels,
    link,
    notice,
    owner_and_due,
    paragraphs,
    sections,
)
from phidex.generation.summary.summary import Summary
from phidex.generation.summary.thumbnail import thumbnail
from phidex.ingest.records import Source, TimeLocator

Picture = Callable[[str], bytes]

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
time,.place{font-variant-numeric:tabular-nums;font-size:.9em}
ul{padding-inline-start:1.25rem}
li{margin-block:.35rem}
.slides{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:1rem;padding:0;list-style:none}
figure{margin:0}
img{max-width:100%;height:auto;border:1px solid #8888}
.done{opacity:.65}
.notice{border-inline-start:.25rem solid #888;padding-inline-start:.75rem}
""".strip()


def to_html(summary: Summary, picture: Picture | None) -> str:
    """The page. Slides whose picture cannot be read stand without it."""
    named = labels(summary.language)
    language = "" if summary.language == "und" else f' lang="{escape(summary.language)}"'
    direction = "rtl" if summary.language in RIGHT_TO_LEFT else "ltr"
    title = escape(summary.title)
    body = [f"<h1 dir='auto'>{title}</h1>"]
    if text := notice(summary):
        body.append(f"<p class='notice' lang='en' dir='ltr'>{escape(text)}</p>")
    minutes = summary.minutes
    body += _opening(minutes, named) if minutes else []
    body += _told(summary, named)
    body += _minutes(minutes, named, picture) if minutes else []
    body += [f"<p class='notice' dir='auto'>{escape(one)}</p>" for one in summary.warnings]
    if summary.citations:
        places = "".join(f"<li dir='auto'>{_place(one)}</li>" for one in summary.citations)
        body.append(f"<h2>{named.places}</h2><ul class='place'>{places}</ul>")
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{title}</title>"
    page = f"<head>{head}<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body>"
    return f'<!doctype html>\n<html{language} dir="{direction}">\n{page}\n</html>\n'


def _opening(minutes: Minutes, named: Labels) -> list[str]:
    people = ", ".join(f"<bdi>{escape(one)}</bdi>" for one in minutes.participants)
    body = [f"<p><strong>{named.participants}:</strong> {people}</p>"] if people else []
    if minutes.agenda:
        points = "".join(_point(one, minutes) for one in minutes.agenda)
        body.append(f"<h2>{named.agenda}</h2><ul>{points}</ul>")
    return body


def _told(summary: Summary, named: Labels) -> list[str]:
    """The sentences of the summary by section."""
    body = [f"<h2>{named.summary}</h2>"] if summary.minutes and summary.sentences else []
    level = "h3" if summary.minutes else "h2"
    tag = "li" if summary.style == "bullets" else "p"
    for section, items in paragraphs(summary):
        body += [f"<{level} dir='auto'>{escape(section)}</{level}>"] if section else []
        said = [
            " ".join(
                f"{_who(one.speaker)}{escape(one.text)} {' '.join(_time(cited) for cited in one.citations)}".strip()
                for one in item
            )
            for item in items
        ]
        lines = "".join(f"<{tag} dir='auto'>{one}</{tag}>" for one in said)
        body.append(f"<ul>{lines}</ul>" if tag == "li" else lines)
    return body


def _minutes(minutes: Minutes, named: Labels, picture: Picture | None) -> list[str]:
    body: list[str] = []
    for title, items in sections(minutes, named):
        body.append(f"<h2>{title}</h2><ul>{''.join(_item(one, named) for one in items)}</ul>")
    if minutes.slides:
        shown = "".join(_slide(one, picture) for one in minutes.slides)
        body.append(f"<h2>{named.slides}</h2><ul class='slides'>{shown}</ul>")
    return body


def _point(point: AgendaPoint, minutes: Minutes) -> str:
    source = f" <small><bdi>{escape(point.source.name)}</bdi></small>" if len(minutes.recordings) > 1 else ""
    return f"<li dir='auto'>{_second(point.source, point.start_s)} {escape(point.title)}{source}</li>"


def _item(item: MinutesItem, named: Labels) -> str:
    head = owner_and_due(item)
    begin = f"<strong><bdi>{escape(head)}</bdi>:</strong> " if head else ""
    state = "" if item.is_open else f" <em>({named.done})</em>"
    who = f" <small><bdi>{escape(item.speaker)}</bdi></small>" if item.speaker else ""
    times = " ".join(_time(one) for one in item.citations)
    return f"<li dir='auto'{'' if item.is_open else ' class=done'}>{begin}{escape(item.text)}{who} {times}{state}</li>"


def _slide(slide: KeySlide, picture: Picture | None) -> str:
    name = escape(slide.heading or slide.text.partition("\n")[0])
    times = " ".join(_second(slide.source, start_s) for start_s, _ in slide.times)
    shown = f"<img src='{found}' alt='{name}'>" if (found := _data_url(slide, picture)) else ""
    address = escape(link(slide.source, slide.times[0][0]))
    shown = f"<a href='{address}'>{shown}</a>" if shown and address else shown
    return f"<li><figure>{shown}<figcaption dir='auto'>{name} {times}</figcaption></figure></li>"


def _data_url(slide: KeySlide, picture: Picture | None) -> str:
    if picture is None:
        return ""
    try:
        data = thumbnail(picture(slide.image))
    except NotFoundError:
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""


def _who(speaker: str) -> str:
    return f"<bdi>{escape(speaker)}</bdi>: " if speaker else ""


def _place(cited: Citation) -> str:
    place = cited.locator
    where = _second(cited.source, place.start_s) if isinstance(place, TimeLocator) else escape(str(place))
    return f"[{cited.marker}] <bdi>{escape(cited.source.name)}</bdi>, {where}"


def _time(cited: Citation) -> str:
    """A place as it stands behind a sentence."""
    if isinstance(cited.locator, TimeLocator):
        return _second(cited.source, cited.locator.start_s)
    return f"<span class='place'>[{cited.marker}]</span>"


def _second(source: Source, start_s: float) -> str:
    address = escape(link(source, start_s))
    shown = f"<time dir='ltr'>{clock(start_s)}</time>"
    return f"<a href='{address}'>{shown}</a>" if address else shown
