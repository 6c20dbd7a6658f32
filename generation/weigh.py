"""Token counts for the model that answers: the server's own, a tokenizer file's, or the safe estimate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message
from phidex.generation.control import fenced
from phidex.retrieval.count import estimate_tokens, load_counter

_MESSAGE_TOKENS = 8  # a role's markup, more than it costs
# Where a prompt is cut for counting: between a source's opening tag, its text and its closing tag, each of which ends or begins
# a line, so that hardly a token reaches over; one that does is counted as two.
_SEAM = re.compile(r'(?<=">\n)|(?=\n</source>)|(?<=</source>)(?=\n)|(?<=</notes>)(?=\n)')


class Scale:
    """Counts texts and prompts for one model.

    Args:
        chat: the endpoint; None without one.
        model: the served name; empty without one.
        tokenizer: what counts where the endpoint cannot.
    """

    def __init__(self, chat: ChatModel | None, model: str, tokenizer: Path | None) -> None:
        self._chat = chat if model else None
        self._model = model
        self._local = load_counter(tokenizer)
        is_exact = self._chat is not None and self._chat.count_each(["a"], model=model) is not None
        self.counted_by = "server" if is_exact else "tokenizer" if tokenizer else "estimate"

    def each(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, as it will stand in a prompt."""
        shown = [fenced(text) for text in texts]
        if self.counted_by == "server" and self._chat is not None:
            counted = self._chat.count_each(shown, model=self._model)
            return [estimate_tokens(text) for text in shown] if counted is None else counted
        return self._local(shown)

    def prompt(self, messages: Sequence[Message]) -> int:
        """The tokens of a whole prompt with its markup: the server's own count, or a sum that is not below it.

        Without the server, the sources in it are counted one by one, so that those counted before cost nothing.
        """
        if self.counted_by == "server" and self._chat is not None:
            counted = self._chat.count_tokens(messages, model=self._model)
            if counted is not None:
                return counted
        pieces = [piece for message in messages for piece in _SEAM.split(message.content)]
        return sum(self._local(pieces)) + _MESSAGE_TOKENS * (len(messages) + 1)
