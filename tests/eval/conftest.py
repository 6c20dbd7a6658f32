"""A tiny collection to measure on: notes about machines in two languages, and a Python file."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings, StoreSettings

BOILER = """\
# Boiler room

The boiler was replaced in March 2021 by Ohm Ltd. A manometer is an instrument that measures the pressure of steam.

## Inspection dates

The chimney was swept in October 2019.
"""
PUMPE = """\
# Pumpenhaus

Die Pumpe wurde im Mai 2018 von der Firma Volt geliefert. Ein Schieber ist ein Bauteil, das eine Leitung ganz absperrt.

## Wartungsplan der Anlage

Der Filter wird im November gewechselt.
"""
VALUES = """\
# Measured values

| station | pressure | output |
|---|---|---|
| north | 12 bar | 40 kW |
| south | 9 bar | 31 kW |
"""
STEAM = '''\
"""Steam."""


def saturation_point(bar):
    """Return the temperature at which water boils under a pressure."""
    factor = 4.2
    return 100 + factor * bar
'''
NOTES = {"boiler.md": BOILER, "pumpe.md": PUMPE, "values.md": VALUES, "steam.py": STEAM}
QUESTIONS = [
    ("boiler", "When was the boiler replaced?", ["March 2021"], "boiler.md", [1, 3], "en"),
    ("chimney", "When was the chimney swept?", ["October 2019"], "boiler.md", [5, 7], "en"),
    ("pumpe", "Wann wurde die Pumpe geliefert?", ["Mai 2018"], "pumpe.md", [1, 3], "de"),
    ("filter", "Wann wird der Filter gewechselt?", ["im November"], "pumpe.md", [5, 7], "de"),
]


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for name, text in NOTES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "set.jsonl"
    rows = [
        {
            "id": name,
            "question": text,
            "answers": answers,
            "gold": [{"document": document, "lines": place}],
            "language": language,
        }
        for name, text, answers, document, place, language in QUESTIONS
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, notes: Path) -> Generator[Phidex]:
    data = tmp_path_factory.mktemp("tiny") / "data"
    settings = Settings(data=data, embed=EmbedSettings(model="none"), store=StoreSettings(idle_s=1))
    with Phidex(settings=settings) as phidex:
        phidex.ingest(notes, workers=1)
        yield phidex
