"""The names of a recording's speakers: as its source remembers them, and corrected without reading it again.

A source's metadata holds "speakers", the names as they are now, and "renamed", what was corrected: from the name that was found
to the one that is right. What is stored is written anew under the corrected names (`retrieval/speakers.py`), so that search,
answers, summaries and exports all read the same; and a recording that changed is read with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from phidex.errors import InputError
from phidex.ingest.records import Parsed

T = TypeVar("T")

SPEAKERS, RENAMED = "speakers", "renamed"
"""Keys of `Source.metadata`; their values are JSON."""

_MOST_CHARS = 80


def with_names(parsed: Parsed, corrected: Mapping[str, str]) -> Parsed:
    """A recording with the corrected names, and with its speakers in its metadata; other documents as they are."""
    if parsed.kind not in ("video", "audio"):
        return parsed
    blocks = tuple(
        replace(block, speaker=corrected.get(block.speaker, block.speaker)) if block.speaker else block
        for block in parsed.blocks
    )
    names = list(dict.fromkeys(block.speaker for block in blocks if block.speaker))
    told = {SPEAKERS: _json(names)} if names else {}
    told |= {RENAMED: _json(dict(corrected))} if corrected else {}
    return replace(parsed, blocks=blocks, metadata={**parsed.metadata, **told})


def corrected_names(metadata: Mapping[str, str]) -> dict[str, str]:
    """What was corrected: the right name by the one that was found."""
    return {str(found): str(name) for found, name in _read(metadata.get(RENAMED, "{}"), dict[str, str]()).items()}


def speakers_of(metadata: Mapping[str, str]) -> list[str]:
    """Who speaks, in order of their first words, by their names as they are now."""
    return [str(name) for name in _read(metadata.get(SPEAKERS, "[]"), list[str]())]


def renamed_metadata(metadata: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """The metadata once these speakers, by their names as they are now, are called otherwise.

    Raises:
        InputError: nobody of such a name speaks, or a new name is none.
    """
    speakers = speakers_of(metadata)
    for name, fresh in names.items():
        if name not in speakers:
            have = ", ".join(speakers) or "nobody by name"
            raise InputError(f"nobody in it is called {name!r}", hint=f"there speak: {have}")
        if not fresh.strip() or len(fresh) > _MOST_CHARS or any(mark in fresh for mark in "\n\r:<>[]"):
            raise InputError(f"{fresh!r} is no name", hint=f"at most {_MOST_CHARS} characters, without : < > [ ]")
    corrected = corrected_names(metadata)
    renewed: dict[str, str] = {}
    for name in speakers:
        origins = [found for found, given in corrected.items() if given == name]
        for found in (*origins, *([name] if name not in corrected else [])):
            renewed[found] = names.get(name, name)
    now = list(dict.fromkeys(names.get(name, name) for name in speakers))
    return {**metadata, SPEAKERS: _json(now), RENAMED: _json({a: b for a, b in renewed.items() if a != b})}


def _read(text: str, otherwise: T) -> T:
    try:
        value = json.loads(text)
    except ValueError:
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


def _json(value: Mapping[str, str] | Iterable[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
