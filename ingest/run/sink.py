"""The seam to what stores the chunks (`retrieval/collection.py`): what the pipeline asks of it, and what it hands over.

Ingest knows no store and no vectors. A sink may give a function that the workers call on every chunk (`Sink.analyse`): what is
costly to make of a text is made beside the parsing, and comes back beside its chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from phidex.ingest.records import Chunk, Source

Piece = tuple[Chunk, Any]
"""A chunk, and what `Sink.analyse` made of it; None where the sink has no such function."""

GIVEN = "document_id"
"""The key of `Source.metadata` that says a source was given as a text, and what its program calls it. No file may set it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a sink has of one source.

    Args:
        digest: under which its content was last committed; "" when it never was, or is being changed right now.
        sha256: of the committed bytes.
        also: uris of other documents with the same bytes.
        metadata: `Source.metadata`.
    """

    digest: str
    sha256: str
    uri: str
    also: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Details:
    """What is said of a source beside its content: it may change while the bytes do not."""

    source_id: str
    tags: tuple[str, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """All that a source is to consist of.

    Args:
        digest: what its content depends on; `Known.digest` once it is committed.
        pieces: in document order; read once, and for a long document only while it is written: reading may raise, and then
            nothing of this content may ever be seen.
    """

    source: Source
    digest: str
    pieces: Iterable[Piece]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a replacement would do to a source's chunks: so many are new, amended in their place, gone."""

    added: int
    changed: int
    removed: int


class Sink(Protocol):
    """What the pipeline writes to."""

    @property
    def name(self) -> str:
        """The collection's name: a part of every source's identity."""
        ...

    @property
    def analyse(self) -> Callable[[Chunk], Any] | None:
        """A function of a module (it goes to other processes by its name) of a chunk alone; None for a sink that needs none."""
        ...

    def known(self) -> Mapping[str, Known]:
        """The sources there are, by id."""
        ...

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        """Make each content that of its source, each visible in one step; returns how many chunks each has.

        Few and large, or many and small: the cost of durable writes is to be shared by the call, not paid by the source.
        """
        ...

    def preview(self, source: Source, pieces: Iterable[Piece]) -> Difference:
        """What `replace_many` would do to the source; nothing is written."""
        ...

    def set_aliases(self, source_id: str, uris: Sequence[str]) -> None:
        """Let the source's bytes be known under these other uris (`Source.also`); its content stays as it is."""
        ...

    def refresh(self, details: Sequence[Details]) -> None:
        """Give sources other tags and metadata, each in one step; their content stays as it is."""
        ...

    def remove(self, source_id: str) -> object:
        """Remove a source, out of sight in one step."""
        ...


@dataclass(frozen=True, slots=True)
class Void:
    """The sink of a dry run into a collection that is not there: it has nothing, and keeps nothing."""

    name: str
    analyse: None = None

    def known(self) -> Mapping[str, Known]:
        """Nothing."""
        return {}

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        """How many chunks each has; they are forgotten."""
        return [sum(1 for _ in content.pieces) for content in contents]

    def preview(self, source: Source, pieces: Iterable[Piece]) -> Difference:  # noqa: ARG002  a seam
        """All of them would be new."""
        return Difference(sum(1 for _ in pieces), 0, 0)

    def set_aliases(self, source_id: str, uris: Sequence[str]) -> None:
        """Forgotten."""

    def refresh(self, details: Sequence[Details]) -> None:
        """Forgotten."""

    def remove(self, source_id: str) -> None:
        """There is none."""
