"""The embedder on a Ray cluster: passages are embedded on its nodes, by the same model; questions here.

Each node needs the model where this machine has it: as the bundled package, at the same local path, or in its cache of the hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from phidex.errors import ConfigError, ServiceError
from phidex.ingest.run.cluster import Cluster
from phidex.retrieval.choose import open_embedder
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.store import Floats
from phidex.settings import EmbedSettings

_TEXTS = 64  # a task: some seconds of one core
_TRIES = 3  # that Ray gives a task whose node or process is lost


class ClusterEmbedder:
    """See `Embedder`.

    Args:
        here: the embedder on this machine, for questions.
        threads: cores that one model uses on a node (`EmbedSettings.threads`, at least 1).
    """

    def __init__(self, cluster: Cluster, here: Embedder, settings: EmbedSettings, cache: Path) -> None:
        self._here = here
        self._ray = cluster.ray
        threads = max(1, settings.threads)
        self.batch_size = 2 * _TEXTS * max(1, cluster.cores // threads)
        self._embed = self._ray.remote(num_cpus=min(threads, cluster.cores), max_retries=_TRIES)(_embed)
        self._with = (here.identity, settings.model_copy(update={"threads": threads}), cache)

    @property
    def identity(self) -> EmbedderIdentity:
        """See `Embedder`."""
        return self._here.identity

    def embed_query(self, text: str) -> Floats:
        """See `Embedder`."""
        return self._here.embed_query(text)

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`; best with `batch_size` texts at once, so that all cores of the cluster have some.

        Raises:
            ConfigError: a node has not the model.
            ServiceError: the cluster is lost.
        """
        runs = [list(texts[start : start + _TEXTS]) for start in range(0, len(texts), _TEXTS)]
        if not runs:
            return np.empty((0, self.identity.dim), np.float32)
        try:
            found: list[Floats] = self._ray.get([self._embed.remote(run, *self._with) for run in runs])
        except self._ray.exceptions.RayTaskError as exc:
            cause = exc.cause if isinstance(exc.cause, ConfigError) else None
            if cause is not None:
                raise ConfigError(f"a node of the cluster: {cause.message}", hint=cause.hint) from exc
            raise ServiceError(f"embedding on the cluster failed: {exc.cause}", hint="see Ray's logs") from exc
        except self._ray.exceptions.RayError as exc:
            raise ServiceError(f"the cluster was lost: {type(exc).__name__}", hint="ray status", retryable=True) from exc
        return np.vstack(found)


# On the nodes


def _embed(texts: list[str], identity: EmbedderIdentity, settings: EmbedSettings, cache: Path) -> Floats:
    return _embedder(identity, settings, cache).embed_passages(texts)  # pyright: ignore[reportArgumentType]  # frozen models have a hash


@lru_cache(maxsize=1)
def _embedder(identity: EmbedderIdentity, settings: EmbedSettings, cache: Path) -> Any:
    choice = open_embedder(identity, settings, cache)
    if choice.embedder is None:
        raise ConfigError(choice.reason, hint="install or copy the model on every node")
    return choice.embedder
