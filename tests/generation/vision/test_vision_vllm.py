"""Pictures against a real vLLM with a tiny Phi-3.5-vision: what they cost, where they stand, how many it takes."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.builders import settings_for
from tests.generation.vision.drawn import image
from tests.retrieval.engines import end_engine
from tests.vllm import server, tiny_vision

from phidex import Phidex
from phidex.errors import ConfigError
from phidex.generation.chat import Message, OpenAIChat
from phidex.generation.chat_wire import ImagePart, turns
from phidex.generation.models.table import image_tokens
from phidex.settings import ChatSettings, PackSettings

pytestmark = pytest.mark.vllm
SHAPES = [(640, 480), (999, 500), (997, 500), (300, 900), (1344, 100), (595, 842), (64, 64), (336, 337)]
IMAGE_TOKEN = 32_044


@pytest.fixture(scope="module")
def url(vllm: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The base URL of a server that sees; `vllm` is asked for since it skips where there is none."""
    assert vllm
    folder = tmp_path_factory.mktemp("vision")
    model = tiny_vision.write_phi3_vision(folder / "phi3v")
    options: dict[str, Any] = {"names": [tiny_vision.NAME], "window_tokens": tiny_vision.WINDOW_TOKENS}
    with server.serve(model, folder / "server.log", **options, flags=tiny_vision.FLAGS) as served:
        yield served


def picture(size: tuple[int, int], before: str = "") -> ImagePart:
    return ImagePart(f"data:image/png;base64,{base64.b64encode(image(*size)).decode()}", before)


def settings(url: str, **values: Any) -> ChatSettings:
    given: dict[str, Any] = {"url": url, "mini": "", "vision": tiny_vision.NAME, "vision_images": tiny_vision.IMAGES}
    given |= {"max_answer_tokens": 16, **values}
    return ChatSettings(**given)


@pytest.mark.parametrize("at", range(0, len(SHAPES), 2))
def test_pictures_cost_what_the_formula_says(url: str, at: int) -> None:
    shapes = SHAPES[at : at + 2]
    messages = turns([Message("user", "Which one?", tuple(picture(shape, "Picture:\n") for shape in shapes))])
    body = {"model": tiny_vision.NAME, "messages": messages, "max_tokens": 2}
    usage = httpx.post(f"{url}/chat/completions", json=body, timeout=120).json()["usage"]
    expected = sum(image_tokens(*shape, tiny_vision.CROPS) for shape in shapes)
    assert usage["prompt_tokens_details"]["multimodal_tokens"]["image"] == expected


def test_pictures_stand_behind_their_own_texts(url: str) -> None:
    images = (picture((64, 64), "[1] at 0:12\n"), picture((64, 64), "[2] at 0:20\n"))
    body = {"model": tiny_vision.NAME, "messages": turns([Message("user", "Which?", images)])}
    root = url.removesuffix("/v1")
    tokens = httpx.post(f"{root}/tokenize", json=body, timeout=60).json()["tokens"]
    runs = [(is_image, list(run)) for is_image, run in groupby(tokens, lambda token: token == IMAGE_TOKEN)]
    assert [is_image for is_image, _ in runs] == [False, True, False, True, False]
    said = [
        httpx.post(f"{root}/detokenize", json={"model": tiny_vision.NAME, "tokens": run}, timeout=60).json()["prompt"]
        for is_image, run in runs
        if not is_image
    ]
    assert [part in text for part, text in zip(("0:12", "0:20", "Which?"), said, strict=True)] == [True, True, True]


def test_more_pictures_than_the_server_takes_are_refused_by_it(url: str) -> None:
    with OpenAIChat(settings(url)) as chat:
        asked = [Message("user", "Which?", (picture((64, 64)),) * (tiny_vision.IMAGES + 1))]
        with pytest.raises(ConfigError, match="At most 3 image") as caught:
            list(chat.stream(asked, model=tiny_vision.NAME, max_tokens=2))
    assert "PHIDEX_CHAT__VISION_IMAGES" in caught.value.hint


@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_answer_about_pictures_fits_the_window_by_the_servers_own_count(url: str, count: int, tmp_path: Path) -> None:
    prose = "The harbour was rebuilt after the storm, and its depth is measured every morning. " * 40
    for number in range(4):
        (tmp_path / f"{number}.md").write_text(f"# Part {number}\n\n{prose}")
    chosen = settings_for(tmp_path / "data", chat=settings(url), pack=PackSettings(reserve_tokens=64))  # pyright: ignore[reportCallIssue]
    with Phidex(settings=chosen) as phidex:
        phidex.ingest(*tmp_path.glob("*.md"))
        answer = phidex.ask("How was the harbour rebuilt?", images=[image(640, 480 + number) for number in range(count)])
    end_engine(tmp_path / "data")
    assert answer.route.model == tiny_vision.NAME
    assert ("first look over 5 pictures in 2 groups" in answer.route.reason) == (count > tiny_vision.IMAGES)
    assert answer.usage is not None
    ledger = answer.ledger
    assert ledger.counted_by == "server"
    assert ledger.prompt_tokens + ledger.context_tokens + ledger.reserve_tokens <= tiny_vision.WINDOW_TOKENS
    if count <= tiny_vision.IMAGES:  # otherwise the first looks are in the sum
        ours = ledger.prompt_tokens + ledger.context_tokens
        assert 0.97 * ours <= answer.usage.prompt_tokens <= ours
    pictures = [entry for entry in ledger.entries if re.search(r"\(picture\)$", entry.place) and entry.status == "packed"]
    assert 1 <= len(pictures) <= tiny_vision.IMAGES
    assert all(entry.tokens == image_tokens(640, 480, 4) + 4 for entry in pictures)
