"""Random lives of a collection against a model of it, with its writers killed before any of their writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient
from tests.builders import store
from tests.retrieval.shelf import Sums, chunks, found, killed_before, memory, source, texts_of

from phidex.ingest.run.sink import Content
from phidex.retrieval.collection import Collection
from phidex.retrieval.reindex import made_of, reindex
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Store, Where

__all__ = ["memory", "store"]  # fixtures

Texts = tuple[str, ...]
NAMES = ("a", "b", "c")
EMBEDDERS = {name: Sums(name, dim) for name, dim in (("one", 4), ("two", 4), ("three", 8))}


@dataclass(frozen=True, slots=True)
class Put:
    """Sources get these texts, in one call; where a source is moved, its texts stand pages further on."""

    texts: dict[str, Texts]
    moved: int = 0
    tags: Texts = ()


@dataclass(frozen=True, slots=True)
class Remove:
    name: str


@dataclass(frozen=True, slots=True)
class Embed:
    pass


@dataclass(frozen=True, slots=True)
class Reindex:
    embedder: str


Action = Put | Remove | Embed | Reindex


@dataclass(slots=True)
class Model:
    """What a reader is to see."""

    texts: dict[str, Texts] = field(default_factory=dict[str, Texts])
    embedder: str = "one"
    number: int = 0  # makes each digest another one

    def apply(self, action: Action) -> None:
        match action:
            case Put(texts):
                self.texts |= texts
            case Remove(name):
                self.texts.pop(name, None)
            case Reindex(embedder):
                self.embedder = embedder
            case Embed():
                pass


def perform(store: Store, model: Model, action: Action) -> None:
    """Do it as a run of the program does."""
    if isinstance(action, Reindex):
        reindex(store, "c", EMBEDDERS[action.embedder].identity, embedder=EMBEDDERS[action.embedder], grace_s=0)
        return
    collection = Collection.open(store, "c")
    collection.recover()
    match action:
        case Put(texts, moved, tags):
            collection.replace_many(
                [
                    Content(of, f"v{model.number}", [(chunk, None) for chunk in chunks(of, *wanted, first_page=1 + moved)])
                    for name, wanted in texts.items()
                    for of in [source(name, tags=tags)]
                ]
            )
        case Remove(name):
            if source(name).id in collection.known():
                collection.remove(source(name).id)
        case _:
            assert collection.meta.embedder is not None
            collection.embed_pending(EMBEDDERS[collection.meta.embedder.model])


def look(store: Store) -> dict[str, Texts]:
    """What a reader sees, each source by itself; and a search must agree."""
    collection = Collection.open(store, "c")
    seen = {name: texts for name in NAMES if (texts := texts_of(collection, source(name)))}
    assert found(collection, "rain") == {(name, text) for name, texts in seen.items() for text in texts}
    return seen


def check_settled(store: Store, model: Model) -> None:
    """Nothing lies about, every vector is that of its text, and the catalogue says what is there."""
    collection = Collection.open(store, "c")
    assert collection.meta.embedder == EMBEDDERS[model.embedder].identity
    assert not collection.transitions().hidden()
    known = collection.known()
    records, _ = store.scroll(collection.points, Where())
    there = store.retrieve(collection.points, [record.id for record in records], dense=True)
    assert len(there) == sum(map(len, model.texts.values()))
    for record in there:
        assert record.payload["dies"] == ""
        if record.dense is not None:
            assert record.dense == pytest.approx(EMBEDDERS[model.embedder].embed_query(record.payload["text"]), abs=1e-5)
    assert {name for name in NAMES if source(name).id in known} >= model.texts.keys()
    assert {entry.source.title: entry.chunk_count for entry in collection.entries() if entry.chunk_count} == {
        name: len(texts) for name, texts in model.texts.items() if texts
    }


def live(store: Store, model: Model, action: Action, kill: Callable[[], int | None], *, again: bool = True) -> None:
    """Do the action, killed as often as `kill` names a write; each time all is old or new, and the next run goes on.

    Where it is not to be done `again`, what the kills left stays.
    """
    model.number += 1
    before = dict(model.texts)
    model.apply(action)
    while write := kill():
        was_killed = killed_before(store, write, lambda mortal: perform(mortal, model, action))
        seen = look(store)
        for name in NAMES:
            old, new, there = (texts.get(name, ()) for texts in (before, model.texts, seen))
            assert there in ((old, new) if was_killed else (new,)), name
        if not was_killed:
            break
        if not again:
            model.texts = {name: tuple(texts) for name, texts in seen.items()}
            model.embedder = made_of(store, "c").embedder.model  # pyright: ignore[reportOptionalMemberAccess]
            return
    perform(store, model, action)
    assert look(store) == {name: texts for name, texts in model.texts.items() if texts}
    if isinstance(action, Embed):
        assert Collection.open(store, "c").pending() == 0


texts = st.lists(st.sampled_from([f"rain {n}" for n in range(6)]), max_size=4).map(tuple)
actions = st.one_of(
    st.builds(
        Put, st.dictionaries(st.sampled_from(NAMES), texts, min_size=1), st.integers(0, 1), st.sampled_from([(), ("x",)])
    ),
    st.builds(Remove, st.sampled_from(NAMES)),
    st.just(Embed()),
    st.builds(Reindex, st.sampled_from(sorted(EMBEDDERS))),
)
kills = st.lists(st.integers(1, 24), max_size=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(actions, kills, st.booleans()), min_size=1, max_size=6))
def test_any_life_with_any_kills(life: list[tuple[Action, list[int], bool]]) -> None:
    opened, model = ServerStore(client=QdrantClient(":memory:")), Model()
    Collection.create(opened, "c", lambda: EMBEDDERS["one"].identity)
    for action, writes, again in life:
        left = iter(writes)
        live(opened, model, action, lambda left=left: next(left, None), again=again)
    perform(opened, model, Embed())
    check_settled(opened, model)
    Collection.open(opened, "c").drop()
    assert opened.names() == []


LIVES: dict[str, tuple[Action, ...]] = {
    "edit": (
        Put({"a": ("rain 0", "rain 1")}),
        Embed(),
        Put({"a": ("rain 0", "rain 2"), "b": ("rain 1",)}, tags=("x",)),
        Embed(),
    ),
    "move": (
        Put({"a": ("rain 0", "rain 1"), "b": ("rain 0",)}),
        Embed(),
        Put({"a": ("rain 0", "rain 1")}, moved=2),
        Remove("b"),
    ),
    "reindex": (
        Put({"a": ("rain 0", "rain 1"), "b": ("rain 0",)}),
        Embed(),
        Reindex("three"),
        Put({"a": ("rain 3",)}),
        Reindex("two"),
    ),
}


@pytest.mark.parametrize(("old", "new"), [(("rain 0", "rain 1"), ("rain 0", "rain 2")), (("rain 0",), ()), ((), ("rain 3",))])
def test_an_edit_that_was_killed_and_taken_back(memory: Store, old: Texts, new: Texts) -> None:
    """Before each of its writes: passages that were marked already are as they were."""
    Collection.create(memory, "c", lambda: EMBEDDERS["one"].identity)
    for write in count(1):
        model = Model({"a": old, "b": ("rain 5",)})
        for action in (Remove("a"), Put(model.texts), Embed()):
            perform(memory, model, action)
        if not killed_before(memory, write, lambda mortal: perform(mortal, Model(number=9), Put({"a": new}))):
            return
        live(memory, model, Put({"a": old}), lambda: None)
        live(memory, model, Embed(), lambda: None)
        check_settled(memory, model)


@pytest.mark.parametrize("life", LIVES)
def test_a_kill_before_each_write(store: Store, life: str) -> None:
    """Of every action, one kill a run, each at the next write."""
    model = Model()
    Collection.create(store, "c", lambda: EMBEDDERS["one"].identity)
    for action in LIVES[life]:
        writes = count(1)
        live(store, model, action, lambda writes=writes: next(writes))
    live(store, model, Embed(), lambda: None)
    check_settled(store, model)
