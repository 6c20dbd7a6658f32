"""Messages of a chat -> the question, and the conversation that it hangs on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from phidex.generation.conversation import Conversation, Turn
from phidex.server.faults import RefusedError

_REFERENCES = re.compile(r"\n\nSources:\n(?:\[\d+\] [^\n]*\n?)+\s*$")
_MARKERS = re.compile(r"\s?\[\d{1,4}\]")


class Part(BaseModel):
    """A piece of a message."""

    type: str
    text: str | None = None

    model_config = ConfigDict(extra="allow")


class Said(BaseModel):
    """A message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = Field(default=None, description="text; pictures are not taken")

    model_config = ConfigDict(extra="allow")

    @property
    def text(self) -> str:
        """Its text. Raises: RefusedError where it holds something else."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        for part in self.content:
            if part.type not in ("text", "refusal"):
                message = f"{part.type} is not taken in messages"
                raise RefusedError(400, "unsupported_content", message, hint="send text", param="messages")
        return "\n".join(part.text or "" for part in self.content)


def history_of(messages: Sequence[Said]) -> tuple[str, Conversation]:
    """The last message, and the questions and answers before it; what a system message says changes nothing.

    Markers and references of earlier answers are left out: their numbers mean nothing any more.

    Raises:
        RefusedError: the last message is no question of a user's.
    """
    last: dict[str, Any] = {"param": "messages"}
    if messages[-1].role != "user" or not messages[-1].text.strip():
        raise RefusedError(400, "bad_input", "the last message is no question", hint="end with a user's message", **last)
    conversation = Conversation()
    question = ""
    for message in messages[:-1]:
        if message.role == "user":
            question = message.text
        elif message.role == "assistant" and (answer := bare(message.text)) and question:
            conversation.add(Turn(question, answer, answer, ()), ())
            question = ""
    return messages[-1].text, conversation


def bare(text: str) -> str:
    """An answer without its markers and references.

    >>> bare("In March 2021 [1].\\n\\nSources:\\n[1] note.md, lines 1-3")
    'In March 2021.'
    """
    return _MARKERS.sub("", _REFERENCES.sub("", text)).strip()
