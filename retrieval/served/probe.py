"""What an embedding or rerank endpoint serves, found out in one call, for people."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from typing import Any

from phidex.errors import PhidexError
from phidex.retrieval.embed import ENDPOINT
from phidex.retrieval.rerank import Reranker
from phidex.retrieval.served.connection import Connection, as_object, models_of
from phidex.retrieval.served.embeddings import ServedEmbedder
from phidex.retrieval.served.scores import ServedReranker
from phidex.settings import EmbedSettings, RerankSettings

_QUESTION = "when was the harbour rebuilt?"
_PASSAGES = ("The harbour was rebuilt after the storm of 1953.", "Bake the bread for an hour.")


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """What was found.

    Args:
        url: without user, password and query.
        server: its program and version where it tells, else "".
        models: the names that it lists.
        model: the one that answered.
        detail: a sentence for people: what it makes, and how fast.
        ms: milliseconds of one small request.
    """

    url: str
    server: str
    models: tuple[str, ...]
    model: str
    detail: str
    ms: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def examine_embeddings(settings: EmbedSettings) -> EndpointReport:
    """What the endpoint of `PHIDEX_EMBED__URL` serves.

    Raises:
        ConfigError: the URL, the key or the model is wrong.
        ServiceError: it cannot be reached or failed.
    """
    embedder = ServedEmbedder(settings)
    try:
        identity = embedder.identity
        started = time.perf_counter()
        embedder.embed_query(_QUESTION)
        ms = 1000 * (time.perf_counter() - started)
    finally:
        embedder.close()
    prompts = f"; before questions it gets {identity.query_prompt!r}" if identity.query_prompt else ""
    languages = ", ".join(identity.languages) if identity.languages else "all languages it meets"
    detail = f"vectors of {identity.dim} numbers, for {languages}{prompts}; a question takes {ms:.0f} ms"
    return _report(Connection(settings, "EMBED"), identity.model.removeprefix(ENDPOINT), detail, ms)


def examine_reranker(settings: RerankSettings) -> EndpointReport:
    """What the endpoint of `PHIDEX_RERANK__URL` serves. Raises: as `examine_embeddings`."""
    reranker = ServedReranker(settings)
    try:
        near, far = reranker.scores(_QUESTION, _PASSAGES)
        ms = _milliseconds(reranker)
    finally:
        reranker.close()
    doubt = "" if near > far else "; it prefers a passage that has nothing to do with the question: is it a reranker?"
    way = {"rerank": "/rerank", "tei": "TEI's /rerank", "score": "/score"}[reranker.dialect or "rerank"]
    return _report(
        Connection(settings, "RERANK"), settings.served, f"scores by {way}; two passages take {ms:.0f} ms{doubt}", ms
    )


def _milliseconds(reranker: Reranker) -> float:
    started = time.perf_counter()
    reranker.scores(_QUESTION, _PASSAGES)
    return 1000 * (time.perf_counter() - started)


def _report(connection: Connection, model: str, detail: str, ms: float) -> EndpointReport:
    names: tuple[str, ...] = ()
    try:
        with contextlib.suppress(PhidexError):
            names = tuple(models_of(connection))
        return EndpointReport(
            connection.shown, _server(connection), names, model or next(iter(names), ""), detail, round(ms, 1)
        )
    finally:
        connection.close()


def _server(connection: Connection) -> str:
    """Its program and version, by the pages that vLLM, TEI and Ollama have for it."""
    for path, key, title in (
        ("/version", "version", "vLLM"),
        ("/info", "version", "TEI"),
        ("/api/version", "version", "Ollama"),
    ):
        with contextlib.suppress(PhidexError):
            version = as_object(connection.get(connection.root + path)).get(key)
            if isinstance(version, str):
                return f"{title} {version}"
    return ""
