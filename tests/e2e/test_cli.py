"""Every command as a person types it: `python -m phidex` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.builders import Author, CommandLine, Document, pdf_bytes, phidex_cli, stored, undisturbed

import phidex as package
from phidex.cli import options as named
from phidex.ingest import options
from phidex.settings import IngestSettings

__all__ = ["phidex_cli"]  # a fixture

IDENTITY_KEYS = {"id", "uri", "name", "kind", "title", "sha256"}
SOURCE_KEYS = IDENTITY_KEYS | {"language", "mime", "page_count", "size_bytes", "tags", "metadata", "blob", "also"}
COMMANDS = [
    "ingest",
    "search",
    "ask",
    "extract",
    "classify",
    "tables",
    "summarize",
    "sources",
    "remove",
    "status",
    "complete",
    "doctor",
    "ui",
]

GERMAN = "Der Mietvertrag wurde am 3. Mai von Frau Quandel unterschrieben und gilt für zehn Jahre ab dem ersten Juni."
JAPANESE = "賃貸契約は五月三日に田中さんによって署名され、六月一日から十年間有効です。倉庫の鍵は受付で保管されています。"
ARABIC = "تم توقيع عقد الإيجار في الثالث من مايو من قبل السيد حداد وهو ساري المفعول لمدة عشر سنوات من أول يونيو."
ENGLISH = (
    "The lease was signed by Mr Ohmsted in May and runs for ten years. The keys of the boiler room are kept by the porter."
)


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    """Two documents in `docs`."""
    author = Author(1)
    both = [author.document("manual.pdf", 4), author.document("notes.md", 3)]
    for document in both:
        document.write(tmp_path / "docs")
    return both


def take_in(line: CommandLine, *paths: Path, **values: Any) -> None:
    """An ingest by the SDK, in half the time of the command line's."""
    with line.sdk() as phidex:
        phidex.ingest(*paths, **values)


@pytest.fixture
def languages(tmp_path: Path) -> Path:
    """A PDF with a page in each of four languages, and the same in text files."""
    folder = tmp_path / "languages"
    folder.mkdir()
    (folder / "lease.pdf").write_bytes(pdf_bytes([ENGLISH, GERMAN, JAPANESE, ARABIC], html=True))
    for language, text in (("en", ENGLISH), ("de", GERMAN), ("ja", JAPANESE), ("ar", ARABIC)):
        (folder / f"{language}.txt").write_text(text, encoding="utf-8")
    return folder


def test_help_and_version(phidex_cli: CommandLine) -> None:
    helped = phidex_cli("--help").stdout
    assert all(command in helped for command in COMMANDS)
    assert phidex_cli("--version").stdout == f"phidex {package.__version__}\n"
    assert "Usage: phidex" in phidex_cli(code=2).stdout + phidex_cli(code=2).stderr
    assert not phidex_cli.data.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(phidex_cli: CommandLine, command: str) -> None:
    helped = phidex_cli(command, "--help").stdout
    assert f"phidex {command}" in helped
    assert "--data" in helped
    assert command in ("ui",) or "--json" in helped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search"], "QUERY"),
        (["search", "x", "--no-such-flag"], "--no-such-flag"),
        (["search", "x", "--limit", "0"], "--limit"),
        (["search", "x", "--limit", "many"], "--limit"),
        (["explode"], "explode"),
        (["ingest"], "PATH"),
        (["remove"], "name the sources to remove"),
        (["remove", "a.md", "--all"], "name the sources to remove"),
        (["ingest", "no-such-file.pdf"], "no-such-file.pdf"),
        (["ingest", ".", "--collection", "No Name!"], "is no name for a collection"),
    ],
)
def test_wrong_use(phidex_cli: CommandLine, arguments: list[str], message: str) -> None:
    result = phidex_cli(*arguments, code=2)
    assert message in result.stderr
    assert result.stdout == ""


def test_wrong_settings(phidex_cli: CommandLine) -> None:
    result = phidex_cli("status", env={"PHIDEX_SERCH__LIMIT": "3"}, code=2)
    assert "unknown setting PHIDEX_SERCH__LIMIT" in result.stderr
    assert "did you mean PHIDEX_SEARCH__LIMIT?" in result.stderr
    assert "PHIDEX_SEARCH__LIMIT" in phidex_cli("status", env={"PHIDEX_SEARCH__LIMIT": "lots"}, code=2).stderr


