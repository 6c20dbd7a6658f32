"""Several processes, by the command line and the SDK, read and write one data folder at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.builders import Author, CommandLine, found_ids, phidex_cli, stored, undisturbed
from tests.retrieval.engines import end_engine

__all__ = ["phidex_cli"]  # a fixture

INGEST = textwrap.dedent(
    """
    import json, sys
    from phidex import Phidex

    with Phidex() as phidex:
        print(json.dumps(phidex.ingest(sys.argv[1]).to_dict()))
    """
)
SEARCH = textwrap.dedent(
    """
    import json, sys
    from phidex import NotFoundError, Phidex

    counts = set()
    with Phidex() as phidex:
        while sys.argv[2] not in counts and len(counts) < 10_000:
            try:
                counts.add(str(len([hit for hit in phidex.search(sys.argv[1], limit=100) if sys.argv[1] in hit.chunk.text])))
            except NotFoundError:
                pass
    print(json.dumps(sorted(counts)))
    """
)


def run_sdk(line: CommandLine, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=line.home,
        env=line.environment(),
    )


def finish(process: subprocess.Popen[str]) -> str:
    with process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    return output


def test_two_write_and_three_read(phidex_cli: CommandLine) -> None:
    """All start at once, on a folder where there is nothing: engine and collection are made by whoever comes first."""
    author = Author(1)
    folders = [phidex_cli.home / "one", phidex_cli.home / "two"]
    documents = [[author.document(f"{folder.name}-{n:02}.md", 4) for n in range(25)] for folder in folders]
    for folder, batch in zip(folders, documents, strict=True):
        for document in batch:
            document.write(folder)
    last = documents[1][-1]
    writers = [phidex_cli.start("ingest", "one", "--json"), run_sdk(phidex_cli, INGEST, "two")]
    readers = [run_sdk(phidex_cli, SEARCH, last.word, "4") for _ in range(2)]
    while any(writer.poll() is None for writer in writers):  # the command line reads meanwhile
        with phidex_cli.start("status", "--json") as process:
            output, errors = process.communicate()
        assert process.returncode == 0, errors
        assert json.loads(output)["store"] == "embedded"
    for writer in writers:
        assert json.loads(finish(writer))["counts"]["added"] == 25
    for reader in readers:
        assert set(json.loads(finish(reader))) <= {"0", "4"}
    with phidex_cli.sdk() as phidex:
        assert stored(phidex) == undisturbed(*folders)
        for document in (documents[0][0], last):
            assert len(found_ids(phidex, document)) == 4


def test_the_same_folder_by_several_at_once(phidex_cli: CommandLine) -> None:
    """Two people, or a person and a timer, ingest the same files: the work is done twice, the result is the same."""
    author = Author(2)
    folder = phidex_cli.home / "docs"
    for number in range(25):
        author.document(f"d{number:02}.pdf", 4).write(folder)
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(phidex_cli.json, "ingest", folder) for _ in range(3)]
        reports = [one.result() for one in running]
    assert all(report["counts"]["failed"] == 0 for report in reports)
    with phidex_cli.sdk() as phidex:
        assert stored(phidex) == undisturbed(folder)
        assert {entry.state for entry in phidex.sources()} == {"complete"}
    assert phidex_cli.json("ingest", folder)["counts"]["unchanged"] == 25


def test_removing_while_another_ingests(phidex_cli: CommandLine) -> None:
    author = Author(3)
    first, second = phidex_cli.home / "first", phidex_cli.home / "second"
    for number in range(20):
        author.document(f"a{number:02}.md", 3).write(first)
        author.document(f"b{number:02}.md", 3).write(second)
    phidex_cli("ingest", "first")
    with phidex_cli.sdk() as phidex:
        process = phidex_cli.start("ingest", "second", "--json")
        for number in range(20):
            phidex.remove(f"a{number:02}.md")
        assert json.loads(finish(process))["counts"]["added"] == 20
        assert stored(phidex) == undisturbed(second)
        assert phidex.status()["collections"]["default"]["chunks"] == 60


def test_folders_are_apart(phidex_cli: CommandLine, tmp_path: Path) -> None:
    """Two data folders have an engine each, and nothing of one is seen in the other."""
    Author(4).document("plan.md", 2).write(phidex_cli.home)
    other = CommandLine(tmp_path)
    other.data = tmp_path / "other"
    phidex_cli("ingest", "plan.md")
    assert phidex_cli.json("status")["collections"]["default"]["sources"] == 1
    assert other.json("status", "--data", "other")["collections"] == {}
    end_engine(other.data)
