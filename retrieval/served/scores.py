"""Rerank scores from an endpoint: vLLM, Jina and Cohere (`/v1/rerank`), TEI (`/rerank`), and vLLM's `/score`.

Which of them it is shows at the first question, and is remembered. A passage that is too long is cut by the server where it
can, and halved here until it fits where it cannot.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, Literal

import httpx

from phidex.errors import ConfigError, ServiceError
from phidex.retrieval.served.connection import Connection, Refusal, chosen_model, models_of, sendable
from phidex.settings import RerankSettings

log = logging.getLogger(__name__)

Dialect = Literal["rerank", "tei", "score"]

_ABSENT = (404, 405, 501)
_LEAST = 16  # characters: a passage this short is not halved once more
_QUERY = 2_000  # characters of a question: more would leave no room for the passage
_TOGETHER = 256  # passages in one request


class ServedReranker:
    """See `Reranker`. Nothing is sent before the first scores.

    Args:
        transport: takes the place of the network, in tests.

    Raises:
        ConfigError: no URL is set.
    """

    def __init__(self, settings: RerankSettings, *, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._connection = Connection(settings, "RERANK", transport=transport)
        self._model = settings.served
        self._dialect: Dialect | None = None
        self._place = ""
        self._extras: dict[str, Any] = {"truncate_prompt_tokens": settings.max_tokens, "truncation_side": "right"}

    @property
    def name(self) -> str:
        """See `Reranker`."""
        return self._settings.served or f"the reranker at {self._connection.shown}"

    @property
    def dialect(self) -> Dialect | None:
        """How the server is talked to; None before the first scores."""
        return self._dialect

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`. Raises: ConfigError, ServiceError."""
        question = sendable(query[:_QUERY])
        found: list[float] = []
        for start in range(0, len(passages), _TOGETHER):
            found += self._request(question, [sendable(text) for text in passages[start : start + _TOGETHER]])
        return found

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _request(self, query: str, passages: list[str]) -> list[float]:
        reply = self._ask(query, passages)
        if not isinstance(reply, Refusal):
            return self._read(reply, len(passages))
        if not reply.too_long and "batch size" not in reply.text.lower():
            raise self._error(reply)
        if len(passages) > 1:
            half = len(passages) // 2
            return self._request(query, passages[:half]) + self._request(query, passages[half:])
        if len(passages[0]) <= _LEAST:
            raise self._error(reply)
        return self._request(query, [passages[0][: len(passages[0]) // 2]])

    def _ask(self, query: str, passages: list[str]) -> Any | Refusal:
        if self._dialect is not None:
            return self._send(self._dialect, self._place, query, passages)
        if not self._model and models_of(self._connection):  # TEI needs no name, and may tell none
            self._model, _ = chosen_model(self._connection, "", "RERANK")
        url, root = self._connection.url, self._connection.root
        first: Refusal | None = None
        for dialect, place in self._places(url, root):
            reply = self._send(dialect, place, query, passages)
            if not isinstance(reply, Refusal) or reply.too_long:
                self._dialect, self._place = dialect, place
                log.info("rerank.dialect url=%s dialect=%s", self._connection.shown, dialect)
                return reply
            first = first or reply
            if reply.status not in _ABSENT and not reply.names("texts") and not reply.names("documents"):
                return reply
        assert first is not None
        return first

    @staticmethod
    def _places(url: str, root: str) -> list[tuple[Dialect, str]]:
        """Where to ask, and how, likely ones first; each once."""
        places: list[tuple[Dialect, str]] = [("rerank", f"{url}/rerank"), ("tei", f"{root}/rerank")]
        if root == url:
            places.append(("rerank", f"{root}/v1/rerank"))
        return [*places, ("score", f"{root}/score")]

    def _send(self, dialect: Dialect, place: str, query: str, passages: list[str]) -> Any | Refusal:
        """The reply; a field that the server does not know is left out from then on."""
        named = {"model": self._model} if self._model else {}
        while True:
            extras = dict(self._extras)
            match dialect:
                case "rerank":
                    body = {"query": query, "documents": passages, "top_n": len(passages), **named, **extras}
                case "tei":
                    body = {"query": query, "texts": passages, "truncate": True}
                case "score":
                    body = {"text_1": query, "text_2": passages, **named, **extras}
            reply = self._connection.post(place, body)
            refused = [name for name in extras if isinstance(reply, Refusal) and dialect != "tei" and reply.names(name)]
            if not isinstance(reply, Refusal) or not refused:
                return reply
            # vLLM refuses more tokens than the model takes: -1 is as many as it does
            shorter = extras.get("truncate_prompt_tokens", -1) != -1 and "truncate_prompt_tokens" in refused
            self._extras = extras | {"truncate_prompt_tokens": -1} if shorter else _without(extras, refused)

    def _read(self, reply: Any, count: int) -> list[float]:
        try:
            items: Any = reply if isinstance(reply, list) else reply.get("results") or reply["data"]  # pyright: ignore[reportUnknownVariableType]  # JSON
            found = {int(item["index"]): float(item.get("relevance_score", item.get("score"))) for item in items}
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            message = f"{self._connection.shown} answers with something that holds no scores"
            raise ConfigError(message, hint="PHIDEX_RERANK__URL is to be a rerank endpoint") from exc
        if found.keys() != set(range(count)) or not all(map(math.isfinite, found.values())):
            message = f"{self._connection.shown} gave {len(found)} scores to {count} passages, or some that are no numbers"
            raise ServiceError(message, hint="look into the server's log")
        return [found[index] for index in range(count)]

    def _error(self, refusal: Refusal) -> Exception:
        if refusal.status == 404:
            names = list(models_of(self._connection))
            if names and self._model not in names:
                message = f"{self._connection.shown} does not serve {self._model!r}; it serves {', '.join(names)}"
                return ConfigError(message, hint="set PHIDEX_RERANK__SERVED to one of these")
        return self._connection.error(refusal)


def _without(extras: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in extras.items() if name not in names}
