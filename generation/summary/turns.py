"""A conversation as a text: its questions with their answers, and what of them is quoted where no model writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from phidex.generation.answer import Route
from phidex.generation.conversation import Conversation, Turn
from phidex.generation.extract import NOTICE as QUOTED_NOTICE
from phidex.generation.summary.check import checked_sentences, opening
from phidex.generation.summary.summary import Length, Style, Summary
from phidex.ingest.records import Chunk
from phidex.retrieval.context.ledger import Ledger

_EACH: dict[Length, int] = {"short": 1, "medium": 2, "long": 4}
NOTHING = Ledger(0, 0, 0, 0, "estimate", ())
"""The account where no passage was sent."""


def turn_text(turn: Turn) -> str:
    """A question and its answer, as they stand in a prompt."""
    return f"Question: {turn.question}\nAnswer: {turn.answer.removesuffix(QUOTED_NOTICE).rstrip()}"


def quoted_turns(
    conversation: Conversation,
    style: Style,
    length: Length,
    route: Route,
    language: str,
    stored: Callable[[Sequence[str]], list[Chunk]],
) -> Summary:
    """Each question with the first sentences of its answer and their citations."""
    started = time.monotonic()
    shown: list[str] = []
    silent: list[str] = []
    for turn in conversation.turns:
        answer = opening(turn.answer.removesuffix(QUOTED_NOTICE).rstrip(), _EACH[length])
        shown.append(f"## {' '.join(turn.question.split())}\n\n{answer}")
        silent += [] if turn.found else [answer]
    blocks = list(conversation.blocks.values())
    sentences, warnings = checked_sentences("\n\n".join(shown), blocks, NOTHING, stored, language)
    told = tuple(one for one in warnings if one.removeprefix("cites nothing: ") not in silent)
    sentences = tuple(replace(one, item=at if style == "bullets" else 0) for at, one in enumerate(sentences))
    spent = {"sentences": time.monotonic() - started}
    return Summary("Conversation", sentences, style, length, language, route, warnings=told, timings=spent)
