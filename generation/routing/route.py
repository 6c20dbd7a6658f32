"""Who answers: the extractive answerer without an endpoint, a Phi-3.5 model with one; always with a reason.

Pictures are looked at by Phi-3.5-vision, where it is served: those that come with a question, and those of the passages that
were found for a question about something to see. All else is for the models of text.

What speaks for the larger model, of two that are served (the figures: `generation/models/table.py`):

    another language than English   multilingual MMLU 69.9 against 55.4, the widest gap of all
    a long context                  above 32K tokens mini's RULER score falls, and its cache costs three times as much
    code, reasoning, comparison     HumanEval 70.7 against 62.8, ARC 91.0 against 84.6
    scattered evidence              words and meaning lead to different passages: the answer has to be put together

and for the smaller one: facts and sums in English over a short context, where it is as good (GSM8K 86.2 against 88.7) and
several times as fast; and a larger model that has no room at the moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from phidex.errors import ConfigError
from phidex.generation.answer import Role, Route
from phidex.generation.endpoints.state import RoleState
from phidex.generation.models.table import MODELS
from phidex.generation.routing.kind import Kind
from phidex.retrieval.hit import Hit
from phidex.settings import ChatSettings

ADD_A_MODEL = "set PHIDEX_CHAT__URL to an OpenAI-compatible endpoint, such as vLLM serving Phi-3.5-mini"

Prefer = Literal["fast", "balanced", "best"]
_MINI_TOKENS = MODELS["mini"].effective_tokens
_SCATTERED = 0.2  # of the best passages that both legs found
_LOOKED_AT = 10  # hits
_HARD: Mapping[Kind, str] = {
    "code": "a question about code, which the larger model reads better",
    "reasoning": "a question that takes reasoning, where the larger model is better",
    "comparison": "a comparison, which has to be put together from several passages",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question's route is chosen by.

    Args:
        language: of the question, ISO 639-1; "und" where it is too short to tell.
        context_tokens: what is about to be packed.
        agreement: share of the best passages that words and meaning both found; None without a dense leg.
        attached: pictures that came with it.
        pictures: of the passages that were found.
    """

    kind: Kind = "lookup"
    language: str = "en"
    context_tokens: int = 0
    agreement: float | None = None
    attached: int = 0
    pictures: int = 0

    @property
    def to_see(self) -> int:
        """Pictures that its answer may hang on."""
        return self.attached + self.pictures if self.attached or self.kind == "visual" else 0


def agreement_of(hits: Sequence[Hit]) -> float | None:
    """The share of the best ten hits that both legs found; None where only one leg was asked."""
    best = hits[:_LOOKED_AT]
    if not any("dense" in hit.why for hit in best) or not any("lexical" in hit.why for hit in best):
        return None
    return sum("dense" in hit.why and "lexical" in hit.why for hit in best) / len(best)


def choose_route(
    settings: ChatSettings,
    asked: Asked,
    states: Mapping[Role, RoleState] | None = None,
    *,
    forced: Role | None = None,
) -> Route:
    """The route for a question.

    Args:
        states: how the roles are at this moment; one that is not named is taken to be well.
        forced: the role that somebody asks for.

    Raises:
        ConfigError: the role that is asked for is not configured.
    """
    served = served_roles(settings)
    states = states or {}
    signals: dict[str, str | int | float | bool] = {
        "kind": asked.kind,
        "language": asked.language,
        "context_tokens": asked.context_tokens,
        "prefer": settings.prefer,
    }
    if asked.agreement is not None:
        signals["agreement"] = round(asked.agreement, 2)
    if asked.to_see:
        signals["pictures"] = asked.to_see
    if forced is not None:
        return Route(forced, _forced(settings, forced, served), f"{forced} was asked for", signals)
    blind = ""
    if asked.to_see:
        if (trouble := sight_trouble(settings, states)) is None:
            return Route("vision", settings.vision, _to_see(asked), signals)
        blind = f"pictures cannot be looked at, since {trouble}; "
    route = _route_of_text(settings, asked, states, served, signals)
    return replace(route, reason=blind + route.reason)


def sight_trouble(settings: ChatSettings, states: Mapping[Role, RoleState] | None = None) -> str | None:
    """Why the vision model cannot be asked now, in words that follow "since"; None where it can be."""
    if not seeing_model(settings):
        return "no vision model is configured"
    state = (states or {}).get("vision")
    return f"{settings.vision} {state.trouble}" if state is not None and not state.is_well else None


