"""The chat model of the tests: it says what it is told to, and keeps what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from phidex.generation.chat import Delta, Done, Message, Usage

Said = str | Exception
Replies = Said | Sequence[Said] | Mapping[str, Said] | Callable[[Sequence[Message]], Said]


class Scripted:
    """A `ChatModel`, and the `Roles` of two models where both are asked. Safe to share between threads.

    Args:
        reply: what it says, or raises: always; in turn, the last one again and again; by model; or by the messages.
        counted: it counts tokens as a server does, three characters each.
        finish: the reason why answers end; empty: the stream ends without a `Done`.
        prompt_tokens: that it claims to have read; None: it tells no usage.
        pause_s: before it says anything; stops where it is cancelled.
        confidence: that it tells where it is asked for logprobs.
    """

    def __init__(
        self,
        reply: Replies = "",
        *,
        counted: bool = False,
        finish: str = "stop",
        prompt_tokens: int | None = 100,
        window: int | None = None,
        pause_s: float = 0.0,
        confidence: float | None = None,
    ) -> None:
        self.reply, self.counted, self.finish, self.prompt_tokens = reply, counted, finish, prompt_tokens
        self.window, self.pause_s, self.confidence = window, pause_s, confidence
        self.prompts: list[list[Message]] = []
        self.limits: list[int] = []
        self.models: list[str] = []
        self.extras: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def asked(self) -> list[Message]:
        """The last prompt."""
        return self.prompts[-1] if self.prompts else []

    @property
    def limit(self) -> int:
        """Of the last answer, in tokens."""
        return self.limits[-1]

    def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int | None = None,
        temperature: float | None = None,
        cancelled: threading.Event | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Generator[Delta | Done, None, None]:
        with self._lock:
            self.prompts.append(list(messages))
            self.limits.append(max_tokens or 0)
            self.models.append(model)
            self.extras.append(extra or {})
        said = self.say(messages, model)
        until = time.monotonic() + self.pause_s
        while time.monotonic() < until:
            if cancelled is not None and cancelled.is_set():
                return
            time.sleep(0.01)
        if isinstance(said, Exception):
            raise said
        for start in range(0, len(said), 7):
            yield Delta(said[start : start + 7])
        if not self.finish or (cancelled is not None and cancelled.is_set()):
            return
        usage = None if self.prompt_tokens is None else Usage(self.prompt_tokens, 5)
        yield Done(self.finish, usage, model, self.confidence if extra and extra.get("logprobs") else None)

    def say(self, messages: Sequence[Message], model: str) -> Said:
        """The reply to this prompt."""
        reply = self.reply
        if isinstance(reply, (str, Exception)):
            return reply
        if callable(reply):
            return reply(messages)
        if isinstance(reply, Mapping):
            return reply[model]
        return reply[min(len(self.prompts), len(reply)) - 1]

    def window_tokens(self, model: str) -> int | None:
        return self.window

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        if not self.counted:
            return None
        return len(text) // 3 + 1 if isinstance(text, str) else sum(len(m.content) // 3 + 5 for m in text)

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        return [len(text) // 3 + 1 for text in texts] if self.counted else None
