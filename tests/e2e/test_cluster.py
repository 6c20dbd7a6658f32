"""Ingest on a Ray cluster of two nodes, one of which is lost in the middle."""

from __future__ import annotations

import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import pytest
from tests.builders import Kept
from tests.ingest.cluster_nodes import cluster

from phidex import Phidex
from phidex.errors import ConfigError
from phidex.ingest.run.cluster import Cluster, ClusterPool
from phidex.ingest.run.pipeline import ingest_files
from phidex.settings import EmbedSettings, IngestSettings, Settings

pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = pytest.mark.slow

WORDS = ("boiler", "lease", "harbour", "garden", "warranty", "engine", "river", "invoice")


def write_documents(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        text = "\n\n".join(
            f"The {word} of case {number} has paragraph {part} about number {number * part}." for part in range(40)
        )
        (folder / f"case-{number}.md").write_text(f"# Case {number}\n\n{text}\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of it stands\n")


def settings(data: Path, address: str) -> Settings:
    ingest = IngestSettings(engine="ray", ray_address=address)  # pyright: ignore[reportCallIssue]  # the rest: defaults
    return Settings(data=data, ingest=ingest, embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]


def test_a_node_is_lost_in_the_middle_and_nothing_is(tmp_path: Path) -> None:
    write_documents(tmp_path / "cases", 120)
    killed = threading.Event()
    with cluster() as nodes, Phidex(settings=settings(tmp_path / "there", nodes.address)) as phidex:

        def after_file(*_: object) -> None:
            if not killed.is_set():
                killed.set()
                nodes.kill(1)

        report = phidex.ingest(tmp_path / "cases", on_file=after_file)
        assert (report.count("added"), report.count("failed"), report.pending) == (120, 1, 0)
        assert report.failed[0].path.endswith("broken.pdf")
        assert report.embedded > 0
        again = phidex.ingest(tmp_path / "cases")
        assert (again.count("unchanged"), again.count("failed"), again.embedded) == (120, 1, 0)
        there = {(hit.chunk.id.split("-")[0], hit.chunk.text) for hit in phidex.search("harbour of case 42", limit=5)}
        chunks = phidex.status()["collections"]["default"]["chunks"]
    local_settings = settings(tmp_path / "here", "").model_copy(update={"ingest": IngestSettings()})  # pyright: ignore[reportCallIssue]
    with Phidex(settings=local_settings) as local:
        local.ingest(tmp_path / "cases")
        assert local.status()["collections"]["default"]["chunks"] == chunks
        here = {(hit.chunk.id.split("-")[0], hit.chunk.text) for hit in local.search("harbour of case 42", limit=5)}
    assert there == here


def test_blobs_come_back_into_our_folder_and_a_lost_cluster_spoils_no_report(tmp_path: Path) -> None:
    """What nodes cannot know the place of: members of an archive are kept as blobs."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"note-{number}.md", f"# Note {number}\n\nThe boiler of house {number} is new.\n")
    with cluster() as nodes, Cluster(nodes.address) as connected:
        kept, place = Kept(), tmp_path / "blobs"
        pool = ClusterPool(connected)
        run = partial(ingest_files, [tmp_path / "all.zip"], kept, IngestSettings(), blobs=str(place))  # pyright: ignore[reportCallIssue]
        report = run(pool=pool)
        assert (report.count("added"), report.workers_replaced) == (3, 0)
        there = sorted(path.read_text().splitlines()[0] for path in place.rglob("*.md"))
        assert there == ["# Note 0", "# Note 1", "# Note 2"]
        nodes.kill(1)
        while not pool.replaced:  # until Ray has noticed
            time.sleep(0.2)
        connected.close()
        assert pool.replaced == 1  # as far as was known at last


def test_no_cluster_is_a_clear_error(tmp_path: Path) -> None:
    write_documents(tmp_path / "cases", 1)
    with (
        Phidex(settings=settings(tmp_path / "data", "127.0.0.1:1")) as phidex,
        pytest.raises(ConfigError, match=r"127\.0\.0\.1:1"),
    ):
        phidex.ingest(tmp_path / "cases")
