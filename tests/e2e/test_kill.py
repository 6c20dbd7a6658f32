"""kill -9 of the ingesting process and of the engine at random moments: nothing acknowledged is lost, nothing half is seen."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from tests.builders import Author, CommandLine, Document, Stepping, found_ids, phidex_cli, store, stored, take_in, undisturbed
from tests.e2e import watcher
from tests.retrieval.engines import pid_of

from phidex.errors import NotFoundError
from phidex.retrieval.collection import Collection
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.filters import Filters
from phidex.retrieval.search import search
from phidex.retrieval.store import Store, Where
from phidex.sdk import Phidex

__all__ = ["phidex_cli", "store"]  # fixtures

_SEED = 20240607
_FIRST_KILLS = 5  # of the first ingest
_EDIT_KILLS = 12  # of ingests that replace
_DENSE_KILLS = 3
_DENSE_FILES = 12


_WRITES = {"create", "drop", "upsert", "update_dense", "set_payload", "amend", "delete"}


class Kill(BaseException):
    """The end of a process, as far as its store can tell."""


def killed_before(store: Store, write: int, work: Callable[[Store], object]) -> bool:
    """Do the work up to that write, counted from 1; False when it has fewer."""
    left = write

    def before(name: str) -> None:
        nonlocal left
        left -= name in _WRITES and left > 0
        if not left:  # from then on nothing is done any more, whatever is tried
            raise Kill

    try:
        work(cast(Store, Stepping(store, before)))
    except Kill:
        return True
    return False


def seen_ids(store: Store, name: str, document: Document) -> frozenset[str] | None:
    """The document's chunks by a search; None where there is no collection."""
    try:
        collection = Collection.open(store, name)
    except NotFoundError:
        return None
    return frozenset(hit.chunk.id for hit in search(collection, document.word, embedder=None, limit=100))


@pytest.mark.parametrize(("old", "new", "then"), ["-AA", "-AB", "ABB", "ABA", "ABC", "BAA", "A-A", "A--"])
def test_a_kill_before_each_write(store: Store, tmp_path: Path, old: str, new: str, then: str) -> None:
    """Of going from `old` to `new`, when the next run wants `then`; "-" is a source that is not there."""
    author = Author(1)
    first = author.document("plan.md", 3)
    documents = {"A": first, "B": author.edited(first), "C": author.edited(author.edited(first))}

    def go(store: Store, name: str, wanted: str) -> None:
        collection = Collection.create(store, name, lambda: None)
        collection.recover()
        if wanted != "-":
            # New tags with each version, so that passages which stay are touched too.
            take_in(collection, documents[wanted].write(tmp_path), tags=[wanted])
        else:
            for entry in collection.entries():
                collection.remove(entry.source.id)

    name, ids = "c", {"-": frozenset[str]()}
    for version, document in documents.items():
        ids[version] = undisturbed(document.write(tmp_path), collection=name)["plan.md"]
    for write in count(1):
        go(store, name, "-")
        assert store.count(name, Where()) == 0
        go(store, name, old)
        was_killed = killed_before(store, write, lambda stepping: go(stepping, name, new))
        assert seen_ids(store, name, first) in ({ids[old], ids[new]} if was_killed else {ids[new]})
        go(store, name, then)
        assert seen_ids(store, name, first) == ids[then]
        collection = Collection.open(store, name)
        assert not collection.transitions().hidden()
        assert store.count(name, Where()) == len(ids[then])  # nothing is left lying about
        tagged = search(collection, first.word, embedder=None, filters=Filters(tags=(then,)))
        assert len(tagged) == len(ids[then])
        if not was_killed:
            assert write > 3
            return


def test_a_kill_before_each_write_of_making_and_dropping(store: Store, tmp_path: Path) -> None:
    document = Author(2).document("plan.md", 2)
    path = document.write(tmp_path)
    identity = EmbedderIdentity("other", 8, "other/1")

    def make(store: Store) -> object:
        return Collection.create(store, "c", lambda: identity)

    def drop(store: Store) -> object:
        return Collection.open(store, "c").drop()

    for work in (make, drop):
        for write in count(1):
            if work is drop:
                take_in(Collection.create(store, "c", lambda: None), path)
            was_killed = killed_before(store, write, work)
            if was_killed:
                assert seen_ids(store, "c", document) in (None, undisturbed(path, collection="c")["plan.md"])
            collection = Collection.create(store, "c", lambda: None)  # with vectors of another kind
            assert Collection.names(store) == ["c"]
            take_in(collection, path)
            assert seen_ids(store, "c", document) == undisturbed(path, collection="c")["plan.md"]
            assert store.count("c", Where()) == 2
            collection.drop()
            assert store.names() == []
            if not was_killed:
                break


