"""What the adapters use of `Phidex`, `AsyncPhidex` and what speaks like them: each of them goes where these are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from phidex.generation.answer import AnswerEvent, Role
    from phidex.ingest.run.report import IngestReport
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.filters import Filters
    from phidex.retrieval.hit import Hit


class Door(Protocol):
    """What can be asked; see `Phidex` for each."""

    def search(
        self, query: str, collection: str = "default", limit: int | None = None, filters: Filters | None = None
    ) -> list[Hit]:
        """The passages that answer best."""
        ...

    def ask(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        stream: Literal[True],
    ) -> Iterator[AnswerEvent]:
        """The events of an answer."""
        ...


class AsyncDoor(Protocol):
    """The same for programs with an event loop; see `AsyncPhidex`."""

    async def search(
        self, query: str, collection: str = "default", limit: int | None = None, filters: Filters | None = None
    ) -> list[Hit]:
        """The passages that answer best."""
        ...

    def ask_stream(
        self,
        question: str,
        collection: str = "default",
        *,
        filters: Filters | None = None,
        role: Role | None = None,
    ) -> AsyncIterator[AnswerEvent]:
        """The events of an answer."""
        ...


class Shelf(Protocol):
    """What can be searched and written to; see `Phidex` for each."""

    def search(
        self, query: str, collection: str = "default", limit: int | None = None, filters: Filters | None = None
    ) -> list[Hit]:
        """The passages that answer best."""
        ...

    def ingest_documents(
        self,
        documents: Iterable[object],
        *,
        collection: str = "default",
        dense: Literal["now", "later"] = "now",
        on_file: Callable[..., Any] | None = None,
    ) -> IngestReport:
        """Texts in."""
        ...

    def sources(self, collection: str = "default") -> list[SourceEntry]:
        """What there is."""
        ...

    def collections(self) -> Sequence[str]:
        """The collections' names."""
        ...

    def blob(self, identity: str, collection: str = "default") -> bytes:
        """An original."""
        ...

    def remove(self, *names: str, collection: str = "default") -> list[str]:
        """Take sources out."""
        ...