def test_questions_that_cannot_be_asked(phidex_cli: CommandLine, documents: list[Document]) -> None:
    for command in (["search", "x"], ["ask", "x"], ["complete"], ["remove", "--all"]):
        result = phidex_cli(*command, "--collection", "nowhere", code=2)
        assert "there is no collection 'nowhere'" in result.stderr
        assert "no data folder" in result.stderr
    take_in(phidex_cli, phidex_cli.home / "docs")
    take_in(phidex_cli, phidex_cli.home / "docs", collection="second")
    result = phidex_cli("search", "x", "-c", "nowhere", code=2)
    assert "default, second" in result.stderr
    for command in (["search", "  \n"], ["ask", ""]):
        assert "the query is empty" in phidex_cli(*command, code=2).stderr
    for wrong in ("x", "7-3"):
        assert "is not a range of pages" in phidex_cli("search", "x", "--pages", wrong, code=2).stderr
    result = phidex_cli("search", "x", "--source", "nothing.pdf", code=2)
    assert "no source 'nothing.pdf'" in result.stderr
    assert "no source 'nothing.pdf'" in phidex_cli("remove", "nothing.pdf", code=2).stderr


def test_the_choices_are_those_of_the_parsers() -> None:
    for name in ("Quality", "Ocr"):
        assert get_args(getattr(named, name)) == get_args(getattr(options, name))
    assert get_args(named.Engine) == get_args(IngestSettings.model_fields["engine"].annotation)


def test_ingest_search_ask_and_the_json_of_each(phidex_cli: CommandLine, documents: list[Document]) -> None:
    report = phidex_cli.json("ingest", "docs")
    assert {outcome: count for outcome, count in report["counts"].items() if count} == {"added": 2}
    assert [(Path(file["path"]).name, file["outcome"], file["pages"]) for file in report["files"]] == [
        ("manual.pdf", "added", 4),
        ("notes.md", "added", 0),
    ]
    assert report["pending"] == 0

    page = documents[0].pages[2]
    hits = phidex_cli.json("search", page.marker)
    assert {"score", "text", "source", "locator"} <= hits[0].keys()
    assert page.marker in hits[0]["text"]
    assert hits[0]["source"].keys() == SOURCE_KEYS
    assert hits[0]["source"]["name"] == "manual.pdf"
    assert (hits[0]["locator"]["type"], hits[0]["locator"]["page_number"]) == ("page", 3)
    assert all(len(box) == 4 for box in hits[0]["locator"]["boxes"])
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert len(phidex_cli.json("search", documents[0].word, "--limit", "2")) == 2

    lines = phidex_cli.json("search", documents[1].pages[1].marker)[0]["locator"]
    assert (lines["type"], lines["path"], lines["start_line"]) == ("lines", "notes.md", 5)

    answer = phidex_cli.json("ask", f"Where was the {page.marker}?")
    assert {"text", "citations", "route", "ledger"} <= answer.keys()
    assert answer["found"]
    assert answer["route"]["role"] == "extractive"
    citation = answer["citations"][0]
    assert f"[{citation['marker']}]" in answer["text"]
    assert page.marker in citation["quote"]
    assert citation["verified"]
    assert citation["locator"]["page_number"] == 3
    assert answer["ledger"]["context_tokens"] <= answer["ledger"]["budget_tokens"]
    assert answer["ledger"]["packed"]

    entries = phidex_cli.json("sources")
    assert [(entry["name"], entry["state"], entry["chunks"], entry["pending"]) for entry in entries] == [
        ("manual.pdf", "complete", 4, 0),
        ("notes.md", "complete", 3, 0),
    ]
    status = phidex_cli.json("status")
    assert status["collections"]["default"]["chunks"] == 7
    assert status["collections"]["default"]["sources"] == 2


