"""How a collection's vectors are indexed and held: what settings ask for, and what follows from it at a size.

Exact search is the fastest to write and precise, and costs its readers 7 ms at 100,000 chunks and memory for every vector and
term. From there on the default is an HNSW graph over int8 vectors, whose best candidates are scored again with the full ones,
with full vectors and the term index on disk (measured: eval/LOG.md). Both engines follow the same `Layout`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:  # the engine's process has no use for settings, and they take a while to import
    from phidex.settings import StoreSettings

Quantization = Literal["none", "int8", "binary"]
Step = Literal["ready", "due", "building", "no room", "failed"]

_LEAST = 1_000  # points below which nothing is worth an index, whatever the settings say
_STALE = 0.1  # of the points may be outside the index before it is built again
_ASKED_STALE = 0.01  # the same where someone asks for it


@dataclass(frozen=True, slots=True)
class Layout:
    """What a collection's vectors are kept as.

    Args:
        hnsw: a graph over the dense vectors; False for exact search.
        on_disk: full vectors and the term index are read from disk as needed, not held in memory.
    """

    hnsw: bool = False
    quantization: Quantization = "none"
    on_disk: bool = False
    m: int = 16
    ef_construct: int = 64

    @property
    def plain(self) -> bool:
        """Whether this is how points are written: nothing has to be built."""
        return not self.hnsw and self.quantization == "none" and not self.on_disk

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What `to_dict` was called on."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What settings ask for, of collections of every size; see `StoreSettings`."""

    index: Literal["auto", "exact", "hnsw"] = "auto"
    index_from: int = 100_000
    quantization: Literal["auto", "none", "int8", "binary"] = "auto"
    on_disk: Literal["auto", "never", "always"] = "auto"
    m: int = 16
    ef_construct: int = 64

    @classmethod
    def of(cls, settings: StoreSettings) -> Self:
        """The part of the store's settings that a collection remembers."""
        return cls(
            settings.index,
            settings.index_from,
            settings.quantization,
            settings.on_disk,
            settings.hnsw_m,
            settings.hnsw_ef_construct,
        )

    def layout(self, points: int) -> Layout:
        """What a collection of so many points is to have.

        >>> Tuning().layout(50_000).plain
        True
        >>> Tuning().layout(200_000)
        Layout(hnsw=True, quantization='int8', on_disk=True, m=16, ef_construct=64)
        """
        large = points >= self.index_from
        if points < _LEAST:
            return Layout(m=self.m, ef_construct=self.ef_construct)
        hnsw = self.index == "hnsw" or (self.index == "auto" and large)
        automatic: Quantization = "int8" if hnsw and large else "none"
        return Layout(
            hnsw=hnsw,
            quantization=automatic if self.quantization == "auto" else self.quantization,
            on_disk=self.on_disk == "always" or (self.on_disk == "auto" and large),
            m=self.m,
            ef_construct=self.ef_construct,
        )

    def wanted(self, points: int, built: Layout, outside: int, *, asked: bool = False) -> Layout | None:
        """The layout to build now; None where the one that is there will do.

        Args:
            built: what the collection has.
            outside: points that came or changed since that was built.
            asked: somebody wants it now, so that fewer points outside are reason enough.
        """
        layout = self.layout(points)
        if layout.plain:
            return None  # an index that is there costs little, and exact search passes it by
        if layout != built:
            return layout
        return layout if outside > (_ASKED_STALE if asked else _STALE) * points else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """What `to_dict` was called on."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class IndexState:
    """What `phidex status` shows of a collection's index.

    Args:
        outside: points that are searched without it, since they came or changed after it was built.
        step: "ready"; "due" (it will be built), "building", "no room" (the disk has not the space) or "failed" (see the log).
    """

    layout: Layout
    points: int
    outside: int
    step: Step

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**self.layout.to_dict(), "points": self.points, "outside": self.outside, "step": self.step}
