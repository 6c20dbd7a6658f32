"""Texts longer than any prompt: prompts read several at a time, a note of each, and notes put together until they fit.

The prompts are those of who asks: an answer (`respond`) or a summary (`summary/writer.py`); so is how many notes fit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass

from phidex.errors import BudgetError
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Done, Message, Usage
from phidex.generation.watch import EitherEvent

_AT_ONCE = 4  # prompts read at the same time: a server batches them

OnProgress = Callable[[str, int, int], None]
"""Told the step, how much of it is done, how much there is."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted, and of what: a title, or the part's place."""

    name: str
    text: str


class Stop(EitherEvent):
    """Set by itself, or where the caller's own event is: a failure must end what runs, and not set what is the caller's."""

    def __init__(self, caller: threading.Event | None) -> None:
        self._own = threading.Event()
        super().__init__(self._own, caller or self._own)

    def set(self) -> None:
        """Ends what runs, and leaves the caller's event as it is."""
        self._own.set()


class NoteReader:
    """Reads prompts with one model and adds up what that cost.

    Args:
        count: the tokens of a prompt.
        prompt_tokens: of one prompt and what is written to it.
        note_tokens: upper bound of a note.
        empty: what the model was asked to say of a part that holds nothing.
    """

    def __init__(
        self,
        chat: ChatModel,
        model: str,
        count: Callable[[Sequence[Message]], int],
        *,
        prompt_tokens: int,
        note_tokens: int,
        empty: str,
        stop: Stop,
        tell: OnProgress | None = None,
    ) -> None:
        self.usages: list[Usage] = []
        self.finish_reason = ""
        self._chat, self._model, self._count, self._stop = chat, model, count, stop
        self._prompt_tokens, self._note_tokens, self._empty = prompt_tokens, note_tokens, empty
        self._tell = tell

    def notes(self, step: str, names: Sequence[str], prompts: Sequence[Sequence[Message]]) -> list[Note | None]:
        """The note to each prompt, in their order; None where it holds nothing. A failure ends the others.

        Raises:
            ServiceError: see `ChatModel`.
        """
        self._told(step, 0, len(prompts))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="phidex-part") as pool:
            futures: dict[Future[str], int] = {}
            try:
                futures = {pool.submit(self.write, prompt, self._note_tokens): at for at, prompt in enumerate(prompts)}
                for done, _ in enumerate(_completed(futures), 1):
                    if not self._stop.is_set():
                        self._told(step, done, len(prompts))
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        texts = [future.result() for future in futures]
        return [
            Note(name, text) if text and not text.startswith(self._empty) else None
            for name, text in zip(names, texts, strict=True)
        ]

    def merged(
        self,
        notes: Sequence[Note],
        fits: Callable[[Sequence[Note]], bool],
        merge: Callable[[Sequence[Note]], list[Message]],
    ) -> list[Note]:
        """The notes, put together level by level until they fit.

        Args:
            merge: the prompt that asks for one note of several.

        Raises:
            BudgetError: the budget does not hold two notes.
        """
        kept = list(notes)
        while not fits(kept) and not self._stop.is_set():
            groups = self._groups(kept, merge)
            if len(groups) >= len(kept):
                raise BudgetError(
                    f"two notes of {self._note_tokens} tokens do not fit the budget of {self._prompt_tokens}",
                    hint="serve the model with a larger window, or lower PHIDEX_PACK__NOTE_TOKENS",
                )
            prompts = [merge(group) for group in groups]
            names = [group[0].name if len(group) == 1 else f"{group[0].name} … {group[-1].name}" for group in groups]
            kept = [note for note in self.notes("notes", names, prompts) if note is not None] or kept[:1]
        return kept

    def write(self, messages: Sequence[Message], max_tokens: int) -> str:
        """What the model writes to one prompt; nothing once stopped."""
        if self._stop.is_set():
            return ""
        pieces: list[str] = []
        with closing(self._chat.stream(messages, model=self._model, max_tokens=max_tokens, cancelled=self._stop)) as stream:
            for event in stream:
                if isinstance(event, Done):
                    self.usages += [event.usage] if event.usage else []
                    self.finish_reason = event.finish_reason
                else:
                    pieces.append(event.text)
        return "".join(pieces).strip()

    def _told(self, step: str, done: int, total: int) -> None:
        if self._tell is not None:
            self._tell(step, done, total)

    def _groups(self, notes: Sequence[Note], merge: Callable[[Sequence[Note]], list[Message]]) -> list[list[Note]]:
        """Neighbouring notes, as many in a group as fit a prompt."""
        groups: list[list[Note]] = [[]]
        for note in notes:
            grown = [*groups[-1], note]
            if groups[-1] and self._count(merge(grown)) + self._note_tokens > self._prompt_tokens:
                groups.append([note])
            else:
                groups[-1] = grown
        return groups


def _completed(futures: dict[Future[str], int]) -> Iterator[str]:
    for future in as_completed(futures):
        yield future.result()
