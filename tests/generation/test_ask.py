"""The path from a question to its answer: follow-ups, whole documents, filters, rerankers, with no model at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.builders import settings_for
from tests.retrieval.engines import end_engine

from phidex import Conversation, Filters, InputError, NotFoundError, Phidex, ServiceError
from phidex.generation.answer import Notice
from phidex.settings import PackSettings, SearchSettings

BOILER = """# Heating plant

## Boiler

The boiler was replaced in March 2021 by Ohm Ltd. and is inspected every spring.

## Pump

The circulation pump was replaced in May 2019 by Hertz Ltd. and runs at two speeds.
"""
GARDEN = """# Garden

## Hedges

The hedges are cut twice a year by the caretaker. The lawn is mown every second week.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("plant.md", BOILER), ("garden.md", GARDEN)):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def phidex(folder: Path) -> Iterator[Phidex]:
    with Phidex(settings=settings_for(folder / "data")) as opened:
        opened.ingest(folder / "plant.md", folder / "garden.md")
        yield opened
    end_engine(folder / "data")


def test_a_follow_up_is_searched_with_what_it_hangs_on(phidex: Phidex) -> None:
    conversation = Conversation()
    first = phidex.ask("When was the boiler replaced?", conversation=conversation)
    assert first.searched == ""
    assert "March 2021" in first.text
    second = phidex.ask("and the pump?", conversation=conversation)
    assert "replaced" in second.searched
    assert second.question == "and the pump?"
    assert "May 2019" in second.text
    assert len(conversation) == 2
    resumed = Conversation.from_dict(conversation.to_dict())
    third = phidex.ask("and the boiler?", conversation=resumed)
    assert third.citations[0].marker == first.citations[0].marker  # the same passage keeps its number


def test_without_a_conversation_nothing_is_added_to_a_question(phidex: Phidex) -> None:
    assert phidex.ask("and the pump?").searched == ""


def test_a_whole_document_is_read_from_beginning_to_end(folder: Path, phidex: Phidex) -> None:
    settings = settings_for(folder / "data", pack=PackSettings(mode="whole"))
    with Phidex(settings=settings) as whole:
        source, *_ = whole.find_sources("plant.md")
        answer = whole.ask("Who replaced the circulation pump?", filters=Filters(sources=(source,)))
        assert "Hertz" in answer.text
        seen = {entry.source_id for entry in answer.ledger.entries}
        assert seen == {source}
        assert len(answer.ledger.entries) == len([hit for hit in phidex.search("the", limit=50) if hit.source.id == source])


@pytest.mark.parametrize("mode", ["focused", "long", "whole"])
def test_every_mode_keeps_to_the_filters(folder: Path, phidex: Phidex, mode: str) -> None:
    source, *_ = phidex.find_sources("garden.md")
    settings = settings_for(folder / "data", pack=PackSettings.model_validate({"mode": mode}))
    with Phidex(settings=settings) as other:
        answer = other.ask("When was the boiler replaced?", filters=Filters(sources=(source,)))
        assert {entry.source_id for entry in answer.ledger.entries} <= {source}
        assert {citation.source.id for citation in answer.citations} <= {source}


def test_operators_in_the_question_limit_it_too(phidex: Phidex) -> None:
    hits = phidex.search("replaced source:plant.md")
    assert {hit.source.name for hit in hits} == {"plant.md"}
    with pytest.raises(NotFoundError, match="ledger"):
        phidex.search("replaced source:ledger.xlsx")
    with pytest.raises(InputError, match="query is empty"):
        phidex.ask("  ", conversation=Conversation())


def test_a_reranker_of_the_program_decides(folder: Path, phidex: Phidex) -> None:
    class Gardener:
        name = "gardener"

        def scores(self, query: str, passages: Sequence[str]) -> Sequence[float]:
            return [float("hedges" in passage) for passage in passages]

    with Phidex(settings=settings_for(folder / "data"), reranker=Gardener()) as other:
        hits = other.search("What was replaced by the caretaker?")
    assert "hedges" in hits[0].chunk.text
    assert hits[0].why["rerank"].rank == 1


