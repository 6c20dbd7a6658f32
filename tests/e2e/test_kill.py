"""kill -9 of the ingesting process, and of the engine, at random moments: nothing acknowledged is lost, nothing half is seen."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.builders import Author, CommandLine, Document, found_ids, phidex_cli, settings_for, stored, undisturbed
from tests.e2e import watcher
from tests.retrieval.engines import end_engine, pid_of

from phidex.errors import NotFoundError
from phidex.sdk import Phidex

__all__ = ["phidex_cli"]  # a fixture

Sets = Mapping[str, frozenset[str]]

_SEED = 20240607
_LEXICAL_KILLS = 17
_DENSE_KILLS = 3


class Watcher:
    """A process that searches all the time (`tests/e2e/watcher.py`)."""

    def __init__(self, data: Path, documents: list[Document], plan: Path) -> None:
        plan.write_text(json.dumps({document.name: document.word for document in documents}))
        self.process = subprocess.Popen(
            [sys.executable, str(watcher.__file__), str(data), "default", str(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "watching\n"

    def seen(self) -> tuple[dict[str, set[frozenset[str]]], int]:
        """Ends it: the distinct sets of chunks that it saw of each source, and how many searches it made."""
        output, _ = self.process.communicate("stop", timeout=60)
        assert self.process.returncode == 0
        told = json.loads(output)
        return {name: {frozenset(ids) for ids in sets} for name, sets in told["seen"].items()}, told["searches"]


@contextlib.contextmanager
def watching(data: Path, documents: list[Document], plan: Path) -> Iterator[Watcher]:
    watcher = Watcher(data, documents, plan)
    try:
        yield watcher
    finally:
        if watcher.process.poll() is None:
            watcher.process.kill()
            watcher.process.communicate()


def committed(phidex: Phidex) -> dict[str, str]:
    """The content that is committed of each source, by file name."""
    try:
        return {entry.source.name: entry.source.sha256 for entry in phidex.sources() if entry.state != "incomplete"}
    except NotFoundError:
        return {}


def kill_at_random(line: CommandLine, folder: Path, pick: random.Random, seconds: float, env: Mapping[str, str]) -> bool:
    """Start an ingest and kill it so many seconds, at most, after its first write; whether it was still running."""
    with line.sdk() as phidex:
        before = committed(phidex)
        incomplete_before = states(phidex)
        process = line.start("ingest", folder, "--json", env=env)
        while process.poll() is None and committed(phidex) == before and states(phidex) == incomplete_before:
            time.sleep(0.001)
        time.sleep(pick.uniform(0, seconds))
        was_running = process.poll() is None
        process.kill()
        process.communicate()
    return was_running


def states(phidex: Phidex) -> list[str]:
    try:
        return [f"{entry.source.name} {entry.state}" for entry in phidex.sources()]
    except NotFoundError:
        return []


def check_whole(phidex: Phidex, documents: Mapping[str, list[Document]], versions: Mapping[str, list[frozenset[str]]]) -> None:
    """Each source is there in one of its versions, entire: by its chunks, by a search for its word, by each page's marker."""
    now = stored(phidex)
    for name, ids in now.items():
        assert ids in [*versions[name], frozenset()], f"{name} is there in part"
        if not ids:
            continue
        document = documents[name][versions[name].index(ids)]
        assert found_ids(phidex, document) == ids
        for page in document.pages:
            assert page.marker in phidex.search(page.marker)[0].chunk.text


