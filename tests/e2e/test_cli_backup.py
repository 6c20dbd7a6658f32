"""A collection in one file: written, made again elsewhere, never half; and its index on demand."""

from __future__ import annotations

from pathlib import Path

from tests.builders import Author, CommandLine, found_ids, phidex_cli, stored

__all__ = ["phidex_cli"]  # a fixture


def test_a_collection_goes_to_a_file_and_comes_back(phidex_cli: CommandLine, tmp_path: Path) -> None:
    author = Author(41)
    documents = [author.document("plan.pdf", 3), author.document("notes.md", 2)]
    for document in documents:
        document.write(tmp_path / "docs")
    phidex_cli("ingest", tmp_path / "docs")
    file = tmp_path / "library.phidex"
    told = phidex_cli("backup", file).stdout
    assert told.startswith("default: 2 sources, ")
    assert "exists" in phidex_cli("backup", file, code=2).stderr
    phidex_cli("backup", file, "--replace")

    report = phidex_cli.json("restore", file, "--name", "again")
    assert (report["collection"], report["sources"]) == ("again", 2)
    with phidex_cli.sdk() as phidex:
        assert stored(phidex, "again") == stored(phidex)
        assert found_ids(phidex, documents[0], "again") == found_ids(phidex, documents[0])
    assert "exists" in phidex_cli("restore", file, "--name", "again", code=2).stderr
    phidex_cli("remove", "--all", "--collection", "default")
    assert phidex_cli("restore", file).stdout.startswith("default: 2 sources, ")

    (tmp_path / "torn.phidex").write_bytes(file.read_bytes()[:-200])
    refused = phidex_cli("restore", tmp_path / "torn.phidex", "--name", "torn", code=2).stderr
    assert "error:" in refused
    assert phidex_cli.json("status")["collections"].keys() == {"default", "again"}


def test_an_index_on_demand(phidex_cli: CommandLine, tmp_path: Path) -> None:
    Author(42).document("plan.md", 1).write(tmp_path)
    phidex_cli("ingest", tmp_path / "plan.md")
    assert phidex_cli("optimize").stdout.startswith("ready: 1 point, exact search")
    state = phidex_cli.json("status")["collections"]["default"]["index"]
    assert (state["step"], state["hnsw"]) == ("ready", False)
    assert "no collection" in phidex_cli("optimize", "-c", "nothing", code=2).stderr
