"""Dense vectors by what they are made of: equal text is embedded once, wherever in the collection it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from phidex.retrieval.embed import Embedder
from phidex.retrieval.payload import searchable_text
from phidex.retrieval.store import Condition, Floats, HasVector, Match, Record, Store, Where

_POOL = 1024  # passages sorted by length together
_BATCH = 256
_PAGE = 1000
_ROUNDS = 4  # of a look-up, where a few texts stand in so many places that others fall off the page

T = TypeVar("T")


def waiting(hidden: tuple[Condition, ...] = ()) -> Where:
    """Passages that wait for their dense vector, without the hidden ones."""
    return Where(must=(Match("wants_dense", ("yes",)),), must_not=(HasVector("dense"), *hidden))


def known_vectors(store: Store, points: str, contents: Iterable[str]) -> dict[str, Floats]:
    """The vectors that texts have already, by `content_key`. A millisecond for 500 that are new, 25 for 500 that are not."""
    missing = set(contents)
    holders: dict[str, str] = {}
    for _ in range(_ROUNDS):
        if not missing:
            break
        where = Where(must=(Match("content", tuple(sorted(missing))), HasVector("dense")))
        records, after = store.scroll(points, where, limit=_PAGE, fields=("content",))
        holders |= {record.payload["content"]: record.id for record in records}
        missing -= holders.keys()
        if after is None:
            break
    found = store.retrieve(points, list(holders.values()), dense=True)
    return {record.payload["content"]: record.dense for record in found if record.dense is not None}


def embed_waiting(
    store: Store,
    points: str,
    embedder: Embedder,
    *,
    on_batch: Callable[[int], None],
    go_on: Callable[[], bool],
    hidden: Callable[[], tuple[Condition, ...]] = tuple,
    batch_size: int = _BATCH,
) -> int:
    """Give every passage that waits its dense vector; returns how many got one. Interrupted, it goes on where it was.

    Args:
        on_batch: called behind each batch with how many are done.
        go_on: asked before each pool of a thousand passages or more; a False ends it.
        hidden: likewise, of what is to be passed over.
        batch_size: passages embedded, and written, at once.
    """
    done = 0
    while go_on():
        records, _ = store.scroll(
            points, waiting(hidden()), limit=max(_POOL, 2 * batch_size), fields=("text", "heading", "symbol", "content")
        )
        if not records:
            break
        alike: dict[str, list[Record]] = {}
        for record in records:
            alike.setdefault(record.payload["content"], []).append(record)
        known = known_vectors(store, points, alike)
        rows = [(record.id, vector) for content, vector in known.items() for record in alike[content]]
        if rows:
            store.update_dense(points, [identity for identity, _ in rows], np.stack([vector for _, vector in rows]))
            on_batch(done := done + len(rows))
        texts = {content: _text(same[0]) for content, same in alike.items() if content not in known}
        for batch in batched(sorted(texts, key=lambda content: len(texts[content]), reverse=True), batch_size):
            vectors = embedder.embed_passages([texts[content] for content in batch])
            rows = [(record.id, vectors[row]) for row, content in enumerate(batch) for record in alike[content]]
            store.update_dense(points, [identity for identity, _ in rows], np.stack([vector for _, vector in rows]))
            on_batch(done := done + len(rows))
    return done


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _text(record: Record) -> str:
    payload = record.payload
    return searchable_text(payload["text"], payload["heading"], payload.get("symbol", ""))
