"""What a model's folder says of itself: its languages and its prompts, completed by what is known of it (`known.py`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from phidex.retrieval.known import known_model
from phidex.settings import EmbedSettings


def read_json(folder: Path, name: str) -> Any:
    """A file of the folder; {} where there is none."""
    path = folder / name
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def model_prompts(folder: Path, name: str, settings: EmbedSettings) -> tuple[str, str]:
    """Before queries and before passages: as set, as the model's files say, or as is known of the model."""
    config = read_json(folder, "config.json")
    known = known_model(name) or known_model(str(config.get("_name_or_path", "")))
    own: dict[str, str] = read_json(folder, "config_sentence_transformers.json").get("prompts") or {}
    query = own.get("query") or (known.query_prompt if known else "")
    passage = own.get("document") or own.get("passage") or (known.passage_prompt if known else "")
    return (
        query if settings.query_prompt is None else settings.query_prompt,
        passage if settings.passage_prompt is None else settings.passage_prompt,
    )


def card_languages(folder: Path, name: str) -> tuple[str, ...] | None:
    """The languages that the model card's header names, else those known; None (all) where it says multilingual alone.

    A card that says "multilingual" and then names languages is one for many: it is taken at its first word.
    """
    known = known_model(name)
    listed = known.languages if known else None
    card = folder / "README.md"
    header = re.match(r"---\n(.*?)\n---", card.read_text("utf-8"), re.DOTALL) if card.is_file() else None
    found = re.search(r"^language:[ \t]*(\w[^\n]*)?((?:\n[ \t]*-[^\n]*)*)", header.group(1), re.MULTILINE) if header else None
    names = re.findall(r"[A-Za-z]+", " ".join(filter(None, found.groups()))) if found else []
    if not names or "multilingual" in names:
        return listed
    return tuple(sorted({name[:2].lower() for name in names}))
