"""Many documents: a record each, in order, one failure alone, a dead server soon given up; rows, CSV and the command line."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import CommandLine, phidex_cli, settings_for
from tests.generation.faulty import Peer, faulty_server, reply
from tests.generation.structured.served import BOILER, FILLED, GERMAN, LEASE, TENANCY, Model, asking, ingested, prompt_of, sdk
from tests.retrieval.engines import end_engine

from phidex import AsyncPhidex, ConfigError, DocumentRecord, Filters, InputError, ServiceError, Source
from phidex.generation.structured.classify import Classifier, read_labels
from phidex.generation.structured.many import extract_documents
from phidex.generation.structured.run import over_documents
from phidex.settings import ChatSettings

__all__ = ["phidex_cli"]  # a fixture

LABELS = {"lease": "a contract about renting", "maintenance": "repairs of machines"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = ingested(tmp_path_factory.mktemp("documents"), lease=LEASE, vertrag=GERMAN, boiler=BOILER)
    yield folder
    end_engine(folder)


def tenancy(body: dict[str, Any]) -> str:
    """What a good model would say of each of the three documents."""
    text = prompt_of(body)
    if "Okafor" in text:
        return json.dumps(FILLED)
    if "Quandel" in text:
        return json.dumps({**FILLED, "tenant": "=Jörg Quandel", "signed": "2022-06-03", "rent": 1480.5, "pets": None})
    return "I see no lease."


def test_a_record_of_each_document_and_the_bad_one_with_its_reason(data: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def tell(record: DocumentRecord[Any], done: int, total: int) -> None:
        seen.append((record.source.name, done, total))

    with sdk(data, Model(tenancy)) as phidex:
        found = phidex.extract(TENANCY, on_document=tell)
    assert [record.source.name for record in found.records] == ["boiler.md", "lease.md", "vertrag.md"]
    assert [record.source.name for record in found.failed] == ["boiler.md"]
    assert sorted(name for name, _, _ in seen) == ["boiler.md", "lease.md", "vertrag.md"]
    assert [(done, total) for _, done, total in seen] == [(1, 3), (2, 3), (3, 3)]
    lease = found.records[1].result
    assert lease is not None
    assert lease.data == FILLED
    assert {citation.source.name for one in lease.fields.values() for citation in one.citations} == {"lease.md"}
    assert json.loads(json.dumps(found.to_dict()))["records"][0]["error"]["message"].startswith("the model's reply")


def test_rows_and_csv_with_places(data: Path, tmp_path: Path) -> None:
    with sdk(data, Model(tenancy)) as phidex:
        found = phidex.extract(TENANCY)
    text = found.to_csv(tmp_path / "leases.csv")
    with (tmp_path / "leases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (tmp_path / "leases.csv").read_bytes() == text.encode()
    assert [row["tenant"] for row in rows] == ["", "Maria Okafor", "'=Jörg Quandel"], "no formula for a spreadsheet"
    assert [row["rent"] for row in rows] == ["", "1250", "1480.5"]
    assert rows[1]["rent (place)"] == "lines 1-3"
    assert (rows[1]["deposit"], rows[1]["deposit (place)"]) == ("", "")
    assert rows[0]["error"].startswith("the model's reply does not fit")
    with pytest.raises(InputError, match="cannot write"):
        found.to_csv(tmp_path / "nowhere" / "x.csv")


def test_lists_and_objects_become_columns(data: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"who": {"type": "object"}, "tags": {"type": "array"}, "rows": {"type": "array"}},
    }
    said = {"who": {"name": "Maria Okafor"}, "tags": ["a", 2], "rows": [{"n": 1}]}
    with sdk(data, Model(json.dumps(said))) as phidex:
        row, *_ = phidex.extract(schema, filters=Filters(names=("lease.md",))).rows()
    assert (row["who.name"], row["tags"], row["rows"]) == ("Maria Okafor", "a; 2", '[{"n": 1}]')
    assert (row["who.name (place)"], row["tags (place)"]) == ("lines 1-3", "unsupported")


def test_filters_choose_the_documents(data: Path) -> None:
    with sdk(data, Model(tenancy)) as phidex:
        found = phidex.extract(TENANCY, filters=Filters(languages=("de",)))
        assert [record.source.name for record in found.records] == ["vertrag.md"]
        assert phidex.extract(TENANCY, filters=Filters(languages=("fi",))).records == ()
        assert phidex.extract(TENANCY, filters=Filters(languages=("fi",))).to_csv().startswith("source,tenant,signed,")


def test_a_dead_server_is_given_up_soon(tmp_path: Path) -> None:
    folder = ingested(tmp_path, **{f"note{n:02d}": f"# Note {n}\n\nThe rent is {n}." for n in range(20)})
    model = Model(reply(500, {"error": "EngineDeadError"}))
    try:
        with asking(folder, model) as (asker, _):
            few = asker.settings.chat.model_copy(update={"concurrency": 2})
            found = extract_documents(replace(asker, settings=asker.settings.model_copy(update={"chat": few})), TENANCY)
    finally:
        end_engine(folder)
    assert len(found.failed) == 20
    assert all("EngineDeadError" in record.error.message for record in found.failed if record.error)
    assert len(model.asked) <= 2 * 5


def test_a_wrong_key_ends_the_run(data: Path) -> None:
    with sdk(data, Model(reply(401, {"error": "Unauthorized"}))) as phidex, pytest.raises(ConfigError, match="key"):
        phidex.extract(TENANCY)


def some_sources(count: int) -> list[Source]:
    return [Source(str(n), f"file:///{n}.md", "text", str(n), "0", "en", "text/plain") for n in range(count)]


def test_stopping_leaves_the_rest_unread() -> None:
    cancelled = threading.Event()

    def work(source: Source, halt: threading.Event) -> int:
        halt.wait(0.2)
        return 1

    def tell(*_: object) -> None:
        cancelled.set()

    found = over_documents(some_sources(9), work, workers=1, on_document=tell, cancelled=cancelled)
    assert [record.source.id for record in found] == [str(n) for n in range(9)]
    assert found[0].result == 1
    assert found[8].error is not None
    assert "stopped" in found[8].error.message


def test_a_wrong_set_up_ends_the_run_only_while_nothing_has_succeeded() -> None:
    def work(source: Source, _: threading.Event) -> int:
        if source.id == "2":
            raise ConfigError("the endpoint gave a page of HTML")
        return 1

    found = over_documents(some_sources(5), work, workers=1)
    assert [str(record.error or "") for record in found] == ["", "", "the endpoint gave a page of HTML", "", ""]
    with pytest.raises(ConfigError, match="page of HTML"):
        over_documents(some_sources(5)[2:], work, workers=1)


def test_one_hiccup_under_eight_workers_fails_no_others() -> None:
    together = threading.Barrier(8)

    def work(source: Source, _: threading.Event) -> int:
        if int(source.id) < 8:
            together.wait(10)
            raise ServiceError("the server was started anew")
        time.sleep(0.2)
        return 1

    found = over_documents(some_sources(20), work, workers=8)
    assert [record.source.id for record in found if record.error] == [str(n) for n in range(8)]


def test_an_error_of_the_caller_ends_the_run_and_sets_nothing_of_the_callers() -> None:
    halted = threading.Event()
    cancelled = threading.Event()

    def work(source: Source, halt: threading.Event) -> int:
        if source.id != "0":
            halt.wait(10)
            halted.set()
        return 1

    def tell(*_: object) -> None:
        raise KeyError("the program's own")

    with pytest.raises(KeyError):
        over_documents(some_sources(9), work, workers=2, on_document=tell, cancelled=cancelled)
    assert halted.is_set()
    assert not cancelled.is_set()


def labelled(body: dict[str, Any]) -> str:
    label = "maintenance" if "boiler" in prompt_of(body) else "lease"
    if "structured_outputs" in body:
        return label
    return json.dumps({"label": label, "labels": [label]})


def classify(data: Path, model: Model, *, several: bool = False) -> dict[str, Any]:
    with asking(data, model) as (asker, chat):
        classifier = Classifier.of(asker, chat, LABELS, several=several)
        return {entry.source.name: classifier.document(entry.source, []) for entry in asker.collection.entries()}


def test_labels_by_choice_with_the_passage(data: Path) -> None:
    model = Model(labelled)
    found = classify(data, model)
    assert {name: one.labels for name, one in found.items()} == {
        "boiler.md": ("maintenance",),
        "lease.md": ("lease",),
        "vertrag.md": ("lease",),
    }
    assert set(model.forms()) == {"choice"}
    assert model.asked[0]["structured_outputs"] == {"choice": ["lease", "maintenance"]}
    cited = found["lease.md"].citations["lease"]
    assert cited.source.name == "lease.md"
    assert cited.quote in LEASE
    assert "- lease: a contract about renting" in prompt_of(model.asked[0])


def test_a_server_that_ignores_choices_is_asked_by_schema_once_and_for_all(data: Path) -> None:
    def ignoring(body: dict[str, Any]) -> str:
        return "This is surely a lease!" if "structured_outputs" in body else labelled(body)

    model = Model(ignoring)
    assert classify(data, model)["lease.md"].labels == ("lease",)
    assert model.forms() == ["choice", *["json_schema"] * 3]


def test_a_server_that_refuses_both_is_read_as_text(data: Path) -> None:
    model = Model(lambda body: ' "Lease". ', refuses=["structured_outputs", "json_schema", "json_object"])
    assert classify(data, model)["boiler.md"].labels == ("lease",)
    assert model.forms() == ["text"] * 3


def test_several_labels_and_none(data: Path) -> None:
    model = Model('{"labels": ["lease", "maintenance", "lease"]}', '{"labels": []}')
    found = list(classify(data, model, several=True).values())
    assert found[0].labels == ("lease", "maintenance")
    assert set(found[0].citations) <= {"lease", "maintenance"}
    assert (found[1].labels, found[1].citations) == ((), {})
    schema = model.asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["labels"]["items"] == {"enum": ["lease", "maintenance"]}


def test_a_label_that_is_none_is_asked_for_again_then_an_error(data: Path) -> None:
    model = Model('{"label": "poem"}')
    with sdk(data, model) as phidex:
        found = phidex.classify(["lease", "maintenance"])
    assert not any(
        "poem" in message["content"] for body in model.asked for message in body["messages"] if message["role"] == "user"
    )
    assert len(found.failed) == 3
    assert all("'poem' is no label" in record.error.message for record in found.failed if record.error)


@pytest.mark.parametrize("labels", [["one"], ["a", "a"], ["a", "A "], ["a", " "], "ab", []])
def test_labels_that_are_none(labels: Any) -> None:
    with pytest.raises(InputError):
        read_labels(labels)


def test_the_command_line_extracts(phidex_cli: CommandLine, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tenancy.json").write_text(json.dumps(TENANCY))
    with faulty_server(Model(tenancy)) as server:
        env = {"PHIDEX_CHAT__URL": server.url}
        found = phidex_cli.json("extract", "tenancy.json", "--data", data, env=env, code=1)
        assert [record["source"]["name"] for record in found["records"]] == ["boiler.md", "lease.md", "vertrag.md"]
        shown = phidex_cli("extract", "tenancy.json", "--data", data, "--source", "lease.md", env=env)
        assert "  rent: 1250  [lines 1-3]" in shown.stdout
        assert "note: lease.md: the documents do not say: deposit" in shown.stderr
        told = phidex_cli("extract", "tenancy.json", "--data", data, "--csv", tmp_path / "a.csv", "--strict", env=env, code=1)
        assert "3 documents, 1 failed" in told.stdout
        assert "failed: boiler.md: the model's reply does not fit" in told.stderr
        rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"))))
        assert [row["rent"] for row in rows] == ["", "1250", "1480.5"]
        alone = phidex_cli("extract", "tenancy.json", "--data", data, "--source", "boiler.md", env=env, code=1)
        assert alone.stderr.startswith("error: the model's reply does not fit")


def test_a_dead_server_leaves_the_file_of_yesterday(phidex_cli: CommandLine, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tenancy.json").write_text(json.dumps(TENANCY))
    (tmp_path / "out.csv").write_text("yesterday's")
    with faulty_server(Model(reply(500, {"error": "EngineDeadError"}))) as server:
        env = {"PHIDEX_CHAT__URL": server.url, "PHIDEX_CHAT__RETRIES": "0"}
        told = phidex_cli("extract", "tenancy.json", "--data", data, "--csv", tmp_path / "out.csv", env=env, code=3)
    assert "EngineDeadError" in told.stderr
    assert (tmp_path / "out.csv").read_text() == "yesterday's"


def test_an_interrupted_command_keeps_what_was_read(phidex_cli: CommandLine, data: Path, tmp_path: Path) -> None:
    (tmp_path / "tenancy.json").write_text(json.dumps(TENANCY))
    running: list[subprocess.Popen[str]] = []

    def silent(peer: Peer) -> None:
        peer.start_stream()
        peer.freeze()

    def interrupted(body: dict[str, Any]) -> Any:
        if "boiler" in prompt_of(body):
            return json.dumps({**FILLED, "tenant": "Ohm Ltd"})
        running[0].send_signal(signal.SIGINT)
        return silent

    with faulty_server(Model(interrupted)) as server:
        env = {"PHIDEX_CHAT__URL": server.url, "PHIDEX_CHAT__CONCURRENCY": "1"}
        arguments = ["extract", "tenancy.json", "--data", data, "--csv", tmp_path / "out.csv"]
        with phidex_cli.start(*arguments, env=env) as process:
            running.append(process)
            _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text("utf-8"))))
    assert [row["tenant"] for row in rows] == ["Ohm Ltd", "", ""]
    assert all("stopped" in row["error"] for row in rows[1:])


def test_the_command_line_classifies(phidex_cli: CommandLine, data: Path, tmp_path: Path) -> None:
    labels = ["--label", "lease=a contract about renting", "--label", "maintenance"]
    with faulty_server(Model(labelled)) as server:
        env = {"PHIDEX_CHAT__URL": server.url}
        found = phidex_cli.json("classify", *labels, "--data", data, env=env)
        assert [record["result"]["labels"] for record in found["records"]] == [["maintenance"], ["lease"], ["lease"]]
        phidex_cli("classify", *labels, "--data", data, "--several", "--csv", tmp_path / "b.csv", env=env)
    lines = (tmp_path / "b.csv").read_text("utf-8").splitlines()
    assert lines[0] == "source,labels,place,passage,error"
    assert lines[1].startswith("boiler.md,maintenance,")
    assert lines[2].startswith("lease.md,lease,lines 1-3,")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["extract", "no.json"], 2, "no.json holds no JSON Schema"),
        (["extract", "list.json"], 2, "holds no JSON object"),
        (["extract", "array.json"], 2, "asks for array"),
        (["extract", "good.json"], 2, "PHIDEX_CHAT__URL"),
        (["extract", "good.json", "--csv", "no/x.csv"], 2, "there is no folder no"),
        (["classify", "--label", "a"], 2, "one of several labels"),
        (["classify", "--label", "a", "--label", "a=b"], 2, "twice"),
        (["tables", "nothing.pdf"], 2, "nothing.pdf"),
    ],
)
def test_wrong_use_of_the_command_line(
    phidex_cli: CommandLine, data: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "array.json").write_text('{"type": "array"}')
    (tmp_path / "good.json").write_text(json.dumps(TENANCY))
    env = {} if "PHIDEX" in message else {"PHIDEX_CHAT__URL": "http://127.0.0.1:9/v1"}
    assert message in phidex_cli(*arguments, "--data", data, env=env, code=code).stderr


def test_the_asynchronous_sdk(data: Path) -> None:
    async def main(url: str) -> None:
        chat = ChatSettings(url=url, retries=0)  # pyright: ignore[reportCallIssue]
        async with AsyncPhidex(settings=settings_for(data, chat=chat)) as phidex:
            got = await phidex.ask("What is the rent of Maria Okafor?", schema=TENANCY)
            assert got.data is not None
            assert got.data["tenant"] == "Maria Okafor"
            assert len((await phidex.extract(TENANCY)).records) == 3
            assert (await phidex.classify(LABELS)).records[0].source.name == "boiler.md"
            assert await phidex.tables("lease.md") == []

    def both(body: dict[str, Any]) -> str:
        return labelled(body) if "Labels:" in prompt_of(body) else tenancy(body)

    with faulty_server(Model(both)) as server:
        asyncio.run(main(server.url))
