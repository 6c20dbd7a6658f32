"""Documents longer than any prompt: each part is read by itself and noted, then the answer is written from the notes.

The plan (`MapPlan`) is made where prompts are (`assemble.py`); this runs it. Notes too long for one prompt are noted again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from phidex.errors import BudgetError
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Done, Message, Usage
from phidex.generation.prompt import ABSENT, notes_messages

_AT_ONCE = 4  # parts read at the same time: a server batches them


@dataclass(slots=True)
class PartReader:
    """Reads prompts with one model and adds up what that cost.

    Args:
        count: the tokens of a prompt.
        budget_tokens: of one prompt and its answer.
        note_tokens: upper bound of a note.
    """

    chat: ChatModel
    model: str
    count: Callable[[Sequence[Message]], int]
    budget_tokens: int
    note_tokens: int
    cancelled: threading.Event | None = None
    usage: list[Usage] = field(default_factory=list[Usage])

    def read(self, prompts: Sequence[Sequence[Message]]) -> list[str]:
        """What each part says about the question, in order; parts that say nothing are left out.

        Raises:
            ServiceError: see `ChatModel`.
        """
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="phidex-part") as pool:
            notes = list(pool.map(self._note, prompts))
        return [note for note in notes if note and not note.startswith(ABSENT)]

    def reduce(self, question: str, notes: Sequence[str], reserve_tokens: int) -> list[Message]:
        """The prompt that asks for the answer from all notes; where they are too many, they are noted again in groups first.

        Raises:
            BudgetError: the budget does not hold two notes.
        """
        kept = list(notes)
        while self.count(messages := notes_messages(question, kept, is_last=True)) + reserve_tokens > self.budget_tokens:
            groups = self._groups(question, kept)
            if len(groups) >= len(kept):
                raise BudgetError(
                    f"two notes of {self.note_tokens} tokens do not fit the budget of {self.budget_tokens}",
                    hint="lower PHIDEX_PACK__NOTE_TOKENS",
                )
            prompts = [notes_messages(question, group, is_last=False) for group in groups]
            kept = self.read(prompts) or kept[:1]
        return messages

    def _groups(self, question: str, notes: Sequence[str]) -> list[list[str]]:
        """Neighbouring notes, as many in a group as fit a prompt."""
        groups: list[list[str]] = [[]]
        for note in notes:
            grown = [*groups[-1], note]
            if (
                groups[-1]
                and self.count(notes_messages(question, grown, is_last=False)) + self.note_tokens > self.budget_tokens
            ):
                groups.append([note])
            else:
                groups[-1] = grown
        return groups

    def _note(self, messages: Sequence[Message]) -> str:
        if self.cancelled and self.cancelled.is_set():
            return ""
        pieces: list[str] = []
        stream = self.chat.stream(messages, model=self.model, max_tokens=self.note_tokens, cancelled=self.cancelled)
        with closing(stream):
            for event in stream:
                if isinstance(event, Done):
                    self.usage += [event.usage] if event.usage else []
                else:
                    pieces.append(event.text)
        return "".join(pieces).strip()
