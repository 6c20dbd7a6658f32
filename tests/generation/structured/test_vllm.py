"""Structured output against a real vLLM: its tiny model writes noise, but noise that obeys the grammar."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from tests.builders import settings_for
from tests.generation.faulty import chat_settings
from tests.generation.structured.served import BOILER, LEASE, ingested
from tests.retrieval.engines import end_engine
from tests.vllm import server, tiny_models

from phidex import IncompleteAnswerError
from phidex.generation.ask import Asker
from phidex.generation.chat import OpenAIChat
from phidex.generation.chat_wire import Message
from phidex.generation.structured.classify import Classifier
from phidex.generation.structured.extract import Extractor
from phidex.generation.structured.schema import Schema
from phidex.generation.structured.write import Writer, choice_forms, schema_forms
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store

pytestmark = pytest.mark.vllm

MINI = "phi-3.5-mini"


class Rating(BaseModel):
    """Nothing in it can be long: a model of random weights never ends a text by itself."""

    grade: Literal["high", "low"]
    rent: int = Field(ge=100_000, le=999_999)
    pets: bool


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = ingested(tmp_path_factory.mktemp("documents"), lease=LEASE, boiler=BOILER)
    yield folder
    end_engine(folder)


@pytest.fixture
def asker(vllm: str, data: Path) -> Generator[tuple[Asker, OpenAIChat]]:
    with asking_at(vllm, data) as both:
        yield both


@contextlib.contextmanager
def asking_at(url: str, data: Path) -> Generator[tuple[Asker, OpenAIChat]]:
    chat_at = chat_settings(url, max_answer_tokens=512)
    settings = settings_for(data, chat=chat_at)
    store = open_store(data, settings.store)
    try:
        with OpenAIChat(chat_at) as chat:
            yield Asker(settings, Collection.open(store, "default"), chat=chat), chat
    finally:
        store.close()


@pytest.fixture(scope="module")
def compact(vllm: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server as our command lines start it: JSON without white space, of which a model of random weights finds no end."""
    folder = tmp_path_factory.mktemp("compact")
    config = '{"backend": "xgrammar", "disable_any_whitespace": true}'
    flags = (*server.CHAT_FLAGS, "--structured-outputs-config", config)
    with server.serve(tiny_models.write_phi3(folder / "phi3"), folder / "server.log", flags=flags) as url:
        yield url


def test_noise_fits_the_schema_and_is_told_to_be_unsupported(compact: str, data: Path) -> None:
    with asking_at(compact, data) as asker:
        got = Extractor[Any].of(*asker, Schema[Any].of(Rating)).ask("What is the rent?")
    assert isinstance(got.data, Rating)
    assert got.fields["rent"].support == "unsupported"
    assert not got.fields["grade"].verified
    assert any("no passage has these values, check them: " in warning for warning in got.warnings)
    assert not any("takes no JSON schema" in warning for warning in got.warnings)
    assert got.ledger.counted_by == "server"
    assert got.usage is not None
    assert got.usage.prompt_tokens == got.ledger.prompt_tokens + got.ledger.context_tokens, "the schema is counted, exactly"


def test_documents_are_labelled_by_choice(asker: tuple[Asker, OpenAIChat]) -> None:
    classifier = Classifier.of(*asker, {"lease": "", "maintenance": ""})
    for entry in asker[0].collection.entries():
        labels = classifier.document(entry.source, [])
        assert labels is not None
        assert labels.labels in (("lease",), ("maintenance",))


def test_a_choice_is_one_of_the_choices(asker: tuple[Asker, OpenAIChat]) -> None:
    messages = [Message("user", "Which is it?")]
    label = Writer(asker[1], choice_forms(["lease", "maintenance"])).write(messages, model=MINI, max_tokens=64)
    assert (label.form.name, label.text in ("lease", "maintenance")) == ("choice", True)


def test_white_space_without_end_names_the_flag_against_it(asker: tuple[Asker, OpenAIChat]) -> None:
    with pytest.raises(IncompleteAnswerError, match="disable_any_whitespace"):
        Extractor[Any].of(*asker, Schema[Any].of(Rating)).ask("What is the rent?")


def test_a_schema_that_its_grammar_cannot_take_is_asked_for_as_any_json(asker: tuple[Asker, OpenAIChat]) -> None:
    odd = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}}
    reply = Writer(asker[1], schema_forms("odd", odd)).write([Message("user", "JSON")], model=MINI, max_tokens=8)
    assert reply.form.name == "json_object"
