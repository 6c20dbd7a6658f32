"""Minutes of meetings through the SDK and the command line: what was decided, taken on and left open, each with its second."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.recorded import record, slide
from typer.testing import CliRunner

from phidex import Phidex
from phidex.cli.app import app
from phidex.errors import InputError
from phidex.generation.answer import Citation
from phidex.ingest.records import TimeLocator
from phidex.settings import EmbedSettings, Settings

pytest.importorskip("av")

TALK = """WEBVTT

00:00:01.000 --> 00:00:05.000
<v Speaker 1>Let us begin with the heating of the house. The old boiler was replaced in March.

00:00:06.000 --> 00:00:09.000
<v Bob>Who pays for the new scaffolding?

00:00:09.500 --> 00:00:12.000
<v Speaker 1>I don't know.

00:00:16.000 --> 00:00:21.000
<v Speaker 1>Now the roof. We decided that Ohm Ltd repairs the gutters before winter.

00:00:22.000 --> 00:00:25.000
<v Bob>Good, I will call the gutter builders at Ohm by Monday.
"""
LATER = """WEBVTT

00:00:01.000 --> 00:00:05.000
<v Bob>I have called the gutter builders at Ohm, that is done.

00:00:06.000 --> 00:00:09.000
<v Ada>We decided that the owner pays for the new scaffolding.

00:00:10.000 --> 00:00:14.000
<v Ada>I will write the letter to the owner by Friday.
"""
HEBREW = """WEBVTT

00:00:01.000 --> 00:00:04.000
<v דנה>החלטנו לחדש את החוזה עם הספק <script>alert(1)</script> הישן.
"""


@pytest.fixture(scope="module")
def phidex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phidex]:
    folder = tmp_path_factory.mktemp("meetings")
    slides = [(slide("Boiler costs 2025", "Replacement 4,200 EUR"), 15), (slide("Roof and gutters", "Leak above"), 15)]
    record(folder / "house-2025-03-01.mp4", slides)
    (folder / "house-2025-03-01.vtt").write_text(TALK)
    (folder / "house-2025-04-01.vtt").write_text(LATER)
    (folder / "hebrew.vtt").write_text(HEBREW)
    settings = Settings(data=tmp_path_factory.mktemp("data"), embed=EmbedSettings(model="none"))
    with Phidex(settings=settings) as opened:
        opened.ingest(folder / "house-2025-03-01.mp4", folder / "house-2025-04-01.vtt")
        opened.rename_speakers("house-2025-03-01.mp4", {"Speaker 1": "Ada"})
        opened.ingest(folder / "hebrew.vtt", collection="hebrew")
        yield opened


def seconds(cited: Citation) -> tuple[float, float]:
    assert isinstance(cited.locator, TimeLocator)
    return cited.locator.start_s, cited.locator.end_s


def test_minutes_hold_what_was_said_and_shown_with_its_second(phidex: Phidex, tesseract: object) -> None:
    del tesseract
    found = phidex.summarize("house-2025-03-01.mp4", length="long")
    minutes = found.minutes
    assert minutes is not None
    assert minutes.participants == ("Ada", "Bob")
    assert [(one.title, round(one.start_s)) for one in minutes.agenda] == [("Boiler costs 2025", 0), ("Roof and gutters", 15)]
    assert [(one.text, seconds(one.citations[0])) for one in found.decisions] == [
        ("We decided that Ohm Ltd repairs the gutters before winter.", (16.0, 21.0))
    ]
    [action] = found.actions
    assert (action.owner, action.due, action.start_s) == ("Bob", "by Monday", 22.0)
    assert [(one.text, one.start_s) for one in found.questions] == [("Who pays for the new scaffolding?", 6.0)]
    assert [(one.heading, round(one.times[0][0])) for one in minutes.slides] == [
        ("Boiler costs 2025", 0),
        ("Roof and gutters", 15),
    ]
    stored = " ".join(" ".join(chunk.text.split()) for chunk in phidex.passages(found.citations[0].source.id))
    for one in (*found.sentences, *minutes.items):
        assert one.citations[0].quote in stored
        assert not one.text.startswith(("Ada", "Bob", "["))
    assert {(one.section, one.speaker) for one in found.sentences} >= {
        ("Boiler costs 2025", "Ada"),
        ("Roof and gutters", "Bob"),
    }
    assert "no model wrote this summary" in found.text


def test_across_recordings_what_was_answered_or_done_later_is_no_longer_open(phidex: Phidex) -> None:
    found = phidex.summarize()
    assert found.minutes is not None
    assert [one.name for one in found.minutes.recordings] == ["house-2025-03-01.mp4", "house-2025-04-01.vtt"]
    assert [one.citations[0].source.name[-6:] for one in found.decisions] == ["01.mp4", "01.vtt"]
    assert [(one.owner, one.is_open) for one in found.actions] == [("Bob", False), ("Ada", True)]
    assert [(one.text, one.is_open) for one in found.questions] == [("Who pays for the new scaffolding?", False)]


def test_a_page_needs_nothing_else_and_links_to_the_second(phidex: Phidex, tesseract: object) -> None:
    del tesseract
    page = phidex.summarize("house-2025-03-01.mp4").to_html(phidex.blob)
    assert "house-2025-03-01.mp4#t=16'" in page
    assert page.count("<img src='data:image/jpeg;base64,") == 2
    assert not {"src='http", "<link", "<script"} & set(page.split('"'))
    assert 'dir="ltr"' in page
    hebrew = phidex.summarize("hebrew.vtt", "hebrew").to_html()
    assert '<html lang="he" dir="rtl">' in hebrew
    assert "<script" not in hebrew
    assert "החלטות" in hebrew


def test_a_word_document_has_headings_links_and_slides(phidex: Phidex, tesseract: object) -> None:
    del tesseract
    docx: Any = pytest.importorskip("docx")
    opened = docx.Document(io.BytesIO(phidex.summarize("house-2025-03-01.mp4").to_docx(phidex.blob)))
    texts = [one.text for one in opened.paragraphs]
    assert {"Agenda", "Decisions", "Tasks", "Open questions", "Slides"} <= set(texts)
    assert any(text.startswith("Bob, by Monday: ") for text in texts)
    assert len(opened.inline_shapes) == 2
    assert any(str(one.target_ref).endswith("#t=16") for one in opened.part.rels.values() if one.is_external)


def test_the_command_line_writes_all_forms(phidex: Phidex, tmp_path: Path) -> None:
    runner, common = CliRunner(), ["summarize", "house-2025-03-01.mp4", "--data", str(phidex.settings.data)]
    shown = runner.invoke(app, common)
    assert "**Bob, by Monday:** Good, I will call the gutter builders at Ohm by Monday." in shown.output
    for name, begin in (("a.md", b"# "), ("a.html", b"<!doctype html>"), ("a.docx", b"PK"), ("a.json", b"{")):
        done = runner.invoke(app, [*common, "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).read_bytes().startswith(begin)
    told = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [(one["owner"], one["due"], one["citations"][0]["locator"]["start_s"]) for one in told["actions"]] == [
        ("Bob", "by Monday", 22.0)
    ]
    markdown = runner.invoke(app, [*common, "--format", "markdown"])
    assert "## Decisions\n\n- We decided that Ohm Ltd repairs the gutters before winter." in markdown.output
    lost = runner.invoke(app, [*common, "--format", "docx"])
    assert isinstance(lost.exception, InputError)