@dataclass(frozen=True, slots=True)
class Edition:
    """A version of all documents, and the ids of the chunks that an undisturbed ingest makes of it."""

    documents: dict[str, Document]
    ids: dict[str, frozenset[str]]


def publish(documents: Sequence[Document], folder: Path) -> Edition:
    for document in documents:
        document.write(folder)
    return Edition({document.name: document for document in documents}, undisturbed(folder))


def committed(phidex: Phidex) -> dict[str, str]:
    """The hash of the content that is committed of each source, by file name."""
    try:
        return {entry.source.name: entry.source.sha256 for entry in phidex.sources() if entry.state != "incomplete"}
    except NotFoundError:  # not made yet
        return {}


def is_writing(phidex: Phidex) -> bool:
    """Whether an ingest has begun to write and has not committed yet."""
    try:
        return bool(phidex._library.collection("default").transitions().unborn)  # pyright: ignore[reportPrivateUsage]
    except NotFoundError:  # not made yet
        return False


def kill_at_random(line: CommandLine, phidex: Phidex, folder: Path, seconds: float) -> dict[str, str]:
    """Start an ingest, and kill it so many seconds after its first write; what was committed then."""
    with line.start("ingest", folder, "--json") as process:
        while process.poll() is None and not is_writing(phidex):
            time.sleep(0.002)
        time.sleep(max(0, seconds))
        known = committed(phidex)
        process.kill()
    return known


def check_whole(phidex: Phidex, editions: Sequence[Edition], *, absent: bool) -> None:
    """Each source is there in one of its versions, entire: by its chunks, a search for its word, and the last page's marker."""
    for name, ids in stored(phidex).items():
        if absent and not ids:
            continue
        versions = [edition for edition in editions if edition.ids[name] == ids]
        assert versions, f"{name} is there in part"
        document = versions[0].documents[name]
        assert found_ids(phidex, document) == ids
        page = document.pages[-1]
        assert page.marker in phidex.search(page.marker)[0].chunk.text


def check_kept(phidex: Phidex, known: Mapping[str, str], edition: Edition) -> int:
    """What was committed of this edition before the kill is there; how many sources that were."""
    now = stored(phidex)
    kept = [name for name, sha256 in known.items() if edition.documents[name].sha256 == sha256]
    for name in kept:
        assert now[name] == edition.ids[name], f"{name} had been committed"
    return len(kept)