def test_the_same_for_people(phidex_cli: CommandLine, documents: list[Document]) -> None:
    ingested = phidex_cli("ingest", "docs").stdout
    assert "default: 2 added" in ingested
    assert "4 pages, 7 chunks" in ingested
    marker = documents[0].pages[2].marker
    found = phidex_cli("search", marker).stdout
    assert found.startswith("1. manual.pdf, p. 3")
    assert marker in found
    answered = phidex_cli("ask", f"Where was the {marker}?").stdout
    assert "[1] manual.pdf, p. 3" in answered
    assert "verbatim" in answered
    assert "route: extractive" in answered
    assert "PHIDEX_CHAT__URL" in answered
    listed = phidex_cli("sources").stdout
    assert "manual.pdf" in listed
    assert "complete" in listed
    assert "default" in phidex_cli("status").stdout
    assert "\x1b" not in ingested + found + answered + listed  # no colours where there is no terminal


def test_a_second_run(phidex_cli: CommandLine, documents: list[Document]) -> None:
    phidex_cli("ingest", "docs")
    assert phidex_cli.json("ingest", "docs")["counts"]["unchanged"] == 2
    assert "2 unchanged" in phidex_cli("ingest", "docs").stdout
    assert "2 unchanged" in phidex_cli("ingest", phidex_cli.home / "docs").stdout  # absolute: the same sources
    assert "2 unchanged" in phidex_cli("ingest", "docs/manual.pdf", "docs", "docs/../docs/notes.md").stdout


def test_a_folder_with_nothing_in_it(phidex_cli: CommandLine) -> None:
    (phidex_cli.home / "empty").mkdir()
    assert "no files" in phidex_cli("ingest", "empty").stdout
    assert phidex_cli.json("ingest", "empty")["files"] == []
    assert "nothing found" in phidex_cli("search", "anything").stdout
    assert phidex_cli.json("search", "anything") == []
    answer = phidex_cli.json("ask", "Is there anything?")
    assert (answer["found"], answer["citations"]) == (False, [])


def test_files_that_fail_are_named(phidex_cli: CommandLine, documents: list[Document]) -> None:
    docs = phidex_cli.home / "docs"
    (docs / "bad.pdf").write_bytes(documents[0].to_bytes()[:400])
    (docs / "empty.txt").touch()
    (docs / "photo.heic").write_bytes(b"?")
    result = phidex_cli("ingest", "docs", code=1)
    assert "2 added, 2 failed, 1 skipped" in result.stdout
    assert "bad.pdf: bad.pdf is truncated" in result.stdout
    assert "empty.txt: empty.txt is empty" in result.stdout
    report = phidex_cli.json("ingest", "docs", code=1)
    reasons = {Path(file["path"]).name: (file["outcome"], file["reason"], file["hint"]) for file in report["files"]}
    assert reasons["bad.pdf"][0] == "failed"
    assert all(reasons["bad.pdf"])
    assert reasons["photo.heic"][:2] == ("skipped", "not a kind of document that is read here")
    assert phidex_cli.json("search", documents[1].word)


def test_an_endpoint_that_is_down(phidex_cli: CommandLine, documents: list[Document]) -> None:
    take_in(phidex_cli, phidex_cli.home / "docs")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"  # bound and not listening: refused
        env = {"PHIDEX_CHAT__URL": url, "PHIDEX_CHAT__RETRIES": "0"}
        for arguments in (["ask", "Where is the pump?"], ["ask", "Where is the pump?", "--json"]):
            result = phidex_cli(*arguments, env=env, code=3)
            assert url in result.stderr
            assert "hint: " in result.stderr
        findings = {finding["part"]: finding for finding in phidex_cli.json("doctor", env=env, code=3)}
        assert findings["chat model"]["state"] == "broken"
        assert url in findings["chat model"]["detail"]
        assert phidex_cli.json("search", documents[0].word, env=env)  # what needs no model goes on
    env = {"PHIDEX_STORE__URL": "http://127.0.0.1:9", "PHIDEX_STORE__TIMEOUT_S": "2"}
    assert "PHIDEX_STORE__URL" in phidex_cli("search", "x", env=env, code=3).stderr


def test_doctor(phidex_cli: CommandLine) -> None:
    findings = {finding["part"]: finding for finding in phidex_cli.json("doctor")}
    assert {"phidex", "pymupdf", "store", "disk", "dense model", "chat model"} <= findings.keys()
    assert findings["phidex"]["detail"] == package.__version__
    assert findings["store"]["state"] == "ok"
    assert findings["chat model"]["state"] == "missing"
    assert "PHIDEX_CHAT__URL" in findings["chat model"]["cure"]
    assert "chat model" in phidex_cli("doctor").stdout


