"""A reply that fits, or the reason why there is none: what does not fit goes back to the model once, with its faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from phidex.errors import BudgetError, IncompleteAnswerError
from phidex.generation.chat_wire import Message, Usage
from phidex.generation.structured.prompt import repair_messages
from phidex.generation.structured.schema import MismatchError
from phidex.generation.structured.write import Reply, Writer
from phidex.retrieval.pack import Ledger

R = TypeVar("R")

_CUT_OFF = "it was cut at its limit: raise PHIDEX_CHAT__MAX_ANSWER_TOKENS"
_BLANK = (
    "the model wrote white space without end: start vLLM with "
    '--structured-outputs-config \'{"backend": "xgrammar", "disable_any_whitespace": true}\''
)
_BLANK_CHARS = 64  # at the end of a reply
_SIMPLER = "a larger model, or a simpler schema, is more likely to fit"
_CUT = 0.8  # of what was sent: a server that read less has cut the prompt


@dataclass(frozen=True, slots=True)
class Obtained(Generic[R]):
    """A reply that fits, what was read from it, and what all attempts cost."""

    value: R
    reply: Reply
    usages: tuple[Usage, ...]
    repaired: bool = False

    def warnings(self, ledger: Ledger) -> tuple[str, ...]:
        """What people should know of how it came about."""
        found: list[str] = []
        if self.repaired:
            found.append("the model's first reply did not fit and was asked for again")
        if self.reply.form.name in ("json_object", "text"):
            found.append("the server takes no JSON schema: the reply was held to it only once it had come")
        sent = ledger.prompt_tokens + ledger.context_tokens
        read = self.usages[0].prompt_tokens if self.usages else sent
        if ledger.counted_by == "server" and read < _CUT * sent:
            found.append(f"the server read {read} of about {sent} tokens: it seems to have cut the context")
        return tuple(found)


def obtain(
    writer: Writer,
    messages: Sequence[Message],
    read: Callable[[Reply], R],
    *,
    model: str,
    max_tokens: int,
    cancelled: threading.Event | None = None,
) -> Obtained[R]:
    """What `read` makes of the model's reply.

    Args:
        read: raises MismatchError where a reply does not fit.

    Raises:
        IncompleteAnswerError: the second reply does not fit either; `partial` has its text.
        BudgetError, ConfigError, InputError, ServiceError: see `Writer.write`.
    """
    usages: list[Usage] = []

    def ask(asked: Sequence[Message]) -> Reply:
        reply = writer.write(asked, model=model, max_tokens=max_tokens, cancelled=cancelled)
        usages.extend([reply.usage] if reply.usage else [])
        return reply

    reply = ask(messages)
    while True:
        try:
            return Obtained(read(reply), reply, tuple(usages))
        except MismatchError as exc:
            if reply.form.name == "choice" and writer.give_up(reply.form):  # a server that knows no choices ignores them
                reply = ask(messages)
                continue
            if reply.finish_reason == "length":
                raise _unfit(reply, exc, _BLANK if _is_blank(reply.text) else _CUT_OFF) from exc
            fault = exc
            break
    try:
        second = ask(repair_messages(messages, reply.text, fault.told))
    except BudgetError:  # no room for the reply and its faults: the first one decides
        raise _unfit(reply, fault, _SIMPLER) from fault
    try:
        return Obtained(read(second), second, tuple(usages), repaired=True)
    except MismatchError as exc:
        raise _unfit(second, exc, _SIMPLER) from exc


def _unfit(reply: Reply, fault: MismatchError, hint: str) -> IncompleteAnswerError:
    message = f"the model's reply does not fit the schema: {fault}"
    return IncompleteAnswerError(message, partial=reply.text, hint=hint, retryable=False)


def _is_blank(text: str) -> bool:
    """Whether a reply ends in more white space than JSON has any use for, as small models do that may write any."""
    return len(text) - len(text.rstrip()) >= _BLANK_CHARS
