"""The endpoints of all roles as one chat model: a request goes to the server of the model that it names.

stream -> gate (so many at a time, the rest in a queue) -> breaker (a dead server is left alone) -> OpenAIChat
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from pydantic import SecretStr

from phidex.errors import ConfigError, ServiceError
from phidex.generation.answer import Role
from phidex.generation.chat import Delta, Done, Message, OpenAIChat
from phidex.generation.chat_faults import URL_HINT, StoppedError, is_dead
from phidex.generation.endpoints.breaker import Breaker, LeftAloneError
from phidex.generation.endpoints.budget import EscalationBudget
from phidex.generation.endpoints.gate import Gate
from phidex.generation.endpoints.load import LoadWatch
from phidex.generation.endpoints.places import ChatRole, endpoint_of
from phidex.generation.endpoints.prometheus import RoleGauges, metrics, serve_metrics, watch
from phidex.generation.endpoints.state import RoleState
from phidex.generation.endpoints.telemetry import model_call, told_outcome
from phidex.generation.watch import EitherEvent
from phidex.settings import ChatSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one role is served."""

    role: Role
    model: str
    chat: OpenAIChat
    gate: Gate
    load: LoadWatch
    breaker: Breaker = field(default_factory=Breaker)


class Pool:
    """A `ChatModel` over the endpoints of the settings. Thread-safe; `close` gives their connections back.

    Raises:
        ConfigError: no endpoint is set, a URL or key cannot be sent, or two servers give one name to different models.
    """

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._cancelled: threading.Event | None = None
        self._chats: dict[tuple[str, str], OpenAIChat] = {}  # by URL and key
        self._answers = EscalationBudget()
        self._places: dict[str, _Place] = {}
        for role, model, url, key in _endpoints(settings):
            chat = self._chat(url, key)
            if (known := self._places.get(model)) is not None:
                if known.chat is chat:
                    continue  # one model in two roles
                names = f"PHIDEX_CHAT__{known.role.upper()} and PHIDEX_CHAT__{role.upper()}"
                hint = "give them names of their own (vllm serve --served-model-name)"
                raise ConfigError(f"{names} are both {model!r}, at two endpoints", hint=hint)
            gate = Gate(model, settings.concurrency, settings.queue)
            self._places[model] = _Place(role, model, chat, gate, LoadWatch(chat.metrics))
        if not self._places:
            raise ConfigError("no model endpoint is set", hint="set PHIDEX_CHAT__URL, e.g. http://localhost:8000/v1")
        watch(self)
        if settings.metrics_port is not None:
            serve_metrics(settings.metrics_port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        for place in self._places.values():
            place.load.close(self._settings.connect_timeout_s)
        for chat in self._chats.values():
            chat.close()

    def until(self, cancelled: threading.Event | None) -> Self:
        """The same endpoints, for work that ends once `cancelled` is set: counting and waiting for a server too.

        What was to be counted then is not (None), and answers end without a `Done`.
        """
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
        extra: Mapping[str, Any] | None = None,
    ) -> Generator[Delta | Done, None, None]:
        """See `OpenAIChat.stream`; waits for its turn before it is sent.

        Raises:
            ServiceError: also where too many wait, or the server failed so often that it is left alone for a while; retryable.
        """
        place = self._place(model)
        if self._cancelled is not None:
            cancelled = self._cancelled if cancelled is None else EitherEvent(self._cancelled, cancelled)
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "cancelled": cancelled}
        with told_outcome(place.role) as is_whole, place.gate.passed(cancelled) as entered:
            if not entered:
                return
            with (
                _watched(place) as told,
                model_call(model, place.chat.url, place.role, max_tokens) as call,
                closing(place.chat.stream(messages, model=model, extra=extra, **options)) as events,
            ):
                for event in events:
                    told()
                    call.began()
                    if isinstance(event, Done):
                        call.ended(event)
                        is_whole()
                    yield event

    def count_tokens(self, text: Sequence[Message] | str, *, model: str) -> int | None:
        """See `OpenAIChat.count_tokens`."""
        return self._ask(model, lambda chat: chat.count_tokens(text, model=model, cancelled=self._cancelled))

    def count_each(self, texts: Sequence[str], *, model: str) -> list[int] | None:
        """See `OpenAIChat.count_each`."""
        return self._ask(model, lambda chat: chat.count_each(texts, model=model, cancelled=self._cancelled))

    def window_tokens(self, model: str) -> int | None:
        """The window a model is served with: as the endpoint tells, else as `chat.window_tokens` says; None for neither."""
        told = self._ask(model, lambda chat: chat.window_tokens(model, cancelled=self._cancelled))
        return told or self._settings.window_tokens

    def _ask(self, model: str, ask: Callable[[OpenAIChat], T]) -> T | None:
        """What need not wait for its turn. It may be remembered from before, so that only its failure tells of the server."""
        place = self._place(model)
        with suppress(StoppedError), _watched(place):
            return ask(place.chat)
        return None

    def states(self) -> dict[Role, RoleState]:
        """How the roles are at this moment; asks nobody."""
        found: dict[Role, RoleState] = {}
        for place in self._places.values():
            rest_s, load = place.breaker.rest_s, place.load.latest()
            trouble = f"failed several times and is left alone for {rest_s:.0f} s" if rest_s else ""
            waiting = place.gate.waiting + load.waiting
            found[place.role] = RoleState(trouble, place.gate.running, waiting, load.cache)
        return found

    def may_escalate(self) -> bool:
        """Whether one more answer may be asked for again; called once for each."""
        may = self._answers.take()
        if may and (found := metrics()) is not None:
            found.escalated()
        return may

    def gauges(self) -> dict[str, RoleGauges]:
        """What waits and runs here, and the breaker's state, by role; asks nobody."""
        return {
            place.role: RoleGauges(place.gate.waiting, place.gate.running, place.breaker.state)
            for place in self._places.values()
        }

    def answered(self) -> None:
        """An answer was given that could have been asked for again."""
        self._answers.note()

    def _chat(self, url: str, key: SecretStr | None) -> OpenAIChat:
        name = (url.rstrip("/"), key.get_secret_value() if key else "")
        if name not in self._chats:
            self._chats[name] = OpenAIChat(self._settings.model_copy(update={"url": url, "api_key": key}))
        return self._chats[name]

    def _place(self, model: str) -> _Place:
        try:
            return self._places[model]
        except KeyError:
            raise ConfigError(f"no endpoint is set for the model {model!r}", hint=URL_HINT) from None


def _endpoints(settings: ChatSettings) -> list[tuple[Role, str, str, SecretStr | None]]:
    """Role, served name, URL and key of each role that is served."""
    served: list[tuple[ChatRole, str]] = [("mini", settings.mini), ("moe", settings.moe), ("vision", settings.vision)]
    found: list[tuple[Role, str, str, SecretStr | None]] = []
    for role, model in served:
        url, key = endpoint_of(settings, role)
        if model and url:
            found.append((role, model, url, key))
    return found


@contextmanager
def _watched(place: _Place) -> Generator[Callable[[], None]]:
    """A request to a server that may be dead; what is yielded is called once it has answered.

    Only silence, a connection that breaks and a failure of its own count against it: what refuses a request is alive.

    Raises:
        LeftAloneError: it failed several times and is left alone for a while.
    """
    if not place.breaker.admits():
        rest_s = max(1.0, place.breaker.rest_s)
        raise LeftAloneError(
            f"{place.model} failed several times in a row", hint=f"it is tried again in {rest_s:.0f} s", retryable=True
        )
    try:
        yield place.breaker.succeeded
    except ServiceError as exc:
        if is_dead(exc):
            place.breaker.failed()
        raise
    finally:
        place.breaker.given_back()
