"""`phidex reindex` killed with -9 again and again, while another process searches and a third one ingests."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.builders import Author, CommandLine, phidex_cli, stored, undisturbed
from tests.e2e import watcher

from phidex.errors import NotFoundError
from phidex.retrieval.choose import dense_installed
from phidex.retrieval.engines import open_store
from phidex.retrieval.store import HasVector, Store, Where

__all__ = ["phidex_cli"]  # a fixture

_KILLS = 4


def test_nothing_to_do_and_no_such_collection(phidex_cli: CommandLine, tmp_path: Path) -> None:
    phidex_cli("reindex", code=2)
    phidex_cli("ingest", Author(1).document("plan.md", 2).write(tmp_path))
    assert "nothing to do" in phidex_cli("reindex").stdout
    assert phidex_cli.json("reindex")["switched"] is False
    assert "no collection 'other'" in phidex_cli("reindex", "--collection", "other", code=2).stderr


def embedded(store: Store) -> int:
    """Passages that have their vector in the place that is being filled."""
    try:
        return store.count("default@2", Where((HasVector("dense"),)))
    except NotFoundError:
        return 0


@pytest.mark.slow
@pytest.mark.skipif(not dense_installed(), reason="needs the dense extra")
def test_kills_of_a_reindex(phidex_cli: CommandLine, tmp_path: Path) -> None:
    author, pick, folder = Author(7), random.Random(7), tmp_path / "docs"
    documents = [author.document(f"d{n}.md", 90) for n in range(6)]
    for document in documents:
        document.write(folder)
    ids = undisturbed(folder)
    phidex_cli("ingest", folder)
    store = open_store(phidex_cli.data, phidex_cli.sdk().settings.store)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({document.name: document.word for document in documents}))
    command = [sys.executable, watcher.__file__, str(phidex_cli.data), "default", str(plan)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "watching\n"
        for number in range(_KILLS):
            before = embedded(store)
            with phidex_cli.start("reindex", "--embedder", "bundled", "--json") as process:
                while process.poll() is None and number % 2 and embedded(store) == before:
                    time.sleep(0.01)  # every second one is killed when it has written vectors, the others before
                time.sleep(pick.uniform(0, 0.5))
                process.kill()
            late = author.document(f"late{number}.md", 3)
            ids |= {late.name: undisturbed(late.write(folder))[late.name]}
            phidex_cli("ingest", folder / late.name)
        kept = embedded(store)
        store.close()
        report = phidex_cli.json("reindex", "--embedder", "bundled")
        output, _ = watching.communicate("stop", timeout=60)
    told = json.loads(output)
    assert {name: {frozenset(one) for one in sets} for name, sets in told["seen"].items()} == {
        document.name: {ids[document.name]} for document in documents
    }
    assert told["searches"] > 100
    assert (report["switched"], report["pending"]) == (True, 0)
    assert report["chunks"] == sum(map(len, ids.values()))
    assert report["embedded"] + kept <= report["chunks"]  # what a killed run had embedded was not embedded again
    assert kept
    with phidex_cli.sdk(model="bundled") as phidex:
        assert stored(phidex) == ids
        assert {entry.state for entry in phidex.sources()} == {"complete"}
        assert "dense" in phidex.search(documents[0].pages[0].text)[0].why
    collections = {path.name for path in (phidex_cli.data / "collections").iterdir()}
    assert len(collections) == 2, collections