def test_filters(phidex_cli: CommandLine, languages: Path) -> None:
    take_in(phidex_cli, languages / "lease.pdf", tags=["paper"])
    phidex_cli("ingest", *sorted(languages.glob("*.txt")), "--tag", "text", "--tag", "copy")

    def found(*filters: str, query: str = f"{ENGLISH} {GERMAN} {JAPANESE} {ARABIC}") -> set[tuple[str, str, int]]:
        hits = phidex_cli.json("search", query, *filters, "--limit", "50")
        return {  # the same words in two documents are one hit, which names both
            (place["source"]["name"], hit["chunk"]["language"], place["locator"].get("page_number", 0))
            for hit in hits
            for place in (hit, *hit["also"])
        }

    pages = {("lease.pdf", language, number) for number, language in enumerate(("en", "de", "ja", "ar"), 1)}
    texts = {(f"{language}.txt", language, 0) for language in ("en", "de", "ja", "ar")}
    assert found() == pages | texts
    assert found("--language", "de") == {("lease.pdf", "de", 2), ("de.txt", "de", 0)}
    assert {language for _, language, _ in found("--language", "ja", "--language", "ar")} == {"ja", "ar"}
    assert found("--pages", "2-3") == {("lease.pdf", "de", 2), ("lease.pdf", "ja", 3)}
    assert found("--pages", "4") == {("lease.pdf", "ar", 4)}
    assert found("--source", "lease.pdf") == pages
    assert found("--source", str(languages / "ja.txt"), "--source", "ar.txt") == {("ja.txt", "ja", 0), ("ar.txt", "ar", 0)}
    assert found("--kind", "pdf") == pages
    assert found("--kind", "text") == texts
    assert found("--kind", "html") == set()
    assert found("--tag", "paper") == pages
    assert found("--tag", "copy") == texts
    assert found("--tag", "paper", "--language", "de", "--pages", "2") == {("lease.pdf", "de", 2)}
    answer = phidex_cli.json("ask", "Wer hat den Mietvertrag unterschrieben?", "--language", "de", "--kind", "pdf")
    assert "Quandel" in answer["text"]
    assert {citation["locator"]["page_number"] for citation in answer["citations"]} == {2}
    for question, marker, name in (("鍵はどこで保管されていますか。", "受付", "ja"), ("من وقع عقد الإيجار؟", "حداد", "ar")):
        hits = phidex_cli.json("search", question, "--limit", "2")
        assert all(marker in hit["text"] and hit["chunk"]["language"] == name for hit in hits)


def test_remove(phidex_cli: CommandLine, documents: list[Document]) -> None:
    take_in(phidex_cli, phidex_cli.home / "docs")
    uri = (phidex_cli.home / "docs" / "notes.md").as_uri()
    assert phidex_cli("remove", "notes.md").stdout == f"removed {uri}\n"
    assert [entry["name"] for entry in phidex_cli.json("sources")] == ["manual.pdf"]
    identity = phidex_cli.json("sources")[0]["id"]
    assert len(phidex_cli.json("remove", identity)["removed"]) == 1
    assert phidex_cli.json("sources") == []
    take_in(phidex_cli, phidex_cli.home / "docs")
    assert len(phidex_cli.json("remove", "--all")["removed"]) == 2
    assert phidex_cli.json("status")["collections"] == {}
    assert "no collections yet" in phidex_cli("status").stdout
    assert (phidex_cli.home / "docs" / "notes.md").exists()


def test_names_of_all_kinds(phidex_cli: CommandLine) -> None:
    folder = phidex_cli.home / "docs"
    author = Author(3)
    names = [
        "with space.md",
        'quo\'te "double".md',
        "emoji 🚀.md",
        "[red]rich.md",
        "100%.md",
        "a#b?c.md",
        "ünïcödé.md",
        "-dash.md",
    ]
    documents = [author.document(name, 2) for name in names]
    for document in documents:
        document.write(folder)
    latin = os.fsencode(folder) + b"/caf\xe9.md"
    odd = author.document("odd.md", 2)
    Path(os.fsdecode(latin)).write_bytes(odd.to_bytes())
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xe9.md")).touch()
    report = phidex_cli.json("ingest", "docs", code=1)
    assert {outcome: count for outcome, count in report["counts"].items() if count} == {"added": 9, "failed": 1}
    assert phidex_cli("ingest", "docs", code=1).stdout.count("9 unchanged, 1 failed") == 1
    with phidex_cli.sdk() as phidex:
        for document in documents:
            assert phidex.search(document.pages[1].marker)[0].source.name == document.name
    assert phidex_cli.json("search", odd.pages[0].marker)[0]["source"]["name"] == "caf\ufffd.md"
    shown = phidex_cli("search", documents[3].pages[0].marker).stdout
    assert shown.startswith("1. [red]rich.md, lines ")
    assert "emoji 🚀.md" in phidex_cli("sources").stdout
    assert len(phidex_cli.json("search", documents[0].word, "--source", documents[0].name)) == 2
    phidex_cli("remove", *(document.name for document in documents[:-1]))
    phidex_cli("remove", "--", "-dash.md")
    phidex_cli("remove", latin)
    assert phidex_cli.json("sources") == []


