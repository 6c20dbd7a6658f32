"""Who answers: the extractive answerer without an endpoint, Phi-3.5-mini or Phi-3.5-MoE with one; always with a reason."""

from __future__ import annotations

from phidex.generation.answer import Route
from phidex.settings import ChatSettings

ADD_A_MODEL = "set PHIDEX_CHAT__URL to an OpenAI-compatible endpoint, such as vLLM serving Phi-3.5-mini"

# Where mini's RULER score has fallen below 88 and MoE's has not. Source: the models' cards, RULER by length.
_MINI_EFFECTIVE_TOKENS = 32_768


def choose_route(settings: ChatSettings, *, language: str, context_tokens: int) -> Route:
    """The route for a question.

    Args:
        language: of the question, ISO 639-1.
        context_tokens: what was packed.
    """
    signals: dict[str, str | int | float | bool] = {"language": language, "context_tokens": context_tokens}
    if not settings.url:
        return Route("extractive", "", "no model is configured, so the best passages are quoted", signals)
    if not settings.moe:
        return Route("mini", settings.mini, f"{settings.mini} is the model that is configured", signals)
    if not settings.mini:
        return Route("moe", settings.moe, f"{settings.moe} is the model that is configured", signals)
    if language not in ("en", "und"):
        # Multilingual MMLU: 69.9 against 55.4, the widest gap between the two. Source: the models' cards.
        return Route(
            "moe", settings.moe, f"the question is not in English ({language}), where the larger model is far better", signals
        )
    if context_tokens > _MINI_EFFECTIVE_TOKENS:
        reason = f"{context_tokens} tokens of context are more than Phi-3.5-mini reads reliably ({_MINI_EFFECTIVE_TOKENS})"
        return Route("moe", settings.moe, reason, signals)
    return Route(
        "mini", settings.mini, "an English question over a short context: the smaller model is as good and faster", signals
    )
