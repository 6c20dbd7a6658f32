"""A chat model that a program brings, in the place of the endpoints of the settings."""

from __future__ import annotations

import copy
import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Protocol, Self

from phidex.generation.answer import Role
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Delta, Done, Message
from phidex.generation.endpoints.state import RoleState
from phidex.settings import Settings

BROUGHT = "given:"  # in the place of an endpoint's address


class NamedChat(ChatModel, Protocol):
    """A chat model of one name."""

    @property
    def name(self) -> str:
        """Of the model, for people; its routes and usage bear it."""
        ...


class Brought:
    """The only model there is: it is asked as it is, and nothing is asked again of a larger one. As thread-safe as it."""

    def __init__(self, chat: NamedChat) -> None:
        self._chat = chat
        self._cancelled: threading.Event | None = None

    def close(self) -> None:
        """The model is its program's, and stays open."""

    def until(self, cancelled: threading.Event | None) -> Self:
        """The same model, for work that ends once `cancelled` is set."""
        if cancelled is None:
            return self
        view = copy.copy(self)
        view._cancelled = cancelled
        return view

    def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int | None = None,
        temperature: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generator[Delta | Done, None, None]:
        """See `ChatModel.stream`."""
        stop = cancelled or self._cancelled
        yield from self._chat.stream(messages, model=model, max_tokens=max_tokens, temperature=temperature, cancelled=stop)

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        """See `ChatModel.count_tokens`."""
        return self._chat.count_tokens(text, model=model)

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        """See `ChatModel.count_each`."""
        return self._chat.count_each(texts, model=model)

    def window_tokens(self, model: str) -> int | None:
        """See `ChatModel.window_tokens`."""
        return self._chat.window_tokens(model)

    def states(self) -> Mapping[Role, RoleState]:
        """Nothing is known against it."""
        return {}

    def may_escalate(self) -> bool:
        """There is no larger one."""
        return False

    def answered(self) -> None:
        """Not counted."""


def with_chat(settings: Settings, chat: NamedChat) -> Settings:
    """Settings by which all questions go to this model; an endpoint for vision stays, where it has an address of its own."""
    vision = settings.chat.vision if settings.chat.vision_url else ""
    changed = {"url": BROUGHT + chat.name, "api_key": None, "mini": chat.name, "moe": "", "moe_url": "", "vision": vision}
    return settings.model_copy(update={"chat": settings.chat.model_copy(update=changed)})