@pytest.mark.slow
def test_background(phidex_cli: CommandLine, documents: list[Document]) -> None:
    """Returns once searchable; the dense vectors follow in a process of their own."""
    env = {"PHIDEX_EMBED__MODEL": "bundled"}
    report = phidex_cli.json("ingest", "docs", "--background", env=env)
    assert (report["counts"]["added"], report["embedded"], report["pending"]) == (2, 0, 7)
    assert phidex_cli.json("search", documents[0].pages[1].marker)[0]["source"]["name"] == "manual.pdf"  # by its words alone
    deadline = time.monotonic() + 120
    while (found := phidex_cli.json("status")["collections"]["default"])["pending"]:
        assert time.monotonic() < deadline, (phidex_cli.data / "complete.log").read_text()
        time.sleep(0.5)
    assert found["embedder"] == "all-MiniLM-L6-v2"
    assert {entry["state"] for entry in phidex_cli.json("sources")} == {"complete"}
    assert phidex_cli("complete", env=env).stdout == "nothing was missing\n"
    assert phidex_cli.json("complete", env=env) == {"embedded": 0}
    hits = phidex_cli.json("search", documents[0].pages[1].text, env=env)
    assert hits[0]["why"].keys() == {"lexical", "dense"}
    # The collection remembers its model: asking for another is an error that says so.
    result = phidex_cli("search", "x", env={"PHIDEX_EMBED__MODEL": "multilingual"}, code=2)
    assert "was embedded by all-MiniLM-L6-v2" in result.stderr


def test_interrupted(phidex_cli: CommandLine) -> None:
    """Ctrl-C in the middle of an ingest: what is committed stays, and the next run completes."""
    author = Author(4)
    folder = phidex_cli.home / "docs"
    for number in range(120):
        author.document(f"d{number:03}.md", 4).write(folder)
    with phidex_cli.sdk() as phidex, phidex_cli.start("ingest", folder) as process:
        while process.poll() is None and not phidex.status()["collections"].get("default", {}).get("chunks"):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130, output + errors
        assert "the same command goes on from there" in errors
        assert "Traceback" not in errors
        before = {entry.source.name for entry in phidex.sources() if entry.state == "complete"}
        assert 0 < len(before) < 120
        report = phidex_cli.json("ingest", folder)
        assert report["counts"]["unchanged"] >= len(before)
        assert stored(phidex) == undisturbed(folder)


@pytest.mark.parametrize("arguments", [["search", "pump"], ["search", "pump", "--json"], ["ask", "Where is the pump?"]])
def test_a_reader_that_goes_away(phidex_cli: CommandLine, documents: list[Document], arguments: list[str]) -> None:
    take_in(phidex_cli, phidex_cli.home / "docs")
    command = [sys.executable, "-m", "phidex", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=phidex_cli.environment(PYTHONUNBUFFERED="1")
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)  # as `| head -c 1` does
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, errors) == (0, "")


def test_pictures(phidex_cli: CommandLine, documents: list[Document]) -> None:
    take_in(phidex_cli, phidex_cli.home / "docs")
    result = phidex_cli("ask", f"Where was the {documents[0].pages[1].marker}?", "--pictures", "pictures", "--json")
    pictures = list((phidex_cli.home / "pictures").glob("*.png"))
    assert pictures
    assert any(picture.name == "1-manual-p2.png" for picture in pictures)
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    answer: dict[str, Any] = json.loads(result.stdout)
    assert answer["citations"]