@contextlib.contextmanager
def watching(data: Path, documents: Sequence[Document], plan: Path) -> Generator[subprocess.Popen[str]]:
    """A process that searches all the time (`tests/e2e/watcher.py`)."""
    plan.write_text(json.dumps({document.name: document.word for document in documents}))
    command = [sys.executable, watcher.__file__, str(data), "default", str(plan)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "watching\n"
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def what_it_saw(process: subprocess.Popen[str]) -> tuple[dict[str, set[frozenset[str]]], int]:
    """Ends the watching process: the distinct sets of chunks that it saw of each source, and how many searches it made."""
    output, _ = process.communicate("stop", timeout=60)
    assert process.returncode == 0
    told = json.loads(output)
    return {name: {frozenset(ids) for ids in sets} for name, sets in told["seen"].items()}, told["searches"]


@pytest.mark.slow
def test_kills_of_the_ingest(phidex_cli: CommandLine, tmp_path: Path) -> None:
    print(f"seed {_SEED}")
    author, pick, folder = Author(_SEED), random.Random(_SEED), tmp_path / "docs"
    documents = [author.document(f"d{n:02}.{'pdf' if n % 2 else 'md'}", 2 + n % 4) for n in range(12)]
    second = publish([author.edited(document) for document in documents], folder)
    first = publish(documents, folder)
    partial = 0
    with phidex_cli.sdk() as phidex:
        for _ in range(_FIRST_KILLS):
            known = kill_at_random(phidex_cli, phidex, folder, pick.uniform(-0.06, 0.02))
            check_whole(phidex, [first], absent=True)
            partial += check_kept(phidex, known, first) < len(documents)
        phidex_cli.json("ingest", folder)
        assert stored(phidex) == first.ids
        with watching(phidex_cli.data, documents, tmp_path / "plan.json") as process:
            for number in range(_EDIT_KILLS):
                edition = (second, first)[number // 2 % 2]  # back and forth: two kills each, the second of the run that resumes
                for document in edition.documents.values():
                    document.write(folder)
                known = kill_at_random(phidex_cli, phidex, folder, pick.uniform(-0.06, 0.02))
                check_whole(phidex, [first, second], absent=False)
                partial += check_kept(phidex, known, edition) < len(documents)
                if number % 2:
                    assert phidex_cli.json("ingest", folder)["counts"]["failed"] == 0
                    assert stored(phidex) == edition.ids
            seen, searches = what_it_saw(process)
        print(f"{partial} of {_FIRST_KILLS + _EDIT_KILLS} kills met a running ingest; {searches} searches meanwhile")
        for name, sets in seen.items():
            assert sets <= {first.ids[name], second.ids[name]}, f"a search saw a mixture of {name}"
        assert {entry.state for entry in phidex.sources()} == {"complete"}
    assert searches > 100
    assert partial >= (_FIRST_KILLS + _EDIT_KILLS) // 3


@pytest.mark.slow
def test_kills_while_dense_vectors_are_written(phidex_cli: CommandLine, tmp_path: Path) -> None:
    print(f"seed {_SEED}")
    author, pick, folder = Author(_SEED), random.Random(_SEED), tmp_path / "docs"
    edition = publish([author.document(f"d{n}.md", 80) for n in range(_DENSE_FILES)], folder)
    env = {"PHIDEX_EMBED__MODEL": "bundled"}
    left = sum(map(len, edition.ids.values()))
    seconds, met = 60.0, 0
    with phidex_cli.sdk() as phidex:
        for number in range(_DENSE_KILLS):
            started = time.monotonic()
            with phidex_cli.start("ingest", folder, "--json", env=env) as process:
                while process.poll() is None and not 0 < pending(phidex) < left and time.monotonic() - started < seconds:
                    time.sleep(0.02)
                known = pending(phidex)
                process.kill()
            if not number:  # the next ones: before their first batch of vectors is written, or just behind it
                seconds = pick.uniform(0.7, 0.9) * (time.monotonic() - started)
            check_whole(phidex, [edition], absent=False)  # searchable throughout
            left = pending(phidex)
            assert left <= known, "vectors that had been written are gone"
            met += left > 0
        report = phidex_cli.json("ingest", folder, env=env)
        assert report["counts"]["unchanged"] == len(edition.ids)
        assert report["pending"] == 0
        assert report["embedded"] <= left
        assert stored(phidex) == edition.ids
        assert {entry.state for entry in phidex.sources()} == {"complete"}
    assert met >= _DENSE_KILLS - 1


def pending(phidex: Phidex) -> int:
    """Passages that wait for their vector, once the text of all is there; 0 before that."""
    try:
        entries = phidex.sources()
    except NotFoundError:
        return 0
    there = [entry for entry in entries if entry.state != "incomplete"]
    return sum(entry.pending for entry in there) if len(there) == _DENSE_FILES else 0


@pytest.mark.slow
def test_kills_of_the_engine(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """The client starts it anew and goes on; at worst it gives up with exit code 3, and the next run completes."""
    print(f"seed {_SEED}")
    author, pick, folder = Author(_SEED), random.Random(_SEED), tmp_path / "docs"
    edition = publish([author.document(f"d{n:02}.md", 4) for n in range(30)], folder)
    with phidex_cli.sdk() as phidex:
        for kills in (1, 2, 3):
            with contextlib.suppress(NotFoundError):
                phidex.drop("default")
            with phidex_cli.start("ingest", folder, "--json") as process:
                for _ in range(kills):
                    while process.poll() is None and not committed(phidex):
                        time.sleep(0.002)
                    time.sleep(pick.uniform(0, 0.2))
                    known = committed(phidex)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid_of(phidex_cli.data), signal.SIGKILL)
                    check_kept(phidex, known, edition)
                output, errors = process.communicate(timeout=120)
            assert process.returncode in (0, 3), errors
            assert "Traceback" not in errors
            if process.returncode:
                output = phidex_cli("ingest", folder, "--json").stdout
            assert json.loads(output)["counts"]["failed"] == 0
            assert stored(phidex) == edition.ids
