"""Dense vectors from an OpenAI-compatible endpoint: vLLM (`--runner pooling`), TEI, Ollama, OpenAI and the like.

What a server does not understand (base64, truncation by tokens) is left out of the next request, so that one client serves all.
A text that is too long is cut by the server where it can, and halved here until it fits where it cannot: it is never an error.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import numpy as np

from phidex.errors import ConfigError, ServiceError
from phidex.retrieval.embed import ENDPOINT, EmbedderIdentity
from phidex.retrieval.fingerprint import PROBES, agree, fingerprint_of
from phidex.retrieval.known import known_model
from phidex.retrieval.served.connection import Connection, Refusal, chosen_model, models_of, sendable
from phidex.retrieval.store import Floats
from phidex.settings import EmbedSettings

log = logging.getLogger(__name__)

_LEAST = 16  # characters: a text this short is not halved once more
# vLLM: -1 is as many as the model takes. Older versions cut the beginning away unless told not to.
_EXTRAS: dict[str, Any] = {"encoding_format": "base64", "truncate_prompt_tokens": -1, "truncation_side": "right"}


class ServedEmbedder:
    """See `Embedder`. Nothing is sent before the first text, or before `identity` where it is not given.

    With the first texts go the probes, so that a server that has changed its model is noticed, at no request's cost.

    Args:
        identity: of the collection it is opened for; default: found out from the server.
        transport: takes the place of the network, in tests.

    Raises:
        ConfigError: no URL is set.
    """

    def __init__(
        self,
        settings: EmbedSettings,
        *,
        identity: EmbedderIdentity | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._connection = Connection(settings, "EMBED", transport=transport)
        self._identity = identity
        self._model = identity.model.removeprefix(ENDPOINT) if identity else settings.served
        self._checked = False
        self._lock = threading.RLock()
        self._extras = dict(_EXTRAS)
        self._batch = settings.batch

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`; asks the server once, where the collection does not know it.

        Raises:
            ConfigError: the URL, the key or the name of the model is wrong.
            ServiceError: the server cannot be reached or failed.
        """
        with self._lock:
            if self._identity is None:
                self._identity = self._find_out()
                self._checked = True
            return self._identity

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`; several requests at the same time.

        Raises:
            ConfigError: the URL, the key or the model is wrong, or the server serves another than the collection was made with.
            ServiceError: the server cannot be reached or failed.
        """
        identity = self.identity
        if not texts:
            return np.empty((0, identity.dim), np.float32)
        self._check()
        prompted = [identity.passage_prompt + text for text in texts]
        runs = [prompted[start : start + self._batch] for start in range(0, len(prompted), self._batch)]
        if len(runs) == 1:
            return self._vectors(runs[0], identity.dim)
        with ThreadPoolExecutor(self._settings.concurrency, "phidex-embed") as pool:
            return np.vstack(list(pool.map(partial(self._vectors, dim=identity.dim), runs)))

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`. Raises: as `embed_passages`."""
        identity = self.identity
        prompted = identity.query_prompt + text
        if self._checked:
            return self._vectors([prompted], identity.dim)[0]
        return self._check(prompted)[0]

    def load(self) -> None:
        """Ask the server ahead of time."""
        self._check()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _check(self, *texts: str) -> Floats:
        """Vectors of the texts; once, the probes go with them and tell whether the model is the collection's."""
        identity = self.identity
        with self._lock:
            if self._checked:
                return self._vectors(texts, identity.dim)
            vectors = self._vectors([*texts, *PROBES], identity.dim)
            if not agree(fingerprint_of(vectors[len(texts) :]), identity.fingerprint):
                raise ConfigError(
                    f"{self._connection.shown} serves another {self._model} than the collection was embedded by",
                    hint="`phidex reindex` embeds its passages anew; or serve the earlier model",
                )
            self._checked = True
            return vectors[: len(texts)]

    def _find_out(self) -> EmbedderIdentity:
        served, origin = chosen_model(self._connection, self._settings.served, "EMBED")
        self._model = served
        known = known_model(served) or known_model(origin)
        vectors = self._vectors(PROBES, self._settings.dimensions)
        set_query, set_passage = self._settings.query_prompt, self._settings.passage_prompt
        return EmbedderIdentity(
            model=ENDPOINT + served,
            dim=vectors.shape[1],
            fingerprint=fingerprint_of(vectors),
            languages=self._settings.languages or (known.languages if known else None),
            query_prompt=(known.query_prompt if known else "") if set_query is None else set_query,
            passage_prompt=(known.passage_prompt if known else "") if set_passage is None else set_passage,
        )

    def _vectors(self, texts: Sequence[str], dim: int | None) -> Floats:
        """(n, dim), rows L2-normalised; `dim` of None: as long as they come."""
        if not texts:
            return np.empty((0, dim or 0), np.float32)
        rows = self._request([sendable(text) for text in texts])
        vectors = np.stack(rows).astype(np.float32)
        if dim is not None and vectors.shape[1] < dim:
            raise ConfigError(
                f"{self._connection.shown} makes vectors of {vectors.shape[1]} numbers with {self._model}, "
                f"and {dim} are wanted",
                hint="serve the model that the collection was made with, or `phidex reindex`; see PHIDEX_EMBED__DIMENSIONS",
            )
        vectors = vectors[:, :dim]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            message = f"{self._connection.shown} made vectors that are no directions (zero, or not numbers)"
            raise ServiceError(message, hint="look into the server's log")
        return vectors / lengths

    def _request(self, texts: list[str]) -> list[Floats]:
        """A vector of each text, in order; splits what is too much for one request, and halves a text that is too long."""
        size = self._batch  # other requests may learn meanwhile that it is too much
        if len(texts) > size:
            return self._request(texts[:size]) + self._request(texts[size:])
        reply = self._post(texts)
        if not isinstance(reply, Refusal):
            return self._rows(reply, len(texts))
        if "batch size" in reply.text.lower() and len(texts) > 1:  # TEI: more texts than it takes at once
            self._batch = max(1, len(texts) // 2)
            return self._request(texts)
        if not reply.too_long:
            raise self._error(reply)
        if len(texts) > 1:
            half = len(texts) // 2
            return self._request(texts[:half]) + self._request(texts[half:])
        if len(texts[0]) <= _LEAST:
            raise self._error(reply)
        return self._request([texts[0][: len(texts[0]) // 2]])

    def _post(self, texts: list[str]) -> Any | Refusal:
        """The reply; a field that the server does not know is left out from then on."""
        while True:
            extras = dict(self._extras)
            body: dict[str, Any] = {"model": self._model, "input": texts, **extras}
            if self._settings.dimensions:
                body["dimensions"] = self._settings.dimensions
            reply = self._connection.post(f"{self._connection.url}/embeddings", body)
            if not isinstance(reply, Refusal):
                return reply
            refused = [name for name in extras if reply.names(name)]
            if not refused:
                return reply
            log.info("endpoint.without url=%s fields=%s", self._connection.shown, refused)
            self._extras = {name: value for name, value in extras.items() if name not in refused}

    def _rows(self, reply: Any, count: int) -> list[Floats]:
        try:
            items = sorted(reply["data"], key=lambda item: item["index"])
            rows = [_decoded(item["embedding"]) for item in items]
        except (KeyError, TypeError, ValueError) as exc:
            message = f"{self._connection.shown} answers with something that holds no embeddings"
            raise ConfigError(message, hint="PHIDEX_EMBED__URL is to be an OpenAI-compatible endpoint") from exc
        if len(rows) != count or len({len(row) for row in rows}) != 1:
            message = f"{self._connection.shown} made {len(rows)} vectors of {count} texts"
            raise ServiceError(message, hint="look into the server's log")
        return rows

    def _error(self, refusal: Refusal) -> Exception:
        if refusal.status == 404:
            names = list(models_of(self._connection))
            if names and self._model not in names:
                message = f"{self._connection.shown} does not serve {self._model!r}; it serves {', '.join(names)}"
                return ConfigError(message, hint="set PHIDEX_EMBED__SERVED to one of these")
        if refusal.names("dimension") or refusal.names("atryoshka"):
            message = f"{self._model} cannot shorten its vectors: {refusal.text}"
            return ConfigError(message, hint="unset PHIDEX_EMBED__DIMENSIONS")
        return self._connection.error(refusal)


def _decoded(embedding: str | list[float]) -> Floats:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    return np.asarray(embedding, np.float32)
