"""A summary as a Word document, through python-docx: headings, lists, times as links, slides; either direction of writing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from phidex.errors import ConfigError, NotFoundError
from phidex.generation.summary.minutes import KeySlide, Minutes
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

_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])  # what XML cannot hold
_PICTURE_IN = 3.2
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"


def to_docx(summary: Summary, picture: Callable[[str], bytes] | None) -> bytes:
    """The document.

    Raises:
        ConfigError: python-docx is not installed.
    """
    try:
        import docx
    except ImportError as exc:
        raise ConfigError("python-docx is not installed", hint="pip install 'phidex[office]'") from exc
    opened: Any = docx
    page = _Page(opened.Document(), is_rtl=summary.language in RIGHT_TO_LEFT)
    named = labels(summary.language)
    page.document.core_properties.title = summary.title.translate(_CONTROL)
    page.heading(summary.title, 0)
    if text := notice(summary):
        page.paragraph(text)
    minutes = summary.minutes
    if minutes:
        _open(page, minutes, named)
    if summary.sentences:
        _tell(page, summary, named)
    if minutes:
        _list(page, minutes, named, picture)
    for warning in summary.warnings:
        page.paragraph(warning)
    if summary.citations:
        page.heading(named.places, 1)
        for one in summary.citations:
            page.paragraph(str(one), style="List Bullet")
    out = io.BytesIO()
    page.document.save(out)
    return out.getvalue()


class _Page:
    """Writes paragraphs in one direction."""

    def __init__(self, document: Any, *, is_rtl: bool) -> None:
        self.document = document
        self._is_rtl = is_rtl

    def heading(self, text: str, level: int) -> None:
        self._turned(self.document.add_heading(text.translate(_CONTROL), level))

    def paragraph(self, text: str, *, bold: str = "", style: str | None = None) -> Any:
        made = self.document.add_paragraph(style=style)
        if bold:
            made.add_run(bold.translate(_CONTROL)).bold = True
        made.add_run(text.translate(_CONTROL))
        return self._turned(made)

    def second(self, paragraph: Any, source: Source, start_s: float) -> None:
        """A time behind a paragraph, as a link where the recording can be opened."""
        paragraph.add_run(" ")
        address = link(source, start_s)
        if not address:
            paragraph.add_run(clock(start_s))
            return
        linked = _element("w:hyperlink")
        linked.set(_RELATION, paragraph.part.relate_to(address, _LINK, is_external=True))
        run = paragraph.add_run(clock(start_s))
        run.font.underline = True
        linked.append(run._r)
        paragraph._p.append(linked)

    def _turned(self, made: Any) -> Any:
        if self._is_rtl:
            made._p.get_or_add_pPr().append(_element("w:bidi"))
            for run in made.runs:
                run.font.rtl = True
        return made


def _element(name: str) -> Any:
    """An element of the document's XML."""
    from docx import oxml

    made: Any = oxml
    return made.OxmlElement(name)


def _open(page: _Page, minutes: Minutes, named: Labels) -> None:
    if minutes.participants:
        page.paragraph(", ".join(minutes.participants), bold=f"{named.participants}: ")
    if minutes.agenda:
        page.heading(named.agenda, 1)
        for point in minutes.agenda:
            page.second(page.paragraph(point.title, style="List Bullet"), point.source, point.start_s)


def _tell(page: _Page, summary: Summary, named: Labels) -> None:
    if summary.minutes:
        page.heading(named.summary, 1)
    for section, items in paragraphs(summary):
        if section:
            page.heading(section, 2 if summary.minutes else 1)
        for item in items:
            bullet = "List Bullet" if summary.style == "bullets" else None
            made = page.paragraph(" ".join(one.marked for one in item), style=bullet)
            for cited in (cited for one in item for cited in one.citations):
                if isinstance(cited.locator, TimeLocator):
                    page.second(made, cited.source, cited.locator.start_s)


def _list(page: _Page, minutes: Minutes, named: Labels, picture: Callable[[str], bytes] | None) -> None:
    for title, items in sections(minutes, named):
        page.heading(title, 1)
        for item in items:
            head = owner_and_due(item)
            told = f"{item.marked}{f' ({item.speaker})' if item.speaker else ''}"
            told += "" if item.is_open else f" ({named.done})"
            made = page.paragraph(told, bold=f"{head}: " if head else "", style="List Bullet")
            page.second(made, item.citations[0].source, item.start_s)
    if minutes.slides:
        page.heading(named.slides, 1)
        for slide in minutes.slides:
            made = page.paragraph(slide.heading or slide.text.partition("\n")[0])
            for start_s, _ in slide.times:
                page.second(made, slide.source, start_s)
            _show(page, slide, picture)


def _show(page: _Page, slide: KeySlide, picture: Callable[[str], bytes] | None) -> None:
    from docx.shared import Inches

    if picture is None:
        return
    try:
        data = thumbnail(picture(slide.image))
    except NotFoundError:
        return
    if data:
        page.document.add_picture(io.BytesIO(data), width=Inches(_PICTURE_IN))
