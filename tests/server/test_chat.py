"""OpenAI's official client against the server."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.generation.faulty import answer
from tests.server.conftest import Modelled, Place

from phidex.server.history import Said, bare, history_of


@pytest.fixture
def client(modelled: Modelled) -> Generator[OpenAI]:
    with OpenAI(base_url=f"{modelled.served.url}/v1", api_key="none-needed", max_retries=0) as client:
        yield client


@pytest.fixture
def keyed(place: Place) -> Generator[OpenAI]:
    with OpenAI(base_url=f"{place.served.url}/v1", api_key=place.tokens["mine"], max_retries=0) as client:
        yield client


def test_each_collection_is_a_model(keyed: OpenAI) -> None:
    assert [model.id for model in keyed.models.list()] == ["mine"]
    assert keyed.models.retrieve("mine").owned_by == "phidex"
    with pytest.raises(openai.PermissionDeniedError):
        keyed.models.retrieve("theirs")


def test_whole_answer(client: OpenAI, modelled: Modelled) -> None:
    modelled.play(answer(f"It was {modelled.document.pages[0].marker} [1]."))
    done = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": f"What of {modelled.document.pages[0].marker}?"}]
    )
    (choice,) = done.choices
    assert choice.finish_reason == "stop"
    assert choice.message.content is not None
    assert choice.message.content.startswith(f"It was {modelled.document.pages[0].marker} [1].\n\nSources:\n[1] report.md, ")
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens >= 9
    assert done.model_extra is not None
    (citation,) = done.model_extra["citations"]
    assert citation["source"]["name"] == "report.md"
    assert done.model_extra["route"]["role"] == "mini"


def test_streamed_answer_is_the_whole_one(client: OpenAI, modelled: Modelled) -> None:
    modelled.play(answer("In ", "the ", "orchard [1].", finish_reason="length"))
    stream = client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": f"What of {modelled.document.word}?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.startswith("In the orchard [1].\n\nSources:\n[1] report.md")
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["length"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens >= 9
    assert any((chunk.model_extra or {}).get("citations") for chunk in chunks)


def test_history_reaches_the_model(client: OpenAI, modelled: Modelled) -> None:
    modelled.play(answer("In August [1]."))
    client.chat.completions.create(
        model="default",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Where was the {modelled.document.word}?"},
            {"role": "assistant", "content": "Behind the orangery [1].\n\nSources:\n[1] report.md, lines 1-3"},
            {"role": "user", "content": [{"type": "text", "text": "And when was that?"}]},
        ],
    )
    asked = str([request.json for request in modelled.model.requests if "chat" in request.line][-1])
    assert "Behind the orangery" in asked
    assert "And when was that?" in asked


def test_errors_are_those_that_the_client_knows(client: OpenAI, keyed: OpenAI, place: Place) -> None:
    question = [{"role": "user", "content": "Where?"}]
    with pytest.raises(openai.NotFoundError, match="there is no collection 'nowhere'"):
        client.chat.completions.create(model="nowhere", messages=question)  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(openai.PermissionDeniedError):
        keyed.chat.completions.create(model="theirs", messages=question)  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(openai.BadRequestError) as caught:
        keyed.chat.completions.create(model="mine", messages=[{"role": "assistant", "content": "So."}])
    assert (caught.value.code, caught.value.param, caught.value.type) == ("bad_input", "messages", "invalid_request_error")
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(openai.BadRequestError, match="image_url is not taken"):
        keyed.chat.completions.create(model="mine", messages=[{"role": "user", "content": [picture]}])  # pyright: ignore[reportArgumentType]
    with pytest.raises(openai.UnprocessableEntityError):
        keyed.chat.completions.create(model="mine", messages=[], n=2)
    tool: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}
    with pytest.raises(openai.BadRequestError, match="tools is not supported"):
        keyed.chat.completions.create(model="mine", messages=question, tools=[tool])  # pyright: ignore[reportArgumentType, reportCallIssue]
    with (
        OpenAI(base_url=f"{place.served.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="not valid"),
    ):
        stranger.models.list()


def test_embeddings_need_a_dense_model(keyed: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="no dense model"):
        keyed.embeddings.create(model="mine", input="a text")


def test_history_of_messages() -> None:
    said = [
        Said(role="user", content="First?"),
        Said(role="assistant", content="Yes [1].\n\nSources:\n[1] a.pdf, p. 1\n[2] b.pdf, p. 2"),
        Said(role="assistant", content="A second one without a question"),
        Said(role="user", content="Second?"),
    ]
    question, conversation = history_of(said)
    assert question == "Second?"
    assert [(turn.question, turn.answer) for turn in conversation.turns] == [("First?", "Yes.")]
    assert bare("Sources:\nmany") == "Sources:\nmany"
