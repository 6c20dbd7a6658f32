"""The reranker seam: a question and passages in, a score for each out, by a model that reads both together.

    RerankSettings --choose_reranker--> Reranker --scores--> the order in which hits are shown

Rerankers raise errors as any service does. `try_scores` is for a search that goes on without one and says so.
Nothing heavy is imported here; cross-encoders live in `retrieval/cross.py`, endpoints in `retrieval/served/scores.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phidex.errors import ConfigError, PhidexError
from phidex.settings import EmbedSettings, RerankSettings

log = logging.getLogger(__name__)

_INSTALL_HINT = "pip install 'phidex[dense]'"


class Reranker(Protocol):
    """Judges passages by a question."""

    @property
    def name(self) -> str:
        """The model, for people and for `why`; loads and asks nothing."""
        ...

    def scores(self, query: str, passages: Sequence[str]) -> Sequence[float]:
        """A score for each passage, in their order: higher is better, on no common scale. Long passages are cut by tokens.

        Raises:
            ConfigError: the model cannot be loaded, or the endpoint is set wrongly.
            ServiceError: the endpoint cannot be reached or failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class RerankChoice:
    """The reranker (None: none) and the reason, a sentence for people."""

    reranker: Reranker | None
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores in the passages' order, or None and the warning to show."""

    scores: tuple[float, ...] | None
    warning: str = ""


def choose_reranker(settings: RerankSettings, hub_timeout_s: float = EmbedSettings().hub_timeout_s) -> RerankChoice:
    """The reranker of the settings; its model is loaded, or asked, at the first scores.

    Raises:
        ConfigError: a model was asked for by name and cannot be had, or the endpoint's URL is missing.
    """
    if settings.model == "off":
        return RerankChoice(None, "reranking is switched off")
    if settings.model == "endpoint":
        from phidex.retrieval.served.scores import ServedReranker

        reranker = ServedReranker(settings)
        return RerankChoice(reranker, f"{reranker.name}, as set")
    from phidex.retrieval.choose import dense_installed

    if not dense_installed():
        raise ConfigError("cross-encoders are not installed", hint=_INSTALL_HINT)
    from phidex.retrieval.cross import CrossReranker
    from phidex.retrieval.hub import fetch_model

    folder = Path(settings.model)
    if not folder.is_dir():
        found = fetch_model(settings.model, hub_timeout_s)
        if found.path is None:
            hint = "give a local folder, or download it once while online"
            raise ConfigError(f"the model {settings.model} {found.reason}", hint=hint)
        folder = found.path
    return RerankChoice(CrossReranker(folder, settings.model, settings), f"{settings.model}, as set")


def try_scores(reranker: Reranker, query: str, passages: Sequence[str]) -> Judged:
    """The scores, or a warning where they cannot be had now: raises no PhidexError."""
    if not passages:
        return Judged(())
    try:
        return Judged(tuple(reranker.scores(query, passages)))
    except PhidexError as exc:
        log.warning("rerank.failed model=%s error=%s", reranker.name, type(exc).__name__)
        return Judged(None, f"not reranked by {reranker.name}: {exc}")
