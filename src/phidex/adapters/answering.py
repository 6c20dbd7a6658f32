"""A streamed answer as frameworks take it: pieces of text, and behind them the passages that it rests on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from phidex.generation.answer import Answer, AnswerEvent, Citation, Route
from phidex.generation.chat_wire import Delta
from phidex.ingest.records import Chunk
from phidex.retrieval.pack import Context

_KEPT = ("found", "searched", "route", "usage", "warnings", "timings", "ledger")


@dataclass(slots=True)
class Told:
    """What has come of an answer so far."""

    answer: Answer | None = None
    _chunks: dict[str, Chunk] = field(default_factory=dict[str, Chunk])
    _said: bool = False

    def take(self, event: AnswerEvent) -> str:
        """The text to show for an event; "" for most.

        A second route begins the answer anew, and what was said cannot be taken back: a line says so.
        """
        match event:
            case Delta(text):
                self._said = True
                return text
            case Route() if self._said:
                self._said = False
                return f"\n\n({event.reason})\n\n"
            case Context():
                self._chunks |= {chunk.id: chunk for block in event.blocks for chunk in block.chunks}
            case Answer():
                self.answer = event
            case _:
                pass
        return ""

    def pieces(self, events: Iterator[AnswerEvent]) -> Generator[str, None, None]:
        """The pieces of text, as they come; closing it closes the events, which stops the server's work."""
        try:
            for event in events:
                if text := self.take(event):
                    yield text
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def cited(self) -> list[tuple[Citation, str]]:
        """The citations, each with the text of its passage."""
        citations = self.answer.citations if self.answer else ()
        return [(one, self._text(one)) for one in citations]

    def metadata(self) -> dict[str, Any]:
        """What is known of the answer beside its text: found, searched, route, usage, warnings, timings, ledger."""
        if self.answer is None:
            return {}
        whole = self.answer.to_dict()
        return {key: whole[key] for key in _KEPT}

    def _text(self, citation: Citation) -> str:
        chunk = self._chunks.get(citation.chunk_id)
        return chunk.text if chunk else citation.quote
