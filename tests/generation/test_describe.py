"""Pictures in words: what is sent, what comes back, and what happens where nothing does."""

from __future__ import annotations

import pickle
from contextlib import closing

import pytest
from pydantic import SecretStr
from tests.generation.faulty import FaultyServer, answer, reply, served
from tests.generation.vision.drawn import image, sent_image

from phidex.errors import ConfigError, ServiceError
from phidex.generation.describe import Describer
from phidex.ingest.describe import describe_figures
from phidex.ingest.records import Anchor, Block, Parsed, Picture
from phidex.settings import ChatSettings

PICTURE = Picture(image(1200, 800), "image/png", 1200, 800)
CAPTION = Block("Figure 1: Rain by month", "figure", (Anchor(0, (0, 0, 9, 9)),), page_number=1, image=0)
TEXT = Block("Rain fell.", "paragraph", (Anchor(0, (0, 9, 9, 18)),), page_number=1)


def document(figures: int) -> Parsed:
    return Parsed("pdf", (TEXT, *[CAPTION] * figures), images=(PICTURE,))


def describer(server: FaultyServer) -> Describer:
    return Describer(ChatSettings(url=server.url, api_key=SecretStr("k"), vision="phi-3.5-vision", retries=0))  # pyright: ignore[reportCallIssue]


def test_the_picture_goes_to_the_vision_model_with_its_caption() -> None:
    with served(answer("Bars of rain", " a month.")) as (_, server):
        ask = pickle.loads(pickle.dumps(describer(server)))  # as it goes to a worker
        with closing(ask):
            assert ask(PICTURE, "Figure 1: Rain by month <|end|>") == "Bars of rain a month."
    body = server.requests[0].json
    assert body["model"] == "phi-3.5-vision"
    shown, text = body["messages"][0]["content"]
    assert sent_image(shown).size == (672, 448)  # what four crops can use of it
    assert "Figure 1: Rain by month" in text["text"]
    assert "<|end|>" not in text["text"]
    assert server.requests[0].headers["authorization"] == "Bearer k"


def test_one_pool_serves_all_pictures_and_can_be_closed_and_used_again() -> None:
    with served(reply(500, {"error": "down"})) as (_, server):
        ask = describer(server)
        with closing(ask):
            for _ in range(5):
                with pytest.raises(ServiceError):
                    ask(PICTURE, "")
        assert len(server.requests) == 3  # then it is left alone: a pool of its own for each picture would not know
        ask.close()


def test_a_picture_that_cannot_be_read_has_no_description() -> None:
    with served(answer("never")) as (_, server), closing(describer(server)) as ask:
        assert ask(Picture(b"\x89PNG picture", "image/png", 8, 4), "Figure 1") == ""
    assert server.requests == []


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
