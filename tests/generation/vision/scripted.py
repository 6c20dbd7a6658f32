"""A model server on loopback that lists its models and streams what it is told to, for questions with pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from tests.generation.faulty import FaultyServer, Peer, Request, answer, reply

NAMES = ("phi-3.5-mini", "phi-3.5-vision")


class Model:
    """Answers by `say`, which is given the request's JSON; keeps what it was asked.

    Args:
        window: of both models in tokens; None where the server does not tell.
    """

    def __init__(
        self, say: Callable[[dict[str, Any]], str], *, window: int | None = 32_768, names: tuple[str, ...] = NAMES
    ) -> None:
        self.say, self.window, self.names = say, window, names
        self.asked: list[dict[str, Any]] = []
        self.down: set[str] = set()

    def play(self, peer: Peer) -> None:
        """What the server does with a request."""
        request: Request = peer.request
        if "/models" in request.line:
            cards = [{"id": name, "max_model_len": self.window} for name in self.names]
            reply(200, {"data": cards})(peer)
        elif "/chat/completions" in request.line:
            body = request.json
            if body["model"] in self.down:
                reply(500, {"error": {"message": "EngineDeadError"}})(peer)
                return
            self.asked.append(body)
            answer(self.say(body))(peer)
        else:
            reply(404, {"detail": "Not Found"})(peer)

    def of(self, name: str) -> list[dict[str, Any]]:
        """The requests to one model."""
        return [body for body in self.asked if body["model"] == name]


def always(text: str) -> Callable[[dict[str, Any]], str]:
    """Says the same of everything."""
    return lambda _: text


@contextmanager
def serving(model: Model) -> Generator[FaultyServer]:
    server = FaultyServer([model.play])
    try:
        yield server
    finally:
        server.close()


def user_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the last message, which is the user's."""
    content: Any = body["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def texts(body: dict[str, Any]) -> str:
    """All text of a request."""
    return json.dumps(body["messages"], ensure_ascii=False)


def count_images(body: dict[str, Any]) -> int:
    return sum(part["type"] == "image_url" for part in user_parts(body))
