"""The chat client as evaluation uses it: a whole reply, from the model that the settings name."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

from phidex.errors import ConfigError
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Delta, Message
from phidex.generation.endpoints.pool import Pool
from phidex.generation.routing.route import served_roles
from phidex.settings import ChatSettings


def reply_of(chat: ChatModel, messages: Sequence[Message], *, model: str, max_tokens: int) -> str:
    """The text of a reply.

    Raises:
        BudgetError, ConfigError, ServiceError: see `ChatModel`.
    """
    with contextlib.closing(chat.stream(messages, model=model, max_tokens=max_tokens, temperature=0.0)) as stream:
        return "".join(event.text for event in stream if isinstance(event, Delta)).strip()


@contextlib.contextmanager
def open_chat(settings: ChatSettings, role: str = "") -> Generator[tuple[ChatModel, str]]:
    """The endpoints, and the served name of a role; of the largest one that answers questions, unless named.

    Raises:
        ConfigError: no such model is configured.
    """
    served = {str(name): model for name, model in served_roles(settings).items()}
    model = served.get(role) if role else served.get("moe") or served.get("mini")
    if not model:
        raise ConfigError(f"no model is set for the role {role or 'mini'}", hint="set PHIDEX_CHAT__URL")
    pool = Pool(settings)
    try:
        yield pool, model
    finally:
        pool.close()