def seeing_model(settings: ChatSettings) -> str:
    """The served name of the vision model; empty without one."""
    return settings.vision if settings.vision_url or settings.url else ""


def _to_see(asked: Asked) -> str:
    number = "a picture comes" if asked.attached == 1 else f"{asked.attached} pictures come"
    if asked.attached:
        return f"{number} with the question"
    places = "has a picture" if asked.pictures == 1 else f"have {asked.pictures} pictures"
    return f"the question is about something to look at, and what was found {places}"


def _route_of_text(
    settings: ChatSettings,
    asked: Asked,
    states: Mapping[Role, RoleState],
    served: Mapping[Role, str],
    signals: Mapping[str, str | int | float | bool],
) -> Route:
    if not served:
        return Route("extractive", "", "no model is configured, so the best passages are quoted", signals)
    well: dict[Role, str] = {role: name for role, name in served.items() if role not in states or states[role].is_well}
    if len(served) == 1 or len(well) < 2:
        role, name = next(iter((well or served).items()))
        down = [f"{served[other]} {states[other].trouble}" for other in served if other not in well and well]
        return Route(
            role, name, "; ".join([*down, f"{name} answers"]) if down else f"{name} is the model that is configured", signals
        )
    role, reason = _weighed(settings.prefer, asked, states.get("moe"))
    return Route(role, served[role], reason, signals)


def fallbacks(settings: ChatSettings, route: Route) -> list[Route]:
    """Who answers where the chosen role cannot, the best first: the other model, then the extractive answerer."""
    served = served_roles(settings)
    found = [
        Route(role, name, f"{name} answers in its place", route.signals) for role, name in served.items() if role != route.role
    ]
    signals = {**route.signals, "in_place_of": route.role}
    return [*found, Route("extractive", "", "the best passages are quoted in its place", signals)]


def served_roles(settings: ChatSettings) -> dict[Role, str]:
    """The roles that answer questions about text, and the names that they are served under."""
    roles: dict[Role, str] = {}
    if settings.mini and settings.url:
        roles["mini"] = settings.mini
    if settings.moe and (settings.moe_url or settings.url):
        roles["moe"] = settings.moe
    return roles


def _forced(settings: ChatSettings, role: Role, served: Mapping[Role, str]) -> str:
    if role == "extractive":
        return ""
    if role in served:
        return served[role]
    if role == "vision" and seeing_model(settings):
        return settings.vision
    urls = {"mini": settings.url, "moe": settings.moe_url or settings.url, "vision": settings.vision_url or settings.url}
    lacks = [f"PHIDEX_CHAT__{role.upper()} to its served name"] if not getattr(settings, role, "") else []
    lacks += ["PHIDEX_CHAT__URL to its endpoint, e.g. http://localhost:8000/v1"] if not urls.get(role) else []
    raise ConfigError(f"{role} is asked for and not configured", hint=f"set {' and '.join(lacks)}")


def _weighed(prefer: Prefer, asked: Asked, moe: RoleState | None) -> tuple[Role, str]:
    """The role of the two, and why."""
    if asked.context_tokens > _MINI_TOKENS:
        return "moe", f"{asked.context_tokens:,} tokens of context are more than Phi-3.5-mini reads reliably ({_MINI_TOKENS:,})"
    if prefer == "fast":
        return "mini", "fast answers are preferred"
    reasons: list[str] = []
    if asked.language not in ("en", "und"):
        reasons.append(f"the question is not in English ({asked.language}), where the larger model is far better")
    if asked.kind in _HARD:
        reasons.append(_HARD[asked.kind])
    if asked.agreement is not None and asked.agreement < _SCATTERED:
        reasons.append("the evidence is scattered")
    if prefer == "best":
        return "moe", reasons[0] if reasons else "the best answer is preferred"
    if not reasons:
        what = "question about something to see" if asked.kind == "visual" else asked.kind
        return "mini", f"a {what} in English over a short context: the smaller model is as good and faster"
    if moe is not None and moe.is_crowded and len(reasons) == 1:
        return "mini", f"{reasons[0]}, but it has a queue at the moment"
    return "moe", reasons[0]
