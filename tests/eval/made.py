"""Runs and a chat model made for tests."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from phidex.eval.runs.record import Record, Run, RunFolder, read_run
from phidex.generation.chat_wire import Delta, Done, Message


def made_run(folder: Path, scores: Sequence[dict[str, float]], *, failed: int = 0) -> Run:
    """A run as `evaluate` leaves it."""
    place = RunFolder(folder)
    place.begin({"questions": len(scores), "data_sha256": "same"})
    for at, row in enumerate(scores):
        language = "de" if at % 2 else "en"
        place.append(Record(f"q{at}", f"question {at}", language, scores=row, error="down" if at < failed else ""))
    return read_run(folder)


class Grading:
    """A chat model that answers with prepared grades."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    def stream(self, messages: Sequence[Message], **_: Any) -> Generator[Delta | Done, None, None]:
        self.asked.append(messages[-1].content)
        yield Delta(self.replies.pop(0))
        yield Done("stop", None, "judge")

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        return None

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        return None

    def window_tokens(self, model: str) -> int | None:
        return None
