"""Reads prompts with one model, several at a time, tells how far it is, and puts notes together until they fit one prompt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing

from phidex.errors import BudgetError
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Done, Message, Usage
from phidex.generation.summary.prompts import EMPTY, Note, merge_messages
from phidex.generation.summary.summary import OnProgress

_AT_ONCE = 4  # prompts read at the same time: a server batches them
_POLL_S = 0.05


class Stop(threading.Event):
    """Set by itself, or where the caller's own event is: a failure must end what runs, and not set what is the caller's."""

    def __init__(self, caller: threading.Event | None) -> None:
        super().__init__()
        self._caller = caller

    def is_set(self) -> bool:
        """Whether to stop."""
        return super().is_set() or (self._caller is not None and self._caller.is_set())

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set, or `timeout` seconds; returns whether it is."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (until is None or time.monotonic() < until):
            super().wait(_POLL_S if until is None else max(0.0, min(_POLL_S, until - time.monotonic())))
        return self.is_set()


class Reader:
    """Reads prompts with one model and adds up what that cost.

    Args:
        scale: the tokens of a prompt.
        prompt_tokens: of one prompt and what is written to it.
        note_tokens: upper bound of a note.
    """

    def __init__(
        self,
        chat: ChatModel,
        model: str,
        scale: Callable[[Sequence[Message]], int],
        *,
        prompt_tokens: int,
        note_tokens: int,
        stop: Stop,
        tell: OnProgress,
    ) -> None:
        self.usages: list[Usage] = []
        self.finish_reason = ""
        self._chat, self._model, self._scale, self._stop = chat, model, scale, stop
        self._prompt_tokens, self._note_tokens = prompt_tokens, note_tokens
        self._tell = tell

    def notes(self, step: str, names: Sequence[str], prompts: Sequence[Sequence[Message]]) -> list[Note | None]:
        """The note to each prompt, in their order; None where it holds nothing. A failure ends the others.

        Raises:
            ServiceError: see `ChatModel`.
        """
        self._tell(step, 0, len(prompts))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="phidex-part") as pool:
            futures: dict[Future[str], int] = {}
            try:
                futures = {pool.submit(self.write, prompt, self._note_tokens): at for at, prompt in enumerate(prompts)}
                for done, _ in enumerate(self._completed(futures), 1):
                    if not self._stop.is_set():
                        self._tell(step, done, len(prompts))
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        texts = [future.result() for future in futures]
        return [
            Note(name, text) if text and not text.startswith(EMPTY) else None for name, text in zip(names, texts, strict=True)
        ]

    def merged(self, title: str, notes: Sequence[Note], fits: Callable[[Sequence[Note]], bool]) -> list[Note]:
        """The notes, put together level by level until `fits`.

        Raises:
            BudgetError: the budget does not hold two notes.
        """
        kept = list(notes)
        while not fits(kept) and not self._stop.is_set():
            groups = self._groups(title, kept)
            if len(groups) >= len(kept):
                raise BudgetError(
                    f"two notes of {self._note_tokens} tokens do not fit the budget of {self._prompt_tokens}",
                    hint="serve the model with a larger window, or lower PHIDEX_PACK__NOTE_TOKENS",
                )
            prompts = [merge_messages(title, group, self._note_tokens) for group in groups]
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

    def _completed(self, futures: dict[Future[str], int]) -> Iterator[str]:
        for future in as_completed(futures):
            yield future.result()

    def _groups(self, title: str, notes: Sequence[Note]) -> list[list[Note]]:
        """Neighbouring notes, as many in a group as fit a prompt."""
        groups: list[list[Note]] = [[]]
        for note in notes:
            grown = [*groups[-1], note]
            tokens = self._scale(merge_messages(title, grown, self._note_tokens)) + self._note_tokens
            if groups[-1] and tokens > self._prompt_tokens:
                groups.append([note])
            else:
                groups[-1] = grown
        return groups
