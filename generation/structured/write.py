"""Asks a model for a reply of a given form, in the strictest way that its server takes, and falls back where it takes less."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from phidex.errors import ConfigError, IncompleteAnswerError, InputError, PhidexError, ServiceError
from phidex.generation.chat import ChatModel, Done, takes_extra
from phidex.generation.chat_wire import Message, Usage

log = logging.getLogger(__name__)

_STOPPED = "the answer was stopped before its end"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to ask for a reply's form: its name, and the request's fields that say it."""

    name: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's whole reply, and the form that it was asked in."""

    text: str
    form: Form
    finish_reason: str
    usage: Usage | None


def schema_forms(name: str, definition: Mapping[str, Any]) -> tuple[Form, ...]:
    """JSON by a schema, JSON of any shape, text: the strictest first. The prompt holds the schema in any case."""
    schema = {"type": "json_schema", "json_schema": {"name": name, "schema": dict(definition)}}
    return (
        Form("json_schema", {"response_format": schema}),
        Form("json_object", {"response_format": {"type": "json_object"}}),
        Form("text", {}),
    )


def choice_forms(choices: Sequence[str]) -> tuple[Form, ...]:
    """One of some texts, as vLLM takes it; then as a JSON text of a schema; then as text."""
    definition = {"type": "object", "properties": {"label": {"enum": list(choices)}}, "required": ["label"]}
    return (Form("choice", {"structured_outputs": {"choice": list(choices)}}), *schema_forms("label", definition))


class Writer:
    """Writes replies in the first of its forms that the server takes, which it remembers. Safe to share between threads.

    Args:
        chat: where its `stream` takes no `extra`, the last form, text, is the only one.
        forms: the strictest first; the last asks for nothing.
    """

    def __init__(self, chat: ChatModel, forms: Sequence[Form]) -> None:
        self._chat = chat
        self._forms = tuple(forms)
        self._at = 0 if takes_extra(chat) else len(self._forms) - 1

    def write(
        self, messages: Sequence[Message], *, model: str, max_tokens: int, cancelled: threading.Event | None = None
    ) -> Reply:
        """The model's reply.

        Raises:
            BudgetError: the prompt does not fit the window.
            IncompleteAnswerError: the reply broke off, or was stopped.
            ConfigError, InputError, ServiceError: the server refuses the request in every form, or is down.
        """
        for at in range(self._at, len(self._forms)):
            form = self._forms[at]
            try:
                reply = self._ask(messages, form, model, max_tokens, cancelled)
            except (ConfigError, InputError, ServiceError) as exc:
                if not _is_refusal(exc) or at == len(self._forms) - 1 or (cancelled is not None and cancelled.is_set()):
                    raise
                log.info("structured.refused form=%s error=%s", form.name, type(exc).__name__)
                continue
            self._at = max(self._at, at)
            return reply
        raise AssertionError("unreachable: the last form returns or raises")

    def give_up(self, form: Form) -> bool:
        """Ask no more in a form that the server passes over in silence; returns whether another is left."""
        at = self._forms.index(form) + 1
        self._at = max(self._at, min(at, len(self._forms) - 1))
        return at < len(self._forms)

    def _ask(
        self, messages: Sequence[Message], form: Form, model: str, max_tokens: int, cancelled: threading.Event | None
    ) -> Reply:
        pieces: list[str] = []
        if cancelled is not None and cancelled.is_set():
            raise IncompleteAnswerError(_STOPPED)
        if takes_extra(self._chat):
            stream = self._chat.stream(messages, model=model, max_tokens=max_tokens, cancelled=cancelled, extra=form.extra)
        else:
            stream = self._chat.stream(messages, model=model, max_tokens=max_tokens, cancelled=cancelled)
        with closing(stream):
            for event in stream:
                if isinstance(event, Done):
                    return Reply("".join(pieces), form, event.finish_reason, event.usage)
                pieces.append(event.text)
        raise IncompleteAnswerError(_STOPPED, partial="".join(pieces))


def _is_refusal(error: PhidexError) -> bool:
    """Whether a server may take the same request in another form.

    vLLM tells what its grammar cannot take inside the stream, as its first event.
    """
    if isinstance(error, IncompleteAnswerError):
        return not error.partial and "grammar" in error.message.lower()
    return not getattr(error, "retryable", False)