def test_expansion_brings_the_neighbours(folder: Path, phidex: Phidex) -> None:
    (folder / "long.md").write_text("\n\n".join(f"## Step {n}\n\n" + f"Turn the valve {n} slowly. " * 40 for n in range(12)))
    phidex.ingest(folder / "long.md")

    def packed(how: str) -> set[str]:
        search = SearchSettings.model_validate({"expand": how, "expand_hits": 1, "limit": 1})
        pack = PackSettings(hits=1, budget_tokens=4000)
        with Phidex(settings=settings_for(folder / "data", search=search, pack=pack)) as other:
            return {entry.chunk_id for entry in other.ask("valve 6").ledger.entries}

    assert len(packed("off")) == 1
    assert packed("off") < packed("neighbours")


def test_operators_hold_for_every_wording_and_every_mode(folder: Path, phidex: Phidex) -> None:
    """They limit the search, and are no words of the question, nor of the ones after it."""
    conversation = Conversation()
    answer = phidex.ask("When was the boiler replaced? source:garden.md", conversation=conversation)
    assert {entry.source_id for entry in answer.ledger.entries} <= set(phidex.find_sources("garden.md"))
    follow_up = phidex.ask("and the pump?", conversation=conversation)
    assert "source" not in follow_up.searched
    assert "garden" not in follow_up.searched
    with Phidex(settings=settings_for(folder / "data", pack=PackSettings(mode="whole"))) as whole:
        left = whole.ask("Who replaced the pump? -source:garden.md")
        assert {entry.source_id for entry in left.ledger.entries} == set(phidex.find_sources("plant.md"))
        with pytest.raises(NotFoundError, match="ledger"):
            whole.ask("Who replaced the pump? source:ledger.xlsx")


def test_expansion_keeps_to_the_filters(folder: Path, phidex: Phidex) -> None:
    (folder / "long.md").write_text("\n\n".join(f"## Step {n}\n\n" + f"Turn the valve {n} slowly. " * 40 for n in range(6)))
    phidex.ingest(folder / "long.md", folder / "plant.md", tags=["x"])
    search = SearchSettings(expand_hits=1, expand_tokens=100_000, expand="document")
    with Phidex(settings=settings_for(folder / "data", search=search)) as other:
        answer = other.ask("valve 3", filters=Filters(tags=("x",), languages=("de",)))
    assert answer.ledger.entries == ()


def test_what_people_should_know_is_told(folder: Path, phidex: Phidex) -> None:
    class Down:
        name = "down"

        def scores(self, query: str, passages: Sequence[str]) -> Sequence[float]:
            raise ServiceError(f"nobody is there for {query} and {len(passages)}")

    heard: list[str] = []
    assert phidex.search("kind:pdff replaced", on_warning=heard.append)
    assert "pdff" in heard[0]
    with Phidex(settings=settings_for(folder / "data"), reranker=Down()) as other:
        assert any("not reranked by down" in warning for warning in other.ask("Who replaced the pump?").warnings)
        events = list(other.ask("Who replaced the pump?", stream=True))
    told = [at for at, event in enumerate(events) if isinstance(event, Notice) and "not reranked by down" in event.text]
    assert told == [1]  # once, right behind the route


def test_what_is_excluded_in_two_ways_is_excluded_in_each(folder: Path, phidex: Phidex) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "shed.md").write_text("# Shed\n\nThe roof of the shed was replaced in 2018 by the caretaker.\n")
    phidex.ingest(folder / "sub")
    found = phidex.search("replaced caretaker -source:plant.md -path:sub/")
    assert {hit.source.name for hit in found} == {"garden.md"}


def test_a_file_that_is_only_spoken_of_limits_nothing(phidex: Phidex) -> None:
    assert phidex.search("what was replaced according to requirements.txt")
    assert phidex.search("what is in plant.md")[0].source.name == "plant.md"
    assert phidex.search("what was replaced on page 99999999999999999999")
