"""How each role stands: what is set, whether its endpoint answers under the wanted name, with which window; what to do if not.

All endpoints are asked at the same time, each once, and within seconds: a server that is silent is down.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from phidex.errors import PhidexError, ServiceError
from phidex.generation.chat import Message, OpenAIChat
from phidex.generation.chat_faults import shown_url
from phidex.generation.chat_wire import as_count, as_list, as_object
from phidex.generation.endpoints.places import ChatRole, endpoint_of
from phidex.generation.models.command import PORTS
from phidex.generation.models.table import MODELS, Model, ModelRole
from phidex.retrieval.served.connection import Connection, models_of
from phidex.settings import ChatSettings, EmbedSettings, RerankSettings, Settings, SpeechSettings

State = Literal["ok", "broken", "missing", "off"]
CHAT_ROLES: tuple[ChatRole, ...] = ("mini", "moe", "vision")

_CONNECT_S = 3.0
_READ_S = 5.0
_DEADLINE_S = 8.0  # for all of it: name servers and servers that dribble keep to no other limit


@dataclass(frozen=True, slots=True)
class RoleHealth:
    """One role.

    Args:
        state: "ok"; "broken": set up and not to be had, or not under that name; "missing": not set up; "off": not served, and
            nothing asks for it.
        model: the table's name of the model that the role is made for.
        served: the name that it is asked by, "" where none is set.
        url: of its endpoint, without user, password and query; "" where none is set.
        window_tokens: as served, or as set; None where neither is known.
        effective_tokens: how far such a model reads well, within the window.
        detail: what was found.
        cure: what to do; empty when nothing is to be done.
    """

    role: ModelRole
    state: State
    model: str
    served: str
    url: str
    window_tokens: int | None
    effective_tokens: int
    detail: str
    cure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Served:
    """What an endpoint lists: names with their windows; none where it has no list."""

    windows: Mapping[str, int | None]
    counts: bool = False


def examine_roles(settings: Settings, *, deadline_s: float = _DEADLINE_S) -> list[RoleHealth]:
    """Every role of the table, in its order. An endpoint that is down is a row, not an error; never takes longer than told."""
    chat: dict[ChatRole, ChatSettings] = {role: _asked(settings.chat, role) for role in CHAT_ROLES}
    ask: dict[ModelRole, Callable[[], _Served]] = {
        role: partial(_ask_chat, asked, getattr(asked, role)) for role, asked in chat.items() if asked.url
    }
    if _is_served(settings.embed):
        ask["embed"] = partial(_ask_pooling, settings.embed, "EMBED")
    if _is_served(settings.rerank):
        ask["rerank"] = partial(_ask_pooling, settings.rerank, "RERANK")
    if settings.speech.url:
        speech = settings.speech
        place = RerankSettings(url=speech.url, api_key=speech.api_key, timeout_s=_READ_S)  # pyright: ignore[reportCallIssue]
        ask["speech"] = partial(_ask_pooling, place, "SPEECH")
    found = _ask_all(ask, deadline_s)
    return [
        *(_chat_health(settings.chat, role, asked.url, found.get(role)) for role, asked in chat.items()),
        _pooling_health("embed", settings.embed, found.get("embed")),
        _pooling_health("rerank", settings.rerank, found.get("rerank")),
        _speech_health(settings.speech, found.get("speech")),
    ]


def _ask_all(ask: Mapping[ModelRole, Callable[[], _Served]], deadline_s: float) -> dict[ModelRole, _Served | PhidexError]:
    """The answer of each, or its error. Threads that are still at it when time is up are left behind."""
    found: dict[ModelRole, _Served | PhidexError] = {}

    def run(role: ModelRole, question: Callable[[], _Served]) -> None:
        try:
            found[role] = question()
        except PhidexError as exc:
            found[role] = exc

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in ask.items()]
    for thread in threads:
        thread.start()
    over = time.monotonic() + deadline_s
    for thread in threads:
        thread.join(max(0.0, over - time.monotonic()))
    late = ServiceError(f"no answer within {deadline_s:g} s", hint="look into the server's log; is it the right address?")
    return {role: found.get(role, late) for role in ask}


def _asked(settings: ChatSettings, role: ChatRole) -> ChatSettings:
    """The settings of a role's own endpoint, with short time limits."""
    url, key = endpoint_of(settings, role)
    limits = {"first_token_timeout_s": _READ_S, "stall_timeout_s": _READ_S, "retries": 0}
    place = {"url": url, "api_key": key, "connect_timeout_s": min(_CONNECT_S, settings.connect_timeout_s)}
    return settings.model_copy(update={**place, **limits})


def _ask_chat(asked: ChatSettings, name: str) -> _Served:
    with OpenAIChat(asked) as chat:
        endpoint = chat.probe()
        if not endpoint.models and name:  # a list would tell whether it knows the name; else only a question does
            with contextlib.closing(chat.stream([Message("user", "Say yes.")], model=name, max_tokens=1)) as answer:
                next(answer)
    return _Served({model.name: model.window_tokens for model in endpoint.models}, endpoint.can_count)


def _ask_pooling(settings: EmbedSettings | RerankSettings, section: str) -> _Served:
    connection = Connection(settings.model_copy(update={"timeout_s": min(_READ_S, settings.timeout_s), "retries": 0}), section)
    try:
        names = models_of(connection)
        cards = map(as_object, as_list(as_object(connection.get(f"{connection.url}/models")).get("data")))
        windows = {str(card.get("id")): as_count(card.get("max_model_len")) for card in cards}
        return _Served({name: windows.get(name) for name in names})
    finally:
        connection.close()


