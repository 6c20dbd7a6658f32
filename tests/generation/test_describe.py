"""Pictures in words: what is sent, what comes back, and what happens where nothing does."""

from __future__ import annotations

import pickle

import pytest
from pydantic import SecretStr
from tests.generation.faulty import FaultyServer, answer, served

from phidex.errors import ConfigError, ServiceError
from phidex.generation.describe import Describer
from phidex.ingest.describe import describe_figures
from phidex.ingest.records import Anchor, Block, Parsed, Picture
from phidex.settings import ChatSettings

PICTURE = Picture(b"\x89PNG picture", "image/png", 8, 4)
CAPTION = Block("Figure 1: Rain by month", "figure", (Anchor(0, (0, 0, 9, 9)),), page_number=1, image=0)
TEXT = Block("Rain fell.", "paragraph", (Anchor(0, (0, 9, 9, 18)),), page_number=1)


def document(figures: int) -> Parsed:
    return Parsed("pdf", (TEXT, *[CAPTION] * figures), images=(PICTURE,))


def describer(server: FaultyServer) -> Describer:
    return Describer(ChatSettings(url=server.url, api_key=SecretStr("k"), vision="phi-3.5-vision", retries=0))  # pyright: ignore[reportCallIssue]


def test_the_picture_goes_to_the_vision_model_with_its_caption() -> None:
    with served(answer("Bars of rain", " a month.")) as (_, server):
        ask = pickle.loads(pickle.dumps(describer(server)))  # as it goes to a worker
        assert ask(PICTURE, "Figure 1: Rain by month") == "Bars of rain a month."
    body = server.requests[0].json
    assert body["model"] == "phi-3.5-vision"
    image, text = body["messages"][0]["content"]
    assert image == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORyBwaWN0dXJl"}}
    assert "Figure 1: Rain by month" in text["text"]
    assert server.requests[0].headers["authorization"] == "Bearer k"


def test_the_description_becomes_a_part_of_the_figure() -> None:
    beats: list[None] = []
    found = describe_figures(document(1), lambda picture, about: f"seen: {about}", lambda: beats.append(None))
    assert [block.text for block in found.blocks] == ["Rain fell.", "Figure 1: Rain by month\nseen: Figure 1: Rain by month"]
    assert found.warnings == ()
    assert len(beats) == 1


def test_an_endpoint_that_is_down_is_given_up_and_said() -> None:
    calls: list[str] = []

    def refuse(_picture: Picture, about: str) -> str:
        calls.append(about)
        raise ServiceError("nobody listens")

    found = describe_figures(document(9), refuse, lambda: None)
    assert len(calls) == 3
    assert found.blocks == document(9).blocks
    assert found.warnings == ("Pictures were left without description: nobody listens",)


def test_without_a_vision_model_it_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match="vision") as caught:
        Describer(ChatSettings(url="http://127.0.0.1:1/v1"))  # pyright: ignore[reportCallIssue]
    assert "PHIDEX_CHAT__VISION" in caught.value.hint
