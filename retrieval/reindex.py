"""A collection made anew from its stored chunks, for another embedder, analyzer or schema: no document is read again.

    begin -> copy (text, lexical vectors) -> embed -> ... until hardly anything changes -> switch -> drop the old one

The chunks are written to a second place in the store (`retrieval/rebuild.py`), beside the one in use, which is searched and
ingested into meanwhile. A run that was killed goes on where it was.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phidex.errors import ConfigError, NotFoundError, ServiceError
from phidex.retrieval.catalogue import META_ID, Catalogue, CollectionMeta, drop_leftovers
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.lease import at_work, is_gone
from phidex.retrieval.lexical import ANALYZER_VERSION
from phidex.retrieval.payload import SCHEMA_VERSION
from phidex.retrieval.rebuild import DRAIN_S, GRACE_S, Progress, Rebuild, Step
from phidex.retrieval.store import Payload, Store, Where
from phidex.retrieval.vectors import waiting


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a reindex did.

    Args:
        switched: False where the collection was as it should be already.
        chunks: passages of the collection.
        embedded: those that got a dense vector in this run.
        pending: those that still wait for one, since they were ingested meanwhile.
    """

    collection: str
    before: CollectionMeta
    after: CollectionMeta
    switched: bool
    chunks: int = 0
    embedded: int = 0
    pending: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "collection": self.collection,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "switched": self.switched,
            "chunks": self.chunks,
            "embedded": self.embedded,
            "pending": self.pending,
            "seconds": round(self.seconds, 3),
        }


def reindex(
    store: Store,
    name: str,
    identity: EmbedderIdentity | None,
    *,
    embedder: Embedder | None = None,
    on_progress: Progress | None = None,
    grace_s: float = GRACE_S,
) -> ReindexReport:
    """Make the collection anew for an embedder and this version's analyzer and schema; nothing is done where it is so already.

    Args:
        identity: the embedder that the collection is to have; None for one without dense vectors.
        embedder: that embedder, loaded; None leaves passages without a vector waiting, as where its model cannot be had now.
        grace_s: how long what was in use is kept for readers that have not noticed.

    Raises:
        NotFoundError: there is no such collection.
        ConfigError: it was made by a newer version.
        ServiceError: another reindex is at it, or the store failed; the same call goes on from there.
    """
    started = time.monotonic()
    catalogue = Catalogue(store, name)
    before = made_of(store, name)
    if before.schema_version > SCHEMA_VERSION:
        raise ConfigError(f"the collection {name!r} was made by a newer version of Phidex", hint="use that version")
    wanted = CollectionMeta(SCHEMA_VERSION, ANALYZER_VERSION, identity, before.points)
    with at_work() as token:
        if before == wanted:
            _give_up(catalogue, token)
            return ReindexReport(name, before, before, switched=False)
        work = Rebuild(catalogue, before, wanted, token, on_progress or _quiet)
        work.begin()
        work.fill(embedder)
        while not work.switch():
            time.sleep(DRAIN_S)  # let others write
            work.fill(embedder)
        work.finish(embedder, grace_s)
        return ReindexReport(
            name,
            before,
            work.made,
            switched=True,
            chunks=store.count(work.place, Where()),
            embedded=work.embedded,
            pending=store.count(work.place, waiting()),
            seconds=time.monotonic() - started,
        )


def made_of(store: Store, name: str) -> CollectionMeta:
    """How the collection was made, by whatever version. Raises: NotFoundError."""
    payload = Catalogue(store, name).meta()
    if payload is None:
        raise NotFoundError(f"there is no collection {name!r}", hint="`phidex status` lists them")
    return CollectionMeta.from_payload(name, payload)


def check_room(data: Path, before: CollectionMeta, dim: int, min_free_mb: int) -> None:
    """Raises ServiceError where the disk of an embedded engine's folder has no room for the collection a second time."""
    sizes = [path.stat().st_size for path in (data / "collections" / before.points).rglob("*") if path.is_file()]
    wider = max(1.0, dim / before.embedder.dim) if before.embedder else 2.0
    needed_mb = int(sum(sizes) * wider) >> 20
    free_mb = shutil.disk_usage(data).free >> 20
    if free_mb < needed_mb + min_free_mb:
        message = f"the disk of {data} has {free_mb} MB free; the collection a second time takes up to {needed_mb} MB"
        raise ServiceError(message, hint="free space and reindex again")


def _give_up(catalogue: Catalogue, token: str) -> None:
    """Drop what an earlier run left, where the collection is as it should be."""
    with catalogue.gate(token) as meta:
        begun: Payload = meta.get("reindex") or {}
        if begun and is_gone(begun["writer"], begun["until"]):
            catalogue.mark([META_ID], {"reindex": None})
    drop_leftovers(catalogue)


def _quiet(_step: Step, _done: int, _total: int) -> None:
    pass