@pytest.mark.slow
def test_kills_of_the_ingest(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """Each round edits all files and kills their ingest; every second time the run after the kill is killed too."""
    print(f"seed {_SEED}")
    author, pick = Author(_SEED), random.Random(_SEED)
    folder = tmp_path / "docs"
    old = [author.document(f"d{n:02}.{'pdf' if n % 2 else 'md'}", 2 + n % 4) for n in range(16)]
    first, second = old, [author.edited(document) for document in old]
    ids: list[Sets] = []
    for documents in (second, first):
        for document in documents:
            document.write(folder)
        ids.insert(0, undisturbed(folder))
    versions = {name: [ids[0][name], ids[1][name]] for name in ids[0]}
    both = {one.name: [one, two] for one, two in zip(first, second, strict=True)}

    kills_in_time = 0
    with line_reader(phidex_cli) as phidex:
        # The first version, killed until it is there: nothing was before, so that a source may also be absent.
        for _ in range(5):
            kills_in_time += kill_at_random(phidex_cli, folder, pick, 0.5, {})
            acknowledged = committed(phidex)
            check_whole(phidex, both, versions)
            assert all(stored(phidex)[name] == ids[0][name] for name in acknowledged)
        assert phidex_cli.json("ingest", folder)["counts"]["failed"] == 0
        assert stored(phidex) == ids[0]
        with watching(phidex_cli.data, first, tmp_path / "plan.json") as watcher:
            for round_number in range(_LEXICAL_KILLS - 5):
                documents, wanted = ((second, ids[1]), (first, ids[0]))[(round_number // 2) % 2]
                for document in documents:
                    document.write(folder)
                kills_in_time += kill_at_random(phidex_cli, folder, pick, 0.5, {})
                check_whole(phidex, both, versions)
                assert all(stored(phidex).values()), "a source that had been committed is gone"
                if round_number % 2:
                    phidex_cli.json("ingest", folder)
                    assert stored(phidex) == wanted
            seen, searches = watcher.seen()
        print(f"{kills_in_time} of {_LEXICAL_KILLS} kills met a running ingest; {searches} searches meanwhile")
        assert searches > 100
        for name, sets in seen.items():
            assert sets <= set(versions[name]), f"a search saw a mixture of {name}"
        assert kills_in_time >= _LEXICAL_KILLS // 2
        assert phidex.status()["collections"]["default"]["incomplete"] == 0


@contextlib.contextmanager
def line_reader(line: CommandLine) -> Iterator[Phidex]:
    with Phidex(settings=settings_for(line.data)) as phidex:
        yield phidex


@pytest.mark.slow
def test_kills_while_dense_vectors_are_written(phidex_cli: CommandLine, tmp_path: Path) -> None:
    print(f"seed {_SEED}")
    author, pick = Author(_SEED), random.Random(_SEED)
    folder = tmp_path / "docs"
    documents = [author.document(f"d{n}.md", 25) for n in range(12)]
    for document in documents:
        document.write(folder)
    wanted = undisturbed(folder)
    env = {"PHIDEX_EMBED__MODEL": "bundled"}
    before = sum(map(len, wanted.values()))
    in_dense_phase = 0
    with Phidex(settings=settings_for(phidex_cli.data, model="none")) as phidex:
        for _ in range(_DENSE_KILLS):
            process = phidex_cli.start("ingest", folder, "--json", env=env)
            while process.poll() is None and pending(phidex, before) >= before:
                time.sleep(0.02)
            time.sleep(pick.uniform(0, 0.5))
            process.kill()
            process.communicate()
            assert stored(phidex) == wanted  # searchable throughout
            assert found_ids(phidex, documents[0]) == wanted[documents[0].name]
            left = pending(phidex, before)
            assert left < before, "vectors that had been written are gone"
            in_dense_phase += left > 0
            before = left or before
            if not left:
                break
        report = phidex_cli.json("ingest", folder, env=env)
        assert report["counts"]["unchanged"] == len(documents)
        assert report["pending"] == 0
        assert report["embedded"] == pending_before(before, left)
        assert stored(phidex) == wanted
        assert {entry.state for entry in phidex.sources()} == {"complete"}
    assert in_dense_phase


def pending_before(before: int, left: int) -> int:
    return left if left else 0


def pending(phidex: Phidex, default: int) -> int:
    """Passages that wait for their vector, once all sources are committed; `default` before that."""
    try:
        if any(entry.state == "incomplete" for entry in phidex.sources()):
            return default
        return phidex.status()["collections"]["default"]["pending"] or 0
    except (NotFoundError, KeyError):
        return default


@pytest.mark.slow
def test_kills_of_the_engine(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """The client starts it anew and goes on; at worst it gives up with exit code 3, and the next run completes."""
    print(f"seed {_SEED}")
    author, pick = Author(_SEED + 1), random.Random(_SEED)
    folder = tmp_path / "docs"
    documents = [author.document(f"d{n:02}.md", 4) for n in range(30)]
    for document in documents:
        document.write(folder)
    wanted = undisturbed(folder)
    with Phidex(settings=settings_for(phidex_cli.data)) as phidex:
        for kills in (1, 2, 3):
            with contextlib.suppress(NotFoundError):
                phidex.drop("default")
            process = phidex_cli.start("ingest", folder, "--json")
            for _ in range(kills):
                while process.poll() is None and not committed(phidex):
                    time.sleep(0.002)
                time.sleep(pick.uniform(0, 0.3))
                acknowledged = committed(phidex)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid_of(phidex_cli.data), signal.SIGKILL)
                assert set(acknowledged) <= set(committed(phidex))
                assert all(stored(phidex)[name] == wanted[name] for name in acknowledged)
            output, errors = process.communicate(timeout=120)
            assert process.returncode in (0, 3), errors
            assert "Traceback" not in errors
            if process.returncode:
                output = phidex_cli("ingest", folder, "--json").stdout
            assert json.loads(output)["counts"]["failed"] == 0
            assert stored(phidex) == wanted
    end_engine(phidex_cli.data)