def _is_served(settings: EmbedSettings | RerankSettings) -> bool:
    return settings.model == "endpoint" and bool(settings.url)


def _chat_health(settings: ChatSettings, role: ChatRole, url: str, outcome: _Served | PhidexError | None) -> RoleHealth:
    name: str = getattr(settings, role)
    serve = f"serve it (phidex models command {role} --gpu-memory GIB)"
    if outcome is None:
        cure = f"{serve}, and set {_URLS[role]} to {_example(role)}"
        return _health(role, "missing", served=name, detail=_WOULD[role], cure=cure)
    variable = f"PHIDEX_CHAT__{role.upper()}"
    if not name:
        there = _known_as(MODELS[role], outcome.windows) if isinstance(outcome, _Served) else ""
        if not there:
            cure = f"{serve}, and set {variable} to the name that it is served by, and {_URLS[role]} to {_example(role)}"
            return _health(role, "missing", detail=_WOULD[role], cure=cure)
        detail = f"served as {there}, and not used: {variable} is not set"
        return _health(role, "missing", url=url, detail=detail, cure=f"set {variable}={there}")
    if isinstance(outcome, PhidexError):
        cure = f"start it (phidex models command {role} --gpu-memory GIB), or mend {_URLS[role]}"
        if not isinstance(outcome, ServiceError):  # its hints name the settings of `url`
            own = f"CHAT__{role.upper()}_" if url != settings.url else "CHAT__"
            cure = outcome.hint.replace("CHAT__URL", f"{own}URL").replace("CHAT__API_KEY", f"{own}API_KEY")
        return _health(role, "broken", served=name, url=url, detail=outcome.message, cure=cure)
    return _judged(role, name, url, outcome, variable, settings.window_tokens)


def _pooling_health(
    role: Literal["embed", "rerank"], settings: EmbedSettings | RerankSettings, outcome: _Served | PhidexError | None
) -> RoleHealth:
    section = role.upper()
    if settings.model != "endpoint":
        place = "switched off" if settings.model in ("off", "none") else "done in this process"
        return _health(role, "off", detail=f"{place} (PHIDEX_{section}__MODEL={settings.model})")
    if outcome is None:
        cure = f"set PHIDEX_{section}__URL, e.g. {_example(role)}"
        return _health(role, "missing", served=settings.served, detail="its endpoint is not set", cure=cure)
    name = settings.served
    if isinstance(outcome, PhidexError):
        return _health(role, "broken", served=name, url=settings.url, detail=outcome.message, cure=outcome.hint)
    if not name and len(outcome.windows) == 1:
        name = next(iter(outcome.windows))
    return _judged(role, name, settings.url, outcome, f"PHIDEX_{section}__SERVED", None)


def _speech_health(settings: SpeechSettings, outcome: _Served | PhidexError | None) -> RoleHealth:
    if outcome is None:
        return _health("speech", "off", detail="done in this process, where phidex[speech] is (PHIDEX_SPEECH__URL is not set)")
    name = settings.model
    if isinstance(outcome, PhidexError):
        return _health("speech", "broken", served=name, url=settings.url, detail=outcome.message, cure=outcome.hint)
    if not name and len(outcome.windows) == 1:
        name = next(iter(outcome.windows))
    return _judged("speech", name, settings.url, outcome, "PHIDEX_SPEECH__MODEL", None)


def _judged(role: ModelRole, name: str, url: str, outcome: _Served, variable: str, window_tokens: int | None) -> RoleHealth:
    """What the list of an endpoint that answers says of a role."""
    windows = outcome.windows
    if windows and name not in windows:
        listed = ", ".join(windows)
        detail = f"serves {listed}, and not {name}" if name else f"serves {listed}: which of them is meant?"
        return _health(role, "broken", served=name, url=url, detail=detail, cure=f"set {variable} to one of: {listed}")
    if role not in CHAT_ROLES:
        return _health(role, "ok", served=name, url=url, window_tokens=windows.get(name), detail="answers")
    window = windows.get(name) or window_tokens
    detail = "answers, and counts tokens" if outcome.counts else "answers; it does not count tokens: a safe estimate is used"
    cure = "" if window else "set PHIDEX_CHAT__WINDOW_TOKENS: it does not tell its window"
    return _health(role, "ok", served=name, url=url, window_tokens=window, detail=detail, cure=cure)


def _health(
    role: ModelRole,
    state: State,
    *,
    detail: str,
    served: str = "",
    url: str = "",
    window_tokens: int | None = None,
    cure: str = "",
) -> RoleHealth:
    model = MODELS[role]
    effective = min(model.effective_tokens, window_tokens or model.effective_tokens)
    return RoleHealth(role, state, model.name, served, shown_url(url) if url else "", window_tokens, effective, detail, cure)


def _example(role: ModelRole) -> str:
    """Where its server is, as `phidex models command` has it listen."""
    return f"http://localhost:{PORTS[role]}/v1"


def _known_as(model: Model, names: Iterable[str]) -> str:
    """The name under which an endpoint lists the model, "" where it does not."""
    known = {model.served.lower(), model.hub.lower(), model.name.lower()}
    return next((name for name in names if name.lower() in known), "")


_URLS: Mapping[ChatRole, str] = {
    "mini": "PHIDEX_CHAT__URL",
    "moe": "PHIDEX_CHAT__MOE_URL",
    "vision": "PHIDEX_CHAT__VISION_URL",
}
_WOULD: Mapping[ChatRole, str] = {
    "mini": "would enable written answers; without it they are quotations",
    "moe": "would enable better answers in other languages than English, on code, and where reasoning is asked for",
    "vision": "would enable questions about pictures, pages and frames",
}
