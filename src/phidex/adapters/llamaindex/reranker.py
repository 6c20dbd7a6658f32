"""A LlamaIndex node postprocessor as a `Reranker` of Phidex. What it raises is translated to `ServiceError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from phidex.adapters.installed import core
from phidex.errors import ServiceError


class Postprocessor(Protocol):
    """What is used of LlamaIndex's `BaseNodePostprocessor`."""

    def postprocess_nodes(self, nodes: list[Any], query_bundle: Any = None) -> list[Any]:
        """Nodes with scores, some left out, in another order."""
        ...


class LlamaIndexReranker:
    """A LlamaIndex `BaseNodePostprocessor` as a `Reranker`.

    What it leaves out (`top_n`, a cutoff) is placed behind what it keeps, in the order it had. Where it gives no scores, its
    order counts.

    Raises:
        ConfigError: llama-index-core is not installed.
    """

    def __init__(self, postprocessor: Postprocessor) -> None:
        self._schema: Any = core("schema")
        self._postprocessor = postprocessor

    @property
    def name(self) -> str:
        """See `Reranker`."""
        model = getattr(self._postprocessor, "model", None) or getattr(self._postprocessor, "model_name", None)
        kind = type(self._postprocessor).__name__
        return f"{kind}/{model}" if isinstance(model, str) and model else kind

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`. Raises: ServiceError: the postprocessor failed."""
        nodes = [
            self._schema.NodeWithScore(node=self._schema.TextNode(id_=str(number), text=text), score=0.0)
            for number, text in enumerate(passages)
        ]
        try:
            kept = self._postprocessor.postprocess_nodes(nodes, query_bundle=self._schema.QueryBundle(query))
            found = {int(node.node.node_id): node.score for node in kept}
        except Exception as exc:
            raise ServiceError(f"{self.name} failed: {type(exc).__name__}: {exc}", hint="see what it needs") from exc
        if len({score for score in found.values() if score is not None}) < 2:  # it only orders, or only leaves out
            found = {number: float(len(found) - place) for place, number in enumerate(found)}
        kept_scores = {number: float(score or 0.0) for number, score in found.items()}
        last = min(kept_scores.values(), default=0.0)
        return [kept_scores.get(number, last - 1.0 - number) for number in range(len(passages))]
