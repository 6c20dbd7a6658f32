"""A model server that replies as told, over HTTP, and documents to ask it about."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.builders import settings_for
from tests.generation.faulty import MODELS, Peer, Script, answer, faulty_server, reply

from phidex import Phidex
from phidex.generation.ask import Asker
from phidex.generation.chat import OpenAIChat
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.settings import ChatSettings, PackSettings

LEASE = """# Lease

The lease was signed by Maria Okafor on 14 May 2021. The rent is 1,250 euros a month, due on the first. Pets are allowed.
"""
GERMAN = """# Mietvertrag

Der Vertrag wurde am 3. Juni 2022 von Jörg Quandel unterschrieben. Die Miete beträgt 1.480,50 Euro im Monat.
"""
BOILER = """# Boiler

The boiler was replaced in March 2021 by Ohm Ltd. Its warranty ends in 2031.
"""
TENANCY: dict[str, Any] = {
    "title": "Tenancy",
    "type": "object",
    "properties": {
        "tenant": {"type": ["string", "null"], "description": "who signed the lease"},
        "signed": {"type": ["string", "null"], "format": "date", "description": "day on which it was signed"},
        "rent": {"type": ["number", "null"], "description": "rent a month in euros"},
        "pets": {"type": ["boolean", "null"], "description": "whether pets are allowed"},
        "deposit": {"type": ["number", "null"], "description": "deposit in euros"},
    },
    "required": ["tenant", "signed", "rent", "pets", "deposit"],
    "additionalProperties": False,
}
FILLED = {"tenant": "Maria Okafor", "signed": "2021-05-14", "rent": 1250, "pets": True, "deposit": None}

Say = str | Script | Callable[[dict[str, Any]], "str | Script"]


class Model:
    """Replies in turn; the last one repeats. A callable gets the request and says, or plays, the reply.

    Args:
        refuses: fields of a request that are answered with a 400.
    """

    def __init__(self, *replies: Say, refuses: Sequence[str] = ()) -> None:
        self.replies, self.refuses = replies, refuses
        self.asked: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        line = peer.request.line
        if "/models" in line:
            return reply(200, MODELS)(peer)
        if "/chat/completions" not in line:
            return reply(404, {"error": "no such path"})(peer)
        body: dict[str, Any] = peer.request.json
        if any(field in json.dumps({key: body[key] for key in body if key != "messages"}) for field in self.refuses):
            return reply(400, {"error": {"message": "this field is not supported"}})(peer)
        with self._lock:
            said = self.replies[min(len(self.asked), len(self.replies) - 1)]
            self.asked.append(body)
        if not isinstance(said, str) and said.__code__.co_varnames[:1] == ("body",):
            said = said(body)  # type: ignore[arg-type,assignment]
        return (answer(said) if isinstance(said, str) else said)(peer)  # type: ignore[arg-type,operator]

    def forms(self) -> list[str]:
        """How the form of each reply was asked for."""
        return [
            "choice" if "structured_outputs" in body else body.get("response_format", {}).get("type", "text")
            for body in self.asked
        ]


def prompt_of(body: Mapping[str, Any]) -> str:
    """All that the model was sent."""
    return "\n".join(message["content"] for message in body["messages"])


def write_documents(folder: Path, **texts: str) -> Path:
    """Markdown files by name in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder


def ingested(folder: Path, **texts: str) -> Path:
    """A data folder with these documents."""
    data = folder / "data"
    with Phidex(settings=settings_for(data)) as phidex:
        phidex.ingest(write_documents(folder / "docs", **texts))
    return data


@contextlib.contextmanager
def asking(data: Path, model: Model, **pack: Any) -> Generator[tuple[Asker, OpenAIChat]]:
    """An asker of the documents whose model is served at one endpoint."""
    with faulty_server(model) as server:
        chat_settings = ChatSettings(url=server.url, retries=0)  # pyright: ignore[reportCallIssue]
        settings = settings_for(data, chat=chat_settings, pack=PackSettings(**pack))
        store = open_store(data, settings.store)
        try:
            with OpenAIChat(chat_settings) as chat:
                yield Asker(settings, Collection.open(store, "default"), chat=chat), chat
        finally:
            store.close()


@contextlib.contextmanager
def sdk(data: Path, model: Model, **pack: Any) -> Generator[Phidex]:
    """The SDK on the documents, with a model."""
    with faulty_server(model) as server:
        chat = ChatSettings(url=server.url, retries=0, concurrency=2)  # pyright: ignore[reportCallIssue]
        with Phidex(settings=settings_for(data, chat=chat, pack=PackSettings(**pack))) as phidex:
            yield phidex
