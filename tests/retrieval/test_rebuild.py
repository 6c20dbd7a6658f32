"""The switch of a reindex: only whoever still holds the gate makes it."""

from __future__ import annotations

import pytest
from tests.builders import store
from tests.retrieval.shelf import Sums, chunks, edge, memory, source

from phidex.errors import ServiceError
from phidex.retrieval.catalogue import META_ID
from phidex.retrieval.collection import Collection
from phidex.retrieval.rebuild import Rebuild
from phidex.retrieval.reindex import reindex
from phidex.retrieval.store import Store

__all__ = ["edge", "memory", "store"]  # fixtures

OLD, NEW = Sums("old", 4), Sums("new", 8)


def test_a_reindex_that_lost_the_gate_leaves_the_collection_as_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Collection.create(store, "c", lambda: OLD.identity)
    made.replace(source("a"), "v1", chunks(source("a"), "rain 1", "rain 2"))
    made.embed_pending(OLD)
    check = Rebuild._check  # pyright: ignore[reportPrivateUsage]

    def lose(self: Rebuild) -> None:
        check(self)
        made.catalogue.mark([META_ID], {"gate": "somebody else/1", "gate_until": 0})

    monkeypatch.setattr(Rebuild, "_check", lose)
    with pytest.raises(ServiceError, match="too slow to switch") as caught:
        reindex(store, "c", NEW.identity, embedder=NEW)
    assert caught.value.retryable
    assert Collection.open(store, "c").meta.embedder == OLD.identity

    monkeypatch.undo()
    reindex(store, "c", NEW.identity, embedder=NEW)  # which goes on
    opened = Collection.open(store, "c")
    assert opened.meta.embedder == NEW.identity
    assert opened.count() == 2
